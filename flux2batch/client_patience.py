"""How long the client goes on trying: until its deadline, and again only what is free to repeat."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_result

from flux2batch.engine.events import DownloadFailed, NotSent, PollFailed, StillWorking, Throttled
from flux2batch.engine.pacing import growing_wait_s
from flux2batch.engine.policy import DOWNLOAD_FAILED, POLL_FAILED, THROTTLED, UNSENT, jittered

Outcome = TypeVar("Outcome")

_FREE_TO_REPEAT = (NotSent, Throttled, StillWorking, PollFailed, DownloadFailed)
_SCHEDULES = {NotSent: UNSENT, Throttled: THROTTLED, PollFailed: POLL_FAILED, DownloadFailed: DOWNLOAD_FAILED}
# Somebody waits for this call: the engine tries for a minute to reach a service, the client says so within ten seconds.
_MOST_UNSENT = 5
_LOOK_AGAIN_S = 0.05  # the last look is taken when the time is over, and not this much before


class Patience:
    """The time of one call."""

    def __init__(self, seconds: float) -> None:
        self._began = time.monotonic()
        self._ends = self._began + seconds

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self._ends - time.monotonic())

    @property
    def is_spent(self) -> bool:
        """Whether the deadline has come."""
        return self.left_s <= _LOOK_AGAIN_S

    def until_settled(self, step: Callable[[], Outcome]) -> Outcome:
        """What the step answers in the end: tried again while its answer is free to repeat and time is left."""
        tries = Retrying(
            retry=retry_if_result(lambda outcome: isinstance(outcome, _FREE_TO_REPEAT)),
            wait=_Waits(self),
            stop=self._stop,
            retry_error_callback=_last_answer,
        )
        return tries(step)

    def rest(self, seconds: float) -> None:
        """Wait, but not beyond the deadline."""
        time.sleep(min(seconds, self.left_s))  # one picture, now: there is no scheduler, the caller's own thread waits

    def _stop(self, state: RetryCallState) -> bool:
        outcome = _last_answer(state)
        if isinstance(outcome, NotSent) and state.attempt_number >= _MOST_UNSENT:
            return True
        if isinstance(outcome, Throttled) and state.upcoming_sleep > self.left_s:
            return True  # asking sooner than it was told to wait is asking in vain
        return self.is_spent


class _Waits:
    """The pause before the next try: what the service asks for, or longer with each failure in a row."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._began = time.monotonic()
        self._failures = 0

    def __call__(self, state: RetryCallState) -> float:
        outcome = _last_answer(state)
        pause = self._pause(outcome)
        return pause if isinstance(outcome, Throttled) else min(pause, self._patience.left_s)

    def _pause(self, outcome: Any) -> float:
        asked = getattr(outcome, "wait_s", None)
        if isinstance(outcome, StillWorking):
            self._failures = 0
            age = time.monotonic() - self._began
            return float(asked) if asked is not None else growing_wait_s(age)
        self._failures += 1
        if asked is not None:
            return float(asked) * (1 + random.random() / 4)
        return jittered(_SCHEDULES[type(outcome)].wait_s(self._failures), random.random())


def _last_answer(state: RetryCallState) -> Any:
    assert state.outcome is not None, "BUG: asked for an answer before there was one"
    return state.outcome.result()
