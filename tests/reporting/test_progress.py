"""The line of progress says when a run will be done, and is not far off."""

from __future__ import annotations

import heapq
import random
from dataclasses import replace
from decimal import Decimal

import pytest

from flux2batch.engine.events import Stalled
from flux2batch.engine.lifecycle import UNBORN, Phase
from flux2batch.money import ZERO, Money
from flux2batch.reporting.progress import Tally, line

DONE = replace(UNBORN, phase=Phase.DONE)
NEWS = Stalled(reason="any event will do: what counts is the phase that it leads to")


def ends(shots: int, *, at_once: int, rng: random.Random) -> list[float]:
    """When each shot of a run comes to its end, where a picture takes 4 to 12 seconds."""
    free, found = [0.0] * at_once, []
    for _ in range(shots):
        found.append(heapq.heappop(free) + rng.uniform(4, 12))
        heapq.heappush(free, found[-1])
    return sorted(found)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(("shots", "at_once"), [(200, 24), (1000, 24), (60, 2)])
def test_after_a_fifth_of_a_run_its_end_is_known_within_a_quarter(shots: int, at_once: int, share: float) -> None:
    times = ends(shots, at_once=at_once, rng=random.Random(7))
    tally = Tally(wanted=shots, budget=None, committed=ZERO)
    tally.stands(in_hand=0, committed=ZERO, stopping=False, pausing=False, furthest=None, now_s=0.0)
    seen = int(shots * share)
    for now_s in times[:seen]:
        tally.saw(NEWS, DONE, now_s)
        tally.stands(in_hand=at_once, committed=ZERO, stopping=False, pausing=False, furthest=None, now_s=now_s)

    left_s = tally.left_s(times[seen - 1])

    assert left_s is not None
    assert left_s == pytest.approx(times[-1] - times[seen - 1], rel=0.25, abs=8)


@pytest.mark.parametrize("width", [200, 79, 50, 30])
def test_what_does_not_fit_is_left_out_a_whole_fact_at_a_time(width: int) -> None:
    tally = Tally(wanted=120, budget=Money(Decimal(3)), committed=Money(Decimal("1.68")))
    tally.stands(in_hand=24, committed=tally.committed, stopping=False, pausing=False, furthest=None, now_s=0.0)
    for second in range(10, 26):
        tally.saw(NEWS, DONE, float(second))
    whole = line(tally, 26.0, width=1000).split("  ", 1)[1].split(" · ")

    said = line(tally, 26.0, width=width)

    assert len(said) <= width
    assert said.split()[1] == "16/120"
    kept = said.split("  ", 1)[1].split(" · ") if "  " in said else []
    assert kept == whole[: len(kept)]
    assert not kept or kept[0] == "$1.68 of $3.00"


def test_a_run_that_waits_says_why() -> None:
    tally = Tally(wanted=9, budget=None, committed=ZERO)
    tally.stands(in_hand=4, committed=ZERO, stopping=False, pausing=True, furthest=None, now_s=0.0)

    assert "waiting a minute, the service loses answers" in line(tally, 1.0, width=79)
