"""Trouble in a worker, in whoever watches, and in the clock: what is in other hands is brought home all the same."""

from __future__ import annotations

import random

import pytest
from scripted import WORKING, Answer, Asked, Deaf, Desk, Ledger, Script, Watching, accepted, offer
from simulated_journals import Journal

from flux2batch.engine.events import DownloadFailed, NotSent, PollFailed, ShotEvent, Unanswered
from flux2batch.engine.executor import Interrupted, Progress
from flux2batch.engine.lifecycle import Life, Phase
from flux2batch.engine.policy import Unknowns
from flux2batch.engine.work import Fetch, HangUp, Moment, Open, Outcome, Poll, Send, Work
from flux2batch.errors import MachineError
from flux2batch.money import Money, usd
from flux2batch.planning.shot import ShotId

FULL = MachineError("The picture cannot be written: no space left on device.")
BUG = ZeroDivisionError()
DOUBT = Unanswered(reason="flux2batch failed while the request was under way", status=None, excerpt=None)


def interrupted(error: Exception, believed: Outcome | None, after_s: float = 0.125) -> list[Answer]:
    return [(Interrupted(error=error, outcome=believed), after_s)]


# Of a worker.


def test_a_picture_that_cannot_be_written_ends_the_run_when_answers_under_way_are_in():
    """Red where a worker that was interrupted counts as busy for ever, or is sent out again at once."""
    answers = {(Fetch, 0): interrupted(FULL, None), (Send, 1): [(accepted(1), 5.0)]}
    desk = Desk([offer(n) for n in range(4)], answers=answers, limit=2)

    ending = desk.run()

    assert ending.error is FULL
    assert (desk.life(0).phase, desk.life(1).phase) == (Phase.READY, Phase.ACCEPTED)
    assert len(desk.script.times(Fetch, 0)) == 1
    assert desk.script.s == 5.125  # the answer to the second submit, which may have been paid for
    met_s = desk.script.times(Fetch, 0)[0] + 0.125
    assert [type(work) for s, work in desk.script.begun if s >= met_s] == [HangUp]  # of the third, before it was sent


def test_a_submit_that_a_full_disk_cut_off_is_in_doubt_and_the_run_begins_nothing_more():
    answers = {(Send, 0): interrupted(FULL, DOUBT)}
    desk = Desk([offer(n) for n in range(4)], answers=answers, limit=2)

    ending = desk.run()

    assert ending.error is FULL
    assert desk.life(0).phase is Phase.UNKNOWN
    assert len(desk.journal.lives()) == 2
    assert desk.life(1).phase is Phase.ACCEPTED


@pytest.mark.parametrize(
    ("work", "believed", "phase"),
    [
        (Open, NotSent(reason="flux2batch itself failed", offline=False), Phase.DONE),
        (Send, DOUBT, Phase.UNKNOWN),
        (Poll, PollFailed(reason="flux2batch itself failed", status=None, wait_s=None, offline=False), Phase.DONE),
        (Fetch, DownloadFailed(reason="flux2batch itself failed", status=None, wait_s=None, offline=False), Phase.DONE),
    ],
)
def test_a_bug_that_one_shot_met_is_told_at_the_end_and_costs_the_others_nothing(
    work: type[Work], believed: Outcome, phase: Phase
):
    desk = Desk([offer(n) for n in range(6)], answers={(work, 0): interrupted(BUG, believed)}, limit=2)

    ending = desk.run()

    assert ending.error is BUG
    assert desk.phases() == [phase, *[Phase.DONE] * 5]


@pytest.mark.parametrize("later", [None, DOUBT])
def test_of_several_troubles_the_first_is_told(later: Outcome | None):
    answers = {(Send, 0): interrupted(BUG, DOUBT), (Send, 1): interrupted(FULL, later, after_s=0.25)}
    desk = Desk([offer(0), offer(1)], answers=answers)

    assert desk.run().error is BUG


# Of what is derived from the facts, and of the limit of a day.


class Forgetful(Journal):
    """Writes every fact, and cannot keep what it derives from the third on."""

    def __init__(self) -> None:
        super().__init__(random.Random(1))
        self.left = 2

    def remember(self, shot: ShotId, life: Life) -> None:  # noqa: ARG002  # the journal's signature
        self.left -= 1
        if self.left < 0:
            raise FULL


class Unsettled(Ledger):
    """Cannot be told what became of a take that was accepted."""

    def settle(self, shot: ShotId, committed: Money) -> None:
        super().settle(shot, committed)
        if committed == usd("0.01"):
            raise FULL


@pytest.mark.parametrize("what", ["journal", "purse"])
def test_where_books_cannot_be_kept_the_run_begins_nothing_more_and_no_fact_is_lost(what: str):
    answers: dict[Asked, list[Answer]] = {(Send, 0): [(accepted(0, cost=usd("0.01")), 0.25)]}
    desk = Desk([offer(n) for n in range(6)], answers=answers, limit=2)
    if what == "journal":
        desk.journal = Forgetful()
    else:
        desk.purse = Unsettled(desk.script)

    ending = desk.run()

    assert ending.error is FULL
    assert len(desk.journal.lives()) == 2
    assert desk.script.times(Poll, 0) == []
    assert len(desk.observer.seen) == len(desk.journal.facts)


def test_a_take_in_doubt_that_nobody_called_about_is_given_up_in_writing_before_another_is_begun():
    resubmit = Unknowns(rule="resubmit", most=1)
    desk = Desk([offer(0)], answers={(Send, 0): [(DOUBT, 0.25)]}, unknowns=resubmit, timeout_s=600.0, ear=Deaf())

    desk.run()

    names = [type(fact).__name__ for fact in desk.facts(0)]
    assert names[:5] == ["Intended", "SendBegan", "Unanswered", "Resubmitted", "Intended"]
    assert desk.script.times(Open, 0)[1] == 600.125
    assert desk.life(0).phase is Phase.DONE
    assert desk.observer.told[-1][1].committed == usd("0.10")


# Of whoever watches.


class Failing(Watching):
    """Fails at the fourth fact, or when it is told for the fourth time how things stand."""

    def __init__(self, what: str, error: Exception) -> None:
        super().__init__()
        self.what, self.error = what, error

    def saw(self, shot: ShotId, event: ShotEvent, life: Life, now: Moment) -> None:
        super().saw(shot, event, life, now)
        if self.what == "saw" and len(self.seen) > 3:
            raise self.error

    def standing(self, standing: Progress, now: Moment) -> None:
        super().standing(standing, now)
        if self.what == "standing" and len(self.told) > 3:
            raise self.error


@pytest.mark.parametrize("what", ["saw", "standing"])
@pytest.mark.parametrize("error", [BUG, FULL, BrokenPipeError()], ids=lambda error: type(error).__name__)
def test_whoever_watches_and_fails_is_not_told_any_more_and_costs_no_picture(what: str, error: Exception):
    """Red where a sheet that cannot be written keeps the rest of the plan from being bought."""
    desk = Desk([offer(n) for n in range(12)])
    desk.observer = Failing(what, error)

    ending = desk.run()

    assert desk.phases() == [Phase.DONE] * 12
    assert ending.error is (None if isinstance(error, BrokenPipeError) else error)
    assert 4 in (len(desk.observer.seen), len(desk.observer.told))


def test_whoever_watches_and_fails_after_something_else_did_leaves_that_to_be_told():
    desk = Desk([offer(0)], answers={(Send, 0): interrupted(FULL, DOUBT)})
    desk.observer = Failing("saw", BUG)
    desk.observer.seen += [(0.0, offer(0).shot.id, DOUBT)]  # two facts, and at the doubt it fails

    assert desk.run().error is FULL


def test_while_nothing_happens_it_is_told_how_things_stand_ten_times_a_second_at_the_most_and_hardly_less():
    desk = Desk([offer(0)], answers={(Send, 0): [(accepted(0), 4.0)]})
    for tick in range(64):
        desk.script.at.append((1.0 + tick / 32, lambda: None))  # 32 times a second somebody is woken for nothing

    desk.run()

    times = [s for s, _ in desk.observer.told if 1.0 <= s < 3.0]
    assert times == [1.0 + n / 8 for n in range(16)]


def test_it_is_told_of_each_fact_at_once_and_how_things_stand_with_it():
    desk = Desk([offer(0), offer(1)])

    desk.run()

    moments = {s for s, _, _ in desk.observer.seen}
    assert [(shot, event) for _, shot, event in desk.observer.seen] == [(s, e) for _, s, e in desk.journal.facts]
    assert moments <= {s for s, _ in desk.observer.told}
    assert desk.observer.told[0][1].in_hand == 2
    assert desk.observer.told[-1][1].in_hand == 0
    assert not any(standing.stopping or standing.pausing for _, standing in desk.observer.told)


# Of few hands, and of the clock.


def test_one_pair_of_hands_makes_them_all_one_after_the_other():
    desk = Desk([offer(n) for n in range(3)], size=1)

    desk.run()

    assert desk.phases() == [Phase.DONE] * 3


def test_a_look_comes_when_it_is_due_and_not_when_something_else_happens():
    desk = Desk([offer(0)], answers={(Poll, 0): [(WORKING, 0.125)]})

    desk.run()

    assert desk.script.times(Poll, 0) == [0.975, pytest.approx(1.7)]


class Ticking(Script):
    """Time goes on while the executor thinks: a little at each look at the clock."""

    def now(self) -> Moment:
        self.s += 0.01
        return super().now()


def test_what_has_become_due_while_the_executor_was_thinking_is_not_waited_for():
    """Red with a wait of less than nothing, which no queue takes."""
    answers = {(Poll, n): [(WORKING, 0.125)] * 4 for n in range(12)}
    desk = Desk([offer(n) for n in range(12)], limit=12)
    desk.script = Ticking(answers)

    desk.run()

    assert desk.phases() == [Phase.DONE] * 12
    assert 0.0 in desk.script.waits
