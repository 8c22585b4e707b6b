"""When it is tried again, how long is waited, when it ends and what may be spent: at the edge of each rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from test_lifecycle import AT, WAY_TO_UNKNOWN, accepted, intended, life_of

from flux2batch.engine.events import (
    NOT_FOUND,
    AccountRefused,
    Resubmitted,
    SendBegan,
    StillWorking,
    Unanswered,
    Vanished,
)
from flux2batch.engine.policy import (
    CLOSED,
    DOWNLOAD_FAILED,
    FREE_TAKES,
    LINK_EXPIRED,
    NOT_THERE,
    POLL_FAILED,
    THROTTLED,
    UNSENT,
    Budgets,
    Schedule,
    Throttle,
    Unknowns,
    fits,
    jittered,
    judge_vanished,
    may_resubmit,
    resubmitted_by,
)
from flux2batch.money import usd

WAITS = {
    # seconds before the second, third … try; the last is where they stop growing
    "unsent": (UNSENT, [0.5, 1, 2, 4, 8, 16, 30, 30], 8),
    "throttled": (THROTTLED, [1, 2, 4, 8, 16, 32, 60, 60], None),
    "poll failed": (POLL_FAILED, [0.5, 1, 2, 4, 8, 16, 30, 30], None),
    "download failed": (DOWNLOAD_FAILED, [0.5, 1, 2, 4, 8, 16, 20, 20], 12),
    "link expired": (LINK_EXPIRED, [1, 2, 4, 8, 16, 30, 30], 6),
    "not there": (NOT_THERE, [200, 200, 200], 3),
}


@pytest.mark.parametrize("name", WAITS)
def test_the_waits_grow_to_their_bound_and_patience_ends_where_it_says(name: str):
    schedule, waits, tries = WAITS[name]

    assert [schedule.wait_s(attempt) for attempt in range(1, len(waits) + 1)] == waits
    if tries is None:
        assert not schedule.is_spent(10_000)
    else:
        assert (schedule.is_spent(tries - 1), schedule.is_spent(tries)) == (False, True)


def test_a_schedule_that_was_never_tried_waits_as_after_the_first_try():
    assert UNSENT.wait_s(0) == UNSENT.wait_s(1)


def test_a_schedule_can_be_asked_in_any_order():
    assert [UNSENT.wait_s(attempt) for attempt in (3, 1, 2)] == [2, 0.5, 1]
    assert isinstance(UNSENT, Schedule)


def test_jitter_stays_between_three_and_five_quarters():
    assert (jittered(8, 0.0), jittered(8, 0.5), jittered(8, 1.0)) == (6, 8, 10)


# A task that the service does not know.

GONE = Vanished(reason="not found")


def paid_and_missed(times: int):
    """A paid take of which the service has said so many times that it does not know it."""
    missed = StillWorking(status=NOT_FOUND, queue_position=None, progress=None, wait_s=None, known=False)
    return life_of(intended(), SendBegan(), accepted(), *[missed] * times)


@pytest.mark.parametrize("times", range(4))
def test_just_after_the_submit_not_found_means_not_yet(times: int):
    judged = judge_vanished(paid_and_missed(times), GONE, age_s=119.9)

    assert isinstance(judged, StillWorking)
    assert (judged.status, judged.wait_s, judged.known) == (NOT_FOUND, 2.0, False)


def test_later_not_found_is_believed_when_it_was_said_three_times():
    first, second = (judge_vanished(paid_and_missed(times), GONE, age_s=120.0) for times in (0, 1))

    assert isinstance(first, StillWorking)
    assert isinstance(second, StillWorking)
    assert (first.wait_s, second.wait_s) == (200, 200)
    assert judge_vanished(paid_and_missed(2), GONE, age_s=120.0) is GONE


def test_a_task_that_was_seen_in_between_is_not_given_up():
    seen = StillWorking(status="Pending", queue_position=None, progress=None, wait_s=None, known=True)
    missed = StillWorking(status=NOT_FOUND, queue_position=None, progress=None, wait_s=None, known=False)
    life = life_of(intended(), SendBegan(), accepted(), missed, missed, seen)

    assert isinstance(judge_vanished(life, GONE, age_s=3600), StillWorking)


# What may be spent.


def overrun(reserve: str, *, total: str | None, call: str | None, committed: str, before: str = "0"):
    budgets = Budgets(
        run_directory_usd=None if total is None else usd(total), call_usd=None if call is None else usd(call)
    )
    return fits(usd(reserve), budgets=budgets, committed=usd(committed), committed_before=usd(before))


def test_the_last_cent_of_a_budget_may_be_spent_and_not_one_more():
    assert overrun("0.05", total="1.00", call=None, committed="0.95") is None
    over = overrun("0.05", total="1.00", call=None, committed="0.96")

    assert over is not None
    assert (over.limit, over.limit_usd, over.committed_usd, over.needed_usd) == (
        "the job's budget",
        usd("1.00"),
        usd("0.96"),
        usd("0.05"),
    )


def test_the_limit_of_a_call_does_not_count_what_was_spent_before_it():
    assert overrun("0.05", total=None, call="0.10", committed="5.05", before="5.00") is None
    over = overrun("0.05", total=None, call="0.10", committed="5.06", before="5.00")

    assert over is not None
    assert (over.limit, over.limit_usd, over.committed_usd, over.needed_usd) == (
        "this call's limit",
        usd("0.10"),
        usd("0.06"),
        usd("0.05"),
    )


def test_the_tighter_of_two_limits_holds():
    both = {"total": "1.00", "call": "0.10"}

    assert overrun("0.05", **both, committed="0.04", before="0") is None
    tight = overrun("0.05", **both, committed="0.99", before="0.95")
    assert tight is not None
    assert tight.limit == "the job's budget"
    assert overrun("0.05", total=None, call=None, committed="1000") is None


# How many are in flight.


def throttle(limit: int, most: int = 24, successes: int = 0) -> Throttle:
    return Throttle(limit=limit, most=most, successes=successes, halved_at=None)


def test_a_full_window_of_successes_raises_the_limit_by_one():
    now = throttle(3)
    for _ in range(2):
        now = now.accepted()
    assert (now.limit, now.successes) == (3, 2)

    assert (now.accepted().limit, now.accepted().successes) == (4, 0)


def test_the_limit_never_passes_its_bound_and_never_falls_below_one():
    assert throttle(24, most=24, successes=23).accepted() == throttle(24, most=24, successes=23)
    assert throttle(23, most=24, successes=22).accepted().limit == 24
    assert throttle(1).refused(sent_at=AT, at=AT).limit == 1


def test_of_refusals_that_were_under_way_together_one_counts():
    halved = throttle(24, successes=5).refused(sent_at=AT, at=AT + timedelta(seconds=1))

    assert (halved.limit, halved.most, halved.successes) == (12, 24, 0)
    assert halved.refused(sent_at=AT + timedelta(seconds=1), at=AT + timedelta(seconds=2)) is halved
    later = halved.refused(sent_at=AT + timedelta(seconds=1.1), at=AT + timedelta(seconds=2))
    assert (later.limit, later.halved_at) == (6, AT + timedelta(seconds=2))


def test_what_grows_back_remembers_when_it_was_halved():
    halved = throttle(4).refused(sent_at=AT, at=AT).accepted()
    assert halved.halved_at == AT

    assert halved.accepted().halved_at == AT


# Whether anything new is sent.


def test_five_silences_in_a_row_close_a_service_for_a_minute():
    four = CLOSED
    for _ in range(4):
        four = four.unanswered(1000.0)
    assert four.allows(1000.0)

    five = four.unanswered(1000.0)
    assert (five.allows(1059.9), five.allows(1060.0)) == (False, True)
    six = five.unanswered(1060.0)
    assert six.allows(1060.0)
    ten = five
    for _ in range(5):
        ten = ten.unanswered(2000.0)
    assert not ten.allows(2059.9)


def test_an_answer_in_between_begins_the_count_anew():
    breaker = CLOSED
    for _ in range(4):
        breaker = breaker.unanswered(1000.0)
    breaker = breaker.answered()
    assert breaker.failures == 0

    assert breaker.unanswered(1000.0).allows(1000.0)


def test_a_pause_goes_on_when_something_sent_before_it_is_answered():
    breaker = CLOSED
    for _ in range(5):
        breaker = breaker.unanswered(1000.0)

    assert not breaker.answered().allows(1059.9)


def test_a_refused_account_is_sent_nothing_more():
    refusal = AccountRefused(status=402, kind="credits", reason="no credits")
    refused = CLOSED.unanswered(5.0).account_refused(refusal)

    assert not refused.allows(1e9)
    assert (refused.refused, refused.failures, refused.open_until_s) == (refusal, 1, 0.0)
    assert refused.answered().refused is refusal
    assert refused.unanswered(5.0).refused is refusal
    assert CLOSED.allows(0.0)


# Takes that nobody answered.


@pytest.mark.parametrize(("rule", "most", "may"), [("hold", 5, False), ("ask", 5, False), ("resubmit", 1, True)])
def test_a_doubtful_take_is_given_up_for_another_only_where_the_user_said_so(rule, most: int, may: bool):
    assert may_resubmit(life_of(*WAY_TO_UNKNOWN), Unknowns(rule=rule, most=most)) is may


def test_it_is_given_up_no_more_often_than_that():
    silence = Unanswered(reason="silence", status=None, excerpt=None)
    once = life_of(*WAY_TO_UNKNOWN, Resubmitted(by="x", number=1), intended(2), SendBegan(), silence)

    assert not may_resubmit(once, Unknowns(rule="resubmit", most=1))
    assert may_resubmit(once, Unknowns(rule="resubmit", most=2))
    assert not may_resubmit(replace(once, resubmissions=0), Unknowns(rule="resubmit", most=0))


def test_a_resubmission_says_on_whose_word_it_was():
    assert resubmitted_by(FREE_TAKES) == "nobody: it costs nothing"
    assert resubmitted_by(Unknowns(rule="resubmit", most=1)) == "--on-unknown resubmit"
    assert may_resubmit(life_of(*WAY_TO_UNKNOWN), FREE_TAKES)
