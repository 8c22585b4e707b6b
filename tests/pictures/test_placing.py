"""A run directory receives pictures whole, under their name, and over nothing."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from painting import FORMATS, description, painted

from flux2batch.errors import MachineError
from flux2batch.pictures import folders, paths
from flux2batch.pictures.describing import embed
from flux2batch.pictures.placing import Conflict, Gallery, Placed, Unusable

FOX, CLOCK = painted("png", seed=1), painted("png", seed=2)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def gallery(root: Path, **known: bytes) -> Gallery:
    """A run directory whose journal knows of these pictures, by stem."""
    return Gallery(root, known={f"{stem}.png": sha(content) for stem, content in known.items()}.get)


def files(root: Path) -> dict[str, bytes]:
    """All that lies in a folder; parts and hidden files too."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture(params=["by descriptor", "by path"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Linux and macOS, and as where there is no openat."""
    if request.param == "by path":
        monkeypatch.setattr(folders, "HAS_OPENAT", False)


pytestmark = pytest.mark.usefixtures("_both_ways")


def test_a_picture_is_placed_in_folders_made_for_it(tmp_path: Path) -> None:
    placed = gallery(tmp_path).place(FOX, "fox/low sun/g2.0-s20-101.png")

    assert placed == Placed(path="fox/low sun/g2.0-s20-101.png", sha256=sha(FOX), size_bytes=len(FOX), was_there=False)
    assert files(tmp_path) == {"fox/low sun/g2.0-s20-101.png": FOX}


@pytest.mark.parametrize(
    ("kind", "asked", "lands"),
    [
        ("jpeg", "a.png", "a.jpg"),
        ("webp", "fox/g2.5.png", "fox/g2.5.webp"),
        ("png", "a.jpeg", "a.png"),
        ("jpeg", "a.jpeg", "a.jpeg"),
        ("jpeg", "a.JPG", "a.JPG"),
        ("png", "g2.5", "g2.5.png"),
    ],
)
def test_f70_the_extension_is_what_the_bytes_are(tmp_path: Path, kind: str, asked: str, lands: str) -> None:
    placed = gallery(tmp_path).place(painted(kind), asked)

    assert isinstance(placed, Placed)
    assert placed.path == lands
    assert list(files(tmp_path)) == [lands]


def test_f71_the_same_bytes_for_two_shots_are_two_files(tmp_path: Path) -> None:
    here = gallery(tmp_path)

    assert isinstance(here.place(FOX, "a.png"), Placed)
    assert isinstance(here.place(FOX, "b.png"), Placed)
    assert (tmp_path / "a.png").stat().st_ino != (tmp_path / "b.png").stat().st_ino


def test_f33_a_foreign_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"mine")
    here = gallery(tmp_path)

    assert here.in_the_way("a.png") is not None
    conflict = here.place(FOX, "a.png")

    assert isinstance(conflict, Conflict)
    assert conflict.kind == "foreign"
    assert files(tmp_path) == {"a.png": b"mine"}


def test_f33_a_picture_of_ours_is_not_overwritten_either_but_told_apart(tmp_path: Path) -> None:
    gallery(tmp_path).place(CLOCK, "a.png")

    conflict = gallery(tmp_path, a=CLOCK).place(FOX, "a.png")

    assert isinstance(conflict, Conflict)
    assert conflict.kind == "ours"
    assert files(tmp_path) == {"a.png": CLOCK}


def test_a_picture_of_ours_that_was_edited_is_somebodys_work_and_foreign(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(painted("png", seed=9))

    conflict = gallery(tmp_path, a=CLOCK).place(FOX, "a.png")

    assert isinstance(conflict, Conflict)
    assert conflict.kind == "foreign"


def test_f05_the_same_bytes_at_the_same_place_are_taken_as_done(tmp_path: Path) -> None:
    gallery(tmp_path).place(FOX, "a.png")

    placed = gallery(tmp_path).place(FOX, "a.png")

    assert isinstance(placed, Placed)
    assert placed.was_there
    assert files(tmp_path) == {"a.png": FOX}


@pytest.mark.parametrize("kind", FORMATS)
def test_f05_the_same_picture_with_other_words_in_it_is_taken_as_done(tmp_path: Path, kind: str) -> None:
    """A run died between placing and saying so; the next is of a later version, and would write another description."""
    before = embed(painted(kind), description(version="0.1.0"), level="full").content
    after = embed(painted(kind), description(version="0.2.0"), level="full").content
    other = embed(painted(kind, seed=5), description(version="0.1.0"), level="full").content
    here = gallery(tmp_path)
    first = here.place(before, "a.png")
    assert isinstance(first, Placed)

    placed = here.place(after, "a.png")

    assert placed == Placed(path=first.path, sha256=sha(before), size_bytes=len(before), was_there=True)
    assert isinstance(here.place(other, "a.png"), Conflict)
    assert files(tmp_path) == {first.path: before}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("where", ["the file", "its folder", "a folder above"])
def test_s30_a_symlink_is_not_followed(tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside"
    (outside / "b").mkdir(parents=True)
    (outside / "c.png").write_bytes(b"mine")
    root = tmp_path / "run"
    root.mkdir()
    match where:
        case "the file":
            (root / "a" / "b").mkdir(parents=True)
            (root / "a" / "b" / "c.png").symlink_to(outside / "c.png")
        case "its folder":
            (root / "a").mkdir()
            (root / "a" / "b").symlink_to(outside)
        case "a folder above":
            (root / "a").symlink_to(outside)
    here = gallery(root)

    conflict = here.place(FOX, "a/b/c.png")

    assert isinstance(conflict, Conflict)
    assert conflict.kind == "link"
    assert "symlink" in conflict.reason
    assert here.in_the_way("a/b/c.png") == conflict
    assert isinstance(here.read("a/b/c.png", sha256=None), Unusable)
    assert files(outside) == {"c.png": b"mine"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_s30_a_dangling_link_in_the_place_of_a_picture_creates_nothing_elsewhere(tmp_path: Path) -> None:
    root = tmp_path / "run"
    root.mkdir()
    (root / "a.png").symlink_to(tmp_path / "planted.png")

    assert isinstance(gallery(root).place(FOX, "a.png"), Conflict)
    assert not (tmp_path / "planted.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_s30_folders_swapped_for_links_meanwhile_lead_nowhere(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "run"
    outside.mkdir()
    (root / "a").mkdir(parents=True)
    stop = threading.Event()

    def swap() -> None:
        here = root / "a"
        for number in count():
            if stop.is_set():
                return
            kept = root / f"kept-{number}"
            steps = (
                lambda: here.rename(kept),  # noqa: B023  # called at once
                lambda: here.symlink_to(outside),
                lambda: here.unlink(),
                lambda: kept.rename(here),  # noqa: B023  # called at once
            )
            for step in steps:
                with suppress(OSError):  # the folder was made anew in between
                    step()

    swapper = threading.Thread(target=swap)
    swapper.start()
    here = gallery(root)
    try:
        for number in range(150):
            try:
                placed = here.place(FOX, f"a/{number}.png")
            except MachineError:
                continue  # the folder was away at that moment
            assert isinstance(placed, (Placed, Conflict))
    finally:
        stop.set()
        swapper.join()

    if folders.HAS_OPENAT:  # where names are looked up by path nothing can promise it
        assert files(outside) == {}


UNSAFE = [
    "../a.png", "a/../b.png", "a/../../b.png", "..", "/etc/a.png", "/a.png", "C:/a.png", "c:a.png", "..\\a.png",
    "a\\b.png", "a//b.png", "./a.png", "a/./b.png", "a/", "", "a\0.png", "a\n.png", "con.png", "fox/NUL.png",
    "aux", "lpt1.png", "a./b.png", "a /b.png", ".hidden.png", ".flux2batch/journal.db", ".flux2batch/a.png",
    "index.html", "ledger.csv", "plan.jsonl", "a.svg", "\ud800.png",
    "x" * 260 + ".png", "/".join(["x" * 200] * 6) + ".png",
]  # fmt: skip


@pytest.mark.parametrize("path", UNSAFE)
def test_s30_f36_a_path_that_is_none_is_refused_whoever_wrote_it(tmp_path: Path, path: str) -> None:
    root = tmp_path / "run"
    root.mkdir()
    here = gallery(root)
    here.place(FOX, "fox.png")
    before = files(tmp_path)

    answers = [
        here.in_the_way(path),
        here.move("fox.png", path, sha256=sha(FOX)) if paths.extension(path) == ".png" else here.in_the_way(path),
        here.move(path, "b.png", sha256=sha(FOX)),
        here.adopt(here, path, "b.png", sha256=sha(FOX)),
    ]

    assert all(isinstance(answer, (Conflict, Unusable)) for answer in answers), answers
    assert files(tmp_path) == before


@pytest.mark.parametrize("path", ["a.png", "Größe/日本/fox (2).png", "a b/c-r2-1.jpeg", "g2.0, s20/x.WEBP", "ا/ب.png"])
def test_a_path_that_a_plan_makes_is_safe(path: str) -> None:
    assert paths.unsafe(path) is None


def test_a_file_where_a_folder_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "fox").write_bytes(b"mine")

    conflict = gallery(tmp_path).place(FOX, "fox/a.png")

    assert isinstance(conflict, Conflict)
    assert (conflict.kind, conflict.reason) == ("foreign", "'fox' is not a folder")


def test_f35_where_capitals_do_not_count_another_picture_is_in_the_way(tmp_path: Path) -> None:
    """The disk itself answers: the name is taken, so nothing is linked to it."""
    gallery(tmp_path).place(FOX, "Fox.png")
    if not (tmp_path / "fox.png").exists():
        pytest.skip("capitals count on this disk")

    assert isinstance(gallery(tmp_path).place(CLOCK, "fox.png"), Conflict)


# Moving.


def test_a_picture_moves_to_earlier(tmp_path: Path) -> None:
    here = gallery(tmp_path)
    here.place(FOX, "fox/a.png")
    there = paths.earlier_path("fox/a.png", "0123456789ab" * 2)

    moved = here.move("fox/a.png", there, sha256=sha(FOX))

    assert isinstance(moved, Placed)
    assert moved.path == "earlier/fox/a-01234567.png"
    assert files(tmp_path) == {"earlier/fox/a-01234567.png": FOX}


def test_a_moved_picture_keeps_its_true_extension(tmp_path: Path) -> None:
    here = gallery(tmp_path)
    here.place(painted("jpeg"), "a.png")

    moved = here.move("a.jpg", "b.png", sha256=sha(painted("jpeg")))

    assert isinstance(moved, Placed)
    assert moved.path == "b.jpg"


@pytest.mark.parametrize("left", [("a.png", "b.png"), ("b.png",)], ids=["linked, not yet removed", "removed"])
def test_a_move_that_a_crash_broke_off_is_finished(tmp_path: Path, left: tuple[str, ...]) -> None:
    for name in left:
        (tmp_path / name).write_bytes(FOX)

    moved = gallery(tmp_path).move("a.png", "b.png", sha256=sha(FOX))

    assert isinstance(moved, Placed)
    assert files(tmp_path) == {"b.png": FOX}


def test_a_move_goes_over_nothing(tmp_path: Path) -> None:
    here = gallery(tmp_path)
    here.place(FOX, "a.png")
    here.place(CLOCK, "b.png")

    assert isinstance(here.move("a.png", "b.png", sha256=sha(FOX)), Conflict)
    assert files(tmp_path) == {"a.png": FOX, "b.png": CLOCK}


def test_a_move_to_the_same_path_leaves_the_picture_there(tmp_path: Path) -> None:
    here = gallery(tmp_path)
    here.place(FOX, "a.png")

    assert isinstance(here.move("a.png", "a.png", sha256=sha(FOX)), Placed)
    assert files(tmp_path) == {"a.png": FOX}


@pytest.mark.parametrize("found", [None, b"edited"])
def test_f34_what_is_gone_or_changed_is_not_moved_and_is_reported(tmp_path: Path, found: bytes | None) -> None:
    if found is not None:
        (tmp_path / "a.png").write_bytes(found)
    here = gallery(tmp_path, a=FOX)
    reason = "it is gone" if found is None else "it was changed since it was saved"

    assert here.missing("a.png", sha256=sha(FOX)) == reason
    assert here.move("a.png", "b.png", sha256=sha(FOX)) == Unusable(path="a.png", reason=reason)
    assert files(tmp_path) == ({} if found is None else {"a.png": b"edited"})


def test_f34_a_picture_that_is_there_is_not_missing(tmp_path: Path) -> None:
    here = gallery(tmp_path)
    here.place(FOX, "fox/a.png")

    assert here.missing("fox/a.png", sha256=sha(FOX)) is None
    assert here.read("fox/a.png", sha256=sha(FOX)) == FOX


# Adopting.


def neighbours(tmp_path: Path) -> tuple[Gallery, Gallery]:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    return gallery(tmp_path / "old"), gallery(tmp_path / "new")


def test_a_picture_of_a_neighbour_is_laid_here_without_a_copy(tmp_path: Path) -> None:
    old, new = neighbours(tmp_path)
    old.place(FOX, "fox.png")

    adopted = new.adopt(old, "fox.png", "a/b.png", sha256=sha(FOX))

    assert adopted == Placed(path="a/b.png", sha256=sha(FOX), size_bytes=len(FOX), was_there=False)
    assert files(tmp_path / "new") == {"a/b.png": FOX}
    assert (tmp_path / "new/a/b.png").stat().st_ino == (tmp_path / "old/fox.png").stat().st_ino


def test_where_there_are_no_links_it_is_copied_and_still_over_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = neighbours(tmp_path)
    old.place(FOX, "fox.png")
    for kind in (folders.ByDescriptor, folders.ByPath):
        monkeypatch.setattr(kind, "link", lambda *_: False)

    assert isinstance(new.adopt(old, "fox.png", "b.png", sha256=sha(FOX)), Placed)
    assert isinstance(new.place(CLOCK, "b.png"), Conflict)
    assert isinstance(new.place(CLOCK, "c.png"), Placed)
    assert isinstance(new.move("c.png", "d.png", sha256=sha(CLOCK)), Placed)
    assert files(tmp_path / "new") == {"b.png": FOX, "d.png": CLOCK}
    assert (tmp_path / "new/b.png").stat().st_ino != (tmp_path / "old/fox.png").stat().st_ino


@pytest.mark.parametrize(
    ("content", "claimed"),
    [
        (CLOCK, sha(FOX)),
        (b"TOP SECRET", sha(b"TOP SECRET")),
        (FOX[:-40], sha(FOX[:-40])),
        (FOX + b"<script>", sha(FOX + b"<script>")),
        (painted("jpeg"), sha(painted("jpeg"))),
        (None, sha(FOX)),
    ],
    ids=["another picture", "no picture", "cut off", "a picture and more", "another format", "gone"],
)
def test_what_a_neighbour_only_says_is_not_believed(tmp_path: Path, content: bytes | None, claimed: str) -> None:
    _, new = neighbours(tmp_path)
    if content is not None:
        (tmp_path / "old/fox.png").write_bytes(content)

    answer = new.adopt(gallery(tmp_path / "old"), "fox.png", "a.png", sha256=claimed)

    assert isinstance(answer, Unusable)
    assert files(tmp_path / "new") == {}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_neighbours_link_leads_to_no_other_file(tmp_path: Path) -> None:
    old, new = neighbours(tmp_path)
    (tmp_path / "private.png").write_bytes(FOX)
    (tmp_path / "old/fox.png").symlink_to(tmp_path / "private.png")

    assert isinstance(new.adopt(old, "fox.png", "a.png", sha256=sha(FOX)), Unusable)
    assert files(tmp_path / "new") == {}


def test_a_neighbour_that_is_gone_is_no_trouble_of_this_machine(tmp_path: Path) -> None:
    _, new = neighbours(tmp_path)

    answer = new.adopt(gallery(tmp_path / "away"), "fox.png", "a.png", sha256=sha(FOX))

    assert isinstance(answer, Unusable)


# Sidecars, leftovers, threads.


def test_a_sidecar_lies_beside_its_picture_and_replaces_only_its_like(tmp_path: Path) -> None:
    here = gallery(tmp_path)

    first = here.place_sidecar(b'{\n "flux2batch": "0.1.0"}', "fox/a.png")
    second = here.place_sidecar(b'{\n "flux2batch": "0.2.0"}', "fox/a.png")
    (tmp_path / "b.png.json").write_bytes(b'{"mine": 1}')
    third = here.place_sidecar(b'{\n "flux2batch": "0.2.0"}', "b.png")

    assert isinstance(first, Placed)
    assert isinstance(second, Placed)
    assert isinstance(third, Conflict)
    assert files(tmp_path) == {"b.png.json": b'{"mine": 1}', "fox/a.png.json": b'{\n "flux2batch": "0.2.0"}'}


def test_leftovers_are_swept_and_nothing_else(tmp_path: Path) -> None:
    kept = ["a.png", "fox/b.png", ".part", "notes.part", ".notes.part", "fox/.hidden"]
    left = [".a.png.0.part", "fox/.b.png.17.part", ".flux2batch/originals/.c.png.3.part"]
    for name in (*kept, *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(FOX)

    removed = gallery(tmp_path).sweep()

    assert sorted(removed) == sorted(left)
    assert sorted(files(tmp_path)) == sorted(kept)


def test_a_leftover_of_a_killed_run_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / ".a.png.0.part").write_bytes(b"half")

    assert isinstance(gallery(tmp_path).place(FOX, "a.png"), Placed)
    assert (tmp_path / ".a.png.0.part").read_bytes() == b"half"


def _at_once(work: Callable[[int], object], times: int) -> list[object]:
    answers: list[object] = [None] * times
    barrier = threading.Barrier(times)

    def run(number: int) -> None:
        barrier.wait()
        answers[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_f33_a_file_that_appears_at_the_last_moment_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any look and the naming somebody may be quicker. Seen red with `rename` in place of `link`."""
    for kind in (folders.ByDescriptor, folders.ByPath):
        for name in ("link", "rename"):
            step = getattr(kind, name)

            def later(*given: object, step: Callable[..., object] = step) -> object:
                (tmp_path / "a.png").write_bytes(b"mine")
                return step(*given)

            monkeypatch.setattr(kind, name, later)

    conflict = gallery(tmp_path).place(FOX, "a.png")

    assert isinstance(conflict, Conflict)
    assert files(tmp_path) == {"a.png": b"mine"}


def test_many_threads_place_into_new_folders_at_once(tmp_path: Path) -> None:
    here = gallery(tmp_path)

    answers = _at_once(lambda number: here.place(FOX, f"a/b/c/{number}.png"), 12)

    assert all(isinstance(answer, Placed) for answer in answers)
    assert files(tmp_path) == {f"a/b/c/{number}.png": FOX for number in range(12)}


def test_of_many_threads_that_want_one_path_one_gets_it(tmp_path: Path) -> None:
    here = gallery(tmp_path)

    pictures = [painted("png", seed=number) for number in range(12)]

    answers = _at_once(lambda number: here.place(pictures[number], "a.png"), 12)

    assert sum(isinstance(answer, Placed) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 11
    assert list(files(tmp_path)) == ["a.png"]


def test_a_name_of_the_greatest_length_is_placed_and_moved(tmp_path: Path) -> None:
    here = gallery(tmp_path)
    name = "ö" * 125 + ".png"

    assert isinstance(here.place(FOX, name), Placed)
    assert isinstance(here.move(name, paths.earlier_path(name, "f" * 32), sha256=sha(FOX)), Placed)


def folders_in(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir() and not path.is_symlink())


def test_folders_that_moving_emptied_are_removed_up_to_the_run_directory(tmp_path: Path) -> None:
    root = tmp_path / "run"
    root.mkdir()
    here = gallery(root)
    for path in ("de/summer/fox.png", "de/summer/clock.png", "en/fox.png"):
        assert isinstance(here.place(FOX, path), Placed)
    (root / "mine").mkdir()

    left = ["de/summer/fox.png", "de/summer/clock.png", "en/fox.png"]
    for number, path in enumerate(left):
        assert isinstance(here.move(path, f"{number}.png", sha256=sha(FOX)), Placed)
    here.tidy(left)

    assert folders_in(root) == ["mine"]
    assert isinstance(here.place(CLOCK, "de/summer/fox.png"), Placed), "and are made again where they are wanted again"


@pytest.mark.parametrize("held", ["note.txt", ".hidden", "inner/"])
def test_a_folder_that_holds_anything_else_stays(tmp_path: Path, held: str) -> None:
    here = gallery(tmp_path)
    here.place(FOX, "de/summer/fox.png")
    if held.endswith("/"):
        (tmp_path / "de" / held).mkdir()
    else:
        (tmp_path / "de" / held).write_text("somebody's")

    here.move("de/summer/fox.png", "fox.png", sha256=sha(FOX))
    here.tidy(["de/summer/fox.png"])

    assert folders_in(tmp_path) == (["de", "de/inner"] if held.endswith("/") else ["de"])


@pytest.mark.skipif(sys.platform == "win32", reason="making a symlink needs a right there")
def test_no_folder_is_removed_through_a_symlink_nor_the_symlink_itself(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    root.mkdir()
    (elsewhere / "summer").mkdir(parents=True)
    (root / "de").symlink_to(elsewhere)

    gallery(root).tidy(["de/summer/fox.png", "../elsewhere/summer/fox.png", "gone/fox.png"])

    assert (root / "de").is_symlink()
    assert (elsewhere / "summer").is_dir()
