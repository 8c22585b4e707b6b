"""What a journal says of money and pictures is the same from its events and from its snapshot, wherever it lies."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_journal import TO_DONE, journal_with
from test_lifecycle import AT, WAY_TO_UNKNOWN, accepted, intended, rendered, saved

from flux2batch.engine import snapshot
from flux2batch.engine.events import Abandoned, ClockJumped, Retried, SendBegan
from flux2batch.engine.journal import Journal, JournalDamaged
from flux2batch.engine.lifecycle import Phase
from flux2batch.errors import MachineError
from flux2batch.money import usd
from flux2batch.planning.shot import ShotId

if TYPE_CHECKING:
    from collections.abc import Iterator

A, B, C, D, E = (ShotId(letter * 32) for letter in "abcde")
GIVEN_UP = (*WAY_TO_UNKNOWN, Abandoned(by="me", reason="no"))
UNDER_WAY = (intended(), SendBegan(), accepted("0.03"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.mark.parametrize("with_snapshot", [True, False])
def test_what_was_charged_and_what_may_have_been_is_counted_of_open_shots_and_of_ended_ones(
    path: Path, with_snapshot: bool
):
    with closing(journal_with(path, a=TO_DONE, b=WAY_TO_UNKNOWN, c=GIVEN_UP, d=UNDER_WAY)):
        pass

    with closing(Journal.open(path, driving=True)) as journal:
        standing = journal.standing(with_snapshot=with_snapshot)

    assert (set(standing.ended), set(standing.open), standing.events) == ({A, C}, {B, D}, journal_events(path))
    assert standing.charged == usd("0.08")
    assert standing.committed == usd("0.18")
    each = {shot: standing.committed_of(shot) for shot in (A, B, C, D, E)}
    assert each == {A: usd("0.05"), B: usd("0.05"), C: usd("0.05"), D: usd("0.03"), E: usd("0")}


def journal_events(path: Path) -> int:
    with closing(Journal.open(path, driving=False)) as reader:
        return reader.last_seq


def test_a_shot_that_had_ended_and_is_drawn_again_is_open_with_the_money_of_both_takes(path: Path):
    with closing(journal_with(path, a=TO_DONE)) as journal:
        journal.write_snapshot()
        journal.append([(A, Retried(by="me")), (A, intended(take=2))], at=AT)

        standing = journal.standing()

    assert (list(standing.open), list(standing.ended)) == ([A], [])
    assert (standing.charged, standing.committed) == (usd("0.05"), usd("0.10"))


def test_the_pictures_of_a_shot_lie_where_all_of_its_frames_do(path: Path):
    """Another equal shot joined between the two frames: its place has one of them."""
    both = tuple(replace(saved(frame), copies=(f"b-{frame}.png",)) for frame in (0, 1))
    late = (saved(0), both[1])
    two = (intended(frames=2), SendBegan(), accepted(), rendered(frames=2))
    with closing(journal_with(path, a=(*two, *both), b=(*two, *late))) as journal:
        replayed = journal.standing().ended
        journal.write_snapshot()

        assert replayed[A].paths == ("a-0.png", "a-1.png", "b-0.png", "b-1.png")
        assert replayed[B].paths == ("a-0.png", "a-1.png")
        assert journal.standing().ended == replayed


def test_a_snapshot_that_is_sealed_and_is_nonsense_is_damage_and_the_events_are_not(path: Path):
    """That it is read at all shows here: what it says otherwise is what the events say."""
    journal_with(path, a=TO_DONE)._database.close()
    with closing(sqlite3.connect(path)) as database, database:
        snapshot.add(database, [(A, "done", "a lot", "0", "", "")], upto=len(TO_DONE), anew=True)

    with closing(Journal.open(path, driving=False)) as journal:
        with pytest.raises(JournalDamaged, match="a snapshot that cannot be read"):
            journal.standing()
        assert journal.standing(with_snapshot=False).ended[A].phase is Phase.DONE


@pytest.mark.parametrize("found", ["nothing", "an empty file"])
def test_where_there_is_no_journal_or_an_empty_one_the_way_to_recover_is_said(path: Path, found: str):
    if found == "an empty file":
        path.touch()

    for driving in (True, False):
        with pytest.raises(JournalDamaged, match=r"is empty.*doctor --recover"):
            Journal.open(path, driving=driving)
    assert not path.exists() or path.stat().st_size == 0


def test_what_is_no_database_at_all_is_not_even_opened(path: Path):
    path.write_text("hello " * 1000)

    for driving in (True, False):
        with pytest.raises(JournalDamaged, match="not a database"):
            Journal.open(path, driving=driving)


def test_the_events_of_the_runs_and_those_of_each_shot_are_read_apart(path: Path):
    told = [(B, intended()), (None, ClockJumped(seconds=1.0)), (A, intended()), (B, SendBegan())]
    with closing(Journal.create(path, run_directory_id="r")) as journal:
        journal.append(told, at=AT)

        assert [entry.seq for entry in journal.run_entries()] == [2]
        assert [entry.seq for entry in journal.entries_by_shot()] == [1, 4, 3]
        assert [entry.seq for entry in journal.entries(after=1, shot=B)] == [4]
        assert [(entry.shot, entry.event) for entry in journal.entries()] == told


def test_a_journal_in_which_two_events_have_changed_places_is_not_even_opened(path: Path):
    """The first, the last and their number are as they were: only SQLite's own check sees it."""
    with closing(journal_with(path, a=TO_DONE)):
        pass
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    raw = bytearray(path.read_bytes())
    second = (page - 1) * size + 8 + 2  # a leaf's header, and where in the page its first row lies
    raw[second : second + 4] = raw[second + 2 : second + 4] + raw[second : second + 2]
    path.write_bytes(raw)

    with pytest.raises(JournalDamaged, match="out of order"):
        Journal.open(path, driving=True)


NO_STORY = {
    "out of turn": ((A, intended()), (A, accepted())),
    "of no shot": ((A, intended()), (None, SendBegan())),
    "of a run, told of a shot": ((A, intended()), (A, ClockJumped(seconds=1.0))),
}


@pytest.mark.parametrize("told", NO_STORY.values(), ids=NO_STORY)
def test_an_event_that_belongs_to_no_shots_story_is_damage_whoever_asks(path: Path, told: tuple[object, ...]):
    """Passed over, a take that was paid for would be sent again."""
    with closing(Journal.create(path, run_directory_id="r")) as journal:
        journal.append(told, at=AT)
        for ask in (journal.standing, lambda: list(journal.lives())):
            with pytest.raises(JournalDamaged, match="event 2"):
                ask()
        journal._database.close()  # without a snapshot, which cannot be drawn of it


@contextmanager
def no_file_can_be_made() -> Iterator[None]:
    """As on a medium that is read-only, for a superuser as well: what SQLite needs beside a journal cannot grow."""
    resource = pytest.importorskip("resource", reason="no limits of this kind on Windows")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_closed_journal_is_read_where_nothing_can_be_written_and_one_that_was_cut_off_says_why_not(
    path: Path, tmp_path: Path
):
    cut_off = tmp_path / "cut off"
    cut_off.mkdir()
    with closing(journal_with(path, a=TO_DONE)):
        for file in (path, path.with_name("journal.db-wal")):
            shutil.copy(file, cut_off)

    with no_file_can_be_made():
        with closing(Journal.open(path, driving=False)) as journal:
            standing = journal.standing()
        with pytest.raises(MachineError, match="Copy the run directory") as told:
            Journal.open(cut_off / "journal.db", driving=False)

    assert standing.ended[A].phase is Phase.DONE
    assert not isinstance(told.value, JournalDamaged)
