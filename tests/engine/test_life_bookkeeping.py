"""What each event changes of a life, to the last field, and nothing else.

Every case begins with a life in which nothing is as it was at birth, so that what is forgotten or kept too long shows.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from test_lifecycle import AT, accepted, charged, intended, life_of, rendered, saved

from flux2batch.engine.events import (
    NOT_FOUND,
    Abandoned,
    Accepted,
    AccountRefused,
    Adopted,
    Charge,
    DownloadFailed,
    Failed,
    HandedBack,
    Intended,
    LinkExpired,
    Missed,
    Moderated,
    Moved,
    NotSent,
    PollFailed,
    Rejected,
    Rendered,
    Resubmitted,
    Retried,
    RuledUnsent,
    Saved,
    SendBegan,
    ShotEvent,
    Stalled,
    StillWorking,
    Throttled,
    Unanswered,
    Vanished,
    Withdrawn,
)
from flux2batch.engine.lifecycle import (
    ENDED,
    FREE,
    IN_FLIGHT,
    NO_COUNTS,
    TABLE,
    UNBORN,
    Counters,
    Life,
    advance,
    may_follow,
)
from flux2batch.engine.lifecycle import Phase as P
from flux2batch.money import ZERO, usd

LATER = AT + timedelta(minutes=1)
COUNTS = Counters(
    not_sent=1, throttled=2, refused=3, polls=4, failed_polls=5, vanished=6, expired=7, failed_downloads=8
)
OLD = Life(
    phase=P.PLANNED,
    since=AT,
    takes=3,
    intended=intended(3, frames=3),
    began_at=AT,
    ticket=replace(accepted().ticket, task_id="an older one"),
    accepted_at=AT,
    evidence="listing",
    charge=charged("0.03"),
    rendered=rendered(3),
    frames=rendered(3).frames,
    saved=(saved(0),),
    stalled=True,
    missing=("gone.png",),
    reason="an old reason",
    source="a neighbour",
    resubmissions=2,
    spent=usd("0.10"),
    maybe_spent=usd("0.20"),
    counters=COUNTS,
)
FREE_OF_CHARGE = Charge(usd=ZERO, source="not-billed", megapixels_in=None, megapixels_out=None)
RESERVED = Charge(usd=usd("0.05"), source="estimate", megapixels_in=None, megapixels_out=None)
NOW = {"since": LATER}
OWED = {"charge": None, "spent": usd("0.13")}  # 0.10 of earlier takes, 0.03 of this one


def counted(**changed: int) -> dict[str, Any]:
    return {"counters": replace(COUNTS, **changed)}


def working(status: str = "Pending") -> StillWorking:
    return StillWorking(status=status, queue_position=None, progress=None, wait_s=None, known=True)


CHANGES: dict[str, tuple[P, ShotEvent, P, dict[str, Any]]] = {
    # before, what happened, after, and what changed besides the phase
    "a take begins": (
        P.PLANNED,
        intended(4),
        P.INTENT,
        {
            **NOW,
            "takes": 4,
            "intended": intended(4),
            "began_at": LATER,
            **dict.fromkeys(("ticket", "accepted_at", "evidence", "charge", "rendered", "reason", "source")),
            **dict.fromkeys(("frames", "saved", "missing"), ()),
            "stalled": False,
            "counters": NO_COUNTS,
        },
    ),
    "sending": (P.INTENT, SendBegan(), P.SENDING, {**NOW, "stalled": False}),
    "accepted": (
        P.SENDING,
        Accepted(ticket=accepted().ticket, charge=charged("0.04"), evidence="answer"),
        P.ACCEPTED,
        {
            **NOW,
            "ticket": accepted().ticket,
            "charge": charged("0.04"),
            "evidence": "answer",
            "accepted_at": LATER,
            "reason": None,
            "stalled": False,
            "counters": NO_COUNTS,
        },
    ),
    "throttled": (
        P.SENDING,
        Throttled(wait_s=1, reason="later"),
        P.INTENT,
        {**NOW, "reason": "later", **counted(throttled=3)},
    ),
    "not sent": (P.INTENT, NotSent(reason="away", offline=True), P.INTENT, {"reason": "away", **counted(not_sent=2)}),
    "refused while polling": (
        P.ACCEPTED,
        AccountRefused(status=401, kind="key", reason="key"),
        P.ACCEPTED,
        {"reason": "key", **counted(refused=4)},
    ),
    "refused while sending": (
        P.SENDING,
        AccountRefused(status=402, kind="credits", reason="credits"),
        P.INTENT,
        {**NOW, "reason": "credits", **counted(refused=4)},
    ),
    "rejected": (
        P.SENDING,
        Rejected(status=422, reason="too large", parameters=()),
        P.REJECTED,
        {**NOW, "reason": "too large", "charge": FREE_OF_CHARGE, "stalled": False},
    ),
    "unanswered": (
        P.SENDING,
        Unanswered(reason="silence", status=None, excerpt=None),
        P.UNKNOWN,
        {**NOW, "reason": "silence"},
    ),
    "still working": (P.ACCEPTED, working(), P.ACCEPTED, counted(polls=5, failed_polls=0, vanished=0)),
    "not found as yet": (P.ACCEPTED, working(NOT_FOUND), P.ACCEPTED, counted(polls=5, failed_polls=0, vanished=7)),
    "a poll failed": (
        P.ACCEPTED,
        PollFailed(reason="502", status=502, wait_s=None, offline=False),
        P.ACCEPTED,
        {"reason": "502", **counted(failed_polls=6)},
    ),
    "rendered": (
        P.ACCEPTED,
        rendered(2),
        P.READY,
        {
            **NOW,
            "rendered": rendered(2),
            "frames": rendered(2).frames,
            "reason": None,
            "stalled": False,
            "counters": replace(NO_COUNTS, expired=7),
        },
    ),
    "moderated": (
        P.ACCEPTED,
        Moderated(stage="content", reasons=("a", "b"), charge=FREE_OF_CHARGE),
        P.MODERATED,
        {**NOW, "reason": "a; b", "charge": FREE_OF_CHARGE, "stalled": False},
    ),
    "moderated without a word": (
        P.ACCEPTED,
        Moderated(stage="request", reasons=(), charge=None),
        P.MODERATED,
        {**NOW, "reason": "the request was moderated", "stalled": False},
    ),
    "failed": (
        P.ACCEPTED,
        Failed(reason="x", charge=FREE_OF_CHARGE),
        P.FAILED,
        {**NOW, "reason": "x", "charge": FREE_OF_CHARGE, "stalled": False},
    ),
    "failed at the known price": (
        P.ACCEPTED,
        Failed(reason="x", charge=None),
        P.FAILED,
        {**NOW, "reason": "x", "stalled": False},
    ),
    "vanished": (P.ACCEPTED, Vanished(reason="gone"), P.LOST, {**NOW, "reason": "gone", "stalled": False}),
    "handed back": (
        P.ACCEPTED,
        HandedBack(reason="the machine went"),
        P.PLANNED,
        {**NOW, "reason": "the machine went", "charge": None, "stalled": False},
    ),
    "one more frame": (
        P.READY,
        saved(1),
        P.READY,
        {"saved": (saved(0), saved(1)), "missing": (), "reason": None, "stalled": False},
    ),
    "a frame again": (P.READY, saved(0), P.READY, {"missing": (), "reason": None, "stalled": False}),
    "a frame of a done shot": (
        P.DONE,
        saved(1),
        P.DONE,
        {"saved": (saved(0), saved(1)), "missing": (), "reason": None, "stalled": False},
    ),
    "the link expired": (
        P.READY,
        LinkExpired(reason="403"),
        P.ACCEPTED,
        {**NOW, "reason": "403", **counted(expired=8)},
    ),
    "a download failed": (
        P.READY,
        DownloadFailed(reason="cut", status=None, wait_s=None, offline=False),
        P.READY,
        {"reason": "cut", **counted(failed_downloads=9)},
    ),
    "stalled": (P.READY, Stalled(reason="patience"), P.READY, {"reason": "patience", "counters": NO_COUNTS}),
    "ruled unsent": (
        P.UNKNOWN,
        RuledUnsent(by="me", reason="no charge"),
        P.INTENT,
        {**NOW, "reason": "no charge", "counters": NO_COUNTS},
    ),
    "resubmitted": (P.UNKNOWN, Resubmitted(by="me", number=3), P.PLANNED, {**NOW, **OWED, "resubmissions": 3}),
    "abandoned": (P.UNKNOWN, Abandoned(by="me", reason="enough"), P.LOST, {**NOW, "reason": "enough"}),
    "adopted": (
        P.PLANNED,
        Adopted(source="beside", intended=intended(1), saved=(saved(2),)),
        P.DONE,
        {
            **NOW,
            "source": "beside",
            "intended": intended(1),
            "saved": (saved(2),),
            "charge": FREE_OF_CHARGE,
            "reason": None,
        },
    ),
    "moved": (P.DONE, Moved(saved=(saved(2),)), P.DONE, {"saved": (saved(2),), "missing": ()}),
    "missed": (P.DONE, Missed(path="b.png"), P.DONE, {"missing": ("gone.png", "b.png")}),
    "asked for again": (P.FAILED, Retried(by="me"), P.PLANNED, {**NOW, **OWED}),
    "withdrawn": (P.INTENT, Withdrawn(), P.PLANNED, {**NOW, "takes": 2, "intended": None}),
}


@pytest.mark.parametrize("case", CHANGES)
def test_an_event_changes_this_and_nothing_else(case: str):
    phase, event, target, changed = CHANGES[case]
    before = replace(OLD, phase=phase)

    after = advance(before, event, at=LATER)

    assert after.phase is target
    assert _differences(before, after) == changed


def _differences(before: Life, after: Life) -> dict[str, Any]:
    names = [field.name for field in fields(Life) if field.name != "phase"]
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


def test_every_event_has_its_case():
    assert {type(event) for _, event, _, _ in CHANGES.values()} == set(get_args(ShotEvent))


def test_a_picture_whose_price_nobody_says_is_booked_at_the_reserve():
    quiet = replace(OLD, phase=P.ACCEPTED, charge=None)

    assert advance(quiet, rendered(), at=LATER).charge == RESERVED
    assert advance(replace(quiet, intended=None), rendered(), at=LATER).charge is None
    assert advance(replace(quiet, charge=charged("0.01")), rendered(), at=LATER).charge == charged("0.01")


def test_patience_that_is_spent_shows():
    fresh = replace(OLD, phase=P.ACCEPTED, stalled=False)

    assert advance(fresh, Stalled(reason="x"), at=LATER).stalled


def test_an_unsettled_take_that_ends_stays_at_risk():
    quiet = replace(OLD, phase=P.UNKNOWN, charge=None)

    after = advance(quiet, Resubmitted(by="me", number=1), at=LATER)

    assert (after.spent, after.maybe_spent) == (usd("0.10"), usd("0.25"))
    without = advance(replace(quiet, intended=None), Resubmitted(by="me", number=1), at=LATER)
    assert (without.spent, without.maybe_spent) == (usd("0.10"), usd("0.20"))
    never_begun = replace(OLD, phase=P.FAILED, intended=None)
    assert advance(never_begun, Retried(by="me"), at=LATER).charge == never_begun.charge


def test_a_life_begins_with_nothing():
    counts = {field.name: getattr(NO_COUNTS, field.name) for field in fields(Counters)}

    assert set(counts.values()) == {0}
    nothing = ("since", "intended", "began_at", "ticket", "accepted_at", "evidence", "charge", "rendered", "reason")
    born = Life(
        **dict.fromkeys((*nothing, "source")),
        **dict.fromkeys(("frames", "saved", "missing"), ()),
        **dict.fromkeys(("takes", "resubmissions"), 0),
        **dict.fromkeys(("spent", "maybe_spent"), ZERO),
        phase=P.PLANNED,
        stalled=False,
        counters=NO_COUNTS,
    )
    assert born == UNBORN


ROWS: dict[P, dict[type, P]] = {
    P.PLANNED: {Intended: P.INTENT, Adopted: P.DONE},
    P.INTENT: {SendBegan: P.SENDING, NotSent: P.INTENT, Rejected: P.REJECTED, Stalled: P.INTENT, Withdrawn: P.PLANNED},
    P.SENDING: {
        Accepted: P.ACCEPTED,
        Throttled: P.INTENT,
        NotSent: P.INTENT,
        AccountRefused: P.INTENT,
        Rejected: P.REJECTED,
        Unanswered: P.UNKNOWN,
    },
    P.UNKNOWN: {Accepted: P.ACCEPTED, RuledUnsent: P.INTENT, Resubmitted: P.PLANNED, Abandoned: P.LOST},
    P.ACCEPTED: {
        StillWorking: P.ACCEPTED,
        PollFailed: P.ACCEPTED,
        AccountRefused: P.ACCEPTED,
        Rendered: P.READY,
        Moderated: P.MODERATED,
        Failed: P.FAILED,
        Vanished: P.LOST,
        HandedBack: P.PLANNED,
        Stalled: P.ACCEPTED,
    },
    P.READY: {Saved: P.READY, LinkExpired: P.ACCEPTED, DownloadFailed: P.READY, Stalled: P.READY},
    P.DONE: {Moved: P.DONE, Missed: P.DONE, Saved: P.DONE, Retried: P.PLANNED},
    P.REJECTED: {Retried: P.PLANNED},
    P.MODERATED: {Retried: P.PLANNED},
    P.FAILED: {Retried: P.PLANNED},
    P.LOST: {Retried: P.PLANNED, Accepted: P.ACCEPTED},
}


def test_the_table_is_this_one():
    """A second copy on purpose: a row that is lost by mistake would cost a picture or a second price."""
    assert TABLE == ROWS
    for phase in P:
        for event in (one for _, one, _, _ in CHANGES.values()):
            assert may_follow(phase, event) is (type(event) in ROWS[phase])


def test_the_phases_are_sorted_like_this():
    assert {P.DONE, P.REJECTED, P.MODERATED, P.FAILED, P.LOST} == ENDED
    assert {P.INTENT, P.SENDING, P.ACCEPTED, P.READY} == IN_FLIGHT
    assert {P.PLANNED, P.REJECTED} == FREE
    assert life_of().phase is P.PLANNED


@pytest.mark.parametrize("phase", P)
def test_a_take_is_at_risk_wherever_it_may_have_been_paid(phase: P):
    quiet = replace(OLD, phase=phase, charge=None)

    assert quiet.at_risk == usd("0.20" if phase in (P.PLANNED, P.REJECTED) else "0.25")
    assert quiet.charged == usd("0.10")
    assert quiet.committed == quiet.charged + quiet.at_risk
    assert replace(quiet, intended=None).at_risk == usd("0.20")
    assert replace(quiet, charge=charged("0.03")).at_risk == usd("0.20")
    assert replace(quiet, charge=charged("0.03")).charged == usd("0.13")
