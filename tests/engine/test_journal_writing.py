"""What is written is there whole or not at all, and the snapshot comes when it should and is never in the way."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_journal import TO_DONE, journal_with
from test_lifecycle import AT, WAY_TO_UNKNOWN, intended

from flux2batch.engine import snapshot
from flux2batch.engine.events import ClockJumped, SendBegan
from flux2batch.engine.journal import Journal
from flux2batch.engine.lifecycle import NO_COUNTS, UNBORN, Phase, advance
from flux2batch.engine.rescue import put_back, rescue_of
from flux2batch.errors import GoneForGood, MachineError
from flux2batch.planning.shot import ShotId

if TYPE_CHECKING:
    from collections.abc import Iterator

A, B, C = (ShotId(letter * 32) for letter in "abc")
MANY = [(ShotId(f"{number:032x}"), intended()) for number in range(300)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@contextmanager
def almost_full(journal: Journal) -> Iterator[None]:
    """The disk has room for a page more, as SQLite sees it."""
    database = journal._database
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    (most,) = database.execute("PRAGMA max_page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages + 1}")
    try:
        yield
    finally:
        database.execute(f"PRAGMA max_page_count = {most}")


def drawn_upto(path: Path) -> int:
    """The last event that the snapshot knows, as another process sees it."""
    with closing(sqlite3.connect(path)) as database:
        known = snapshot.read(database)
    return known.upto if known else 0


# All or none.


def test_of_facts_for_which_the_disk_has_no_room_none_is_kept_and_the_next_is(path: Path):
    with closing(journal_with(path, a=WAY_TO_UNKNOWN)) as journal:
        with almost_full(journal), pytest.raises(MachineError, match="cannot be written"):
            journal.append(MANY, at=AT)
        assert journal.last_seq == len(WAY_TO_UNKNOWN)

        journal.append([(B, intended())], at=AT)

        assert set(journal.standing().open) == {A, B}


def test_events_of_another_journal_come_with_their_times_all_or_none(path: Path, tmp_path: Path):
    with closing(Journal.create(tmp_path / "other.db", run_directory_id="o")) as other:
        other.write([(AT + timedelta(seconds=number), shot, event) for number, (shot, event) in enumerate(MANY)])
        there = list(other.entries())
    with closing(Journal.create(path, run_directory_id="r")) as journal:
        with almost_full(journal), pytest.raises(MachineError, match="cannot be written"):
            journal.restore(there)
        assert journal.last_seq == 0

        journal.restore(there)

        assert list(journal.entries()) == there


def test_a_journal_that_cannot_be_made_is_told_of_and_leaves_nothing(tmp_path: Path):
    with pytest.raises(MachineError, match="cannot be made"):
        Journal.create(tmp_path / "no folder" / "journal.db", run_directory_id="r")

    assert list(tmp_path.iterdir()) == []


def test_a_maker_that_died_before_its_journal_had_its_name_is_in_nobodys_way(path: Path):
    with closing(journal_with(path, a=TO_DONE)):
        pass
    path.rename(path.with_name("journal.db.new"))

    with closing(Journal.create(path, run_directory_id="r")) as journal:
        assert journal.last_seq == 0


def test_facts_about_the_run_directory_are_kept_and_a_reader_keeps_none(path: Path):
    with closing(Journal.create(path, run_directory_id="r")) as journal:
        journal.set_meta("told", "once")
    with closing(Journal.open(path, driving=False)) as reader:
        with pytest.raises(MachineError, match="cannot be written"):
            reader.set_meta("told", "twice")

        assert (reader.run_directory_id, reader.meta("told"), reader.meta("untold")) == ("r", "once", None)


def test_the_clerk_writes_from_a_thread_of_its_own(path: Path):
    with closing(Journal.create(path, run_directory_id="r")) as journal:
        clerk = threading.Thread(target=journal.append, args=([(A, intended())],), kwargs={"at": AT})
        clerk.start()
        clerk.join(60)

        assert journal.life(A).phase is Phase.INTENT


# A journal that was deleted.


def test_what_found_no_journal_is_kept_with_the_rest_and_stays_kept_when_it_is_closed(path: Path):
    """Kept a second time, when closed, the last facts would be missing, and a paid take would be sent again."""
    journal = journal_with(path, a=WAY_TO_UNKNOWN)
    path.unlink()
    with pytest.raises(GoneForGood, match=r"kept in journal\.rescue\.db"):
        journal.append([(B, intended()), (B, SendBegan())], at=AT)

    journal.close()

    assert put_back(path)
    with closing(Journal.open(path, driving=True)) as again:
        assert {shot: life.phase for shot, life in again.lives()} == {A: Phase.UNKNOWN, B: Phase.SENDING}


def test_what_could_not_be_kept_is_not_said_to_be(path: Path):
    with closing(journal_with(path, a=WAY_TO_UNKNOWN)) as journal:
        path.unlink()
        rescue_of(path).mkdir()

        with pytest.raises(GoneForGood) as told:
            journal.append([(B, intended())], at=AT)

    assert rescue_of(path).name not in str(told.value)


# The snapshot.


def test_a_snapshot_is_drawn_after_every_ten_thousand_events_and_not_before(path: Path):
    """Drawn after each, a run of a hundred thousand shots would write its journal over and over."""
    life = advance(UNBORN, intended(), at=AT)
    idle = (AT, None, ClockJumped(seconds=1.0))
    with closing(Journal.create(path, run_directory_id="r")) as journal:
        journal.append([(A, intended())], at=AT)
        for first, drawn in ((1, 10_000), (0, 20_000)):
            journal.write([idle] * (9_999 - first))
            journal.remember(A, life)
            assert drawn_upto(path) == drawn - 10_000

            journal.write([idle])
            journal.remember(A, life)
            assert drawn_upto(path) == drawn


def test_closing_draws_it_where_there_is_news_and_touches_nothing_where_there_is_none(path: Path):
    with closing(journal_with(path, a=TO_DONE)):
        assert drawn_upto(path) == 0
    assert drawn_upto(path) == len(TO_DONE)
    before = (path.read_bytes(), path.stat().st_mtime_ns)

    reopened = Journal.open(path, driving=True)
    reopened.close()

    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    # No log beside it, and nothing rescued: all of it is in one file.
    assert [file.name for file in path.parent.iterdir()] == ["journal.db"]


def test_a_snapshot_for_which_there_is_no_room_leaves_the_last_one_and_every_event(path: Path):
    with closing(journal_with(path, a=TO_DONE)) as journal:
        journal.write_snapshot()
        journal.append(MANY, at=AT)

        with almost_full(journal), pytest.raises(MachineError, match="cannot be written"):
            journal.write_snapshot()

        assert drawn_upto(path) == len(TO_DONE)
        assert len(journal.standing().open) == len(MANY)


def test_the_first_event_of_all_is_in_it(path: Path):
    with closing(journal_with(path, a=(intended(),))) as journal:
        journal.write_snapshot()

        assert journal.standing().open[A].phase is Phase.INTENT


def test_what_was_tried_and_is_no_fact_is_not_in_it(path: Path):
    """It would eat up the next run's patience: how often a poll failed is counted, and only its end is written."""
    tried = replace(advance(UNBORN, intended(), at=AT), counters=replace(NO_COUNTS, failed_polls=7))
    with closing(journal_with(path, a=(intended(),))) as journal:
        journal.remember(A, tried)

    with closing(Journal.open(path, driving=True)) as journal:
        assert journal.standing().open[A].counters == NO_COUNTS


def test_a_reference_whose_name_is_not_utf_8_does_not_break_it(path: Path):
    """The run was cut off by a crash report when it was closed, and every later one of the run directory."""
    named = replace(intended(), references=("cat caf\udce9.png 1234",))
    with closing(journal_with(path, a=(named,))):
        pass

    assert drawn_upto(path) == 1
    with closing(Journal.open(path, driving=True)) as journal:
        assert journal.standing() == journal.standing(with_snapshot=False)
        assert journal.standing().open[A].intended == named


# What lies on the disk.


def test_it_is_a_journal_of_the_first_version_as_long_as_that_is_what_it_says(path: Path):
    """Every run directory there is holds these tables: whoever changes them raises SCHEMA_VERSION and reads both."""
    with closing(Journal.create(path, run_directory_id="r")) as journal:
        rows = journal._database.execute("SELECT sql FROM sqlite_schema WHERE sql > '' ORDER BY name")
        tables = " ".join(" ".join(sql.split()) for (sql,) in rows)
    header = path.read_bytes()[:72]

    assert header[68:] == b"F2B1"  # what SQLite calls the application's id; file(1) finds it there as well
    assert int.from_bytes(header[60:64]) == 1
    assert hashlib.sha256(tables.encode()).hexdigest()[:16] == "2e010d46a33a67c8"


def test_every_connection_asks_the_drive_itself_and_trusts_no_ones_views(path: Path):
    """On macOS a synced file may still be in the drive's own cache; elsewhere nothing can tell `fullfsync`."""
    asked = ("synchronous", "fullfsync", "checkpoint_fullfsync", "trusted_schema")
    with closing(Journal.create(path, run_directory_id="r")) as made:
        first = [made._database.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]
    with closing(Journal.open(path, driving=True)) as opened:
        second = [opened._database.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]
    with closing(Journal.open(path, driving=False)) as reader:
        read = reader._database.execute("PRAGMA trusted_schema").fetchone()[0]

    assert (first, second, read) == ([2, 1, 1, 0], [2, 1, 1, 0], 0)  # 2 is FULL


@pytest.mark.skipif(os.name == "nt", reason="rights are kept in another way there")
def test_prompts_and_prices_are_nobody_elses_to_read(path: Path):
    before = os.umask(0o022)
    try:
        with closing(journal_with(path, a=TO_DONE)):
            rights = {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir()}
    finally:
        os.umask(before)

    assert rights == {"journal.db": 0, "journal.db-wal": 0, "journal.db-shm": 0}
