"""What the executor spends and keeps books of: no shot is passed over, no take is counted twice, and limits hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted import PRICE, Answer, Asked, Desk, Ledger, Watching, accepted, offer
from simulation import SHOTS
from test_lifecycle import AT, UNANSWERED
from test_lifecycle import intended as begun

from flux2batch.engine.events import Rejected, Resubmitted, SendBegan, ShotEvent
from flux2batch.engine.executor import Progress, Resumed, intention
from flux2batch.engine.lifecycle import Life, Phase, replay
from flux2batch.engine.policy import Unknowns
from flux2batch.engine.work import Moment, Open, Send
from flux2batch.money import ZERO, usd
from flux2batch.planning.shot import Trim

AGAIN = (begun(), SendBegan(), UNANSWERED, Resubmitted(by="--on-unknown resubmit", number=1))
"""Of an earlier run: a take that may have cost something was given up for another."""


def remembered(desk: Desk, shot: int, *facts: ShotEvent) -> Life:
    """What earlier runs recorded of a shot."""
    desk.journal.facts += [(AT, SHOTS[shot].id, fact) for fact in facts]
    return replay((AT, fact) for fact in facts)


# Limits.


def test_a_shot_that_does_not_fit_waits_for_what_is_in_flight_to_cost_less_and_none_is_bought_before_it():
    dear, cheap = usd("0.06"), usd("0.03")
    answers = {(Send, n): [(accepted(n, cost=usd("0.02")), 0.25)] for n in range(3)}
    desk = Desk(
        [offer(0, reserve=dear), offer(1, reserve=dear), offer(2, reserve=cheap)], answers=answers, budget=usd("0.10")
    )

    ending = desk.run()

    opened = [(s, work.shot) for s, work in desk.script.begun if isinstance(work, Open)]
    assert opened == [(0.0, SHOTS[0].id), (0.375, SHOTS[1].id), (0.75, SHOTS[2].id)]
    assert desk.phases() == [Phase.DONE] * 3
    assert ending.overrun is None


def test_a_shot_that_will_never_fit_ends_the_run_which_says_so_and_buys_none_after_it():
    desk = Desk([offer(0), offer(1, reserve=usd("0.06")), offer(2, reserve=usd("0.01"))], budget=usd("0.10"))

    ending = desk.run()

    assert desk.phases() == [Phase.DONE]
    assert ending.overrun is not None
    assert (ending.overrun.limit, ending.overrun.needed_usd) == ("the job's budget", usd("0.06"))


def test_the_limit_of_a_day_is_asked_before_each_take_and_told_what_became_of_it():
    desk = Desk([offer(0), offer(1)], answers={(Send, 0): [(accepted(0, cost=usd("0.02")), 0.25)]})
    desk.purse = Ledger(desk.script, most=usd("0.06"))

    ending = desk.run()

    assert ending.overrun is not None
    assert ending.overrun.limit == "today's limit"
    assert desk.purse.held == {SHOTS[0].id: usd("0.02")}
    assert desk.purse.said[0] == ("reserve", SHOTS[0].id, PRICE)


def test_what_was_committed_before_this_call_does_not_count_against_its_own_limit():
    desk = Desk([offer(0)], committed=usd("0.40"), call_limit=PRICE)

    ending = desk.run()

    assert desk.phases() == [Phase.DONE]
    assert ending.overrun is None


# Takes.


def test_the_takes_of_a_shot_are_numbered_from_one():
    resubmit = Unknowns(rule="resubmit", most=1)
    desk = Desk([offer(0), offer(1)], answers={(Send, 0): [(UNANSWERED, 0.25)]}, unknowns=resubmit)

    desk.run()

    assert [[fact.take for fact in desk.intended(n)] for n in (0, 1)] == [[1, 2], [1]]
    assert [work.take for _, work in desk.script.begun if isinstance(work, Open)] == [1, 1, 2]
    assert desk.life(0).committed == usd("0.10")  # the take in doubt stays a possible charge
    assert desk.phases() == [Phase.DONE] * 2


def test_a_take_that_was_given_up_is_bought_again_before_new_shots_are():
    resubmit = Unknowns(rule="resubmit", most=1)
    offers = [offer(n) for n in range(4)]
    desk = Desk(offers, answers={(Send, 0): [(UNANSWERED, 0.25)]}, unknowns=resubmit, limit=1)

    desk.run()

    order = [int(work.shot, 16) for _, work in desk.script.begun if isinstance(work, Open)]
    assert order == [0, 1, 0, 2, 3]  # the second shot was next already


def test_of_two_services_each_takes_back_its_own_shots():
    """What fal gave up is not sent to bfl."""
    resubmit = Unknowns(rule="resubmit", most=1)
    desk = Desk(
        [offer(0), offer(1, service="fal")],
        answers={(Send, 1): [(UNANSWERED, 0.25)]},
        unknowns=resubmit,
        services=("bfl", "fal"),
    )

    desk.run()

    assert desk.phases() == [Phase.DONE] * 2
    assert [fact.take for fact in desk.intended(1)] == [1, 2]


def test_an_earlier_take_that_may_have_cost_something_counts_once_when_the_shot_is_taken_again():
    desk = Desk(budget=usd("0.15"), committed=PRICE)
    life = remembered(desk, 0, *AGAIN)
    desk.plan.offers = [offer(0, life=life), offer(1)]

    desk.run()

    assert desk.phases() == [Phase.DONE] * 2
    assert [fact.take for fact in desk.intended(0)] == [1, 2]
    assert desk.observer.told[-1][1].committed == usd("0.15")


def test_an_intent_of_an_earlier_run_is_sent_and_neither_intended_nor_reserved_again():
    desk = Desk(budget=PRICE, committed=PRICE)
    life = remembered(desk, 0, begun())
    desk.plan.offers = [offer(0, life=life)]

    desk.run()

    assert desk.phases() == [Phase.DONE]
    assert len(desk.intended(0)) == 1
    assert [said for said, _, _ in desk.purse.said if said == "reserve"] == []
    assert desk.observer.told[-1][1].committed == PRICE


def test_a_take_that_was_cut_off_by_a_death_is_in_doubt_and_not_sent_again():
    desk = Desk(committed=PRICE)
    life = remembered(desk, 0, begun(), SendBegan())

    desk.run([Resumed(id=SHOTS[0].id, service="bfl", kind="m", life=life)])

    assert desk.life(0).phase is Phase.UNKNOWN
    assert desk.script.begun == []
    assert desk.observer.told[-1][1].committed == PRICE


class Auditor(Watching):
    """Holds what the run says it has committed to what its journal adds up to."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk

    def standing(self, standing: Progress, now: Moment) -> None:
        super().standing(standing, now)
        assert standing.committed == sum((life.committed for life in self.desk.journal.lives().values()), start=ZERO)


def test_at_every_moment_the_run_has_committed_what_its_journal_adds_up_to():
    answers: dict[Asked, list[Answer]] = {(Send, n): [(accepted(n, cost=usd("0.03")), 0.25)] for n in range(0, 6, 2)}
    answers[Send, 1] = [(UNANSWERED, 0.25)]
    answers[Send, 3] = [(Rejected(status=422, reason="no", parameters=()), 0.25)]
    desk = Desk([offer(n) for n in range(6)], answers=answers)
    desk.observer = Auditor(desk)

    ending = desk.run()

    assert ending.error is None
    assert desk.observer.told[-1][1].committed == usd("0.19")  # of six, one is in doubt and one cost nothing


# What is recorded of a take as it begins.


@pytest.mark.parametrize(("asked", "frames"), [(None, 1), (1, 1), (3, 3)])
def test_a_take_of_several_pictures_says_how_many_are_to_come(asked: int | None, frames: int):
    shot = replace(SHOTS[0], params={} if asked is None else {"num_images": asked})

    assert intention(offer(0, of=shot), take=1).frames == frames


@pytest.mark.parametrize("trim", [None, (1000, 750)])
def test_a_take_says_what_its_picture_is_cut_to(trim: tuple[int, int] | None):
    shot = replace(SHOTS[0], trim=Trim(width=trim[0], height=trim[1]) if trim else None)

    assert intention(offer(0, of=shot), take=1).trim == trim
