"""What costs nothing is not held in doubt: it is made again, in this run or, where that one stops, in the next."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flux2batch.engine.events import Accepted, Charge, HandedBack, Intended, Resubmitted, SendBegan, Ticket, Unanswered
from flux2batch.engine.lifecycle import Life, Phase, replay
from flux2batch.engine.policy import FREE_TAKES, Throttle, Unknowns
from flux2batch.engine.scheduler import Scheduler
from flux2batch.engine.work import Moment
from flux2batch.money import ZERO
from flux2batch.planning.shot import ShotId

AT = datetime(2026, 11, 1, tzinfo=UTC)
NOW = Moment(s=0.0, at=AT)
SHOT = ShotId("0" * 32)
INTENDED = Intended(
    take=1,
    reserve=ZERO,
    estimate=ZERO,
    model="local/flux-2-klein-4b",
    endpoint="flux-2-klein-4b",
    prompt="a boat",
    params={"seed": 1},
    references=(),
    coordinates={},
    repeat=1,
    paths=("a.png",),
    frames=1,
    trim=None,
)
TICKET = Ticket(
    provider="local",
    model=INTENDED.model,
    endpoint=INTENDED.endpoint,
    task_id="t",
    poll_url="local:t",
    result_url=None,
    cancel_url=None,
)
ACCEPTED = Accepted(
    ticket=TICKET,
    charge=Charge(usd=ZERO, source="free", megapixels_in=None, megapixels_out=None),
    evidence="answer",
)


def scheduler(rule: Unknowns, *, room: int = 2) -> Scheduler:
    return Scheduler(
        throttles={"local": Throttle(limit=64, most=64, successes=0, halved_at=None)},
        polls_per_s={"local": 20.0},
        timeout_s=3600,
        unknowns={"local": rule},
        at_once={"local": lambda: room},
        chance=lambda: 0.5,
        now=NOW,
    )


def life(*facts: object) -> Life:
    return replay((AT, fact) for fact in facts)  # type: ignore[misc]  # each is a fact of a shot


@pytest.mark.parametrize(
    ("rule", "facts", "again"),
    [
        (FREE_TAKES, [Unanswered, Resubmitted], True),
        (Unknowns(rule="hold", most=0), [Unanswered], False),
    ],
)
def test_a_take_that_was_cut_off_while_it_was_handed_over(rule: Unknowns, facts: list[type], again: bool) -> None:
    scheduled = scheduler(rule)
    told = scheduled.take_up(SHOT, life(INTENDED, SendBegan()), service="local", kind="m", now=NOW)

    assert [type(fact) for fact in told.facts] == facts
    assert told.life.phase is (Phase.PLANNED if again else Phase.UNKNOWN)
    assert (SHOT in scheduled.resubmits()) == again


def test_a_take_that_is_handed_back_is_wanted_again() -> None:
    scheduled = scheduler(FREE_TAKES)
    scheduled.take_up(SHOT, life(INTENDED, SendBegan(), ACCEPTED), service="local", kind="m", now=NOW)

    told = scheduled.told(SHOT, HandedBack(reason="its process has ended"), NOW)

    assert (told.life.phase, told.life.committed) == (Phase.PLANNED, ZERO)
    assert SHOT in scheduled.resubmits()
    assert scheduled.is_idle


def test_a_take_that_is_handed_back_while_the_run_stops_is_the_next_runs() -> None:
    scheduled = scheduler(FREE_TAKES)
    scheduled.take_up(SHOT, life(INTENDED, SendBegan(), ACCEPTED), service="local", kind="m", now=NOW)
    scheduled.stop()

    told = scheduled.told(SHOT, HandedBack(reason="stopped"), NOW)

    assert told.life.phase is Phase.PLANNED
    assert not scheduled.resubmits()


def test_no_more_is_begun_than_a_service_has_room_for() -> None:
    scheduled = scheduler(FREE_TAKES, room=1)
    assert scheduled.room("local", NOW)

    scheduled.take_up(SHOT, life(INTENDED), service="local", kind="m", now=NOW)

    assert not scheduled.room("local", NOW)
