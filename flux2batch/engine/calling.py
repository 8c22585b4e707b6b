"""What it changes that services call: a shot is looked at when its call comes, and rarely otherwise.

A call is a hint. It never says what became of a shot: it says which task is the shot's, and that a look is worth
while. So a call that is forged, early or told twice costs a poll at the worst, and there are bounds to that too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from flux2batch.engine.events import Intended, Ticket
from flux2batch.planning.shot import ShotId

MOST_CALLS = 3
"""So many calls about one take are followed by a look at once; further ones tell nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A service called about a take, and proved that it was the service."""

    shot: ShotId
    take: int
    task_id: str
    is_over: bool  # the task is done, in one way or another


class Ear(Protocol):
    """Whoever hears calls while a run goes on."""

    def heard(self) -> Sequence[Called]:
        """The calls since it was last asked."""
        ...

    def ticket(self, call: Called, intended: Intended) -> Ticket:
        """The ticket of a take whose answer was lost, of the task that its call names."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyNet:
    """How rarely shots are looked at that are expected to be called about."""

    every_s: float
    trust: int  # so many pictures in a row, found ready without a call, and calls are not relied on any more

    def relies(self, missed: int) -> bool:
        """Whether calls may be waited for, after so many pictures in a row that nobody called about."""
        return missed < self.trust

    def wait_s(self, *, called: bool, looks: int) -> float:
        """Seconds until the next look, after `looks` that found nothing since the take was accepted, or called about.

        A call may be ahead of the service's own answer: then it is asked again soon, and less and less often.
        """
        if called:
            return min(2.0 ** min(looks - 1, 16), self.every_s)
        return self.every_s * min(2.0**looks, 5.0)


def safety_net(timeout_s: float) -> SafetyNet:
    """The net of a run: a look a minute, and several before a shot's own time is over."""
    return SafetyNet(every_s=min(60.0, timeout_s / 4), trust=3)
