"""The journal cannot be written: a task id that came is offered to it for a minute, and then to a person."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from scripted import Answer, Asked, Desk, accepted, offer
from simulated_journals import Journal
from simulation import SHOTS

from flux2batch.engine.clerk import Fact
from flux2batch.engine.events import Accepted, Event, Saved, SendBegan
from flux2batch.engine.executor import FactsUnrecorded
from flux2batch.engine.lifecycle import Phase
from flux2batch.engine.work import Fetch, Poll, Send
from flux2batch.errors import GoneForGood, MachineError

WHY = "The journal cannot be written: database or disk is full."


class Full(Journal):
    """Cannot be written from the first fact of a kind on, for some seconds or for ever."""

    def __init__(self, desk: Desk, kind: type[Event], *, for_s: float = float("inf")) -> None:
        super().__init__(random.Random(1))
        self.desk, self.kind, self.for_s = desk, kind, for_s
        self.tries: list[float] = []
        self.error: Callable[[str], MachineError] = MachineError

    def write(self, facts: Sequence[Fact]) -> None:
        is_full = self.tries or any(isinstance(fact, self.kind) for _, _, fact in facts)
        if is_full and (not self.tries or self.desk.script.s < self.tries[0] + self.for_s):
            assert len(self.tries) < 100, "the disk is worn out"
            self.tries.append(self.desk.script.s)
            raise self.error(WHY)
        super().write(facts)


def full(offers: int, kind: type[Event], answers: dict[Asked, list[Answer]], *, for_s: float = float("inf")) -> Desk:
    desk = Desk([offer(n) for n in range(offers)], answers=answers)
    desk.journal = Full(desk, kind, for_s=for_s)
    return desk


def tries(desk: Desk) -> list[float]:
    assert isinstance(desk.journal, Full)
    return desk.journal.tries


def test_a_task_id_is_offered_to_a_full_disk_each_second_for_a_minute_and_then_told():
    desk = full(1, Accepted, {})

    with pytest.raises(FactsUnrecorded) as told:
        desk.run()

    assert str(told.value) == WHY
    assert tries(desk) == [0.375 + n for n in range(61)]
    assert told.value.recover == (f"RECOVER {SHOTS[0].id} task-0 https://x/task-0",)


def test_a_disk_that_was_full_and_then_is_gone_is_not_waited_for_any_longer():
    desk = full(1, Accepted, {})
    desk.script.at.append((3.0, lambda: setattr(desk.journal, "error", GoneForGood)))

    with pytest.raises(FactsUnrecorded) as told:
        desk.run()

    assert isinstance(told.value.__cause__, GoneForGood)
    assert tries(desk) == [0.375, 1.375, 2.375, 3.375]
    assert len(told.value.recover) == 1


def test_an_answer_that_comes_meanwhile_is_offered_at_once_together_with_what_waits():
    desk = full(2, Accepted, {(Send, 1): [(accepted(1), 2.5)]}, for_s=20)

    ending = desk.run()

    assert str(ending.error) == WHY
    assert tries(desk)[:6] == [0.375, 1.375, 2.375, 2.625, 3.625, 4.625]
    assert desk.phases() == [Phase.ACCEPTED] * 2
    assert desk.script.s == 20.625
    assert [event for _, _, event in desk.observer.seen] == [fact for _, _, fact in desk.journal.facts]
    assert {shot: str(amount) for _, shot, amount in desk.purse.said[-2:]} == dict.fromkeys(
        (one.id for one in SHOTS[:2]), "0.05"
    )


def test_what_was_written_late_was_written_once_and_in_its_order():
    desk = full(2, Accepted, {(Send, 1): [(accepted(1), 2.5)]}, for_s=20)

    desk.run()

    for shot in range(2):
        assert [type(fact).__name__ for fact in desk.facts(shot)] == ["Intended", "SendBegan", "Accepted"]


def test_after_a_rescue_nothing_more_is_begun():
    desk = full(8, Accepted, {}, for_s=20)

    desk.run()

    assert len(desk.journal.lives()) == 4
    assert [work for _, work in desk.script.begun if isinstance(work, Poll)] == []


def test_a_full_disk_with_no_task_id_to_keep_ends_the_run_without_waiting_for_downloads():
    """Red where any work under way is waited for: only a submit may still bring a task id."""
    desk = full(2, Saved, {(Fetch, 1): [(accepted(1), 500.0)]})

    with pytest.raises(FactsUnrecorded) as told:
        desk.run()

    assert told.value.recover == ()
    assert desk.script.s == tries(desk)[0] < 5


def test_a_full_disk_with_no_task_id_to_keep_waits_for_a_submit_that_may_bring_one():
    desk = full(2, Saved, {(Send, 1): [(accepted(1), 10.0)]})

    with pytest.raises(FactsUnrecorded) as told:
        desk.run()

    assert told.value.recover == (f"RECOVER {SHOTS[1].id} task-1 https://x/task-1",)
    assert desk.script.s == pytest.approx(tries(desk)[0] + 60, abs=1)


def test_what_was_about_to_be_sent_when_the_journal_went_is_known_not_to_have_been():
    """Red where the last attempt says of a line that is up and unused only that it was about to be sent."""
    desk = full(1, SendBegan, {})
    assert isinstance(desk.journal, Full)
    desk.journal.error = GoneForGood
    offered: list[list[str]] = []
    write = desk.journal.write

    def noting(facts: Sequence[Fact]) -> None:
        offered.append([type(fact).__name__ for _, _, fact in facts])
        write(facts)

    desk.journal.write = noting  # type: ignore[method-assign]  # of this one journal: to see what it is offered

    with pytest.raises(FactsUnrecorded) as told:
        desk.run()

    assert offered[-1] == ["SendBegan", "NotSent"]
    assert not told.value.recover
    assert desk.script.times(Send, 0) == []
