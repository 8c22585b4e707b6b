"""When to poll: few looks, little delay, and never more in a second than the service allows."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from statistics import mean, median

import pytest

from flux2batch.engine.pacing import Allowance, Pace

MEDIAN_S, SIGMA = 5.3, 0.2


def latency_s(chance: Random) -> float:
    return chance.lognormvariate(math.log(MEDIAN_S), SIGMA)


def followed(pace: Pace, ready_s: float, chance: Random) -> tuple[int, float]:
    """One picture from its start to the look that finds it: how many looks, and how late the last one was."""
    looks, not_at_s = 0, 0.0
    while True:
        age_s = pace.next_age(not_at_s)
        assert age_s > not_at_s
        looks += 1
        if age_s >= ready_s:
            pace.saw(not_at_s=not_at_s, by_s=age_s, chance=chance.random())
            return looks, age_s - ready_s
        not_at_s = age_s


def test_few_looks_find_a_picture_soon_after_it_is_ready():
    chance, pace = Random(3), Pace()
    for _ in range(100):
        followed(pace, latency_s(chance), chance)

    found = [followed(pace, latency_s(chance), chance) for _ in range(2000)]

    assert mean(looks for looks, _ in found) < 7.5
    assert mean(late for _, late in found) < 0.04 * MEDIAN_S


def test_what_is_learnt_does_not_drift_with_the_looks_that_it_was_learnt_by():
    chance, pace = Random(4), Pace()
    for _ in range(5000):
        followed(pace, latency_s(chance), chance)

    assert median(pace.ordered) == pytest.approx(MEDIAN_S, rel=0.05)
    assert max(pace.ordered) < 3 * MEDIAN_S


def test_a_picture_is_first_looked_at_where_it_becomes_likely_to_be_ready_and_then_closer_and_closer():
    chance, pace = Random(5), Pace()
    for _ in range(200):
        exact_s = latency_s(chance)
        pace.saw(not_at_s=exact_s, by_s=exact_s, chance=0.0)

    ages = [0.0]
    while len(ages) < 6:
        ages.append(pace.next_age(ages[-1]))
    gaps = [later - sooner for sooner, later in pairwise(ages)]

    assert 0.6 * MEDIAN_S < ages[1] < 0.9 * MEDIAN_S
    assert gaps == sorted(gaps, reverse=True)


def test_a_service_that_takes_the_same_time_for_each_is_asked_just_after_it():
    pace = Pace()
    for _ in range(10):
        pace.saw(not_at_s=2.0, by_s=2.0, chance=0.5)

    assert 2.0 < pace.next_age(0.0) < 2.05


def test_one_that_is_slower_than_all_before_is_looked_at_again_and_again_and_less_and_less_often():
    pace = Pace()
    for _ in range(10):
        pace.saw(not_at_s=2.0, by_s=2.0, chance=0.5)

    ages = [3.0]
    while ages[-1] < 500:
        ages.append(pace.next_age(ages[-1]))
    gaps = [later - sooner for sooner, later in pairwise(ages)]

    assert gaps == sorted(gaps)
    assert 0.02 < gaps[0] < 0.3
    assert gaps[-1] <= 5.0


def test_before_anything_is_known_looks_grow_rarer_with_age():
    pace = Pace()

    assert pace.next_age(0.0) == 0.6
    assert pace.next_age(4.0) == pytest.approx(5.2)
    assert pace.next_age(100.0) == 105.0


@pytest.mark.parametrize("per_s", [2.0, 20.0, 300.0])
def test_in_no_second_are_there_more_polls_than_are_allowed(per_s: float):
    chance, allowance = Random(6), Allowance(per_s=per_s, tokens=1.0, at=0.0)
    now, sent = 0.0, []
    for _ in range(4000):
        # Now in haste, now after a pause in which the bucket fills.
        now = max(now + chance.choice([0.0, 0.001, 0.001, 2.0 / per_s]), 0.0)
        if allowance.take(now):
            sent.append(now)

    for first, moment in enumerate(sent):
        within = sum(1 for other in sent[first : first + int(per_s) + 2] if other < moment + 1)
        assert within <= per_s


def test_a_poll_that_has_to_wait_goes_out_at_the_moment_that_was_named():
    allowance = Allowance(per_s=20.0, tokens=0.0, at=0.0)

    at = allowance.ready_at(0.0)

    assert not allowance.take(at - 0.001)
    assert allowance.take(at)
