"""What a journal held that was deleted while it was in use: kept beside its place, and put back by the next run.

A file that was deleted lives on as long as a process has it open. Its last facts, which found no journal any more, are
kept with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from flux2batch.durable import sync_folder
from flux2batch.private_files import private_file

_INSERT = "INSERT INTO events (at, shot, kind, payload) VALUES (?, ?, ?, ?)"


def rescue_of(journal: Path) -> Path:
    """Where it is kept."""
    return journal.with_name(f"{journal.stem}.rescue{journal.suffix}")


def keep(database: sqlite3.Connection, journal: Path, rows: Sequence[tuple[str, str | None, str, str]]) -> bool:
    """Copy all that the open journal holds, and these rows after it; whether that worked."""
    rescue = rescue_of(journal)
    try:
        for file in (rescue, *_companions(rescue)):
            file.unlink(missing_ok=True)
        private_file(rescue)
        with closing(sqlite3.connect(rescue, isolation_level=None)) as kept:
            database.backup(kept)
            with kept:
                kept.execute("BEGIN")
                kept.executemany(_INSERT, rows)
        sync_folder(rescue.parent)
    except (OSError, sqlite3.Error):
        return False
    return True


def put_back(journal: Path) -> bool:
    """Make it the journal again, where that is gone; whether there was anything to put back.

    What SQLite keeps beside the deleted journal must not be taken for the log of this one.
    """
    rescue = rescue_of(journal)
    if journal.exists() or not rescue.is_file():
        return False
    for file in _companions(journal):
        with suppress(FileNotFoundError):
            file.unlink()
    rescue.replace(journal)
    sync_folder(journal.parent)
    return True


def _companions(database: Path) -> tuple[Path, Path]:
    return database.with_name(f"{database.name}-wal"), database.with_name(f"{database.name}-shm")
