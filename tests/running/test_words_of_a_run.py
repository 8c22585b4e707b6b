"""What a run says to a person: nothing that is not so, and numbers in their order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from flux2batch.__main__ import main

JOB = """
flux2batch: 1
name: study
model: bfl/flux-2-flex
prompt: "a boat like {{ ref('boat') }}"
references: {boat: boat.png}
params: {size: 64x64}
sweep: {guidance: [10, 2, 5.5]}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job in a folder that is the current one, with its reference."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (128, 128), "teal").save("boat.png")
    Path("study.yaml").write_text(JOB, encoding="utf-8")


@pytest.mark.usefixtures("study")
def test_a_run_again_lists_no_uploads_and_an_emulated_charge_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:

    assert main(["run", "study.yaml", "--emulate"]) == 0
    first = capsys.readouterr().err
    assert main(["run", "study.yaml", "--emulate"]) == 0
    again = capsys.readouterr().err
    assert main(["ledger", "study.yaml", "--by", "guidance"]) == 0
    ledger = capsys.readouterr().out

    assert "uploads boat.png" in first
    assert "charged, by the emulator, so nothing" in first
    assert "uploads" not in again
    assert [line.split()[0] for line in ledger.splitlines()[2:5]] == ["2", "5.5", "10"]


@pytest.mark.usefixtures("study")
def test_a_second_run_tells_what_is_its_own_and_how_to_go_on_without_paying(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "study.yaml", "--emulate", "--only", "guidance == 2"]) == 0
    first = capsys.readouterr().err

    assert main(["run", "study.yaml", "--emulate", "--set", "budget.max_usd=0.2", "--up-to-budget"]) == 4
    then = capsys.readouterr().err

    assert "1 of 1 shot done, 1 picture" in first
    assert "uploads boat.png  0 kB to the emulator, in place of api.bfl.ai" in first
    assert "of 3 shots done" in then
    assert "of them now" in then
    assert "in all, by the emulator, so nothing" in then
    assert "not begun  a higher --set budget.max_usd buys them" in then


@pytest.mark.usefixtures("study")
def test_an_export_says_which_picks_were_replaced_since(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "study.yaml", "--jsonl"]) == 0
    ids = [json.loads(row)["id"] for row in capsys.readouterr().out.splitlines()]
    Path("picks.yaml").write_text(json.dumps([{"id": id} for id in ids]), encoding="utf-8")
    assert main(["run", "study.yaml", "--emulate"]) == 0
    Path("study.yaml").write_text(JOB.replace("a boat", "a raft"), encoding="utf-8")
    assert main(["run", "study.yaml", "--emulate"]) == 0
    capsys.readouterr()

    assert main(["export", "study.yaml", "--picks", "picks.yaml", "--to", "out"]) == 0

    assert "3 pictures from before, under earlier/: others have taken their places" in capsys.readouterr().err
    assert len(list(Path("out", "earlier").iterdir())) == 3


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("guidance: 2-5", "for the numbers from 2 to 5 write 2..5"),
        ("guidance: 1.5 to 3", "for the numbers from 1.5 to 3 write 1.5..3"),
        ("colour: red", "write [red]"),
        ("steps: [20]", "on bfl 'steps' works only with bfl/flux-2-flex, and not with bfl/flux-2-pro"),
    ],
)
def test_the_remedy_is_what_was_meant(
    written: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.yaml").write_text(f'flux2batch: 1\nprompt: "a boat"\nsweep: {{{written}}}\n', encoding="utf-8")

    assert main(["validate", "job.yaml"]) == 3
    assert said in capsys.readouterr().err


def test_a_spreadsheets_names_and_words_are_told_how_to_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.csv").write_text("sku;Text de;state\nm;Morgen;ready\n", encoding="utf-8")
    Path("job.yaml").write_text(
        'flux2batch: 1\nprompt: "{{ product.Text de }}"\nsweep: {product: data.products}\n'
        'data: {products: {file: shop.csv, key: sku, rows: "state == ready"}}\n',
        encoding="utf-8",
    )

    assert main(["validate", "job.yaml"]) == 3
    said = capsys.readouterr().err
    assert "is written product['Text de']" in said
    assert "a text stands in quotes: 'ready'" in said


def test_a_picture_that_cannot_be_read_is_one_error_and_not_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.yaml").write_text(
        "flux2batch: 1\nprompt: \"the bag of {{ ref('pack') }}\"\nreferences: {pack: 'refs\\bag.png'}\n",
        encoding="utf-8",
    )

    assert main(["validate", "job.yaml"]) == 4
    said = capsys.readouterr().err
    assert "write refs/bag.png" in said
    assert "1 error" in said or said.count("error[") == 1
    assert "FB413" not in said


@pytest.mark.usefixtures("study")
def test_a_filter_that_no_shot_passes_is_told_with_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for command in (["plan", "study.yaml"], ["run", "study.yaml", "--emulate"]):
        assert main([*command, "--only", "guidance == 3"]) == 0
        said.append(capsys.readouterr().err)
        assert main([*command, "--only", "guidance == 3", "--strict"]) == 3
        said.append(capsys.readouterr().err)
    assert main(["plan", "study.yaml", "--only", "guidance == 2"]) == 0
    fitting = capsys.readouterr().err

    assert all("FB312" in each and "guidance: 10, 2, 5.5" in each for each in said)
    assert said[2].endswith("study  none of 3 shots\n✓ Nothing to do.\n")
    assert "FB312" not in fitting
