"""`flux2batch sheet --against`: old beside new, for every changed shot, from pictures that are there already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recorded_runs import Shot, grid, id_of, make_way, run_again, run_directory

from flux2batch import cli
from flux2batch.engine.journal import Journal
from flux2batch.engine.run_directory import journal_of

Said = pytest.CaptureFixture[str]

THEN = grid(subject=["fox", "owl"], light=["soft", "hard"])
CHANGED = [replace(shot, id=id_of(100 + n), prompt="a grey fox") for n, shot in enumerate(THEN[:2])]
NOW = [*CHANGED, *THEN[2:]]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sheet(*words: str) -> dict[str, Any]:
    """The data of the page that `sheet` writes."""
    assert cli.run(["sheet", *words, "-o", "page.html"]) == 0
    text = Path("page.html").read_text(encoding="utf-8")
    return dict(json.loads(text.split('id="sheet-data">')[1].split("</script>")[0]))


def cells(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells, with the ids of their coordinates and what stands under `texts`."""
    axes = data["axes"]
    found = []
    for row in data["shots"]:
        cell = dict(zip(data["columns"], row, strict=True))
        cell["at"] = {axis["name"]: axis["values"][i]["id"] for axis, i in zip(axes, cell["c"], strict=True) if i >= 0}
        cell |= {name: data["texts"][cell[name]] if cell[name] >= 0 else None for name in ("prompt", "reason")}
        found.append(cell)
    return found


def plan_alone(folder: str, shots: Sequence[Shot]) -> str:
    """What is left of a run whose journal and pictures are elsewhere: its plan."""
    Path(folder).mkdir(parents=True)
    lines = [json.dumps(shot.row(index)) + "\n" for index, shot in enumerate(shots)]
    (Path(folder) / "plan.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def test_every_changed_shot_stands_there_twice_and_no_other(capsys: Said) -> None:
    run_directory(Path("runs/before"), THEN)
    run_directory(Path("runs/after"), NOW)

    data = sheet("runs/after", "--against", "runs/before")

    shown = cells(data)
    assert [(cell["at"]["run"], cell["at"]["light"], cell["prompt"], cell["file"]) for cell in shown] == [
        ("runs/before", "soft", "a red fox", "runs/before/fox-soft.png"),
        ("runs/before", "hard", "a red fox", "runs/before/fox-hard.png"),
        ("now", "soft", "a grey fox", "runs/after/fox-soft.png"),
        ("now", "hard", "a grey fox", "runs/after/fox-hard.png"),
    ]
    assert all(Path(cell["file"]).is_file() for cell in shown)
    assert {cell["reason"] for cell in shown} == {None, "changed since runs/before: prompt"}
    assert (data["view"]["x"], data["view"]["y"], data["view"]["rows"]) == ("run", "light", [])
    assert "2 shots changed since runs/before; not shown: 0 new, 0 gone, 2 as before." in capsys.readouterr().err


def test_what_made_way_is_found_in_earlier(capsys: Said) -> None:
    root = run_directory(Path("runs/study"), THEN)
    with closing(Journal.open(journal_of(root), driving=True)) as journal:
        for shot in THEN[:2]:
            make_way(root, shot, journal)
        run_again(root, NOW, journal, known=[shot.id for shot in THEN])

    shown = cells(sheet("runs/study", "--against", plan_alone("then", THEN)))

    assert [cell["file"].split("/")[2] for cell in shown] == ["earlier", "earlier", "fox-soft.png", "fox-hard.png"]
    assert {cell["state"] for cell in shown} == {"done"}
    assert capsys.readouterr().out == "page.html\n"


def test_what_lies_in_a_run_beside_it_is_found_there() -> None:
    run_directory(Path("runs/study"), NOW)
    run_directory(Path("runs/another"), THEN)

    shown = cells(sheet("runs/study", "--against", plan_alone("then", THEN)))

    assert [cell["file"] for cell in shown[:2]] == ["runs/another/fox-soft.png", "runs/another/fox-hard.png"]


def test_a_picture_that_is_nowhere_is_said_to_be() -> None:
    run_directory(Path("runs/study"), [*(replace(shot, ends="planned") for shot in CHANGED), *THEN[2:]])

    shown = cells(sheet("runs/study", "--against", plan_alone("then", THEN)))

    assert [(cell["state"], cell["file"], cell["reason"]) for cell in shown[1:3]] == [
        ("planned", None, "its picture is in no run directory here"),
        ("planned", None, "it has not been made yet"),
    ]


@pytest.mark.parametrize("how", ["link", "outside"])
def test_a_journal_from_somebody_else_shows_no_file_of_its_choice(tmp_path: Path, how: str) -> None:
    run_directory(Path("runs/study"), NOW)
    theirs = run_directory(Path("runs/theirs"), THEN)
    (tmp_path / "secret.png").write_bytes(b"secret")
    for shot in THEN:
        (theirs / shot.path).unlink()
    if how == "link":
        (theirs / "fox-soft.png").symlink_to(tmp_path / "secret.png")
    else:
        with closing(Journal.open(journal_of(theirs), driving=True)) as journal:
            make_way_to("../../secret.png", THEN[0], journal)

    shown = cells(sheet("runs/study", "--against", plan_alone("then", THEN)))

    assert [cell["file"] for cell in shown[:2]] == [None, None]


def make_way_to(path: str, shot: Shot, journal: Journal) -> None:
    from recorded_runs import AT

    from flux2batch.engine.events import Moved
    from flux2batch.planning.shot import ShotId

    journal.append([(ShotId(shot.id), Moved(saved=(replace(shot.saved(0), path=path),)))], at=AT)


def test_only_those_that_are_asked_for_are_shown() -> None:
    run_directory(Path("runs/before"), THEN)
    run_directory(Path("runs/after"), NOW)

    shown = cells(sheet("runs/after", "--against", "runs/before", "--only", "light == 'hard'"))

    assert [cell["at"]["run"] for cell in shown] == ["runs/before", "now"]


def test_a_single_file_has_both_sides_inside() -> None:
    run_directory(Path("runs/before"), THEN)
    run_directory(Path("runs/after"), NOW)

    data = sheet("runs/after", "--against", "runs/before", "--single-file")

    assert len(data["inline"]) == 8
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in data["inline"].values())


def test_it_lies_beside_the_sheet_of_the_run_and_leaves_that_alone(capsys: Said) -> None:
    run_directory(Path("runs/before"), THEN)
    run_directory(Path("runs/after"), NOW)
    cli.run(["sheet", "runs/after"])
    before = Path("runs/after/index.html").read_bytes()
    capsys.readouterr()

    assert cli.run(["sheet", "runs/after", "--against", "runs/before"]) == 0

    assert capsys.readouterr().out == "runs/after/against-runs-before.html\n"
    assert Path("runs/after/index.html").read_bytes() == before


def test_where_nothing_changed_no_sheet_is_written(capsys: Said) -> None:
    run_directory(Path("runs/before"), THEN)
    run_directory(Path("runs/after"), [*THEN, *grid(subject=["cat"], light=["soft"])][:4])

    assert cli.run(["sheet", "runs/after", "--against", "runs/before"]) == 0

    said = capsys.readouterr()
    assert said.out == ""
    assert "No shot of runs/after changed since runs/before, so no sheet was written" in said.err
    assert not list(Path("runs/after").glob("*.html"))


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        (["runs/after", "--against", "runs/before", "--zip", "x.zip"], 2, "it goes without --zip and --earlier"),
        (["runs/after", "--against", "runs/before", "--earlier"], 2, "it goes without --zip and --earlier"),
        (["runs/after", "runs/before", "--against", "runs/before"], 2, "--against shows what changed in one run"),
        (["runs/after", "--against", "main"], 2, "there is no job file to look up"),
        (["runs/after", "--against", "runs/before", "--only", "lihgt"], 3, "did you mean 'light'?"),
    ],
)
def test_what_cannot_be_compared_is_said(capsys: Said, words: list[str], exit_code: int, says: str) -> None:
    run_directory(Path("runs/before"), THEN)
    run_directory(Path("runs/after"), NOW)

    assert cli.run(["sheet", *words]) == exit_code
    assert says in capsys.readouterr().err
