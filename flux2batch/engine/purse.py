"""The purse: what all runs of this user have spent or reserved today, so that many runs keep one daily limit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from flux2batch.engine.policy import Overrun
from flux2batch.errors import MachineError
from flux2batch.money import Money, usd
from flux2batch.planning.shot import ShotId
from flux2batch.private_files import private_file, private_folder

_MICRO = Decimal(1_000_000)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS leases (
  run_directory TEXT NOT NULL,
  shot TEXT NOT NULL,
  day TEXT NOT NULL,
  micro_usd INTEGER NOT NULL,
  PRIMARY KEY (run_directory, shot, day)
) STRICT, WITHOUT ROWID
"""


class FreePurse:
    """No limit across runs, or nothing that costs anything."""

    def reserve(self, shot: ShotId, amount: Money) -> Overrun | None:  # noqa: ARG002  # the protocol's signature
        return None

    def settle(self, shot: ShotId, committed: Money) -> None:
        pass

    def close(self) -> None:
        pass


class DailyPurse:
    """Leases in `spend.db`: reserved before an intent is written, settled when its charge is known. Days are UTC."""

    def __init__(self, file: Path, *, run_directory: str, per_day_usd: Money, now: datetime) -> None:
        self._limit = per_day_usd
        self._run = run_directory
        self._day = now.astimezone(UTC).date().isoformat()
        try:
            private_folder(file.parent)
            private_file(file)
            self._database = sqlite3.connect(file, isolation_level=None, timeout=30)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise MachineError(f"The daily limit is kept in {file}, which cannot be opened: {error}.") from error

    def reserve(self, shot: ShotId, amount: Money) -> Overrun | None:
        """Lease the amount from today's limit, or say that it does not fit. Other runs see it at once."""
        with self._keeping(), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            spent = self._today()
            if spent + amount > self._limit:
                self._database.execute("ROLLBACK")
                return Overrun(limit="today's limit", limit_usd=self._limit, committed_usd=spent, needed_usd=amount)
            self._write(shot, Money(self._of_today(shot) + amount))
        return None

    def settle(self, shot: ShotId, committed: Money) -> None:
        """The shot's leases become what it has cost, or may have. One that was never leased stays without."""
        with self._keeping():
            leased = self._of_all_days(shot)
            if leased is not None and leased != committed:
                self._change({shot: Money(committed - leased)})

    def settle_up(self, committed: Callable[[ShotId], Money]) -> None:
        """Settle what earlier processes of this run directory leased: one that died could not do it itself."""
        with self._keeping():
            rows = self._database.execute(
                "SELECT shot, SUM(micro_usd) FROM leases WHERE run_directory = ? GROUP BY shot", (self._run,)
            )
            changes = {ShotId(shot): Money(committed(ShotId(shot)) - _in_usd(micro)) for shot, micro in rows}
            self._change({shot: change for shot, change in changes.items() if change})

    def _change(self, changes: Mapping[ShotId, Money]) -> None:
        """Each goes to the day of the shot's newest lease: what was spent on an earlier day stays there."""
        if not changes:
            return
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            for shot, change in changes.items():
                self._database.execute(
                    "UPDATE leases SET micro_usd = MAX(0, micro_usd + ?) WHERE run_directory = ? AND shot = ?"
                    " AND day = (SELECT MAX(day) FROM leases WHERE run_directory = ? AND shot = ?)",
                    (int(change * _MICRO), self._run, shot, self._run, shot),
                )

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise MachineError(f"The daily limit cannot be kept: {error}.") from error

    def close(self) -> None:
        self._database.close()

    def _today(self) -> Money:
        row = self._database.execute("SELECT SUM(micro_usd) FROM leases WHERE day = ?", (self._day,)).fetchone()
        return _in_usd(row[0] or 0)

    def _of_today(self, shot: ShotId) -> Money:
        row = self._database.execute(
            "SELECT micro_usd FROM leases WHERE run_directory = ? AND shot = ? AND day = ?",
            (self._run, shot, self._day),
        ).fetchone()
        return _in_usd(row[0]) if row else usd(0)

    def _of_all_days(self, shot: ShotId) -> Money | None:
        row = self._database.execute(
            "SELECT SUM(micro_usd) FROM leases WHERE run_directory = ? AND shot = ?", (self._run, shot)
        ).fetchone()
        return None if row[0] is None else _in_usd(row[0])

    def _write(self, shot: ShotId, amount: Money) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", (self._run, shot, self._day, int(amount * _MICRO))
        )


def _in_usd(micro: int) -> Money:
    return usd(Decimal(micro) / _MICRO)


def spent_today(file: Path, *, now: datetime) -> Money:
    """What all runs together have spent or reserved today."""
    if not file.is_file():
        return usd(0)
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
        day = now.astimezone(UTC).date().isoformat()
        row = database.execute("SELECT SUM(micro_usd) FROM leases WHERE day = ?", (day,)).fetchone()
    return _in_usd(row[0] or 0)
