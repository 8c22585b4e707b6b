"""The promise, ten thousand times in virtual time: nothing paid twice, nothing paid lost, no budget passed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from simulated_service import CALM, Weather
from simulation import SHOTS, check, tell

from flux2batch.engine.lifecycle import Phase
from flux2batch.engine.policy import Unknowns
from flux2batch.money import usd

SEEDS = int(os.environ.get("FLUX2BATCH_SIMULATED_SEEDS", "300"))
"""Set it to 10000 for the whole sweep, as `make torture` does. A failing seed is in the message and can be replayed."""


@pytest.mark.parametrize("service", ["bfl", "fal"])
def test_nothing_is_paid_twice_and_nothing_paid_is_lost(service: str):
    for seed in range(SEEDS):
        check(tell(seed, service=service))


@pytest.mark.parametrize("service", ["bfl", "fal"])
def test_the_journal_in_a_file_and_the_one_in_memory_agree_whatever_dies(service: str, tmp_path: Path):
    for seed in range(SEEDS // 8):
        check(tell(seed, service=service, sqlite=tmp_path / f"{seed}.db"))


@pytest.mark.parametrize("seed", [1100, 2620, 3480])
def test_the_snapshot_counts_only_what_is_a_fact(seed: int, tmp_path: Path):
    """A link expired after a download that failed and left no event."""
    check(tell(seed, service="bfl", sqlite=tmp_path / "journal.db"))


def test_resubmitting_unknowns_pays_no_more_often_than_was_decided():
    for seed in range(SEEDS // 6):
        check(tell(seed, unknowns=Unknowns(rule="resubmit", most=2)), resubmits=2)


def test_no_crash_and_no_doubt_gets_past_the_budget():
    for seed in range(SEEDS // 6):
        check(tell(seed, budget=usd("0.40")), budget=usd("0.40"), finished=False)


def test_in_calm_weather_every_picture_is_made_once():
    story = tell(1, weather=CALM)

    assert story.lifetimes == 1
    assert {life.phase for life in story.lives.values()} == {Phase.DONE}
    assert all(story.service.posts[shot.id] == 1 for shot in SHOTS[:20])


def test_a_budget_pays_for_exactly_what_fits():
    story = tell(1, weather=CALM, budget=usd("0.50"), concurrency=24)

    assert sum(story.service.posts.values()) == 10
    assert story.ending.overrun is not None


BROKE = Weather(**{**dict.fromkeys(Weather.__dataclass_fields__, 0.0), "account": 1.0})


def test_an_account_that_refuses_stops_the_run_after_one_failed_post():
    story = tell(1, weather=BROKE, concurrency=1, once=True)

    assert sum(story.service.posts.values()) == 0
    assert {life.phase for life in story.lives.values()} == {Phase.INTENT}
    assert len(story.lives) == 1
