"""`flux2batch sheet`: the page, one file, a zip; which directory is meant; and a page that keeps up with a run."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from recorded_runs import AT, Shot, began, grid, id_of, picture, put, run_directory

from flux2batch import cli
from flux2batch.engine.events import RunEnded, Saved
from flux2batch.engine.journal import Journal
from flux2batch.engine.run_directory import journal_of
from flux2batch.planning.shot import ShotId
from flux2batch.running.sheet_writer import SheetWriter

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def data_in(page: Path | str) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8") if isinstance(page, Path) else page
    return dict(json.loads(text.split('id="sheet-data">')[1].split("</script>")[0]))


def files_under(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def thumbs_of(data: dict[str, Any]) -> set[str]:
    at = data["columns"].index("thumb")
    return {f"{row[at]}-{size}.jpg" for row in data["shots"] if row[at] for size in "sl"}


# The page.


def test_the_page_lies_in_the_run_directory_with_its_thumbnails_and_its_size_is_said(capsys: Said) -> None:
    run_directory(Path("runs/study"), grid(subject=["fox", "owl"]))

    assert cli.run(["sheet", "runs/study"]) == 0

    said = capsys.readouterr()
    assert said.out == "runs/study/index.html\n"
    assert re.search(r"2 pictures on a page of [\d.]+ [kM]B, with [\d.]+ kB of thumbnails beside it", said.err)
    assert thumbs_of(data_in(Path("runs/study/index.html"))) == {p.name for p in Path("runs/study/.sheet").iterdir()}


def test_written_again_the_page_is_the_same_and_no_thumbnail_is_made_twice() -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox", "owl"]))
    cli.run(["sheet"])
    first = {path: path.stat().st_ino for path in (root / ".sheet").iterdir()}
    before = data_in(root / "index.html")

    cli.run(["sheet"])
    after = data_in(root / "index.html")

    assert {path: path.stat().st_ino for path in (root / ".sheet").iterdir()} == first
    assert {**before, "written": ""} == {**after, "written": ""}


def test_the_journal_and_the_pictures_stay_as_they_are() -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox", "owl"]))
    before = files_under(root)

    cli.run(["sheet"])
    after = files_under(root)

    assert {name: after[name] for name in before} == before


def test_several_are_written_into_the_folder_they_share(capsys: Said) -> None:
    run_directory(Path("runs/a"), grid(subject=["fox"]))
    run_directory(Path("runs/b"), grid(subject=["owl"]))

    assert cli.run(["sheet", "runs/a", "runs/b"]) == 0

    assert Path(capsys.readouterr().out.strip()).resolve() == Path("runs/sheet.html").resolve()
    assert data_in(Path("runs/sheet.html"))["view"]["cols"] == ["run"]


def test_a_run_that_is_named_twice_is_one_run() -> None:
    run_directory(Path("runs/a"), grid(subject=["fox"]))

    cli.run(["sheet", "runs/a", "./runs/../runs/a"])

    assert len(data_in(Path("runs/a/index.html"))["runs"]) == 1


# A part of it.


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ("guidance >= 3", ["3.0", "4.0"]),
        ("guidance == '2.0' or guidance == 4", ["2.0", "4.0"]),
        ("subject == 'fox' and guidance < 3", ["2.0"]),
        ("subject.label == 'subject fox'", ["2.0", "3.0", "4.0"]),
        ("width == 64 and model == 'bfl/flux-2-flex' and index == 1", ["3.0"]),
    ],
)
def test_only_shows_the_shots_for_which_it_is_true(only: str, left: list[str]) -> None:
    run_directory(Path("runs/study"), grid(subject=["fox"], guidance=["2.0", "3.0", "4.0"]))

    assert cli.run(["sheet", "--only", only, "-o", "part.html"]) == 0

    data = data_in(Path("part.html"))
    assert [value["id"] for axis in data["axes"] if axis["name"] == "guidance" for value in axis["values"]] == left


@pytest.mark.parametrize(
    ("only", "says"), [("guidnce > 3", "did you mean 'guidance'?"), ("guidance >", "FB302"), ("subject.sku", "sku")]
)
def test_an_expression_that_is_wrong_is_pointed_at(capsys: Said, only: str, says: str) -> None:
    run_directory(Path("runs/study"), grid(subject=["fox"], guidance=["2.0", "3.0"]))

    assert cli.run(["sheet", "--only", only]) == 3
    assert says in capsys.readouterr().err


def test_picks_show_what_was_picked_and_what_was_said_of_it() -> None:
    shots = grid(subject=["fox", "owl", "cat"])
    run_directory(Path("runs/study"), shots)
    Path("picks.yaml").write_text(
        f"picks: 1\nshots:\n- {{id: {shots[0].id}, rating: 4, note: ears}}\n- {{id: {shots[1].id}, rejected: true}}\n"
    )

    assert cli.run(["sheet", "--picks", "picks.yaml", "-o", "part.html"]) == 0

    data = data_in(Path("part.html"))
    assert [row[0] for row in data["shots"]] == [shots[0].id]
    assert data["picks"] == [[0, 4, "ears", True, False]]


# One file, and a zip.


def test_a_single_file_needs_nothing_beside_it(capsys: Said) -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox", "owl"]))

    assert cli.run(["sheet", "--single-file", "-o", "sent/study.html"]) == 0

    data = data_in(Path("sent/study.html"))
    assert set(data["inline"]) == thumbs_of(data)
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in data["inline"].values())
    assert list(files_under(Path("sent"))) == ["study.html"]
    assert not (root / "index.html").exists()
    assert re.search(r"2 pictures on a page of [\d.]+ [kM]B\n", capsys.readouterr().err)


def test_a_zip_holds_the_page_the_thumbnails_and_the_originals_where_the_page_looks_for_them() -> None:
    shots = [
        Shot(id=id_of(1), coordinates={"s": "fox"}, path="deep/a/fox ä.png"),
        Shot(id=id_of(2), coordinates={"s": "owl"}, path="owl.png", ends="moderated"),
    ]
    root = run_directory(Path("runs/study"), shots)

    assert cli.run(["sheet", "--zip", "out.zip"]) == 0

    with zipfile.ZipFile("out.zip") as packed:
        names = set(packed.namelist())
        data = data_in(packed.read("study/index.html").decode())
        linked = [row[data["columns"].index("file")] for row in data["shots"]]
        assert linked == ["deep/a/fox ä.png", None]
        assert packed.read("study/deep/a/fox ä.png") == (root / "deep/a/fox ä.png").read_bytes()
        thumbs = {f"study/.sheet/{name}" for name in thumbs_of(data)}
        assert names == {"study/index.html", "study/deep/a/fox ä.png", *thumbs}


def test_a_zip_of_several_runs_keeps_them_apart() -> None:
    for name in ("a", "b"):
        run_directory(Path("runs") / name, grid(subject=["fox"]))

    assert cli.run(["sheet", "runs/a", "runs/b", "--zip", "both.zip"]) == 0

    with zipfile.ZipFile("both.zip") as packed:
        assert {"both/index.html", "both/a/fox.png", "both/b/fox.png"} <= set(packed.namelist())


def test_the_same_pictures_make_the_same_zip_but_for_the_hour() -> None:
    run_directory(Path("runs/study"), grid(subject=["fox"]))
    cli.run(["sheet", "--zip", "1.zip"])
    cli.run(["sheet", "--zip", "2.zip"])

    with zipfile.ZipFile("1.zip") as one, zipfile.ZipFile("2.zip") as two:
        assert [(i.filename, i.date_time) for i in one.infolist()] == [
            (i.filename, i.date_time) for i in two.infolist()
        ]


# Nothing that is somebody's is replaced.


@pytest.mark.parametrize(
    "arguments", [["-o", "mine.html"], ["--single-file", "-o", "mine.html"], ["--zip", "mine.html"]]
)
def test_a_file_that_is_no_sheet_is_not_replaced(capsys: Said, arguments: list[str]) -> None:
    run_directory(Path("runs/study"), grid(subject=["fox"]))
    Path("mine.html").write_text("<h1>mine</h1>")

    assert cli.run(["sheet", *arguments]) == 2

    assert Path("mine.html").read_text() == "<h1>mine</h1>"
    assert "there already" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir() if path.name.endswith(".part")] == []


def test_a_sheet_is_replaced_by_a_newer_one() -> None:
    run_directory(Path("runs/study"), grid(subject=["fox"]))

    assert [cli.run(["sheet", "-o", "mine.html"]) for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("name", ["index.html", ".index.html.{pid}.part", ".sheet"])
def test_no_link_that_somebody_left_is_written_through(tmp_path: Path, name: str) -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox"]))
    outside = tmp_path / "outside"
    outside.mkdir()
    put(outside / "diary.txt", b"dear diary")
    target = outside if name == ".sheet" else outside / "diary.txt"
    (root / name.format(pid=os.getpid())).symlink_to(target)

    cli.run(["sheet"])

    assert files_under(outside) == {"diary.txt": b"dear diary"}


# Which directory.


def test_left_out_it_is_the_newest(capsys: Said) -> None:
    for age, name in ((300, "old"), (100, "new"), (200, "middle")):
        root = run_directory(Path("runs") / name, grid(subject=["fox"]))
        then = time.time() - age
        for file in (root / ".flux2batch").iterdir():
            os.utime(file, (then, then))

    assert cli.run(["sheet"]) == 0
    assert capsys.readouterr().out == "runs/new/index.html\n"


def test_inside_a_run_directory_it_is_that_one(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run_directory(Path("runs/study"), grid(subject=["fox"])))

    assert cli.run(["sheet"]) == 0
    assert capsys.readouterr().out == "index.html\n"


JOB = 'flux2batch: 1\nname: study\nprompt: "{{ subject }}"\nsweep: {subject: [fox]}\n'


@pytest.mark.parametrize("runs", [["study"], ["study.emulated"], ["study", "other"], ["renamed"]])
def test_a_job_file_means_its_run_directory(tmp_path: Path, capsys: Said, runs: list[str]) -> None:
    job = tmp_path / "jobs" / "job.yaml"
    put(job, JOB.encode())
    other = tmp_path / "jobs" / "other.yaml"
    put(other, JOB.encode())
    for name in runs:
        made_for = other if name == "other" else job
        run_directory(tmp_path / "jobs" / "runs" / name, grid(subject=["fox"]), job_file=made_for)

    assert cli.run(["sheet", "jobs/job.yaml"]) == 0
    assert capsys.readouterr().out == f"jobs/runs/{runs[0]}/index.html\n"


def test_a_job_that_can_no_longer_be_read_still_finds_its_run_directory(tmp_path: Path, capsys: Said) -> None:
    put(tmp_path / "job.yaml", b"flux2batch: [")
    run_directory(tmp_path / "runs" / "study", grid(subject=["fox"]), job_file=tmp_path / "job.yaml")

    assert cli.run(["sheet", "job.yaml"]) == 0
    assert capsys.readouterr().out == "runs/study/index.html\n"


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("gone", "does not exist"),
        ("job.yaml", "has no run directory yet"),
        ("empty", "no journal in it"),
        ("all", "these lie in it: all/one, all/two"),
    ],
)
def test_where_there_is_none_it_is_said_what_to_do(tmp_path: Path, capsys: Said, named: str, says: str) -> None:
    put(tmp_path / "job.yaml", JOB.encode())
    (tmp_path / "empty").mkdir()
    for name in ("one", "two"):
        run_directory(tmp_path / "all" / name, grid(subject=["fox"]))

    assert cli.run(["sheet", named]) == 2
    assert says in capsys.readouterr().err


def test_without_any_run_it_is_said_what_to_do(capsys: Said) -> None:
    assert cli.run(["sheet"]) == 2
    assert "Run a job first" in capsys.readouterr().err


def test_a_damaged_journal_is_said(capsys: Said) -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox"]))
    for file in (root / ".flux2batch").iterdir():
        file.write_bytes(b"not a journal" * 100)

    assert cli.run(["sheet"]) == 7
    assert "damaged" in capsys.readouterr().err


# While a run goes on.


def wait_until(holds: Any, *, at_most_s: float = 20) -> None:
    """Wait for something that happens in another thread; a hard stop, not a timing."""
    end = time.monotonic() + at_most_s
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)  # between two looks


def states_in(page: Path) -> list[str]:
    data = data_in(page)
    return [row[data["columns"].index("state")] for row in data["shots"]]


def test_the_page_keeps_up_with_a_run_and_is_whole_at_its_end() -> None:
    shots = grid(subject=["fox", "owl"])
    for shot in shots:
        shot.ends = "planned"
    root = run_directory(Path("runs/study"), shots, ended=False)
    page = root / "index.html"

    with closing(Journal.open(journal_of(root), driving=True)) as journal, SheetWriter(root, every_s=0) as sheet:
        wait_until(page.exists)
        assert (states_in(page), data_in(page)["finished"]) == (["planned", "planned"], False)

        _draw(root, journal, shots[0], sheet)
        wait_until(lambda: states_in(page) == ["done", "planned"])
        wait_until(lambda: data_in(page)["refresh_s"] == 0)

        _draw(root, journal, shots[1], sheet)
        journal.append([(None, RunEnded(run="r1", exit_code=0, reason=None))], at=AT)

    data = data_in(page)
    assert (states_in(page), data["finished"], data["refresh_s"], sheet.trouble) == (["done"] * 2, True, None, None)
    assert thumbs_of(data) == {path.name for path in (root / ".sheet").iterdir()}
    assert sheet.written is not None
    assert sheet.written.pictures == 2


def _draw(root: Path, journal: Journal, shot: Shot, sheet: SheetWriter) -> None:
    shot.ends = "done"
    put(root / shot.path, picture(int(shot.id[:6], 16)))
    for event in shot.events():
        journal.append([(ShotId(shot.id), event)], at=AT)
        if isinstance(event, Saved):
            sheet.saw(event)


def test_a_page_that_cannot_be_written_stops_no_run() -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox"]))
    (root / "index.html").mkdir()

    with SheetWriter(root, every_s=0) as sheet:
        sheet.saw(grid(subject=["fox"])[0].saved(0))

    assert sheet.trouble is not None
    assert "index.html" in sheet.trouble


def test_without_a_journal_a_run_goes_on_as_well(tmp_path: Path) -> None:
    with SheetWriter(tmp_path, every_s=0) as sheet:
        pass

    assert sheet.trouble is not None
    assert not (tmp_path / "index.html").exists()


def test_no_thread_is_left_behind() -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox", "owl", "cat"]))

    with SheetWriter(root, every_s=0):
        pass

    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith(("sheet", "thumbnails"))])


def test_a_run_that_settles_and_plans_nothing_keeps_the_axes() -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox", "owl"]))
    with closing(Journal.open(journal_of(root), driving=True)) as journal:
        journal.append([(None, began([], command="resolve"))], at=AT)

    cli.run(["sheet"])

    assert [axis["name"] for axis in data_in(root / "index.html")["axes"]] == ["subject"]
