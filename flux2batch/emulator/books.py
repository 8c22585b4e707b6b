"""What the emulated services know and nobody can talk them out of: submits, tasks, money, and who came with which key.

A task is in the books before its submit is answered. Money is kept in double entry: an amount always goes from one
account to another, so that the accounts add up to nothing. With a file, the books survive `kill -9` of the emulator;
only the counts of polls and downloads may then lack those of the last half second. Without one they live in a
temporary file that SQLite keeps and removes, so that a long run does not fill the memory.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from flux2batch.errors import MachineError

VERSION = 1
NANO = 1_000_000_000  # money is in whole billionths of a US dollar
ACTIVE_CAP = 100_000  # further than this nobody counts

_TABLES = """
CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS tasks(
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, service TEXT NOT NULL, model TEXT NOT NULL, life INTEGER NOT NULL,
  token TEXT NOT NULL, body_sha256 TEXT NOT NULL, request_sha256 TEXT NOT NULL,
  wish TEXT NOT NULL, faults TEXT NOT NULL, refusal TEXT,
  accepted_at REAL NOT NULL, started_at REAL NOT NULL, ready_at REAL NOT NULL, cancelled_at REAL,
  charge_nano INTEGER NOT NULL, terms TEXT NOT NULL, settled INTEGER NOT NULL,
  polls INTEGER NOT NULL, downloads INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS tasks_by_token ON tasks(token);
CREATE INDEX IF NOT EXISTS tasks_by_request ON tasks(request_sha256);
CREATE INDEX IF NOT EXISTS tasks_by_ready ON tasks(service, ready_at);
CREATE INDEX IF NOT EXISTS tasks_by_start ON tasks(service, started_at);
CREATE INDEX IF NOT EXISTS tasks_unsettled ON tasks(ready_at) WHERE settled = 0;
CREATE TABLE IF NOT EXISTS submits(
  seq INTEGER PRIMARY KEY, at REAL NOT NULL, service TEXT NOT NULL, model TEXT NOT NULL, origin TEXT NOT NULL,
  key_seen TEXT NOT NULL, body_sha256 TEXT NOT NULL, request_sha256 TEXT NOT NULL, outcome TEXT NOT NULL, task_id TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS submits_by_request ON submits(request_sha256);
CREATE TABLE IF NOT EXISTS entries(
  seq INTEGER PRIMARY KEY, at REAL NOT NULL, task_id TEXT, giver TEXT NOT NULL, taker TEXT NOT NULL,
  amount_nano INTEGER NOT NULL CHECK (amount_nano >= 0)
) STRICT;
CREATE TABLE IF NOT EXISTS sightings(
  origin TEXT NOT NULL, key_seen TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY(origin, key_seen)
) STRICT;
CREATE TABLE IF NOT EXISTS blobs(
  sha256 TEXT NOT NULL, kind TEXT NOT NULL, note TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY(sha256, kind)
) STRICT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One accepted request, as the service remembers it."""

    id: str
    service: str  # bfl, fal
    model: str  # the endpoint's own name: flux-2-pro, fal-ai/flux-2/edit
    life: int  # which start of the emulator took it
    token: str  # 32 hex digits that its pictures' addresses are made of
    body_sha256: str  # of the body's bytes
    request_sha256: str  # of the endpoint and the body's JSON, however it was written
    wish: Mapping[str, Any]  # all the painter needs, and the body as far as it is kept
    faults: tuple[str, ...]
    refusal: Mapping[str, Any] | None  # fal finds a body wrong only when it runs it: status, body and error
    accepted_at: float
    started_at: float
    ready_at: float
    cancelled_at: float | None
    charge_nano: int
    terms: str  # now, ready, refund (taken now, given back when ready), free
    polls: int
    downloads: int

    @property
    def charged(self) -> Decimal:
        """What it costs in US dollars once everything has been settled."""
        free = self.terms in ("free", "refund") or self.cancelled_at is not None
        return Decimal(0) if free else Decimal(self.charge_nano) / NANO


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """One POST that asked for a picture, whatever became of it."""

    at: float
    service: str
    model: str
    origin: str
    key_seen: str
    body_sha256: str
    request_sha256: str
    outcome: str  # "accepted", or the status or fault it met instead
    task_id: str | None


class Books:
    """Every method may be called from any thread."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._lock = threading.RLock()
        try:
            self._db = _opened(file)
        except sqlite3.DatabaseError as error:
            raise MachineError(f"the emulator's books cannot be opened: {file} ({error})") from None
        self._totals: Counter[str] = Counter()
        self._polls: Counter[str] = Counter()
        self._downloads: Counter[str] = Counter()
        self._seen: Counter[tuple[str, str]] = Counter()
        for giver, taker, amount in self._db.execute(
            "SELECT giver, taker, SUM(amount_nano) FROM entries GROUP BY giver, taker"
        ):
            self._totals[giver] -= amount
            self._totals[taker] += amount
        self.life = int(self.fact("life", "0")) + 1
        self.remember("life", str(self.life))

    def close(self) -> None:
        with self._lock:
            self.flush()
            self._db.close()

    # Small facts: the salt of the keys, the ports.

    def fact(self, name: str, otherwise: str) -> str:
        with self._lock:
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return otherwise if row is None else row[0]

    def remember(self, name: str, value: str) -> None:
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    # Writing.

    def accept(self, task: Task, *, origin: str, key_seen: str, outcome: str) -> None:
        """Book a task, the submit that brought it and its charge, in one transaction."""
        with self._lock, self._transaction():
            self._db.execute(
                "INSERT INTO tasks(id, service, model, life, token, body_sha256, request_sha256, wish, faults, refusal,"
                " accepted_at, started_at, ready_at, cancelled_at, charge_nano, terms, settled, polls, downloads)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)",
                (
                    *(task.id, task.service, task.model, task.life, task.token, task.body_sha256, task.request_sha256),
                    *(_text(task.wish), _text(task.faults), None if task.refusal is None else _text(task.refusal)),
                    *(task.accepted_at, task.started_at, task.ready_at, task.cancelled_at),
                    *(task.charge_nano, task.terms, int(task.terms in ("now", "free"))),
                ),
            )
            self._note_submit(task.accepted_at, task, origin=origin, key_seen=key_seen, outcome=outcome)
            if task.terms in ("now", "refund"):
                self._move(task.accepted_at, task.id, _customer(task.service), _revenue(task.service), task.charge_nano)

    def refuse(self, submit: Submit) -> None:
        """Book a submit that made no task."""
        with self._lock:
            self._db.execute(
                f"INSERT INTO submits({_SUBMIT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    *(submit.at, submit.service, submit.model, submit.origin, submit.key_seen),
                    *(submit.body_sha256, submit.request_sha256, submit.outcome),
                ),
            )

    def fund(self, service: str, amount_nano: int) -> None:
        """Put money on an account."""
        with self._lock:
            self._move(time.time(), None, "world", _customer(service), amount_nano)

    def cancel(self, task: Task, *, at: float) -> None:
        """Take a task that has not begun out of the queue; it costs nothing."""
        with self._lock:
            self._db.execute("UPDATE tasks SET cancelled_at = ?, settled = 1 WHERE id = ?", (at, task.id))

    def reschedule(self, times: Sequence[tuple[str, float, float]]) -> None:
        """Give queued tasks new times: (id, start, ready)."""
        with self._lock, self._transaction():
            self._db.executemany(
                "UPDATE tasks SET started_at = ?, ready_at = ? WHERE id = ?", [(at, to, name) for name, at, to in times]
            )

    def keep(self, sha256: str, kind: str, note: str, content: bytes) -> None:
        """Keep bytes once, however many requests bring them, with a note such as their type."""
        with self._lock:
            self._db.execute(
                "INSERT OR IGNORE INTO blobs VALUES (?, ?, ?, ?)", (sha256, kind, note, sqlite3.Binary(content))
            )

    def polled(self, task_id: str) -> None:
        with self._lock:
            self._polls[task_id] += 1

    def downloaded(self, task_id: str) -> None:
        with self._lock:
            self._downloads[task_id] += 1

    def saw(self, origin: str, key_seen: str) -> None:
        """A request came to `origin` with this key, or with "none"."""
        with self._lock:
            self._seen[origin, key_seen] += 1

    def flush(self) -> None:
        """Write down the counts that are still in memory, and settle what is due."""
        with self._lock:
            if self._polls or self._downloads or self._seen:
                with self._transaction():
                    self._db.executemany(
                        "UPDATE tasks SET polls = polls + ? WHERE id = ?",
                        [(n, name) for name, n in self._polls.items()],
                    )
                    self._db.executemany(
                        "UPDATE tasks SET downloads = downloads + ? WHERE id = ?",
                        [(n, name) for name, n in self._downloads.items()],
                    )
                    self._db.executemany(
                        "INSERT INTO sightings VALUES (?, ?, ?)"
                        " ON CONFLICT DO UPDATE SET count = count + excluded.count",
                        [(*where, n) for where, n in self._seen.items()],
                    )
                for counts in (self._polls, self._downloads, self._seen):
                    counts.clear()
            self._settle()

    # Reading.

    def task(self, task_id: str) -> Task | None:
        with self._lock:
            row = self._db.execute(f"SELECT {_COLUMNS} FROM tasks WHERE id = ?", (task_id,)).fetchone()
            return None if row is None else self._task(row)

    def task_by_token(self, start: str) -> Iterator[Task]:
        """The tasks whose token begins like this."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM tasks WHERE token >= ? AND token < ?", (start, start + "g")
            ).fetchall()
        return (self._task(row) for row in rows)

    def tasks(self, service: str | None = None, *, after: int = 0, limit: int = -1) -> tuple[Task, ...]:
        """All tasks in the order of their acceptance."""
        with self._lock:
            self.flush()
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM tasks WHERE seq > ? AND (? IS NULL OR service = ?) ORDER BY seq LIMIT ?",
                (after, service, service, limit),
            ).fetchall()
        return tuple(self._task(row) for row in rows)

    def submits(self, request_sha256: str | None = None, *, after: int = 0, limit: int = -1) -> tuple[Submit, ...]:
        """All POSTs for pictures, or those with this body, in the order of their arrival."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_SUBMIT_COLUMNS} FROM submits"
                " WHERE seq > ? AND (? IS NULL OR request_sha256 = ?) ORDER BY seq LIMIT ?",
                (after, request_sha256, request_sha256, limit),
            ).fetchall()
        names = Submit.__slots__
        return tuple(Submit(**dict(zip(names, row, strict=True))) for row in rows)

    def times_submitted(self, request_sha256: str) -> int:
        """How often exactly this request has come, accepted or not."""
        with self._lock:
            (count,) = self._db.execute(
                "SELECT COUNT(*) FROM submits WHERE request_sha256 = ?", (request_sha256,)
            ).fetchone()
        return int(count)

    def active(self, service: str, *, at: float, limit: int = ACTIVE_CAP) -> int:
        """How many tasks are not finished, counted no further than `limit`."""
        with self._lock:
            (count,) = self._db.execute(
                "SELECT COUNT(*) FROM (SELECT 1 FROM tasks WHERE service = ? AND ready_at > ? AND cancelled_at IS NULL"
                " LIMIT ?)",
                (service, at, limit),
            ).fetchone()
        return int(count)

    def queued(self, service: str, *, at: float) -> tuple[Task, ...]:
        """The tasks that wait for their turn, first come first."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM tasks WHERE service = ? AND started_at > ? AND cancelled_at IS NULL"
                " ORDER BY seq",
                (service, at),
            ).fetchall()
        return tuple(self._task(row) for row in rows)

    def queue_position(self, task: Task, *, at: float) -> int:
        """How many wait before this one."""
        with self._lock:
            (count,) = self._db.execute(
                "SELECT COUNT(*) FROM tasks WHERE service = ? AND started_at > ? AND cancelled_at IS NULL"
                " AND seq < (SELECT seq FROM tasks WHERE id = ?)",
                (task.service, at, task.id),
            ).fetchone()
        return int(count)

    def last_ready(self, service: str, *, at: float, limit: int) -> tuple[float, ...]:
        """When the last of the running and queued tasks end, the latest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT ready_at FROM tasks WHERE service = ? AND ready_at > ? AND cancelled_at IS NULL"
                " ORDER BY ready_at DESC LIMIT ?",
                (service, at, limit),
            ).fetchall()
        return tuple(row[0] for row in rows)

    def blob(self, sha256: str, kind: str) -> tuple[str, bytes] | None:
        """The note and the bytes that were kept."""
        with self._lock:
            row = self._db.execute(
                "SELECT note, content FROM blobs WHERE sha256 = ? AND kind = ?", (sha256, kind)
            ).fetchone()
        return None if row is None else (row[0], bytes(row[1]))

    def sightings(self) -> dict[tuple[str, str], int]:
        """How many requests came to which door with which key: "bfl", "fal", "none" or "other:…"."""
        with self._lock:
            self.flush()
            rows = self._db.execute(
                "SELECT origin, key_seen, count FROM sightings ORDER BY origin, key_seen"
            ).fetchall()
        return {(origin, key): count for origin, key, count in rows}

    @property
    def charged(self) -> Decimal:
        """What the services have earned until now, in US dollars."""
        return self.charged_by("bfl") + self.charged_by("fal")

    def charged_by(self, service: str) -> Decimal:
        with self._lock:
            self._settle()
            return Decimal(self._totals[_revenue(service)]) / NANO

    def balance(self, service: str) -> Decimal:
        """What is left on the account, in US dollars."""
        with self._lock:
            self._settle()
            return Decimal(self._totals[_customer(service)]) / NANO

    def imbalance(self) -> int:
        """What the accounts add up to: nothing, or the books are wrong."""
        with self._lock:
            return sum(self._totals.values())

    def counts(self) -> dict[str, int]:
        """How many rows the books hold."""
        with self._lock:
            self.flush()
            polls, downloads = self._db.execute(
                "SELECT COALESCE(SUM(polls), 0), COALESCE(SUM(downloads), 0) FROM tasks"
            ).fetchone()
            tasks, submits = (
                self._db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in ("tasks", "submits")
            )
        return {"submits": submits, "tasks": tasks, "polls": polls, "downloads": downloads}

    # How it is kept.

    def _task(self, row: tuple[Any, ...]) -> Task:
        told = dict(zip(_FIELDS, row, strict=True))
        told["wish"] = json.loads(told["wish"])
        told["faults"] = tuple(json.loads(told["faults"]))
        told["refusal"] = None if told["refusal"] is None else json.loads(told["refusal"])
        told["polls"] += self._polls.get(told["id"], 0)
        told["downloads"] += self._downloads.get(told["id"], 0)
        return Task(**told)

    def _note_submit(self, at: float, task: Task, *, origin: str, key_seen: str, outcome: str) -> None:
        self._db.execute(
            f"INSERT INTO submits({_SUBMIT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(at, task.service, task.model, origin, key_seen),
                *(task.body_sha256, task.request_sha256, outcome, task.id),
            ),
        )

    def _settle(self) -> None:
        """Post what has fallen due: fal bills when a picture is made, BFL gives back when one is moderated."""
        now = time.time()
        due = self._db.execute(
            "SELECT id, service, charge_nano, terms, ready_at FROM tasks WHERE settled = 0 AND ready_at <= ?", (now,)
        ).fetchall()
        if not due:
            return
        with self._transaction():
            for task_id, service, amount, terms, ready_at in due:
                customer, revenue = _customer(service), _revenue(service)
                giver, taker = (revenue, customer) if terms == "refund" else (customer, revenue)
                self._move(ready_at, task_id, giver, taker, amount)
                self._db.execute("UPDATE tasks SET settled = 1 WHERE id = ?", (task_id,))

    def _move(self, at: float, task_id: str | None, giver: str, taker: str, amount_nano: int) -> None:
        self._db.execute(
            "INSERT INTO entries(at, task_id, giver, taker, amount_nano) VALUES (?, ?, ?, ?, ?)",
            (at, task_id, giver, taker, amount_nano),
        )
        self._totals[giver] -= amount_nano
        self._totals[taker] += amount_nano

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._db.in_transaction:  # a part of one
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


_FIELDS = Task.__slots__
_COLUMNS = ", ".join(_FIELDS)
_SUBMIT_COLUMNS = ", ".join(Submit.__slots__)


def _opened(file: Path | None) -> sqlite3.Connection:
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect("" if file is None else file, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        db.execute("PRAGMA trusted_schema = OFF")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError(f"they are of version {version}, this emulator writes {VERSION}")
        if not version and db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise sqlite3.DatabaseError("this is another program's database")
        if file is not None:
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")  # a killed process loses nothing by it, only a fallen machine would
        # In one transaction: books half made by a process that was killed would be another program's to the next.
        db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    except BaseException:
        db.close()
        raise
    return db


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _customer(service: str) -> str:
    return f"{service}.customer"


def _revenue(service: str) -> str:
    return f"{service}.revenue"
