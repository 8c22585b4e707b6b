"""S30 to S33: what a plan refuses before a cent is spent or a byte is written: paths, collisions, counts, prices."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux2batch.cli import run
from flux2batch.resources import read_text


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command on the text of a job."""

    def said(name: str, job: str, *flags: object) -> Said:
        file = tmp_path / "boat.yaml"
        file.write_text(f"flux2batch: 1\n{job}\n", encoding="utf-8")
        code = run([name, str(file), *map(str, flags)])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return said


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name != "boat.yaml"}


# S30: paths as the job writes them, and as data makes them.

LEADING_OUT = (
    "../x",
    "a/../../x",
    "a/../x",
    "..",
    "/tmp/x",
    "//server/x",
    "~/x",
    "~root/x",
    "\\\\server\\x",
    "C:/x",
    "c:x",
    "a:b",
)
UNUSABLE = (
    "CON",
    "con.txt",
    "a/NUL/b",
    "lpt1",
    "COM1.png",
    "CONIN$",
    "a.",
    "a /b",
    "a./b",
    "-rf",
    ".ssh/x",
    "a//b",
    "a/",
    "ab:c",
    "a*",
    "a\u202eb",
    "a\u200bb",
    "a?b",
    "a|b",
    "a\\b",
    "earlier/x",
    "x" * 300,
    "/".join(["abcdefgh"] * 200),
)
CONTROL = ("a\nb", "a\tb")  # others never get into a job: FB116


@pytest.mark.parametrize("path", LEADING_OUT + UNUSABLE)
def test_s30_a_path_that_leads_out_or_is_none_everywhere_is_refused(
    command: Command, tmp_path: Path, path: str
) -> None:
    for name in ("plan", "run"):
        refused = command(name, f"prompt: x\noutput: {{path: {json.dumps(path)}}}")

        assert refused.code == (4 if path in LEADING_OUT else 3)
        assert ("FB704" if path in LEADING_OUT else "FB502") in refused.err
    assert files_of(tmp_path) == set()


@pytest.mark.parametrize("hostile", LEADING_OUT + UNUSABLE + CONTROL)
def test_s30_what_data_says_is_one_safe_name_in_a_path(command: Command, hostile: str) -> None:
    job = f'prompt: "{{{{ x.text }}}}"\nsweep: {{x: [{{id: a, text: {json.dumps(hostile)}}}]}}\n'
    planned = command("plan", job + 'output: {path: "out/{{ x.text }}/end"}', "--jsonl")

    assert planned.code == 0, planned.err
    ((path,),) = [json.loads(line)["paths"] for line in planned.out.splitlines()]
    first, name, last = path.split("/")
    assert (first, last) == ("out", "end.png")
    assert name not in ("", ".", "..")
    assert name[0] not in ".-~ "
    assert name[-1] not in ". "
    assert not set(name) & set('\\:*?"<>|\0\x1b\x7f\n')
    assert name.split(".")[0].lower() not in ("con", "nul", "lpt1", "com1", "conin$")


def test_s30_a_link_planted_in_the_run_directory_leads_nowhere(command: Command, tmp_path: Path) -> None:
    job = "model: bfl/flux-2-klein-4b\nprompt: x\nparams: {size: 256x256}\noutput: {path: a/x}"
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "runs" / "boat.emulated"
    assert command("run", job, "--emulate", "--yes", "--quiet").code == 0
    (root / "b").symlink_to(outside)

    moved = command("run", job.replace("a/x", "b/x"), "--emulate", "--yes", "--quiet")

    assert moved.code != 0
    assert list(outside.iterdir()) == []
    assert (root / "a" / "x.png").is_file(), "the picture that is paid for stays where it is"


# S31: two pictures, one file.

COLLISIONS = {
    "one path for all": ("a: [1, 2]", "a", "FB501"),
    "capitals": ("a: [{id: Fox}, {id: fox}]", "{{ a.id }}", "FB502"),
    "ways of writing an accent": ('a: [{id: x, text: "\\u00e9"}, {id: y, text: "e\\u0301"}]', "{{ a.text }}", "FB501"),
    "what a name cannot hold": ("a: [{id: x, text: 'a/b'}, {id: y, text: 'a:b'}]", "{{ a.text }}", "FB501"),
}


@pytest.mark.parametrize("what", COLLISIONS)
def test_s31_two_pictures_for_one_file_are_refused_and_both_are_named(command: Command, what: str) -> None:
    axis, path, code = COLLISIONS[what]
    refused = command(
        "plan", f'prompt: "{{{{ a.id }}}}"\nsweep: {{{axis}}}\noutput: {{path: "{path}"}}', "--format", "json"
    )

    assert refused.code == 3
    (problem,) = [one for one in json.loads(refused.out or refused.err)["problems"] if one["severity"] == "error"]
    assert problem["code"] == code
    assert len(problem["notes"]) == 2


# S32: a slip that would cost a fortune is answered by arithmetic.

EXPLOSIONS = {
    "a billion by axes": ('prompt: "{{ a }} {{ b }} {{ c }}"\nsweep: {a: 1..1000, b: 1..1000, c: 1..1000}', "FB605"),
    "a billion by repeat": ("prompt: x\nrepeat: 1000000000", "FB605"),
    "a range without end": ('prompt: "{{ a }}"\nsweep: {a: 1..1000000000000000000}', None),
    "tiny steps": ('prompt: "{{ a }}"\nsweep: {a: 0..1 step 0.000000001}', None),
    "a count of draws": ('prompt: "{{ a }}"\nsweep: {a: {random: [0, 1000000000], count: 1000000000, seed: 1}}', None),
    "a huge picture": ("prompt: x\nparams: {size: 100000x100000}", "FB204"),
    "megapixels": ("prompt: x\nparams: {aspect: 1:1, megapixels: 1000000}", None),
}


@pytest.mark.parametrize("what", EXPLOSIONS)
def test_s32_an_explosion_is_refused_before_anything_is_expanded(command: Command, what: str) -> None:
    job, code = EXPLOSIONS[what]
    refused = command("plan", job)

    assert refused.code in (3, 4)
    assert code is None or code in refused.err


def test_b96_s32_a_script_buys_nothing_without_yes_and_nothing_above_ten_dollars_without_a_bound(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BFL_API_KEY", "bfl_c4n4ryc4n4ryc4n4ry")
    job = "prompt: x\nsweep: {seed: 1..400}"

    unbound = command("run", job, "--yes")
    unasked = command("run", job, "--max-usd", "20")

    assert (unbound.code, "FB611" in unbound.err) == (4, True)
    assert (unasked.code, "FB611" in unasked.err) == (4, True)
    assert not list(tmp_path.rglob("*.png"))


# S33: no price, no purchase.


@pytest.mark.parametrize("name", ["plan", "run"])
def test_b97_s33_an_unknown_price_is_never_zero(command: Command, tmp_path: Path, name: str) -> None:
    entry = json.loads(read_text("schemas/models/bfl-flux-2-pro.json"))
    entry |= {"model": "bfl/flux-2-next", "price": None}
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "next.json").write_text(json.dumps(entry), encoding="utf-8")
    (tmp_path / "config.toml").write_text('[models]\nfolders = ["models"]\n', encoding="utf-8")
    flags = ["--config", tmp_path / "config.toml"]
    job = "model: bfl/flux-2-next\nprompt: x"

    refused = command(name, job, *flags)
    assumed = command("plan", job, *flags, "--assume-price", "0.07")

    assert (refused.code, "FB612" in refused.err) == (4, True)
    assert assumed.out.splitlines()[-1].startswith("Will spend $0.07")
    assert not (tmp_path / "runs").exists()
