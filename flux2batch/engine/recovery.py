"""What can still be read of a damaged journal, and what must be doubted because of what cannot.

Rules that hold this file together:
- the damaged files are only read, and from a copy;
- of each shot the events are believed up to the first that cannot be read or cannot follow;
- where events are missing, a shot that would be sent again is held to be unknown: what was lost may have been a charge.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flux2batch.engine import records
from flux2batch.engine.events import Event, RunBegan, RunEvent, ShotEvent
from flux2batch.engine.journal import Entry, Journal
from flux2batch.engine.lifecycle import UNBORN, IllegalEvent, Life, advance
from flux2batch.planning.shot import ShotId

_ID = re.compile(r"[0-9a-f]{32}")
_MOST_MISSES = 5_000
_Row = tuple[int, object, object, object, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvage:
    """What was read."""

    entries: tuple[Entry, ...]
    lives: dict[ShotId, Life]
    broken: frozenset[ShotId]  # their later events are lost
    unreadable: int  # events that were met and could not be used
    has_gaps: bool  # events of nobody knows which shots are missing
    meta: dict[str, str]

    @property
    def last_run(self) -> RunBegan | None:
        """The last run that is known."""
        return next((entry.event for entry in reversed(self.entries) if isinstance(entry.event, RunBegan)), None)


def salvage(journal: Path) -> Salvage:
    """Read all that can be read. Changes nothing."""
    with tempfile.TemporaryDirectory(dir=journal.parent, prefix=".recovering-") as folder:
        copy = Path(folder) / "journal.db"
        for ending in ("", "-wal"):
            source = journal.with_name(f"{journal.name}{ending}")
            if source.is_file():
                shutil.copyfile(source, copy.with_name(f"{copy.name}{ending}"))
        if not _has_head(copy):
            _give_head(copy)
        return _sorted_out(*_read(copy))


def _has_head(copy: Path) -> bool:
    try:
        with closing(sqlite3.connect(copy)) as database:
            found = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
    except sqlite3.DatabaseError:
        return False
    return {"events", "meta"} <= found


def _give_head(copy: Path) -> None:
    """The first page holds the tables' places and no event: that of a new journal stands in for one that is broken."""
    content = bytearray(copy.read_bytes())
    model = copy.with_name("model.db")
    Journal.create(model, run_directory_id="").close()
    head = bytearray(model.read_bytes())
    size = int.from_bytes(head[16:18], "big")
    if len(content) <= size:
        return
    pages = len(content) // size
    head[28:32] = pages.to_bytes(4, "big")  # the database's size, believed where the next two agree
    head[92:96] = head[24:28]
    copy.write_bytes(bytes(head[:size]) + bytes(content[size : pages * size]))


def _read(copy: Path) -> tuple[list[_Row], bool, dict[str, str]]:
    meta: dict[str, str] = {}
    rows: list[_Row] = []
    has_gaps = False
    try:
        with closing(sqlite3.connect(copy, isolation_level=None)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.text_factory = lambda raw: raw.decode("utf-8", "replace")
            with suppress(sqlite3.Error):
                meta = {str(key): str(value) for key, value in database.execute("SELECT key, value FROM meta")}
            for row in _rows(database):
                if row is None:
                    has_gaps = True
                else:
                    rows.append(row)
    except sqlite3.Error:
        has_gaps = True
    return rows, has_gaps or not rows, meta


def _rows(database: sqlite3.Connection) -> Iterator[_Row | None]:
    """The events in order; None for each place at which some cannot be reached."""
    after = misses = 0
    while misses < _MOST_MISSES:
        began = after
        try:
            found = database.execute(
                "SELECT seq, at, shot, kind, payload FROM events WHERE seq > ? ORDER BY seq", (after,)
            )
            for row in found:
                if row[0] != after + 1:
                    yield None
                yield row
                after = row[0]
        except sqlite3.Error:
            yield None
            misses = 0 if after > began else misses + 1
            after += 1
        else:
            return


def _sorted_out(rows: list[_Row], has_gaps: bool, meta: dict[str, str]) -> Salvage:
    entries: list[Entry] = []
    lives: dict[ShotId, Life] = {}
    broken: set[ShotId] = set()
    unreadable = 0
    for seq, at, shot, kind, payload in rows:
        of = ShotId(shot) if isinstance(shot, str) and _ID.fullmatch(shot) else None
        if of in broken:
            unreadable += 1
            continue
        try:
            event, moment = records.decode(str(kind), str(payload)), datetime.fromisoformat(str(at))
            if of is not None:
                lives[of] = _advanced(lives.get(of, UNBORN), event, moment)
            elif shot is not None or not isinstance(event, RunEvent):
                raise ValueError("an event of a shot that cannot be told")
        except (ValueError, OverflowError):
            unreadable += 1
            if of is not None:
                broken.add(of)
            elif shot is not None or str(kind) not in _OF_RUNS:
                has_gaps = True
            continue
        entries.append(Entry(seq=seq, at=moment, shot=of, event=event))
    return Salvage(
        entries=tuple(entries),
        lives=lives,
        broken=frozenset(broken),
        unreadable=unreadable,
        has_gaps=has_gaps,
        meta=meta,
    )


_OF_RUNS = frozenset(kind.__name__ for kind in RunEvent.__args__)


def _advanced(life: Life, event: Event, at: datetime) -> Life:
    if not isinstance(event, ShotEvent):
        raise IllegalEvent("an event of a run with a shot")
    return advance(life, event, at=at)
