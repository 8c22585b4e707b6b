"""What the scheduler promises the run: what old takes wait for, when it looks, what it tells, and when it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from scripted import BEGAN, RENDERED, WORKING, Answer, Asked, Desk, accepted, offer
from simulation import SHOTS
from test_lifecycle import UNANSWERED
from test_lifecycle import intended as begun

from flux2batch.engine.calling import safety_net
from flux2batch.engine.events import (
    AccountRefused,
    NotSent,
    SendBegan,
    ShotEvent,
    StillWorking,
    Throttled,
    Unanswered,
    Vanished,
)
from flux2batch.engine.executor import Resumed
from flux2batch.engine.lifecycle import Life, Phase, replay
from flux2batch.engine.policy import Throttle, Unknowns
from flux2batch.engine.scheduler import Scheduler
from flux2batch.engine.work import Fetch, HangUp, LineUp, Moment, Open, Poll, Send

A, B, C = (shot.id for shot in SHOTS[:3])
SENT: tuple[ShotEvent, ...] = (begun(), SendBegan())
ON_ITS_WAY = (*SENT, accepted(0))
READY = (*ON_ITS_WAY, RENDERED)


def at(s: float) -> Moment:
    return Moment(s, BEGAN + timedelta(seconds=s))


def life_of(*facts: ShotEvent, s: float = 0.0) -> Life:
    """Of a shot all of whose facts are of this moment."""
    return replay((at(s).at, fact) for fact in facts)


def scheduler(*, limit: int = 4, calls: bool = False) -> Scheduler:
    return Scheduler(
        throttles={"bfl": Throttle(limit=limit, most=limit, successes=0, halved_at=None)},
        polls_per_s={"bfl": 1000.0},
        timeout_s=3600.0,
        unknowns={"bfl": Unknowns(rule="hold", most=0)},
        at_once={},
        chance=lambda: 0.5,
        now=at(0),
        nets={"bfl": safety_net(3600.0)} if calls else None,
    )


# What earlier runs left on its way.


@pytest.mark.parametrize("facts", [(begun(),), ON_ITS_WAY, READY, (*SENT, UNANSWERED)])
def test_taking_up_a_shot_is_no_fact(facts: tuple[ShotEvent, ...]):
    told = scheduler(calls=True).take_up(A, life_of(*facts), service="bfl", kind="m", now=at(1))

    assert told.facts == []
    assert told.life == life_of(*facts)


def test_takes_that_an_earlier_run_left_in_flight_count_against_what_may_be():
    desk = scheduler(limit=2)
    for shot, facts in ((A, ON_ITS_WAY), (B, (*SENT, accepted(1)))):
        assert desk.room("bfl", at(0))
        desk.take_up(shot, life_of(*facts), service="bfl", kind="m", now=at(0))

    assert not desk.room("bfl", at(0))


def test_a_take_that_was_cut_off_or_is_ready_leaves_its_place_to_another():
    desk = scheduler(limit=1)
    desk.take_up(A, life_of(*SENT), service="bfl", kind="m", now=at(0))
    desk.take_up(B, life_of(*READY), service="bfl", kind="m", now=at(0))

    assert desk.room("bfl", at(0))


def test_pictures_that_wait_since_the_last_run_do_not_close_the_gate_of_this_one():
    """Red where they count as waiting since the clock began."""
    desk = scheduler()
    for shot, number in ((A, 0), (B, 1)):
        ready = life_of(*SENT, accepted(number), RENDERED, s=5000)
        desk.take_up(shot, ready, service="bfl", kind="m", now=at(10_000))
    assert isinstance(desk.next_work(at(10_000)), Fetch)

    assert desk.room("bfl", at(10_300))
    assert not desk.room("bfl", at(10_301))


@pytest.mark.parametrize(
    ("accepted_s", "looks_again_s"),
    [
        (1000.0, 2.0),  # just accepted: another region may not have heard of it
        (880.5, 5.0),
        (880.0, 200.0),
        (-5000.0, 200.0),  # an hour and more ago: it is not coming
    ],
)
def test_whether_not_found_means_not_yet_goes_by_when_the_take_was_accepted_and_not_by_when_the_run_began(
    accepted_s: float, looks_again_s: float
):
    desk = scheduler()
    desk.take_up(A, life_of(*ON_ITS_WAY, s=accepted_s), service="bfl", kind="m", now=at(1000))
    assert isinstance(desk.next_work(at(1000)), Poll)

    desk.told(A, Vanished(reason="not found"), at(1000))

    assert desk.wake_at(at(1000)) == 1000 + looks_again_s


@pytest.mark.parametrize(("after_s", "looks_again_s"), [(119.5, 5.0), (120.0, 200.0)])
def test_where_the_clock_was_set_back_a_take_is_as_new_as_this_run(after_s: float, looks_again_s: float):
    desk = scheduler()
    desk.take_up(A, life_of(*ON_ITS_WAY, s=5000), service="bfl", kind="m", now=at(1000))
    assert isinstance(desk.next_work(at(1000)), Poll)

    desk.told(A, Vanished(reason="not found"), at(1000 + after_s))

    assert desk.wake_at(at(1000 + after_s)) == 1000 + after_s + looks_again_s


# When it looks.


def test_a_service_that_allows_two_looks_a_second_gets_no_more_from_the_first_one_on():
    desk = Desk(polls_per_s=2.0)
    resumed = []
    for n in range(4):
        facts = (*SENT, accepted(n))
        desk.journal.facts += [(BEGAN, SHOTS[n].id, fact) for fact in facts]
        resumed.append(Resumed(id=SHOTS[n].id, service="bfl", kind="m", life=life_of(*facts)))

    desk.run(resumed)

    looks = [s for s, work in desk.script.begun if isinstance(work, Poll)]
    assert looks == pytest.approx([0.0, 0.5, 1.05, 1.55])
    assert desk.phases() == [Phase.DONE] * 4


def test_a_service_that_asked_for_rest_is_sent_nothing_until_it_is_over_and_then_at_once():
    rest = Throttled(wait_s=8.0, reason="too many")
    desk = Desk([offer(0), offer(1)], answers={(Send, 0): [(rest, 0.25)]}, limit=1)

    desk.run()

    opened = [s for s, work in desk.script.begun if isinstance(work, Open)]
    assert opened[1] == 8.375
    assert desk.phases() == [Phase.DONE] * 2


# How it is over.


def test_a_line_that_came_up_after_the_run_was_told_to_stop_is_hung_up_and_nothing_is_recorded_of_it():
    desk = Desk([offer(0)])
    desk.press("drain", at=0.0625)

    desk.run()

    assert [type(work) for _, work in desk.script.begun] == [Open, HangUp]
    assert desk.facts(0) == desk.intended(0)
    assert desk.script.s == 0.125


def test_a_line_that_is_hung_up_after_its_sending_was_recorded_says_that_nothing_was_sent():
    desk = scheduler()
    desk.take_up(A, life_of(begun()), service="bfl", kind="m", now=at(0))
    assert desk.next_work(at(0)) == Open(A, 1)
    desk.told(A, LineUp(), at(1))
    desk.abort()
    assert desk.next_work(at(1)) == HangUp(A)
    assert not desk.is_idle

    told = desk.hung_up(A, at(2))

    assert told.facts == [NotSent(reason="the run was stopped before a byte was sent", offline=False)]
    assert told.life.phase is Phase.INTENT
    assert desk.is_idle
    assert desk.life(A) is None


REFUSED = AccountRefused(status=402, kind="credits", reason="no credits")
AWAY = NotSent(reason="no network", offline=True)
ENDINGS: dict[str, tuple[dict[Asked, list[Answer]], str, object]] = {
    "the account": ({(Send, 0): [(REFUSED, 0.25)]}, "account", REFUSED),
    "no network": ({(Open, 0): [(AWAY, 0.25)] * 8}, "offline", True),
    "one task for two shots": (
        {(Send, 0): [(accepted(7), 0.25)], (Send, 1): [(accepted(7), 0.25)]},
        "problem",
        "the service gave one task id to two shots; nothing more is sent until a person has looked",
    ),
}


@pytest.mark.parametrize("why", ENDINGS)
def test_a_run_that_can_buy_nothing_more_says_why_and_no_other_reason(why: str):
    answers, told, reason = ENDINGS[why]
    desk = Desk([offer(n) for n in range(6)], answers=answers, limit=2)

    ending = desk.run()

    said = {name: getattr(ending, name) for name in ("account", "offline", "problem")}
    assert said == {"account": None, "offline": False, "problem": None} | {told: reason}
    assert ending.error is None
    assert not ending.stopped
    assert desk.phases().count(Phase.DONE) < 6


# What it tells those who watch.


def working(progress: float | None) -> StillWorking:
    return replace(WORKING, progress=progress)


def test_how_far_the_next_picture_is_is_told_of_those_that_are_being_drawn_where_a_service_says_so():
    desk = scheduler()
    for number, shot in enumerate((A, B, C)):
        facts = life_of(*SENT, accepted(number))
        desk.take_up(shot, facts, service="bfl", kind="m", now=at(0))
    assert desk.furthest is None
    for shot, progress in ((A, 0.25), (B, 0.75), (C, None)):
        desk.next_work(at(0))
        desk.told(shot, working(progress), at(1))

    assert desk.furthest == 0.75

    desk.told(B, RENDERED, at(2))
    assert desk.furthest == 0.25
    desk.told(A, RENDERED, at(3))
    assert desk.furthest is None


def test_a_service_that_left_five_submits_unanswered_is_paused_for_a_minute_and_the_run_says_so():
    silence = Unanswered(reason="silence", status=None, excerpt=None)
    desk = Desk([offer(n) for n in range(6)], answers={(Send, n): [(silence, 0.25)] for n in range(5)}, limit=1)

    desk.run()

    paused = [s for s, standing in desk.observer.told if standing.pausing]
    opened = [s for s, work in desk.script.begun if isinstance(work, Open)]
    assert (min(paused), opened[5]) == (5 * 0.375, 5 * 0.375 + 60.0)
    assert max(paused) < opened[5]
    assert desk.life(5).phase is Phase.DONE


def test_a_take_in_doubt_is_not_in_hand_while_its_call_is_waited_for_nor_after():
    desk = scheduler(calls=True)
    for number, shot in enumerate((A, B)):
        desk.take_up(shot, life_of(*SENT), service="bfl", kind="m", now=at(number * 1000))
    desk.take_up(C, life_of(*ON_ITS_WAY), service="bfl", kind="m", now=at(1000))
    assert desk.in_hand == 1

    assert [shot for shot, _ in desk.unheard(at(3600))] == [A, B]
    assert desk.in_hand == 1
