"""The latencies of one case, drawn before it begins, and the makespan of a client that loses no time at all."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence

SIGMA = 0.2


def draw(shots: int, *, median_s: float, seed: int) -> list[float]:
    """So many log-normal latencies; the k-th submit that the service takes gets the k-th of them."""
    chance = random.Random(f"latencies {seed}")
    return [chance.lognormvariate(math.log(median_s), SIGMA) for _ in range(shots)]


def ideal_s(latencies: Sequence[float], *, slots: int) -> float:
    """When the last picture is ready if each slot is filled again in the very moment in which it falls free."""
    free_at = [0.0] * slots
    last = 0.0
    for latency in latencies:
        ready = heapq.heappop(free_at) + latency
        heapq.heappush(free_at, ready)
        last = max(last, ready)
    return last


def best_by_polling(polls_per_picture: float) -> float:
    """What part longer than the ideal a long run must take that knows only the distribution and may poll so often.

    Between two looks a picture lies ready unseen and keeps its slot from the next one. Where the price of a look is
    given, the best moments follow from the last backwards; the price is sought that uses up what is allowed.
    """
    low, high = 1e-6, 10.0
    for _ in range(30):
        price = math.sqrt(low * high)
        polls, _ = _best_at(price)
        low, high = (price, high) if polls > polls_per_picture else (low, price)
    _, delay = _best_at(math.sqrt(low * high))
    return 1 + delay / math.exp(SIGMA**2 / 2)


_STEP = 0.01
_GRID = [n * _STEP for n in range(int(2.6 / _STEP) + 1)]  # in medians
_READY = [0.0] + [0.5 * (1 + math.erf(math.log(t) / SIGMA / math.sqrt(2))) for t in _GRID[1:]]
_LAIN = [0.0]  # the integral of _READY
for _n in range(1, len(_GRID)):
    _LAIN.append(_LAIN[-1] + (_READY[_n] + _READY[_n - 1]) / 2 * _STEP)


def _best_at(price: float) -> tuple[float, float]:
    """Looks a picture, and the part of a median that it lies unseen, where a look costs so many medians."""
    cost = [0.0] * len(_GRID)
    look = [0] * len(_GRID)
    for n in range(len(_GRID) - 2, -1, -1):
        if 1 - _READY[n] < 1e-6:
            continue
        cost[n] = math.inf
        for m in range(n + 1, len(_GRID)):
            lain = _LAIN[m] - _LAIN[n] - _READY[n] * (_GRID[m] - _GRID[n])
            if lain > cost[n]:
                break
            whole = lain + price * (1 - _READY[n]) + cost[m]
            if whole < cost[n]:
                cost[n], look[n] = whole, m
    polls = delay = 0.0
    n = 0
    while look[n]:
        m = look[n]
        polls += 1 - _READY[n]
        delay += _LAIN[m] - _LAIN[n] - _READY[n] * (_GRID[m] - _GRID[n])
        n = m
    return polls, delay
