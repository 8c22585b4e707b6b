"""The crew: threads that do one piece of work each and bring back what came of it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from typing import Protocol

from flux2batch.engine.events import (
    DownloadFailed,
    NotSent,
    Polled,
    PollFailed,
    Rejected,
    ShotEvent,
    Submitted,
    Ticket,
    Unanswered,
)
from flux2batch.engine.executor import HungUp, Interrupted
from flux2batch.engine.work import Fetch, HangUp, LineUp, Open, Outcome, Poll, Send, Work
from flux2batch.errors import MachineError
from flux2batch.planning.shot import Shot, ShotId
from flux2batch.providers.contract import Line, Prepared

Result = Outcome | Interrupted | HungUp
Ready = tuple[Line, Prepared]


class Hands(Protocol):
    """What one worker can do; made of a provider, the references and the run directory's gallery."""

    def open(self, shot: Shot, take: int) -> Ready | NotSent | Rejected: ...

    def send(self, line: Line, prepared: Prepared) -> Submitted: ...

    def poll(self, ticket: Ticket, *, called: bool) -> Polled: ...

    def fetch(self, work: Fetch) -> ShotEvent: ...


class Crew:
    """A fixed number of threads, started as they are needed. The executor alone talks to it."""

    def __init__(self, hands: Hands, *, size: int) -> None:
        self._hands = hands
        self._size = size
        self._busy = 0
        self._threads: list[threading.Thread] = []
        self._work: queue.SimpleQueue[tuple[Work, Shot | None] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[ShotId, Result] | None] = queue.SimpleQueue()
        self._lines: dict[ShotId, Ready] = {}

    @property
    def free(self) -> int:
        """How many more pieces of work may be started now."""
        return self._size - self._busy

    def start(self, work: Work, shot: Shot | None) -> None:
        """Hand out one piece of work."""
        self._busy += 1
        if self._busy > len(self._threads):
            thread = threading.Thread(target=self._labour, name=f"worker-{len(self._threads) + 1}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._work.put((work, shot))

    def outcomes(self, timeout_s: float | None) -> Sequence[tuple[ShotId, Result]]:
        """What has come back: at least one result, unless the time passes or somebody nudges."""
        arrived: list[tuple[ShotId, Result]] = []
        try:
            result = self._results.get(timeout=timeout_s) if timeout_s != 0 else self._results.get_nowait()
            while True:
                if result is not None:
                    arrived.append(result)
                    self._busy -= 1
                result = self._results.get_nowait()
        except queue.Empty:
            return arrived

    def nudge(self) -> None:
        """Make `outcomes` return at once. A signal's handler may call it."""
        self._results.put(None)

    def dismiss(self, *, patience_s: float) -> None:
        """Let the threads go; those that are in the middle of something are given a moment."""
        for _ in self._threads:
            self._work.put(None)
        until = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        for line, _ in self._lines.values():
            line.close()

    def _labour(self) -> None:
        while (task := self._work.get()) is not None:
            work, shot = task
            self._results.put((work.shot, self._done(work, shot)))

    def _done(self, work: Work, shot: Shot | None) -> Result:
        """The result of one piece of work. Whatever is raised becomes a result too: nobody waits for ever."""
        try:
            return self._do(work, shot)
        except MachineError as error:
            return Interrupted(error=error, outcome=_in_doubt(work))
        except Exception as error:
            return Interrupted(error=error, outcome=_in_doubt(work) or _after_a_bug(work))

    def _do(self, work: Work, shot: Shot | None) -> Result:
        match work:
            case Open():
                assert shot is not None, "BUG: a line is to be opened for a shot that nobody knows"
                opened = self._hands.open(shot, work.take)
                if not isinstance(opened, tuple):
                    return opened
                self._lines[work.shot] = opened
                return LineUp()
            case Send():
                line, prepared = self._lines.pop(work.shot)
                return self._hands.send(line, prepared)
            case HangUp():
                line, _ = self._lines.pop(work.shot)
                line.close()
                return HungUp()
            case Poll():
                return self._hands.poll(work.ticket, called=work.called)
            case Fetch():
                return self._hands.fetch(work)


def _in_doubt(work: Work) -> Outcome | None:
    """A submit that ended in an exception may have been taken: it is never nothing."""
    if isinstance(work, Send):
        return Unanswered(reason="flux2batch failed while the request was under way", status=None, excerpt=None)
    return None


def _after_a_bug(work: Work) -> Outcome | None:
    """What is to be believed of a shot whose worker failed, so that the others go on."""
    reason = "flux2batch itself failed"
    match work:
        case Open():
            return NotSent(reason=reason, offline=False)
        case Poll():
            return PollFailed(reason=reason, status=None, wait_s=None, offline=False)
        case Fetch():
            return DownloadFailed(reason=reason, status=None, wait_s=None, offline=False)
        case _:
            return None
