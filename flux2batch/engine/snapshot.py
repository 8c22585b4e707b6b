"""The snapshot: what every shot had become by a certain event, so that opening a journal need not replay them all.

It is derived from the events and disposable. A seal over its rows says that they are as they were written: a snapshot
that a worn disk or somebody's tool has touched is as good as none, and the events are replayed.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

KEY = "snapshot"  # in `meta`: the last event that it knows, and the seal

Row = tuple[str, str, str, str, str, str]  # shot, phase, charged_usd, at_risk_usd, paths, life


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One that can be believed."""

    upto: int
    rows: Sequence[Row]


def read(database: sqlite3.Connection) -> Snapshot | None:
    """The snapshot, or None where there is none whose seal fits."""
    upto, seal = _said(database)
    if not upto:
        return None
    rows: list[Row] = database.execute("SELECT * FROM snapshot ORDER BY shot").fetchall()
    return Snapshot(upto=upto, rows=rows) if seal == _seal(upto, rows) else None


def claimed(database: sqlite3.Connection) -> int:
    """The last event that the snapshot says it knows, whether it can be believed or not."""
    return _said(database)[0]


def add(database: sqlite3.Connection, rows: Sequence[Row], *, upto: int, anew: bool) -> None:
    """Put these rows in the place of older ones, or of all of them, and seal it. The caller commits."""
    if anew:
        database.execute("DELETE FROM snapshot")
    database.executemany("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?, ?, ?)", rows)
    every: list[Row] = database.execute("SELECT * FROM snapshot ORDER BY shot").fetchall()
    database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (KEY, f"{upto} {_seal(upto, every)}"))


def _said(database: sqlite3.Connection) -> tuple[int, str]:
    row = database.execute("SELECT value FROM meta WHERE key = ?", (KEY,)).fetchone()
    upto, _, seal = ("" if row is None else str(row[0])).partition(" ")
    return (int(upto), seal) if upto.isascii() and upto.isdecimal() and len(upto) < 19 else (0, "")


def _seal(upto: int, rows: Sequence[Row]) -> str:
    digest = hashlib.sha256(str(upto).encode())
    for row in rows:
        digest.update(b"\x1e" + "\x1f".join(row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
