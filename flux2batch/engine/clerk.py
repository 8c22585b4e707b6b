"""The clerk: whoever has facts written down while the executor goes on with what does not wait for them.

Waiting for a disk takes milliseconds, and of a hundred shots each has news every few of them. While one commit is under
way the next facts gather and then share the one that follows. Nothing is begun for a shot before its facts are written:
the executor sees to that, whoever is the clerk.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flux2batch.engine.events import Event
from flux2batch.engine.lifecycle import Life
from flux2batch.errors import MachineError
from flux2batch.planning.shot import ShotId

Fact = tuple[datetime, ShotId | None, Event]


class Record(Protocol):
    """Where facts become durable: the journal."""

    def write(self, facts: Sequence[Fact]) -> None: ...

    def remember(self, shot: ShotId, life: Life) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a batch."""

    unwritten: MachineError | None  # not one of its facts is durable
    forgotten: MachineError | None  # they are, and what is derived from them could not be


class Clerk(Protocol):
    """Has one batch at a time."""

    def write(self, facts: Sequence[Fact], changed: Mapping[ShotId, Life]) -> None:
        """Begin to write these facts, all or none, and what the shots became by them."""
        ...

    def written(self) -> Written | None:
        """What became of the batch, told once; None while it is being written. Raises what is a bug."""
        ...

    def wait(self) -> Written:
        """The same, when there is an answer."""
        ...


class AtOnce:
    """Writes in the caller's own time."""

    def __init__(self, journal: Record) -> None:
        self._journal = journal
        self._done: Written | None = None

    def write(self, facts: Sequence[Fact], changed: Mapping[ShotId, Life]) -> None:
        self._done = _write(self._journal, facts, changed)

    def written(self) -> Written | None:
        done, self._done = self._done, None
        return done

    def wait(self) -> Written:
        done = self.written()
        assert done is not None, "BUG: nothing was given to the clerk"
        return done


class Meanwhile:
    """Writes in a thread of its own. `nudge` is called from it when a batch is done."""

    def __init__(self, journal: Record, *, nudge: Callable[[], None]) -> None:
        self._journal = journal
        self._nudge = nudge
        self._work: queue.SimpleQueue[tuple[Sequence[Fact], Mapping[ShotId, Life]] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Written | BaseException] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._go_on, name="clerk", daemon=True)
        self._thread.start()

    def write(self, facts: Sequence[Fact], changed: Mapping[ShotId, Life]) -> None:
        self._work.put((facts, changed))

    def written(self) -> Written | None:
        try:
            return _or_raised(self._done.get_nowait())
        except queue.Empty:
            return None

    def wait(self) -> Written:
        return _or_raised(self._done.get())

    def dismiss(self) -> None:
        """Let the thread go, after what it has begun."""
        self._work.put(None)
        self._thread.join()

    def _go_on(self) -> None:
        while (task := self._work.get()) is not None:
            facts, changed = task
            try:
                self._done.put(_write(self._journal, facts, changed))
            except BaseException as error:  # it is raised where somebody waits for it
                self._done.put(error)
            self._nudge()


def _or_raised(done: Written | BaseException) -> Written:
    if isinstance(done, BaseException):
        raise done
    return done


def _write(journal: Record, facts: Sequence[Fact], changed: Mapping[ShotId, Life]) -> Written:
    try:
        journal.write(facts)
    except MachineError as error:
        return Written(unwritten=error, forgotten=None)
    forgotten: MachineError | None = None
    for shot, life in changed.items():
        try:
            journal.remember(shot, life)
        except MachineError as error:
            forgotten = forgotten or error
    return Written(unwritten=None, forgotten=forgotten)
