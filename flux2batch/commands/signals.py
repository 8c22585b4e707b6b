"""What a run does when it is told to stop: finish what is in flight, then stop, then leave."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from flux2batch.engine.executor import Stop

EXIT_CODES: dict[int, int] = {
    number: 128 + number
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None))
    if number is not None
}
_DRAIN_S = 25.0
"""Whoever sends SIGTERM kills next, as a rule after thirty seconds: what is not home by then must be recorded."""


class Stoppable(Protocol):
    """A run."""

    def stop(self, how: Stop) -> None: ...


@contextmanager
def heard(run: Stoppable) -> Iterator[list[int]]:
    """Obey signals; the list has those that came. The first lets the run finish what is in flight, the second stops it,
    the third leaves at once. One that is ignored stays so: under `nohup` a hangup is nobody's wish."""
    received: list[int] = []
    late = threading.Timer(_DRAIN_S, run.stop, ("now",))
    late.daemon = True

    def hear(number: int, _frame: object) -> None:
        received.append(number)
        if len(received) >= 3:
            os._exit(EXIT_CODES[received[0]])
        if len(received) == 1 and number != signal.SIGINT:
            late.start()
        run.stop("drain" if len(received) == 1 else "now")

    before = {number: signal.getsignal(number) for number in EXIT_CODES}
    obeyed = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in obeyed:
        signal.signal(number, hear)
    try:
        yield received
    finally:
        late.cancel()
        for number in obeyed:
            signal.signal(number, before[number])
