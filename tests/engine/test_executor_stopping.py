"""Somebody says stop: once, and what is in flight is brought home; twice, and the run is over within a second."""

from __future__ import annotations

import pytest
from scripted import Desk, accepted, offer

from flux2batch.engine.events import Throttled
from flux2batch.engine.lifecycle import Phase
from flux2batch.engine.work import Open, Send

LATER = Throttled(wait_s=30.0, reason="too many")


def test_stopped_once_what_is_in_flight_is_brought_home_and_nothing_else_is_begun():
    desk = Desk([offer(n) for n in range(6)], limit=2)
    desk.press("drain", at=0.25)

    ending = desk.run()

    assert ending.stopped
    assert ending.error is None
    assert desk.phases() == [Phase.DONE, Phase.DONE]
    assert {work.shot for _, work in desk.script.begun} == {one.shot.id for one in desk.plan.offers[:2]}
    assert desk.observer.told[-1][1].stopping


def test_stopped_before_it_began_a_run_intends_nothing_and_does_not_read_the_plan():
    desk = Desk([offer(0)])
    desk.executor = executor = desk.hire()
    executor.stop = "drain"

    ending = executor.run(desk.plan, [])

    assert ending.stopped
    assert desk.journal.facts == []
    assert desk.purse.said == []
    assert desk.plan.read == []


def test_a_shot_that_waits_to_be_sent_again_is_not_sent_any_more_and_not_waited_for():
    desk = Desk([offer(0)], answers={(Send, 0): [(LATER, 0.25)]})
    desk.press("drain", at=1.0)

    desk.run()

    assert len(desk.script.times(Send, 0)) == 1
    assert desk.life(0).phase is Phase.INTENT
    assert desk.script.s == 1.0


@pytest.mark.parametrize("presses", [[1.0], [1.0, 1.25, 1.5]], ids=["twice", "and again"])
def test_stopped_at_once_an_answer_that_does_not_come_is_waited_for_a_second_long(presses: list[float]):
    """Red with `_obey` setting the moment anew at each look, or not at all."""
    desk = Desk([offer(0)], answers={(Send, 0): [(accepted(0), 3600.0)]})
    for at in presses:
        desk.press("now", at=at)

    ending = desk.run()

    assert ending.stopped
    assert desk.script.s == 2.0
    assert desk.life(0).phase is Phase.SENDING


def test_an_answer_that_comes_within_that_second_is_recorded_and_ends_the_wait():
    desk = Desk([offer(0)], answers={(Send, 0): [(accepted(0), 1.5)]})
    desk.press("now", at=1.0)

    desk.run()

    assert desk.life(0).ticket == accepted(0).ticket
    assert desk.script.s == 1.625
    assert [type(work) for _, work in desk.script.begun] == [Open, Send]


def test_all_that_was_heard_by_then_is_written_down_however_slow_the_disk():
    """Red where what gathered while the last batch was being written is left behind: a task id would be lost."""
    answers = {(Send, 0): [(accepted(0), 0.25)], (Send, 1): [(accepted(1), 0.5)]}
    desk = Desk([offer(0), offer(1)], answers=answers, clerk_s=3.0)
    desk.press("now", at=7.0)

    desk.run()

    assert [life.ticket for life in desk.journal.lives().values()] == [accepted(0).ticket, accepted(1).ticket]
    assert len(desk.observer.seen) == len(desk.journal.facts)


def test_a_line_that_is_up_when_the_run_is_stopped_at_once_is_hung_up_and_the_shot_was_not_sent():
    desk = Desk([offer(0)], clerk_s=0.25)
    desk.press("now", at=0.375)  # the line is up, and that it will be sent on is not durable yet

    desk.run()

    assert desk.script.times(Send, 0) == []
    assert [type(fact).__name__ for fact in desk.facts(0)] == ["Intended", "SendBegan", "NotSent"]
    assert desk.life(0).phase is Phase.INTENT


def test_stopped_at_once_while_nothing_is_under_way_the_run_is_over_there_and_then():
    desk = Desk([offer(0)])
    desk.press("now", at=0.5)  # the answer is in, and the first look is still to come

    desk.run()

    assert desk.life(0).phase is Phase.ACCEPTED
    assert desk.script.s == 0.5
