"""When to poll: learnt from how long pictures of this kind have taken, within what the service allows."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from dataclasses import dataclass, field

_REMEMBERED = 200
_FEW = 5  # latencies, below which nothing is learnt from them
_FIRST_S, _LONGEST_S = 0.6, 5.0
_WHOLE = 1 - 1e-6  # a token that rounding has nibbled at is one all the same


@dataclass(slots=True)
class Pace:
    """The latencies lately seen of one kind of picture: one model at one size."""

    recent: deque[float] = field(default_factory=deque)
    ordered: list[float] = field(default_factory=list)

    def saw(self, latency_s: float) -> None:
        """A picture of this kind took so long."""
        if len(self.recent) == _REMEMBERED:
            oldest = self.recent.popleft()
            del self.ordered[bisect_right(self.ordered, oldest) - 1]
        self.recent.append(latency_s)
        insort(self.ordered, latency_s)

    def next_age(self, age_s: float, *, share: float) -> float:
        """At what age to look again at a picture that was not ready at `age_s`.

        `share` is the part of those still waiting that should be ready by then: a large one saves polls, a small one
        saves time.
        """
        if len(self.ordered) < _FEW:
            return age_s + min(max(age_s * 0.3, _FIRST_S), _LONGEST_S)
        past = bisect_right(self.ordered, age_s)
        waiting = len(self.ordered) - past
        if waiting < 2:
            # Slower than nearly all so far: look at a tenth of its age, and never less often than before.
            return age_s + min(max(age_s * 0.1, 0.1), _LONGEST_S)
        aim = self.ordered[past + min(int(waiting * share), waiting - 1)]
        typical = self.ordered[len(self.ordered) // 2]
        return max(aim, age_s + typical * 0.02)


@dataclass(slots=True)
class Allowance:
    """Polls per second that a service allows, as a bucket that fills while nobody polls."""

    rate: float
    tokens: float
    at: float

    def take(self, now: float) -> bool:
        """Whether a poll may go out now; it is counted if so."""
        self._fill(now)
        if self.tokens < _WHOLE:
            return False
        self.tokens -= 1
        return True

    def ready_at(self, now: float) -> float:
        """When the next poll may go out."""
        self._fill(now)
        return now if self.tokens >= _WHOLE else now + (1 - self.tokens) / self.rate

    def _fill(self, now: float) -> None:
        # A small bucket: a burst after a pause would be the very thing that a rate limit is about.
        self.tokens = min(self.tokens + (now - self.at) * self.rate, max(1.0, self.rate / 10))
        self.at = now
