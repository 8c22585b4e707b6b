"""A journal that something has touched: what is derived is drawn anew, and what cannot be trusted drives nobody."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from test_journal import TO_DONE, with_sql
from test_lifecycle import AT, WAY_TO_UNKNOWN, intended

from flux2batch.engine.events import Rejected, SendBegan
from flux2batch.engine.journal import Journal, JournalDamaged
from flux2batch.engine.lifecycle import Phase
from flux2batch.engine.run_directory import look_into
from flux2batch.planning.shot import ShotId
from flux2batch.reporting import ledger

A, B, C = ShotId("a" * 32), ShotId("b" * 32), ShotId("c" * 32)
REJECTED = (intended(), SendBegan(), Rejected(status=422, reason="no", parameters=()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed journal with its snapshot: one shot done, one in doubt, one rejected and so without a picture."""
    place = tmp_path / ".flux2batch" / "journal.db"
    place.parent.mkdir()
    with closing(Journal.create(place, run_directory_id="r")) as journal:
        for shot, events in ((A, TO_DONE), (B, WAY_TO_UNKNOWN), (C, REJECTED)):
            for event in events:
                journal.append([(shot, event)], at=AT)
    return place


TOUCHED = [
    "UPDATE snapshot SET phase = 'rejected' WHERE shot LIKE 'a%'",
    "UPDATE snapshot SET charged_usd = '0'",
    "UPDATE snapshot SET charged_usd = 'x'",
    "UPDATE snapshot SET life = '[[[['",
    "UPDATE snapshot SET life = CAST(x'FFFE' AS TEXT)",
    "UPDATE snapshot SET paths = 'x'",
    "DELETE FROM snapshot WHERE shot LIKE 'b%'",
    "UPDATE meta SET value = 'x' WHERE key = 'snapshot'",
    "UPDATE meta SET value = '3' WHERE key = 'snapshot'",
    "DELETE FROM meta WHERE key = 'snapshot'",
]


@pytest.mark.parametrize("touched", TOUCHED)
def test_a_snapshot_that_was_touched_is_none_and_the_next_is_whole(path: Path, touched: str):
    """Believed, the first of these would send a paid shot again."""
    with_sql(touched)(path)

    with closing(Journal.open(path, driving=True)) as journal:
        events = journal.standing(with_snapshot=False)
        assert journal.standing() == events
        assert events.ended[A].phase is Phase.DONE
        journal.write_snapshot()
        assert journal.standing() == events
    with closing(sqlite3.connect(path)) as database:
        phases = dict(database.execute("SELECT shot, phase FROM snapshot"))
    assert phases == {A: "done", B: "unknown", C: "rejected"}


def test_with_the_snapshot_and_without_the_same_is_known(path: Path):
    with closing(Journal.open(path, driving=False)) as journal:
        assert journal.standing() == journal.standing(with_snapshot=False)
        assert journal.standing().ended[C].paths == ()


@pytest.mark.parametrize("gone", ["seq = 1", "seq = 4", "shot LIKE 'b%'", "seq > 9", "seq < 5"])
def test_a_journal_from_which_events_were_taken_drives_nobody(path: Path, gone: str):
    """A shot whose events are gone would be sent again."""
    with_sql(f"DELETE FROM events WHERE {gone}")(path)

    with pytest.raises(JournalDamaged), closing(Journal.open(path, driving=True)) as journal:
        journal.standing()


EDITED = [
    "UPDATE events SET kind = 'Withdrawn', payload = '{}' WHERE seq = 2",
    "UPDATE events SET shot = CAST(x'FF' AS TEXT) WHERE seq = 2",
    "UPDATE events SET payload = CAST(x'FF' AS TEXT) WHERE seq = 2",
    "UPDATE events SET at = 'yesterday' WHERE seq = 2",
]


@pytest.mark.parametrize("edited", EDITED)
def test_events_that_make_no_life_are_damage_for_whoever_reads_them_and_no_bug(path: Path, edited: str):
    """The ledger folds the events itself, and ended in a crash report."""
    with_sql(edited)(path)

    with pytest.raises(JournalDamaged), look_into(path.parent.parent) as directory:
        list(ledger.lines(directory.journal.entries_by_shot()))


@pytest.mark.parametrize("where", ["meta", "snapshot"])
def test_text_that_is_none_is_damage_or_does_not_matter(path: Path, where: str):
    column = "value" if where == "meta" else "paths"
    with_sql(f"UPDATE {where} SET {column} = CAST(x'C328' AS TEXT)")(path)

    try:
        with closing(Journal.open(path, driving=False)) as journal:
            assert journal.standing().ended[A].phase is Phase.DONE
            assert where == "snapshot"
    except JournalDamaged:
        assert where == "meta"
