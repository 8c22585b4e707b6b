"""The journal keeps what it was told, and drives nobody who cannot trust it."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from test_lifecycle import AT, WAY_TO_UNKNOWN, accepted, intended, rendered, saved

from flux2batch.engine.events import Accepted, Missed, NotSent, Retried, RunBegan, SendBegan, Stalled, Throttled
from flux2batch.engine.journal import Journal, JournalDamaged, JournalTooNew
from flux2batch.engine.lifecycle import TABLE, UNBORN, Phase, advance
from flux2batch.errors import MachineError
from flux2batch.money import usd
from flux2batch.planning.shot import ShotId

A, B, C = (ShotId(letter * 32) for letter in "abc")
TO_DONE = (intended(), SendBegan(), accepted(), rendered(), saved())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def journal_with(path: Path, **stories: tuple[object, ...]) -> Journal:
    journal = Journal.create(path, run_directory_id="r")
    for shot, story in stories.items():
        journal.append([(ShotId(shot * 32), event) for event in story], at=AT)
    return journal


def test_what_was_appended_is_there_for_the_next_process(path: Path):
    with closing(journal_with(path, a=TO_DONE, b=WAY_TO_UNKNOWN)):
        pass

    with closing(Journal.open(path, driving=True)) as journal:
        standing = journal.standing()
        assert standing.open[B].phase is Phase.UNKNOWN
        assert standing.ended[A].phase is Phase.DONE
        assert standing.committed == usd("0.10")
        assert [entry.event for entry in journal.entries(shot=A)] == list(TO_DONE)


def test_what_was_appended_survives_sigkill(path: Path):
    script = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[2]);"
        "from test_journal import *;"
        "journal_with(Path(sys.argv[1]), a=WAY_TO_UNKNOWN); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(path), str(Path(__file__).parent)], check=False, timeout=60)

    with closing(Journal.open(path, driving=True)) as journal:
        assert journal.standing().open[A].phase is Phase.UNKNOWN


def test_of_facts_that_belong_together_all_are_kept_or_none(path: Path):
    with closing(journal_with(path)) as journal:
        broken = [(A, intended()), (B, object())]
        with pytest.raises(Exception):  # noqa: B017, PT011  # whatever stops it, nothing of it may stay
            journal.append(broken, at=AT)

        assert list(journal.entries()) == []


@contextmanager
def closing_whatever(journal: Callable[[], Journal]) -> Iterator[None]:
    """Close the journal that is open in the end, whichever that is."""
    try:
        yield
    finally:
        journal().close()


@pytest.mark.parametrize("seed", range(5))
def test_the_snapshot_is_what_replaying_gives(path: Path, seed: int):
    chance = random.Random(seed)
    lives = dict.fromkeys((ShotId(f"{n:032x}") for n in range(30)), UNBORN)
    samples = [*TO_DONE, *WAY_TO_UNKNOWN, NotSent(reason="", offline=False), Throttled(wait_s=1, reason="")]
    samples += [Stalled(reason="x"), Retried(by="me"), Missed(path="a-0.png")]
    journal = journal_with(path)
    with closing_whatever(lambda: journal):
        for _ in range(300):
            if chance.random() < 0.05:
                # A process dies here, and takes what it had not written down with it.
                journal._database.close()
                journal = Journal.open(path, driving=True)
            shot = chance.choice(list(lives))
            allowed = [event for event in samples if type(event) in TABLE[lives[shot].phase]]
            if not allowed:
                continue
            event = chance.choice(allowed)
            journal.append([(shot, event)], at=AT)
            lives[shot] = advance(lives[shot], event, at=AT)
            if chance.random() < 0.8:
                journal.remember(shot, lives[shot])
            if chance.random() < 0.05:
                journal.write_snapshot()

        assert journal.standing() == journal.standing(with_snapshot=False)
        assert dict(journal.lives()) == {shot: life for shot, life in lives.items() if life != UNBORN}


def test_a_reader_sees_what_the_driver_wrote_and_cannot_write(path: Path):
    with closing(journal_with(path, a=TO_DONE)), closing(Journal.open(path, driving=False)) as reader:
        assert reader.standing().ended[A].phase is Phase.DONE
        with pytest.raises(MachineError):
            reader.append([(B, intended())], at=AT)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def turn_into_text(path: Path) -> None:
    path.write_text("hello " * 1000)


def flip_the_middle(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    for position in range(len(raw) // 4, len(raw) // 4 + 20_000):
        raw[position] ^= 0xFF
    path.write_bytes(raw)


def with_sql(statement: str):
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(statement)

    damage.__name__ = statement
    return damage


DAMAGES = [
    cut_in_half,
    empty,
    turn_into_text,
    flip_the_middle,
    with_sql("CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM events; END"),
    with_sql("CREATE VIEW v AS SELECT 1"),
    with_sql("DROP VIEW takes"),
    with_sql("PRAGMA application_id = 7"),
    with_sql("UPDATE events SET kind = 'Exploded' WHERE seq = 2"),
    with_sql("UPDATE events SET payload = '{}' WHERE seq = 3"),
    with_sql("DELETE FROM events WHERE seq = 1"),
    with_sql("INSERT OR REPLACE INTO meta VALUES ('snapshot', '100000')"),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__[:60])
def test_a_journal_that_cannot_be_trusted_drives_nobody(path: Path, damage):
    many = dict.fromkeys("abcdef0123456789", TO_DONE)
    journal_with(path, **many)._database.close()  # as a process leaves it that was killed: without a snapshot
    damage(path)

    with pytest.raises(JournalDamaged), closing(Journal.open(path, driving=True)) as journal:
        journal.standing()


def test_a_journal_of_a_newer_version_is_left_alone(path: Path):
    with closing(journal_with(path, a=TO_DONE)):
        pass
    with_sql("PRAGMA user_version = 99")(path)

    with pytest.raises(JournalTooNew, match="newer"):
        Journal.open(path, driving=True)


def test_a_journal_that_vanishes_while_it_is_used_stops_the_run(path: Path):
    with closing(journal_with(path, a=WAY_TO_UNKNOWN)) as journal:
        path.unlink()

        with pytest.raises(MachineError, match="removed"):
            journal.append([(B, intended())], at=AT)


def test_a_person_can_read_it_with_sqlite(path: Path):
    began = RunBegan(
        run="1",
        version="0",
        command="run",
        job_file=None,
        job_name="j",
        origins={},
        emulated=True,
        shots=1,
        axes={},
        sheet={},
    )
    with closing(journal_with(path, a=TO_DONE)) as journal:
        journal.append([(None, began)], at=AT)

    with closing(sqlite3.connect(path)) as database:
        takes = database.execute("SELECT model, take, reserve_usd FROM takes").fetchall()
        charges = database.execute("SELECT usd, source FROM charges").fetchall()
        pictures = database.execute("SELECT path FROM pictures").fetchall()
    assert takes == [("bfl/flux-2-flex", 1, "0.05")]
    assert charges == [("0.05", "cost")]
    assert pictures == [("a-0.png",)]


def test_a_found_take_comes_back_from_lost(path: Path):
    with closing(journal_with(path, a=WAY_TO_UNKNOWN)) as journal:
        journal.append([(A, accepted())], at=AT)

        assert journal.life(A).phase is Phase.ACCEPTED
        assert isinstance(list(journal.entries(shot=A))[-1].event, Accepted)
