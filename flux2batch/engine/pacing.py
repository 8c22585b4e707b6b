"""When to poll: learnt from how long pictures of this kind have taken, within what the service allows.

A picture that is ready and not yet seen keeps its place from the next one, and a look costs a request. So a picture is
looked at when the delay that is to be expected since the last look is worth one: first where it becomes likely to be
ready, then closer and closer together. With the distribution of the latencies known this is within a few hundredths of
the best that can be done at the same number of polls (reckoned backwards by `benchmarks/loopback/sample.py`).

What was tried and is no better stands in docs/performance-notes.md.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from dataclasses import dataclass, field
from math import sqrt

_REMEMBERED = 200
_FEW = 5  # latencies, below which nothing is learnt from them
_FIRST_S, _LONGEST_S = 0.6, 5.0
_PRICE = 0.0045
"""What a look may cost in delay, as a part of the usual latency: about six looks a picture, three hundredths late."""
_STRAGGLING = 6.0
"""How likely one that is slower than all before gets ready, for each unit of the logarithm of its age."""
_NO_SOONER = 0.8
"""A picture that was ready at the first look was so for some part of its age that nobody saw: for this last part."""
_WHOLE = 1 - 1e-6  # a token that rounding has nibbled at is one all the same
_SECOND_S, _ROUNDING_S = 1.05, 1e-9  # a little longer than a second: on their way polls come closer together


@dataclass(slots=True)
class Pace:
    """The latencies lately seen of one kind of picture: one model at one size."""

    recent: deque[float] = field(default_factory=deque)
    ordered: list[float] = field(default_factory=list)

    def saw(self, *, not_at_s: float, by_s: float, chance: float) -> None:
        """A picture of this kind was not ready at the one age, and was at the other. `chance` is in [0, 1)."""
        # Anywhere in between is as good a guess as any; all at its end would make every later look later.
        since = max(not_at_s, by_s * _NO_SOONER)
        latency_s = since + (by_s - since) * chance
        if len(self.recent) == _REMEMBERED:
            oldest = self.recent.popleft()
            del self.ordered[bisect_right(self.ordered, oldest) - 1]
        self.recent.append(latency_s)
        insort(self.ordered, latency_s)

    def next_age(self, age_s: float) -> float:
        """At what age to look again at a picture that was not ready at `age_s`."""
        if len(self.ordered) < _FEW:
            return age_s + growing_wait_s(age_s)
        price_s = self.ordered[len(self.ordered) // 2] * _PRICE
        past = bisect_right(self.ordered, age_s)
        waiting = len(self.ordered) - past
        if waiting < 3:
            return age_s + min(sqrt(2 * price_s * age_s / _STRAGGLING), _LONGEST_S)
        # Of as many as are waiting, those that are ready by then have lain for as long as `owed` says in sum.
        owed = price_s * waiting
        for ready, latency_s in enumerate(self.ordered[past:], start=1):
            owed += latency_s
            look_s = owed / ready
            if ready == waiting or look_s <= self.ordered[past + ready]:
                return look_s
        raise AssertionError("BUG: the last of them ends the loop")


def growing_wait_s(age_s: float) -> float:
    """How long to wait before another look at something of which nothing is known but its age."""
    return min(max(age_s * 0.3, _FIRST_S), _LONGEST_S)


@dataclass(slots=True)
class Allowance:
    """Polls that a service allows, spread evenly: a bucket that fills while nobody polls.

    The bucket is small, because a burst after a pause would be the very thing that a rate limit is about, and not so
    small that a thread that was woken late has lost its turn. So that the two together keep to the limit, the polls of
    the last second are counted as well.
    """

    per_s: float
    tokens: float
    at: float
    lately: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> bool:
        """Whether a poll may go out now; it is counted if so."""
        self._fill(now)
        if self.tokens < _WHOLE or self._is_busy(now):
            return False
        self.tokens -= 1
        self.lately.append(now)
        return True

    def ready_at(self, now: float) -> float:
        """When the next poll may go out."""
        self._fill(now)
        by_bucket = now if self.tokens >= _WHOLE else now + (1 - self.tokens) / self.per_s
        return max(by_bucket, self.lately[0] + _SECOND_S) if self._is_busy(now) else by_bucket

    def _is_busy(self, now: float) -> bool:
        while self.lately and self.lately[0] <= now - _SECOND_S + _ROUNDING_S:
            self.lately.popleft()
        return len(self.lately) >= self.per_s

    def _fill(self, now: float) -> None:
        self.tokens = min(self.tokens + (now - self.at) * self.per_s, max(2.0, self.per_s / 20))
        self.at = now
