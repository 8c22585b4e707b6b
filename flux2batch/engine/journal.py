"""The journal: an append-only list of events in SQLite, the truth about every take of a run directory.

Rules that hold this file together:
- an event is durable when `append` returns: WAL with synchronous FULL, and the folder is synced once after creation;
- events are never changed; `snapshot` is derived from them, disposable, and there only to make opening fast;
- one connection writes; readers open read-only and checkpoint nothing;
- a journal that is damaged, newer than this program, or holds anything that we did not create is not driven.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast, get_args

from flux2batch.durable import sync_folder
from flux2batch.engine import records, snapshot
from flux2batch.engine.events import Event, RunEvent, ShotEvent
from flux2batch.engine.lifecycle import ENDED, NO_COUNTS, UNBORN, IllegalEvent, Life, Phase, advance
from flux2batch.engine.rescue import keep, rescue_of
from flux2batch.engine.snapshot import Snapshot
from flux2batch.errors import GoneForGood, MachineError
from flux2batch.money import ZERO, Money, usd
from flux2batch.planning.shot import ShotId
from flux2batch.private_files import private_file

SCHEMA_VERSION = 1
_APPLICATION = 0x46324231  # "F2B1"
_SNAPSHOT_EVERY = 10_000

_SCHEMA = """
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  shot TEXT,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_shot ON events (shot, seq);
CREATE TABLE snapshot (
  shot TEXT PRIMARY KEY,
  phase TEXT NOT NULL,
  charged_usd TEXT NOT NULL,
  at_risk_usd TEXT NOT NULL,
  paths TEXT NOT NULL,
  life TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE VIEW takes AS
  SELECT shot, json_extract(payload, '$.take') AS take, at, json_extract(payload, '$.model') AS model,
         json_extract(payload, '$.reserve') AS reserve_usd, json_extract(payload, '$.prompt') AS prompt
  FROM events WHERE kind = 'Intended' ORDER BY seq;
CREATE VIEW charges AS
  SELECT shot, at, kind, json_extract(payload, '$.charge.usd') AS usd,
         json_extract(payload, '$.charge.source') AS source
  FROM events WHERE json_extract(payload, '$.charge.usd') IS NOT NULL ORDER BY seq;
CREATE VIEW pictures AS
  SELECT shot, at, json_extract(payload, '$.path') AS path, json_extract(payload, '$.sha256') AS sha256
  FROM events WHERE kind = 'Saved' ORDER BY seq;
CREATE VIEW history AS SELECT seq, at, shot, kind, payload FROM events ORDER BY seq;
"""


# Text that is none is told of with an error of either kind.
UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)


class JournalDamaged(MachineError):
    """The journal cannot be trusted: nothing is sent on its word."""


class JournalTooNew(MachineError):
    """A later version of flux2batch wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal."""

    seq: int
    at: datetime
    shot: ShotId | None
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a driver needs to know of a shot that has ended."""

    phase: Phase
    charged: Money
    at_risk: Money
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where every shot of the run directory stands."""

    open: Mapping[ShotId, Life]  # those that have not ended
    ended: Mapping[ShotId, Summary]
    events: int

    @property
    def charged(self) -> Money:
        """All that is known to be charged."""
        open_usd = sum((life.charged for life in self.open.values()), start=ZERO)
        return Money(sum((one.charged for one in self.ended.values()), start=open_usd))

    @property
    def committed(self) -> Money:
        """All that is spent, reserved or in doubt."""
        open_usd = sum((life.committed for life in self.open.values()), start=ZERO)
        return Money(sum((one.charged + one.at_risk for one in self.ended.values()), start=open_usd))

    def committed_of(self, shot: ShotId) -> Money:
        """What one shot has cost, or may have; nothing for one that is not known."""
        ended = self.ended.get(shot)
        return Money(ended.charged + ended.at_risk) if ended else self.open.get(shot, UNBORN).committed


class Journal:
    """One run directory's journal. `driving` opens it for writing; the caller holds the directory's lock."""

    def __init__(self, database: sqlite3.Connection, path: Path, *, driving: bool) -> None:
        self._database = database
        self._path = path
        self._driving = driving
        self._inode = path.stat().st_ino
        self._told_gone = False
        self._fresh: dict[ShotId, Life] = {}  # of shots that changed since the last snapshot, where it is known
        self._since_snapshot = 0

    # Opening.

    @classmethod
    def create(cls, path: Path, *, run_directory_id: str) -> Journal:
        """A new, empty journal. The folder is there and holds none.

        It is made beside its place: a process that dies while making it leaves no half journal to be found damaged.
        """
        new = path.with_name(f"{path.name}.new")
        for leftover in (new, *_companions(new)):
            leftover.unlink(missing_ok=True)
        try:
            private_file(new)  # its log and its index will have the same rights
            with closing(_connect(new, mode="rw")) as database:
                _fill(database, run_directory_id)
            new.replace(path)
            # Without this the file itself may be gone after a power loss, and with it everything that was committed.
            sync_folder(path.parent)
            database = _connect(path, mode="rw")
            _be_durable(database)
        except (OSError, sqlite3.Error) as error:
            raise MachineError(f"The journal {path} cannot be made: {error}.") from error
        return cls(database, path, driving=True)

    @classmethod
    def open(cls, path: Path, *, driving: bool) -> Journal:
        """The journal at `path`, checked. Raises JournalDamaged or JournalTooNew."""
        if not path.is_file() or path.stat().st_size == 0:
            raise JournalDamaged(f"{path} is empty. Nothing was sent. See 'flux2batch doctor --recover'.")
        try:
            database = _connect(path, mode="rw") if driving else _connect_to_read(path)
            _inspect(database, path)
            if driving:
                _be_durable(database)
        except UNREADABLE as error:
            raise damaged(path, str(error)) from error
        return cls(database, path, driving=driving)

    def close(self) -> None:
        """Write the snapshot, where this process drives, and close."""
        with suppress(sqlite3.Error, MachineError):
            if self._driving and self._since_snapshot and not self._database.in_transaction:
                self.write_snapshot()
            if self._driving and not self._told_gone and self._is_gone():
                keep(self._database, self._path, ())  # closing would let go of all that is left of it
        self._database.close()

    # Writing.

    def append(self, facts: Sequence[tuple[ShotId | None, Event]], *, at: datetime) -> None:
        """Make these facts durable, all or none. When this returns they survive a power loss."""
        self.write([(at, shot, event) for shot, event in facts])

    def write(self, facts: Sequence[tuple[datetime, ShotId | None, Event]]) -> None:
        """The same with facts of several moments: those that wait for the disk together."""
        rows = [(at.isoformat(), shot, *records.encode(event)) for at, shot, event in facts]
        self._still_there(rows)
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany("INSERT INTO events (at, shot, kind, payload) VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unwritable(error) from error
        self._since_snapshot += len(rows)
        for shot in {shot for _, shot, _ in facts if shot is not None}:
            self._fresh.pop(shot, None)  # what was remembered of it is older than this

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take in events of another journal with the times that they have there, all or none."""
        rows = ((entry.at.isoformat(), entry.shot, *records.encode(entry.event)) for entry in entries)
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany("INSERT INTO events (at, shot, kind, payload) VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise MachineError(f"The journal {self._path} cannot be written: {error}.") from error

    def remember(self, shot: ShotId, life: Life) -> None:
        """Note what a shot has become, so that the next snapshot need not replay it."""
        # Counters also count outcomes that are no facts (a download that failed and is tried again): what has them is
        # replayed, so that the snapshot is what the events say and nothing more.
        if life.counters == NO_COUNTS:
            self._fresh[shot] = life
        if self._since_snapshot >= _SNAPSHOT_EVERY:
            self.write_snapshot()

    def write_snapshot(self) -> None:
        """Derive the state of every shot that something happened to since the last snapshot, by whichever process."""
        before, last = self._snapshot(), self.last_seq
        upto = before.upto if before else 0
        stirred = "SELECT DISTINCT shot FROM events WHERE seq > ? AND seq <= ? AND shot IS NOT NULL"
        shots = [ShotId(shot) for (shot,) in self._database.execute(stirred, (upto, last))]
        rows = [_snapshot_row(shot, self._fresh.get(shot) or self.life(shot)) for shot in shots]
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                snapshot.add(self._database, rows, upto=last, anew=before is None)
        except sqlite3.Error as error:
            raise self._unwritable(error) from error
        self._fresh.clear()
        self._since_snapshot = 0

    def _unwritable(self, error: sqlite3.Error) -> MachineError:
        return MachineError(f"The journal {self._path} cannot be written: {error}.")

    def _still_there(self, rows: Sequence[tuple[str, str | None, str, str]]) -> None:
        """Writing into a file that somebody deleted would be writing into nothing: all of it is kept elsewhere."""
        if self._is_gone():
            self._told_gone = True
            gone = f"The journal {self._path} was removed or replaced while it was in use."
            if keep(self._database, self._path, rows):
                gone += f" What it held is kept in {rescue_of(self._path).name} beside it; the next run puts it back."
            raise GoneForGood(gone)

    def _is_gone(self) -> bool:
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return True

    # Reading.

    @contextmanager
    def _suspicion(self) -> Iterator[None]:
        """What SQLite cannot read where it let the file pass, such as text that is none, is damage and no bug."""
        try:
            yield
        except UNREADABLE as error:
            raise damaged(self._path, str(error)) from error

    def _snapshot(self) -> Snapshot | None:
        try:
            return snapshot.read(self._database)
        except UNREADABLE:
            return None  # the events have it all

    @property
    def run_directory_id(self) -> str:
        """The id that this run directory was given when it was made."""
        return self.meta("run_directory") or ""

    @property
    def last_seq(self) -> int:
        """The number of the newest event."""
        with self._suspicion():
            return int(self._database.execute("SELECT COALESCE(MAX(seq), 0) FROM events").fetchone()[0])

    def meta(self, key: str) -> str | None:
        """A fact about the run directory as a whole."""
        with self._suspicion():
            row = self._database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Remember a fact about the run directory as a whole."""
        try:
            with self._database:
                self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def entries(self, *, after: int = 0, shot: ShotId | None = None) -> Iterator[Entry]:
        """The events in the order in which they happened."""
        chosen = "WHERE seq > ?" if shot is None else "WHERE seq > ? AND shot = ?"
        return self._entries(chosen, (after,) if shot is None else (after, shot))

    def entries_by_shot(self) -> Iterator[Entry]:
        """The events of shots, each shot's together: the shots in the order in which they were begun."""
        begun = "SELECT shot FROM events WHERE shot IS NOT NULL GROUP BY shot ORDER BY MIN(seq)"
        with self._suspicion():
            for (shot,) in self._database.execute(begun):
                yield from self.entries(shot=ShotId(shot))

    def _entries(self, chosen: str, parameters: Sequence[object]) -> Iterator[Entry]:
        rows = self._database.execute(
            f"SELECT seq, at, shot, kind, payload FROM events {chosen} ORDER BY seq", parameters
        )
        try:
            for seq, at, of, kind, payload in rows:
                event = records.decode(kind, payload)
                yield Entry(
                    seq=seq, at=datetime.fromisoformat(at), shot=None if of is None else ShotId(of), event=event
                )
        except (records.UnreadableRecord, ValueError, sqlite3.DatabaseError) as error:
            raise damaged(self._path, str(error)) from error

    def run_entries(self) -> Iterator[Entry]:
        """The events of the runs themselves, which belong to no shot."""
        return self._entries("WHERE shot IS NULL", ())

    def life(self, shot: ShotId) -> Life:
        """All that is known of one shot."""
        return _fold(self.entries(shot=shot), {}, self._path).get(shot, UNBORN)

    def lives(self) -> Iterator[tuple[ShotId, Life]]:
        """Every shot with its whole life, by replaying everything: for the ledger and the sheet."""
        yield from _fold(self.entries(), {}, self._path).items()

    def standing(self, *, with_snapshot: bool = True) -> Standing:
        """Where every shot stands: the snapshot, and what happened after it."""
        with self._suspicion():
            claimed = snapshot.claimed(self._database)
        if claimed > self.last_seq:
            raise damaged(self._path, "its snapshot is newer than its events")
        known = self._snapshot() if with_snapshot else None
        upto = known.upto if known else 0
        ended: dict[ShotId, Summary] = {}
        lives: dict[ShotId, Life] = {}
        if known:
            ended, lives = _from_snapshot(known.rows, self._path)
            # Of an ended shot the snapshot keeps only the summary: one that stirred since is replayed on its own.
            stirred = "SELECT DISTINCT shot FROM events WHERE seq > ? AND shot IS NOT NULL"
            for (shot,) in self._database.execute(stirred, (upto,)).fetchall():
                if shot in ended:
                    before = (entry for entry in self.entries(shot=ShotId(shot)) if entry.seq <= upto)
                    lives |= _fold(before, {}, self._path)
        lives = _fold(self.entries(after=upto), lives, self._path)
        for shot, life in list(lives.items()):
            ended.pop(shot, None)
            if life.phase in ENDED:
                ended[shot] = _summary(life)
                del lives[shot]
        return Standing(open=lives, ended=ended, events=self.last_seq)


_OF_RUNS, _OF_SHOTS = get_args(RunEvent), get_args(ShotEvent)


def _fold(entries: Iterable[Entry], lives: dict[ShotId, Life], path: Path) -> dict[ShotId, Life]:
    for entry in entries:
        if (entry.shot is None) != isinstance(entry.event, _OF_RUNS):
            # Left out, it would be a shot that was paid for and is forgotten in silence.
            raise damaged(path, f"event {entry.seq}: nobody knows to which shot it belongs")
        if entry.shot is None:
            continue
        assert isinstance(entry.event, _OF_SHOTS)
        try:
            lives[entry.shot] = advance(lives.get(entry.shot, UNBORN), entry.event, at=entry.at)
        except IllegalEvent as error:
            raise damaged(path, f"event {entry.seq}: {error}") from error
    return lives


def _summary(life: Life) -> Summary:
    return Summary(phase=life.phase, charged=life.charged, at_risk=life.at_risk, paths=_paths(life))


def _paths(life: Life) -> tuple[str, ...]:
    """Where its pictures lie, as the plan has it: the frames of the first place, then of each that shares them."""
    places = [(saved.path, *saved.copies) for saved in life.saved]
    return tuple(path for share in zip(*places, strict=False) for path in share)


def _snapshot_row(shot: ShotId, life: Life) -> tuple[str, str, str, str, str, str]:
    # An ended shot's whole life is wanted rarely, and its events have it. It is written in ASCII: the name of a
    # reference's file need not be UTF-8.
    ended = life.phase in ENDED
    plain = "" if ended else json.dumps(records.to_plain(life), separators=(",", ":"))
    return shot, life.phase, str(life.charged), str(life.at_risk), "\n".join(_paths(life)), plain


def _from_snapshot(rows: Iterable[snapshot.Row], path: Path) -> tuple[dict[ShotId, Summary], dict[ShotId, Life]]:
    """The shots that had ended, and those that had not. Anybody can seal nonsense, so it is read with suspicion."""
    ended: dict[ShotId, Summary] = {}
    lives: dict[ShotId, Life] = {}
    try:
        for shot, phase, charged, at_risk, paths, life in rows:
            if Phase(phase) in ENDED:
                ended[ShotId(shot)] = Summary(
                    phase=Phase(phase),
                    charged=usd(charged),
                    at_risk=usd(at_risk),
                    paths=tuple(paths.split("\n")) if paths else (),
                )
            else:
                lives[ShotId(shot)] = cast("Life", records.from_plain(Life, json.loads(life)))
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        raise damaged(path, "a snapshot that cannot be read") from error
    return ended, lives


def _connect(path: Path, *, mode: str) -> sqlite3.Connection:
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=10, check_same_thread=False
    )
    # A run directory from someone else may hold views and triggers of their own: they get no functions.
    database.execute("PRAGMA trusted_schema = OFF")
    return database


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """A reader's connection. Beside a journal that was closed SQLite makes a file even to read it, and cannot where
    the folder is read-only; then the journal is whole as it stands."""
    database = _connect(path, mode="ro")
    try:
        database.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        database.close()
        log = path.with_name(f"{path.name}-wal")
        if log.is_file() and log.stat().st_size:
            raise MachineError(
                f"{path} cannot be read where it is ({error}): a run was cut off here, and its folder is read-only."
                " Copy the run directory, and look at the copy."
            ) from error
        return _connect(path, mode="ro&immutable=1")
    return database


def _fill(database: sqlite3.Connection, run_directory_id: str) -> None:
    # Without a log as yet: one that a full disk kept from being written back would be lost when the file is renamed.
    database.execute("PRAGMA synchronous = FULL")
    with database:
        database.execute("BEGIN IMMEDIATE")
        for statement in _statements():
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        database.execute("INSERT INTO meta VALUES ('run_directory', ?)", (run_directory_id,))


def _companions(path: Path) -> tuple[Path, Path]:
    """The files that SQLite keeps beside a database while it is in use."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _be_durable(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA fullfsync = 1")
    database.execute("PRAGMA checkpoint_fullfsync = 1")


def _inspect(database: sqlite3.Connection, path: Path) -> None:
    """Refuse what is not ours, not whole, or not of our time."""
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if application != _APPLICATION:
        raise damaged(path, "it is not a journal of flux2batch")
    if version > SCHEMA_VERSION:
        raise JournalTooNew(f"{path} was written by a newer flux2batch (journal version {version}). Install that one.")
    found = {(row[0], _calm(row[1])) for row in database.execute("SELECT name, sql FROM sqlite_schema WHERE sql > ''")}
    if found != _expected():
        raise damaged(path, "its tables are not those that flux2batch creates")
    verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise damaged(path, str(verdict))
    # Events are numbered without a gap and never deleted: a shot that was paid for must not be forgotten in silence.
    first, last, count = database.execute("SELECT MIN(seq), MAX(seq), COUNT(*) FROM events").fetchone()
    if count and (first, last) != (1, count):
        raise damaged(path, "events are missing from it")


def _statements() -> list[str]:
    return [statement.strip() for statement in _SCHEMA.split(";") if statement.strip()]


def _expected() -> set[tuple[str, str]]:
    return {(_calm(statement).split(" ")[2], _calm(statement)) for statement in _statements()}


def _calm(sql: str) -> str:
    return " ".join(sql.split())


def damaged(path: Path, why: str) -> JournalDamaged:
    """The refusal, with what was found and the remedy."""
    return JournalDamaged(f"The journal {path} is damaged: {why}. Nothing was sent. See 'flux2batch doctor --recover'.")
