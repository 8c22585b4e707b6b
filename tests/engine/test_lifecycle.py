"""The table of a shot's life: complete, finite, and honest about money."""

from __future__ import annotations

from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import get_args

import pytest

from flux2batch.engine.events import (
    Abandoned,
    Accepted,
    Charge,
    Failed,
    Frame,
    HandedBack,
    Intended,
    LinkExpired,
    Missed,
    NotSent,
    Rendered,
    Resubmitted,
    Retried,
    RuledUnsent,
    Saved,
    SendBegan,
    ShotEvent,
    Stalled,
    Throttled,
    Ticket,
    Unanswered,
    Withdrawn,
)
from flux2batch.engine.lifecycle import (
    ASKED_FOR,
    COUNTED,
    ENDED,
    TABLE,
    UNBORN,
    IllegalEvent,
    Life,
    Phase,
    advance,
    replay,
)
from flux2batch.money import ZERO, usd

AT = datetime(2026, 11, 1, tzinfo=UTC)


def intended(take: int = 1, frames: int = 1) -> Intended:
    return Intended(
        take=take,
        reserve=usd("0.05"),
        estimate=usd("0.05"),
        model="bfl/flux-2-flex",
        endpoint="/v1/flux-2-flex",
        prompt="a boat",
        params={"seed": 1},
        references=(),
        coordinates={},
        repeat=1,
        paths=tuple(f"a-{n}.png" for n in range(frames)),
        frames=frames,
        trim=None,
    )


def accepted(cost: str | None = "0.05") -> Accepted:
    ticket = Ticket(
        provider="bfl",
        model="bfl/flux-2-flex",
        endpoint="/v1/flux-2-flex",
        task_id="t",
        poll_url="https://x",
        result_url=None,
        cancel_url=None,
    )
    charge = None if cost is None else charged(cost)
    return Accepted(ticket=ticket, charge=charge, evidence="answer")


def charged(cost: str) -> Charge:
    return Charge(usd=usd(cost), source="cost", megapixels_in=None, megapixels_out=None)


def rendered(frames: int = 1) -> Rendered:
    frame = Frame(url="https://x/a.png", width=None, height=None, media_type=None, nsfw=False)
    return Rendered(frames=(frame,) * frames, expires_at=None, seed=1, prompt=None, charge=None, details={})


def saved(frame: int = 0) -> Saved:
    return Saved(
        frame=frame,
        path=f"a-{frame}.png",
        copies=(),
        sha256="0" * 64,
        size_bytes=1,
        width=1,
        height=1,
        media_type="image/png",
        original=None,
        remark=None,
    )


def life_of(*events: ShotEvent) -> Life:
    return replay((AT, event) for event in events)


UNANSWERED = Unanswered(reason="silence", status=None, excerpt=None)
WAY_TO_UNKNOWN = (intended(), SendBegan(), UNANSWERED)


def test_every_phase_has_a_row_and_every_event_a_place():
    known = {event for row in TABLE.values() for event in row}

    assert set(TABLE) == set(Phase)
    assert known == set(get_args(ShotEvent))


def test_every_phase_can_be_reached():
    reached, edge = {Phase.PLANNED}, [Phase.PLANNED]
    while edge:
        row = TABLE[edge.pop()]
        edge += [phase for phase in set(row.values()) if phase not in reached]
        reached |= set(row.values())

    assert reached | {Phase.DONE} == set(Phase)


def test_without_its_counted_loops_and_a_persons_word_a_life_always_ends():
    free = {
        phase: {target for event, target in row.items() if (phase, event) not in COUNTED | ASKED_FOR}
        for phase, row in TABLE.items()
    }

    order = list(TopologicalSorter(free).static_order())  # raises CycleError on a loop

    assert set(order) == set(Phase)
    assert all(not free[phase] for phase in ENDED)


def test_an_illegal_event_changes_nothing():
    life = life_of(intended())

    with pytest.raises(IllegalEvent):
        advance(life, saved(), at=AT)
    assert life == life_of(intended())


def test_silence_is_never_sent_again_by_itself():
    assert not {Intended, SendBegan, Throttled, NotSent} & set(TABLE[Phase.UNKNOWN])


def test_replaying_in_two_halves_is_replaying_the_whole():
    events = (intended(), SendBegan(), accepted(), rendered(2), saved(0), saved(1))
    for cut in range(len(events)):
        half = life_of(*events[:cut])
        for event in events[cut:]:
            half = advance(half, event, at=AT)
        assert half == life_of(*events)


def test_a_shot_of_two_frames_is_done_with_the_second():
    assert life_of(intended(), SendBegan(), accepted(), rendered(2), saved(1)).phase is Phase.READY
    assert life_of(intended(), SendBegan(), accepted(), rendered(2), saved(1), saved(0)).phase is Phase.DONE


def test_a_frame_saved_twice_counts_once():
    assert life_of(intended(), SendBegan(), accepted(), rendered(2), saved(0), saved(0)).phase is Phase.READY


BOOKS = {
    # what happened                                                               charged  at risk
    "nothing yet": ((), "0", "0"),
    "intended: its price is reserved": ((intended(),), "0", "0.05"),
    "withdrawn: free again": ((intended(), Withdrawn()), "0", "0"),
    "sending": ((intended(), SendBegan()), "0", "0.05"),
    "unknown: still reserved": (WAY_TO_UNKNOWN, "0", "0.05"),
    "ruled unsent: reserved for the next try": ((*WAY_TO_UNKNOWN, RuledUnsent(by="me", reason="")), "0", "0.05"),
    "abandoned: may have been paid": ((*WAY_TO_UNKNOWN, Abandoned(by="me", reason="")), "0", "0.05"),
    "resubmitted: both may be paid": (
        (*WAY_TO_UNKNOWN, Resubmitted(by="me", number=1), intended(2)),
        "0",
        "0.10",
    ),
    "accepted at a known price": ((intended(), SendBegan(), accepted("0.03")), "0.03", "0"),
    "accepted without a price": ((intended(), SendBegan(), accepted(None)), "0", "0.05"),
    "delivered without a price: the reserve": ((intended(), SendBegan(), accepted(None), rendered()), "0.05", "0"),
    "failed and not billed": (
        (intended(), SendBegan(), accepted("0.03"), Failed(reason="x", charge=charged("0"))),
        "0",
        "0",
    ),
    "failed, and nobody says what it cost": (
        (intended(), SendBegan(), accepted(None), Failed(reason="x", charge=None)),
        "0",
        "0.05",
    ),
    "done and bought again": (
        (
            intended(),
            SendBegan(),
            accepted("0.03"),
            rendered(),
            saved(),
            Missed(path="a"),
            Retried(by="me"),
            intended(2),
        ),
        "0.03",
        "0.05",
    ),
    "an expired link costs nothing": (
        (intended(), SendBegan(), accepted("0.03"), rendered(), LinkExpired(reason="x"), rendered()),
        "0.03",
        "0",
    ),
    "stalled": ((intended(), SendBegan(), accepted("0.03"), Stalled(reason="x")), "0.03", "0"),
    "handed back: nothing was spent": ((intended(), SendBegan(), accepted(None), HandedBack(reason="x")), "0", "0"),
}


@pytest.mark.parametrize("case", BOOKS)
def test_the_books_after(case: str):
    events, charged_usd, at_risk_usd = BOOKS[case]
    life = life_of(*events)

    assert (life.charged, life.at_risk) == (usd(charged_usd), usd(at_risk_usd))


def test_an_unborn_life_owes_nothing():
    assert UNBORN.committed == ZERO
