"""What calls change in a run's plans: when a shot is looked at, and what becomes of a lost answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flux2batch.engine.calling import MOST_CALLS, Called, safety_net
from flux2batch.engine.events import (
    Accepted,
    Frame,
    Intended,
    Rendered,
    Resubmitted,
    ShotEvent,
    StillWorking,
    Ticket,
    Unanswered,
)
from flux2batch.engine.lifecycle import UNBORN, Life, Phase, advance
from flux2batch.engine.policy import Throttle, Unknowns
from flux2batch.engine.scheduler import Scheduler
from flux2batch.engine.work import LineUp, Moment, Open, Outcome, Poll, Send, Work
from flux2batch.money import usd
from flux2batch.planning.shot import ShotId

BEGAN = datetime(2026, 5, 1, tzinfo=UTC)
A, B = ShotId("a" * 32), ShotId("b" * 32)
SILENCE = Unanswered(reason="nobody answered", status=None, excerpt=None)
HOLD = Unknowns(rule="hold", most=0)
WORKING = StillWorking(status="Pending", queue_position=None, progress=None, wait_s=None, known=True)
RENDERED = Rendered(
    frames=(Frame(url="https://x", width=None, height=None, media_type=None, nsfw=False),),
    expires_at=None, seed=None, prompt=None, charge=None, details={},
)  # fmt: skip


def at(s: float) -> Moment:
    return Moment(s=s, at=BEGAN + timedelta(seconds=s))


def ticket(task_id: str) -> Ticket:
    return Ticket(
        provider="bfl", model="bfl/flux-2-pro", endpoint="/v1/flux-2-pro", task_id=task_id,
        poll_url=f"https://api.bfl.ai/v1/get_result?id={task_id}", result_url=None, cancel_url=None,
    )  # fmt: skip


def accepted(task_id: str) -> Accepted:
    return Accepted(ticket=ticket(task_id), charge=None, evidence="answer")


def intended(take: int = 1) -> Intended:
    return Intended(
        take=take, reserve=usd("0.03"), estimate=usd("0.03"), model="bfl/flux-2-pro", endpoint="/v1/flux-2-pro",
        prompt="a boat", params={}, references=(), coordinates={}, repeat=1, paths=("a.png",), frames=1, trim=None,
    )  # fmt: skip


class Desk:
    """A scheduler and a clock that is set by hand."""

    def __init__(self, *, unknowns: Unknowns = HOLD, timeout_s: float = 900) -> None:
        self.scheduler = Scheduler(
            throttles={"bfl": Throttle(limit=24, most=24, successes=0, halved_at=None)},
            polls_per_s={"bfl": 1000.0},
            timeout_s=timeout_s,
            unknowns={"bfl": unknowns},
            at_once={},
            chance=lambda: 0.5,
            now=at(0),
            nets={"bfl": safety_net(timeout_s)},
        )

    def take_up(self, shot: ShotId, life: Life, s: float = 0) -> None:
        self.scheduler.take_up(shot, life, service="bfl", kind="pro", now=at(s))

    def work(self, s: float) -> Work | None:
        return self.scheduler.next_work(at(s))

    def told(self, shot: ShotId, outcome: Outcome, s: float) -> list[ShotEvent]:
        return self.scheduler.told(shot, outcome, at(s)).facts

    def call(self, shot: ShotId, task_id: str, s: float, **how: Any) -> list[ShotEvent]:
        call = Called(shot=shot, **{"take": 1, "task_id": task_id, "is_over": True, **how})
        return self.scheduler.heed(call, ticket(task_id), at(s)).facts

    def send(self, shot: ShotId = A, s: float = 0) -> None:
        self.take_up(shot, advance(UNBORN, intended(), at=BEGAN), s)
        assert self.work(s) == Open(shot, 1)
        self.told(shot, LineUp(), s)
        assert self.work(s) == Send(shot)

    def accept(self, shot: ShotId = A, task_id: str = "t", s: float = 0) -> None:
        self.send(shot, s)
        self.told(shot, accepted(task_id), s)

    def phase(self, shot: ShotId = A) -> Phase:
        life = self.scheduler.life(shot)
        assert life is not None
        return life.phase


def test_a_shot_is_looked_at_when_its_call_comes_and_not_before() -> None:
    desk = Desk()
    desk.accept()

    assert desk.work(59) is None
    assert desk.call(A, "t", 59) == []

    assert desk.work(59) == Poll(A, ticket("t"), called=True)


def test_without_a_call_it_is_looked_at_once_a_minute_and_less_and_less_often() -> None:
    desk, looks, s = Desk(timeout_s=9000), [], 0.0
    desk.accept()

    while len(looks) < 5:
        s = desk.scheduler.wake_at(at(s)) or 0.0
        assert desk.work(s) == Poll(A, ticket("t"), called=False)
        desk.told(A, WORKING, s)
        looks.append(s)

    assert looks == [60, 180, 420, 720, 1020]


@pytest.mark.parametrize(
    "call",
    [
        {"task_id": "another"},
        {"task_id": "theirs"},
        {"task_id": "t", "take": 2},
        {"task_id": "t", "is_over": False},
    ],
    ids=["another task", "another shot's task", "another take", "not over"],
)
def test_a_call_about_anything_else_changes_nothing(call: dict[str, Any]) -> None:
    desk = Desk()
    desk.accept()
    desk.accept(B, "theirs")

    assert desk.call(A, s=1, **call) == []

    assert desk.work(59) is None
    assert desk.scheduler.account_problem is None
    assert desk.scheduler.problem is None


def test_a_lost_answer_is_not_settled_by_a_call_that_names_another_shots_task() -> None:
    desk = Desk()
    desk.accept(B, "theirs")
    desk.send()
    desk.told(A, SILENCE, 1)

    assert desk.call(A, "theirs", 2) == []

    assert desk.phase() is Phase.UNKNOWN
    assert desk.scheduler.problem is None


def test_a_call_ahead_of_the_service_is_followed_by_looks_that_become_rare() -> None:
    desk, looks, s = Desk(), [], 5.0
    desk.accept()
    desk.call(A, "t", s)

    while len(looks) < 9:
        assert isinstance(desk.work(s), Poll)
        desk.told(A, WORKING, s)
        looks.append(s)
        s = desk.scheduler.wake_at(at(s)) or 0.0

    assert looks == [5, 6, 8, 12, 20, 36, 68, 128, 188]


def test_a_call_that_comes_while_it_is_looked_at_is_followed_by_another_look() -> None:
    desk = Desk()
    desk.accept()
    desk.call(A, "t", 1)
    assert isinstance(desk.work(1), Poll)

    desk.call(A, "t", 1.1)
    desk.told(A, WORKING, 1.2)

    assert isinstance(desk.work(1.2), Poll)


def test_many_calls_about_one_take_are_not_all_followed() -> None:
    desk = Desk()
    desk.accept()
    looks = 0

    for number in range(MOST_CALLS + 20):
        s = 1 + number / 100
        desk.call(A, "t", s)
        if desk.work(s) is not None:
            looks += 1
            desk.told(A, WORKING, s)

    assert looks == MOST_CALLS


def test_a_call_before_the_answer_changes_nothing_until_the_answer_comes() -> None:
    desk = Desk()
    desk.send()

    assert desk.call(A, "t", 1) == []
    assert desk.phase() is Phase.SENDING
    assert desk.told(A, accepted("t"), 2) == [accepted("t")]

    assert desk.work(2) == Poll(A, ticket("t"), called=True)


def test_a_call_before_a_lost_answer_settles_it() -> None:
    desk = Desk()
    desk.send()
    desk.call(A, "t", 1)

    facts = desk.told(A, SILENCE, 120)

    assert facts == [SILENCE, Accepted(ticket=ticket("t"), charge=None, evidence="webhook")]
    assert desk.work(120) == Poll(A, ticket("t"), called=True)


def test_a_call_before_a_lost_answer_settles_nothing_where_its_task_turned_out_to_be_another_shots() -> None:
    desk = Desk()
    desk.send()
    desk.call(A, "theirs", 1)
    desk.accept(B, "theirs", 2)

    assert desk.told(A, SILENCE, 120) == [SILENCE]

    assert desk.phase() is Phase.UNKNOWN


def test_a_call_after_a_lost_answer_settles_it() -> None:
    desk = Desk(unknowns=Unknowns(rule="resubmit", most=1))
    desk.send()
    assert desk.told(A, SILENCE, 120) == [SILENCE]
    assert not desk.scheduler.is_idle

    assert desk.call(A, "t", 300) == [Accepted(ticket=ticket("t"), charge=None, evidence="webhook")]

    assert desk.work(300) == Poll(A, ticket("t"), called=True)
    assert desk.scheduler.unheard(at(5000)) == []


def test_a_take_in_doubt_leaves_its_place_to_others_while_its_call_is_waited_for() -> None:
    desk = Desk()
    desk.send()
    desk.told(A, SILENCE, 1)

    assert desk.scheduler.room("bfl", at(1))
    assert desk.scheduler.in_hand == 0


def test_where_no_call_comes_in_a_shots_time_the_run_ends_and_the_doubt_stays() -> None:
    desk = Desk(timeout_s=900)
    desk.send(s=0)
    desk.told(A, SILENCE, 120)

    assert desk.scheduler.wake_at(at(120)) == 900
    assert desk.scheduler.unheard(at(899)) == []
    ((shot, told),) = desk.scheduler.unheard(at(900))

    assert (shot, told.facts, told.life.phase) == (A, [], Phase.UNKNOWN)
    assert desk.scheduler.is_idle


def test_a_call_that_comes_late_is_heard_while_the_run_lasts() -> None:
    desk = Desk()
    desk.send()
    desk.told(A, SILENCE, 1)
    desk.scheduler.unheard(at(1000))

    desk.call(A, "t", 1001)

    assert desk.phase() is Phase.ACCEPTED
    assert not desk.scheduler.is_idle


def test_a_doubtful_take_is_bought_again_only_when_its_call_has_not_come() -> None:
    desk = Desk(unknowns=Unknowns(rule="resubmit", most=1), timeout_s=900)
    desk.send()
    desk.told(A, SILENCE, 120)
    assert desk.scheduler.resubmits() == {}

    ((_, told),) = desk.scheduler.unheard(at(900))

    assert [type(fact) for fact in told.facts] == [Resubmitted]
    assert list(desk.scheduler.resubmits()) == [A]
    assert desk.scheduler.is_idle


def test_whoever_stops_the_run_does_not_wait_for_calls() -> None:
    desk = Desk()
    desk.send()
    desk.told(A, SILENCE, 1)

    desk.scheduler.stop()

    assert desk.scheduler.is_idle


@pytest.mark.parametrize(("passed_s", "waits"), [(100, True), (1000, False)])
def test_a_doubt_of_an_earlier_run_is_waited_for_as_long_as_its_picture_may_take(passed_s: float, waits: bool) -> None:
    life = advance(UNBORN, intended(), at=BEGAN)
    desk = Desk(timeout_s=900)
    desk.take_up(A, life)
    desk.work(0)
    desk.told(A, LineUp(), 0)
    desk.told(A, SILENCE, 0)
    unknown = desk.scheduler.life(A)
    assert unknown is not None
    later = Desk(timeout_s=900)

    later.take_up(A, unknown, passed_s)
    later.scheduler.unheard(at(passed_s))

    assert later.scheduler.is_idle is not waits
    later.call(A, "t", passed_s + 1)
    assert later.phase() is Phase.ACCEPTED


def test_a_service_whose_calls_never_come_is_polled_as_ever_until_one_comes() -> None:
    desk = Desk(timeout_s=9000)
    for number in range(3):
        desk.accept(ShotId(f"{number:032x}"), f"t{number}")
    for poll in [desk.work(60) for _ in range(3)]:
        assert isinstance(poll, Poll)
        desk.told(poll.shot, RENDERED, 60)
    while desk.work(60) is not None:
        pass  # the pictures are being fetched

    desk.accept(A, "t", 61)
    unasked = desk.scheduler.wake_at(at(61))
    desk.call(A, "t", 61)
    desk.work(61)
    desk.told(A, RENDERED, 61)
    desk.work(61)
    desk.accept(B, "u", 70)

    assert unasked is not None
    assert unasked < 62
    assert desk.scheduler.wake_at(at(70)) == 130
