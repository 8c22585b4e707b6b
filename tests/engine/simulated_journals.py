"""Journals whose process may die at any fact: a list, and the real one in a file held to be the same."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from flux2batch.engine import journal as journal_module
from flux2batch.engine.clerk import Fact
from flux2batch.engine.events import (
    Accepted,
    Event,
    SendBegan,
)
from flux2batch.engine.journal import Journal as RealJournal
from flux2batch.engine.lifecycle import ENDED, UNBORN, Life, advance
from flux2batch.planning.shot import ShotId


class Crash(BaseException):
    """The process dies here."""


class Journal:
    """The journal as a list; a process may die just before or just after a fact is durable."""

    def __init__(self, chance: random.Random) -> None:
        self.facts: list[tuple[datetime, ShotId, Event]] = []
        self.crash_at_append = 0.0
        self._chance = chance
        self._lives: dict[ShotId, Life] = {}
        self._folded = 0

    def write(self, facts: Sequence[Fact]) -> None:
        dies = self._chance.random() < self._chance_to_die(facts)
        before = dies and self._chance.random() < 0.5
        if before:
            raise Crash
        self.facts += [(at, shot, fact) for at, shot, fact in facts if shot is not None]
        if dies:
            raise Crash

    def _chance_to_die(self, facts: Sequence[Fact]) -> float:
        """Where money changes hands a death is the likeliest."""
        costs = any(isinstance(fact, SendBegan | Accepted) for _, _, fact in facts)
        return self.crash_at_append * (4 if costs else 1)

    def remember(self, shot: ShotId, life: Life) -> None:
        pass

    def lives(self) -> dict[ShotId, Life]:
        lives = self._lives
        for at, shot, fact in self.facts[self._folded :]:
            lives[shot] = advance(lives.get(shot, UNBORN), fact, at=at)
        self._folded = len(self.facts)
        return dict(lives)

    def restart(self) -> None:
        """The next process finds what is in the list."""

    def standing(self) -> Mapping[ShotId, Life]:
        """What the next process believes."""
        return self.lives()

    def close(self) -> None:
        pass


class SqliteJournal(Journal):
    """The real journal in a file, beside the list: dying closes nothing, and a snapshot may be cut off in the middle.

    The next process believes what `standing` reads from snapshot and events, and that must be what the list says.
    """

    def __init__(self, chance: random.Random, path: Path) -> None:
        super().__init__(chance)
        self._path = path
        self._real = RealJournal.create(path, run_directory_id="simulated")
        # No power fails here: what SIGKILL leaves is the same without waiting for the disk.
        self._real._database.execute("PRAGMA synchronous = OFF")

    def write(self, facts: Sequence[Fact]) -> None:
        dies = self._chance.random() < self._chance_to_die(facts)
        if dies and self._chance.random() < 0.5:
            raise Crash
        self._real.write(facts)
        self.facts += [(at, shot, fact) for at, shot, fact in facts if shot is not None]
        if dies:
            raise Crash

    def remember(self, shot: ShotId, life: Life) -> None:
        self._real.remember(shot, life)
        if self._chance.random() < 0.05:
            if self._chance.random() < self.crash_at_append * 10:
                self._die_in_a_snapshot()
            self._real.write_snapshot()

    def _die_in_a_snapshot(self) -> None:
        def rows(*_: object) -> tuple[str, ...]:
            raise Crash

        real, journal_module._snapshot_row = journal_module._snapshot_row, rows
        try:
            self._real.write_snapshot()
        finally:
            journal_module._snapshot_row = real
        raise Crash

    def restart(self) -> None:
        """The next process opens what the last one left, closed or not."""
        if self._chance.random() < 0.3:
            self._real.close()  # it ended well enough to write its snapshot
        else:
            self._real._database.close()
        self._real = RealJournal.open(self._path, driving=True)
        self._real._database.execute("PRAGMA synchronous = OFF")

    def standing(self) -> Mapping[ShotId, Life]:
        standing = self._real.standing()
        agreed = super().lives()
        for shot, life in agreed.items():
            if life.phase in ENDED:
                assert standing.ended[shot].phase is life.phase
                assert standing.ended[shot].charged + standing.ended[shot].at_risk == life.committed
            else:
                assert standing.open[shot] == life, f"{shot}: the snapshot and its events disagree"
        assert len(standing.open) + len(standing.ended) == len(agreed)
        return {**agreed, **standing.open}

    def close(self) -> None:
        self._real._database.close()
