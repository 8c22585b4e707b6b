"""`--check-urls`: https references are fetched by the rules for hosts (S21 to S23), checked, and their sizes known."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fake_hosts import FakeHosts
from PIL import Image

from flux2batch.cli import run

PICTURE = "https://cdn.evil.test/a.png"
JOB = 'flux2batch: 1\nprompt: a boat\nparams: {{size: {size}}}\nreferences: {{boat: "{url}"}}\n'


def png(width: int, height: int) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def job(folder: Path, *, url: str = PICTURE, size: str = "1024x1024") -> str:
    file = folder / "job.yaml"
    file.write_text(JOB.format(url=url, size=size), encoding="utf-8")
    return str(file)


def plan(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


def shot(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    code, out, err = plan(capsys, "plan", *arguments, "--jsonl")
    assert code == 0, err
    return json.loads(out)


# What the host answers, and what is said of it.
ANSWERS = {
    "nothing there": ((404, {}, b"no"), "404"),
    "a page": ((200, {"Content-Type": "text/html"}, b"<!doctype html><html>log in first</html>"), "not a PNG, JPEG or"),
    "100 MB": ((200, {"Content-Type": "image/png"}, b"\x89PNG\r\n\x1a\n" + bytes(100_000_000)), "larger than 20,000,0"),
    "a torn picture": ((200, {}, png(640, 480)[:-40]), "cut off"),
    "a broken server": ((503, {}, b"busy"), "503"),
    "a way inside": ((302, {"Location": "https://169.254.169.254/latest/meta-data"}, b""), "names an address"),
    "a way to http": ((302, {"Location": "http://cdn.evil.test/b.png"}, b""), "is http"),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("command", ["plan", "validate", "run"])
@pytest.mark.usefixtures("public")
def test_b89_what_is_no_picture_is_an_error_at_its_reference(
    tmp_path: Path, hosts: FakeHosts, capsys: pytest.CaptureFixture[str], command: str, answer: str
) -> None:
    hosts["cdn.evil.test"].answers["/a.png"], said = ANSWERS[answer]

    code, out, err = plan(capsys, command, job(tmp_path), "--check-urls", "--format", "concise")

    assert code == 3
    assert "job.yaml:4:20: " in out + err
    assert "FB409" in out + err
    assert said in out + err
    assert hosts.everything(but=["cdn.evil.test"]) == ""


@pytest.mark.usefixtures("public")
def test_a_picture_that_was_looked_at_has_a_size_for_match_exact_and_price(
    tmp_path: Path, hosts: FakeHosts, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts["cdn.evil.test"].answers["/a.png"] = (200, {"Content-Type": "image/png"}, png(800, 608))

    matched = shot(capsys, job(tmp_path, size="match"), "--check-urls")
    trimmed = shot(capsys, job(tmp_path, size="{exact: 790x600}"), "--check-urls")
    unseen = shot(capsys, job(tmp_path))
    seen = shot(capsys, job(tmp_path), "--check-urls")

    assert (matched["params"]["width"], matched["params"]["height"]) == (800, 608)
    assert (trimmed["params"]["width"], trimmed["params"]["height"]) == (800, 608)
    assert unseen["cost_usd"]["min"] < unseen["cost_usd"]["max"], "priced from 1 to 4 MP"
    assert seen["cost_usd"]["min"] == seen["cost_usd"]["max"] == unseen["cost_usd"]["min"]
    assert seen["id"] == unseen["id"], "looking at a picture makes no other one of it"


@pytest.mark.usefixtures("public")
def test_without_the_flag_nobody_is_asked_and_match_names_the_way_out(
    tmp_path: Path, hosts: FakeHosts, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = plan(capsys, "plan", job(tmp_path, size="match"))

    assert code == 3
    assert "FB607" in err
    assert "--check-urls" in err
    assert hosts.asked == []


@pytest.mark.usefixtures("public")
def test_each_url_is_fetched_once_without_a_key(
    tmp_path: Path, hosts: FakeHosts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BFL_API_KEY", "bfl_c4n4ryc4n4ryc4n4ry")
    hosts["cdn.evil.test"].answers["/a.png"] = (200, {}, png(64, 64))

    sets = ["--set", "sweep.seed=1..9", "--set", f"references.again={PICTURE}"]
    code, _, err = plan(capsys, "plan", job(tmp_path), *sets, "--check-urls")

    assert code == 0, err
    assert len(hosts["cdn.evil.test"].received) == 1
    assert "c4n4ry" not in hosts.everything()


def test_s22_a_name_that_leads_to_this_machine_is_refused_before_a_word_is_said(
    tmp_path: Path, hosts: FakeHosts, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = plan(capsys, "plan", job(tmp_path), "--check-urls")

    assert code == 3
    assert "FB409" in err
    assert "not a public one" in err
    assert hosts.everything() == ""


@pytest.mark.parametrize("url", ["https://localhost/a.png", "https://10.0.0.1/a.png", "http://cdn.evil.test/a.png"])
def test_s21_a_url_that_leads_inside_is_not_even_looked_up(
    tmp_path: Path, hosts: FakeHosts, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    code, _, err = plan(capsys, "plan", job(tmp_path, url=url), "--check-urls")

    assert code == 4
    assert "FB703" in err
    assert hosts.asked == []


@pytest.mark.usefixtures("public")
def test_a_host_that_the_configuration_forbids_is_not_asked(
    tmp_path: Path, hosts: FakeHosts, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[allow]\nhosts = ["api.bfl.ai"]\n', encoding="utf-8")

    code, _, err = plan(capsys, "plan", job(tmp_path), "--check-urls", "--config", str(config))

    assert code == 4
    assert "FB614" in err
    assert hosts.asked == []


def service_at_api(hosts: FakeHosts, status: str) -> None:
    """The service takes the shot, and then says this of it."""
    told = {"id": "1", "polling_url": "https://api.bfl.ai/v1/get_result?id=1"}
    hosts["api.bfl.ai"].answers |= {
        "/v1/flux-2-pro": (200, {}, json.dumps(told).encode()),
        "/v1/get_result": (200, {}, json.dumps({"id": "1", "status": status}).encode()),
    }


@pytest.mark.usefixtures("public")
def test_a_job_that_needs_the_flag_can_be_asked_for_again(
    tmp_path: Path, hosts: FakeHosts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hosts["cdn.evil.test"].answers["/a.png"] = (200, {"Content-Type": "image/png"}, png(800, 608))
    service_at_api(hosts, "Error")
    file = job(tmp_path, size="match")

    ran, _, err = plan(capsys, "run", file, "--check-urls", "--yes", "--quiet")
    assert ran == 1, err
    unseen, _, said = plan(capsys, "retry", file, "--yes", "--quiet")
    again, _, err = plan(capsys, "retry", file, "--check-urls", "--yes", "--quiet")

    assert (unseen, "--check-urls" in said) == (3, True)
    assert again == 1, err
    submits = [text for text in hosts["api.bfl.ai"].received if text.startswith("POST")]
    assert len(submits) == 2


@pytest.mark.usefixtures("public")
def test_what_a_listing_is_held_against_is_looked_at_as_in_the_run(
    tmp_path: Path, hosts: FakeHosts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hosts["cdn.evil.test"].answers["/a.png"] = (200, {"Content-Type": "image/png"}, png(800, 608))
    hosts["queue.fal.run"].answers["/fal-ai/flux-2/edit"] = (500, {}, b"{}")
    file = job(tmp_path, size="match")
    Path(file).write_text(Path(file).read_text("utf-8") + "model: fal/flux-2\n", encoding="utf-8")

    ran, _, err = plan(capsys, "run", file, "--check-urls", "--yes", "--quiet")
    assert ran == 5, err
    unseen, _, said = plan(capsys, "resolve", file, "--look")
    seen, _, err = plan(capsys, "resolve", file, "--look", "--check-urls")

    assert (unseen, "--check-urls" in said) == (3, True)
    assert (seen, "FB607" in err) == (5, False), "still in doubt: no listing was there to be asked"
