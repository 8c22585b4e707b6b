"""`flux2batch export`: exactly the chosen pictures, a manifest that tells what they are, and nothing overwritten."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image
from recorded_runs import Shot, grid, id_of, make_way, picture, put, run_again, run_directory

from flux2batch import cli
from flux2batch.engine.journal import Journal
from flux2batch.engine.run_directory import journal_of
from flux2batch.pictures.describing import read_description

Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(manifest: Path | str) -> list[dict[str, str]]:
    text = manifest.read_text(encoding="utf-8") if isinstance(manifest, Path) else manifest
    return list(csv.DictReader(io.StringIO(text)))


def files_under(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def pixels(path: Path) -> str:
    with Image.open(path) as image:
        return hashlib.sha256(image.tobytes()).hexdigest()


def picks(*entries: str) -> None:
    Path("picks.yaml").write_text("picks: 1\nrun: study\nshots:\n" + "".join(f"  - {each}\n" for each in entries))


def test_what_was_picked_is_copied_with_its_manifest(capsys: Said) -> None:
    shots = grid(subject=["fox", "owl", "cat"], guidance=["2.0", "3.0"])
    root = run_directory(Path("runs/study"), shots)
    picks(
        f"{{id: {shots[1].id}, rating: 5, note: 'the one, with \"ears\"'}}",
        f"{{id: {shots[2].id}, rejected: true}}",
        f"{{id: {shots[3].id}, rating: 2, picked: false}}",
        f"{{id: {shots[4].id}}}",
    )

    assert cli.run(["export", "runs/study", "--picks", "picks.yaml", "--to", "chosen"]) == 0

    assert files_under(Path("chosen")) == {"fox-3.0.png", "cat-2.0.png", "manifest.csv"}
    assert pixels(Path("chosen/fox-3.0.png")) == pixels(root / "fox-3.0.png")
    first, second = rows(Path("chosen/manifest.csv"))
    assert first == {
        "path": "fox-3.0.png",
        "coordinates": "subject=fox, guidance=3.0",
        "prompt": "a red fox",
        "seed": "101",
        "size": "64x48",
        "cost": "0.06",
        "rating": "5",
        "note": 'the one, with "ears"',
        "model": "bfl/flux-2-flex",
        "shot": shots[1].id,
        "subject": "fox",
        "guidance": "3.0",
    }
    assert (second["path"], second["rating"], second["note"]) == ("cat-2.0.png", "", "")
    assert capsys.readouterr().err == "2 pictures and manifest.csv\n"


def test_pictures_stand_in_the_order_of_the_picks() -> None:
    shots = grid(subject=["fox", "owl", "cat"])
    run_directory(Path("runs/study"), shots)
    picks(f"{{id: {shots[2].id}}}", "{path: owl.png}", f"{{id: {shots[0].id}}}")

    assert cli.run(["export", "runs/study", "--picks", "picks.yaml", "--to", "chosen"]) == 0

    assert [row["path"] for row in rows(Path("chosen/manifest.csv"))] == ["cat.png", "owl.png", "fox.png"]


def test_a_manifest_of_semicolons_is_read_back_as_a_table_of_a_job(capsys: Said) -> None:
    run_directory(Path("runs/study"), grid(guidance=["2.0", "3.0"]))

    assert cli.run(["export", "runs/study", "--to", "out", "--semicolons"]) == 0

    manifest = Path("out/manifest.csv").read_bytes()
    assert manifest.startswith('\ufeff"path";"coordinates";'.encode())
    assert b";0,06;" in manifest
    Path("job.yaml").write_text(
        'flux2batch: 1\nprompt: "{{ row.path }}"\nsweep: {row: data.chosen}\n'
        "data: {chosen: {file: out/manifest.csv, key: path, rows: 'cost < 0.1'}}\n"
    )
    capsys.readouterr()
    assert cli.run(["plan", "job.yaml", "--jsonl"]) == 0
    prompts = [json.loads(line)["prompt"] for line in capsys.readouterr().out.splitlines()]
    assert prompts == ["2.0.png", "3.0.png"]


def test_without_picks_every_picture_is_copied_and_nothing_else() -> None:
    shots = grid(subject=["fox", "owl", "cat"])
    shots[1].ends = "moderated"
    run_directory(Path("runs/study"), shots)

    assert cli.run(["export", "--to", "all"]) == 0

    assert files_under(Path("all")) == {"fox.png", "cat.png", "manifest.csv"}


def test_only_chooses_by_an_expression() -> None:
    run_directory(Path("runs/study"), grid(subject=["fox", "owl"], guidance=["2.0", "3.0"]))

    assert cli.run(["export", "--to", "part", "--only", "guidance > 2 and subject == 'owl'"]) == 0

    assert files_under(Path("part")) == {"owl-3.0.png", "manifest.csv"}


def test_of_several_frames_the_picked_one_is_copied_and_carries_the_cost() -> None:
    shot = Shot(id=id_of(1), coordinates={"subject": "fox"}, path="fox.png", frames=3)
    run_directory(Path("runs/study"), [shot])
    picks(f"{{id: {shot.id}, frame: 2}}", f"{{id: {shot.id}, frame: 3}}")

    cli.run(["export", "--picks", "picks.yaml", "--to", "chosen"])

    assert [(row["path"], row["cost"]) for row in rows(Path("chosen/manifest.csv"))] == [
        ("fox-2.png", "0.06"),
        ("fox-3.png", ""),
    ]


def test_a_zip_holds_the_same() -> None:
    run_directory(Path("runs/study"), grid(subject=["fox", "owl"]))

    assert cli.run(["export", "--to", "all", "--zip", "all.zip"]) == 0

    with zipfile.ZipFile("all.zip") as packed:
        inside = {name.removeprefix("all/"): packed.read(name) for name in packed.namelist()}
    assert inside == {name: (Path("all") / name).read_bytes() for name in files_under(Path("all"))}


# What the copies tell.


def described(path: Path) -> tuple[object, ...] | None:
    told = read_description(path)
    return None if told is None else (told.shot[:6], told.seed, told.prompt)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ("000001", 101, None)),
        (["--metadata", "minimal"], ("000001", 101, None)),
        (["--metadata", "full"], ("000001", 101, "a red fox")),
        (["--metadata", "none"], None),
    ],
)
def test_the_copies_tell_as_much_of_their_origin_as_was_asked(arguments: list[str], expected: object) -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox"]))

    cli.run(["export", "--to", "out", *arguments])

    assert described(Path("out/fox.png")) == expected
    assert described(root / "fox.png") is None
    assert pixels(Path("out/fox.png")) == pixels(root / "fox.png")


def test_a_copy_can_be_changed_without_changing_the_original() -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox"]))
    before = (root / "fox.png").read_bytes()
    cli.run(["export", "--to", "out", "--metadata", "none"])

    with Path("out/fox.png").open("r+b") as copy:
        copy.write(b"changed in place")

    assert (root / "fox.png").read_bytes() == before


def test_an_emulated_picture_is_marked_in_the_manifest() -> None:
    run_directory(Path("runs/study"), grid(subject=["fox"]), emulated=True)

    cli.run(["export", "--to", "out"])

    assert rows(Path("out/manifest.csv"))[0]["emulated"] == "yes"


def test_a_picture_that_was_broken_by_hand_is_copied_as_it_is() -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox"]))
    (root / "fox.png").write_bytes(picture(1)[:-20])

    assert cli.run(["export", "--to", "out"]) == 0
    assert Path("out/fox.png").read_bytes() == picture(1)[:-20]


# Nothing is overwritten.


def test_exported_again_nothing_changes(capsys: Said) -> None:
    run_directory(Path("runs/study"), grid(subject=["fox", "owl"]))
    cli.run(["export", "--to", "out"])
    before = {path: path.stat().st_mtime_ns for path in Path("out").iterdir()}

    assert cli.run(["export", "--to", "out"]) == 0

    assert {path: path.stat().st_mtime_ns for path in Path("out").iterdir()} == before
    assert "all of them were there already" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["owl.png", "manifest.csv"])
def test_a_file_in_the_way_stops_everything_before_anything_is_written(capsys: Said, name: str) -> None:
    run_directory(Path("runs/study"), grid(subject=["fox", "owl"]))
    put(Path("out") / name, b"mine")

    assert cli.run(["export", "--to", "out"]) == 4

    assert {path: (Path("out") / path).read_bytes() for path in files_under(Path("out"))} == {name: b"mine"}
    assert f"another {name}" in capsys.readouterr().err


def test_a_zip_that_is_there_is_not_replaced() -> None:
    run_directory(Path("runs/study"), grid(subject=["fox"]))
    Path("out.zip").write_bytes(b"mine")

    assert cli.run(["export", "--zip", "out.zip"]) == 2
    assert Path("out.zip").read_bytes() == b"mine"


@pytest.mark.parametrize("link", ["out", "out/deep", "out/deep/fox.png"])
def test_nothing_is_written_through_a_link_inside_the_folder(tmp_path: Path, link: str) -> None:
    shot = Shot(id=id_of(1), coordinates={"subject": "fox"}, path="deep/fox.png")
    run_directory(Path("runs/study"), [shot])
    outside = tmp_path / "outside"
    put(outside / "diary", b"dear diary")
    target = outside / "diary" if link.endswith("png") else outside
    Path(link).parent.mkdir(parents=True, exist_ok=True)
    Path(link).symlink_to(target)

    code = cli.run(["export", "--to", "out"])

    # The folder that the user named himself may be a link; it is his own.
    assert (code, files_under(outside) - {"deep/fox.png", "manifest.csv"}) == (0 if link == "out" else 4, {"diary"})
    assert (outside / "diary").read_bytes() == b"dear diary"


# What is not there.


def test_a_picture_that_is_gone_is_named_and_the_others_are_copied(capsys: Said) -> None:
    root = run_directory(Path("runs/study"), grid(subject=["fox", "owl"]))
    (root / "fox.png").unlink()

    assert cli.run(["export", "--to", "out"]) == 0

    assert files_under(Path("out")) == {"owl.png", "manifest.csv"}
    assert "missing: fox.png" in capsys.readouterr().err


def test_picks_that_belong_to_another_run_are_counted(capsys: Said) -> None:
    shots = grid(subject=["fox"])
    run_directory(Path("runs/study"), shots)
    picks(f"{{id: {shots[0].id}}}", f"{{id: {'e' * 32}}}")

    assert cli.run(["export", "--picks", "picks.yaml", "--to", "out"]) == 0
    assert "1 pick of picks.yaml not found" in capsys.readouterr().err


def test_where_nothing_is_asked_for_nothing_is_written(capsys: Said) -> None:
    run_directory(Path("runs/study"), grid(subject=["fox"]))

    assert cli.run(["export", "--only", "subject == 'owl'", "--to", "out"]) == 2

    assert not Path("out").exists()
    assert "nothing to export" in capsys.readouterr().err


def test_without_a_place_to_go_it_is_said(capsys: Said) -> None:
    run_directory(Path("runs/study"), grid(subject=["fox"]))

    assert cli.run(["export"]) == 2
    assert "--to FOLDER" in capsys.readouterr().err


def test_a_picture_that_made_way_is_exported_when_it_was_picked_itself() -> None:
    old, new = grid(subject=["fox"])[0], Shot(id=id_of(9), coordinates={"subject": "fox"}, path="fox.png")
    root = run_directory(Path("runs/study"), [old])
    with closing(Journal.open(journal_of(root), driving=True)) as journal:
        make_way(root, old, journal)
        run_again(root, [new], journal)
    picks(f"{{id: {old.id}, path: fox.png}}")

    assert cli.run(["export", "--to", "all"]) == 0
    assert cli.run(["export", "--picks", "picks.yaml", "--to", "picked"]) == 0

    assert files_under(Path("all")) == {"fox.png", "manifest.csv"}
    assert files_under(Path("picked")) == {f"earlier/fox-{old.id[:8]}.png", "manifest.csv"}
