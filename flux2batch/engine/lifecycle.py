"""The life of a shot as a table: which event may follow what, and what becomes of the shot.

Rules that hold this file together:
- everything is pure: time is an argument, chance does not exist, nothing is opened;
- TABLE is the one place where a transition is allowed; `advance` does the bookkeeping of those that are;
- a loop in the table is counted (policy gives each a patience) or asked for by a person; a test drops those and sorts
  the rest topologically;
- only a death or a silence in `sending` is ambiguous, and only a person or a proof leads out of `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flux2batch.engine.copying import replace
from flux2batch.engine.events import (
    NOT_FOUND,
    Abandoned,
    Accepted,
    AccountRefused,
    Adopted,
    Charge,
    DownloadFailed,
    Failed,
    Frame,
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
    Ticket,
    Unanswered,
    Vanished,
    Withdrawn,
)
from flux2batch.money import ZERO, Money


class Phase(StrEnum):
    """Where a shot is in its life."""

    PLANNED = "planned"
    INTENT = "intent"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    READY = "ready"
    DONE = "done"
    REJECTED = "rejected"
    MODERATED = "moderated"
    FAILED = "failed"
    LOST = "lost"


ENDED = frozenset({Phase.DONE, Phase.REJECTED, Phase.MODERATED, Phase.FAILED, Phase.LOST})
IN_FLIGHT = frozenset({Phase.INTENT, Phase.SENDING, Phase.ACCEPTED, Phase.READY})
FREE = frozenset({Phase.PLANNED, Phase.REJECTED})
"""Where the current take has cost nothing. Everywhere else it has, or may have, or is about to."""

P = Phase
TABLE: Mapping[Phase, Mapping[type[ShotEvent], Phase]] = {
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
"""`ready` ends in `done` with the last frame saved: `advance` counts them."""

COUNTED: frozenset[tuple[Phase, type[ShotEvent]]] = frozenset(
    {
        (P.INTENT, NotSent),
        (P.INTENT, Stalled),
        (P.SENDING, Throttled),
        (P.SENDING, NotSent),
        (P.SENDING, AccountRefused),
        (P.ACCEPTED, StillWorking),
        (P.ACCEPTED, PollFailed),
        (P.ACCEPTED, AccountRefused),
        (P.ACCEPTED, HandedBack),
        (P.ACCEPTED, Stalled),
        (P.READY, Saved),
        (P.READY, LinkExpired),
        (P.READY, DownloadFailed),
        (P.READY, Stalled),
    }
)
"""Loops that patience bounds within a run."""

ASKED_FOR: frozenset[tuple[Phase, type[ShotEvent]]] = frozenset(
    {(phase, Retried) for phase in Phase}
    | {(P.INTENT, Withdrawn)}
    | {(P.UNKNOWN, RuledUnsent), (P.UNKNOWN, Resubmitted), (P.LOST, Accepted)}
    | {(P.DONE, Moved), (P.DONE, Missed), (P.DONE, Saved)}
)
"""Loops that only a person's word, or a file that was moved, goes through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """How often each counted loop was gone through since the shot last made headway."""

    not_sent: int
    throttled: int
    refused: int
    polls: int
    failed_polls: int
    vanished: int
    expired: int
    failed_downloads: int


NO_COUNTS = Counters(
    not_sent=0, throttled=0, refused=0, polls=0, failed_polls=0, vanished=0, expired=0, failed_downloads=0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that is known of one shot: the fold of its events."""

    phase: Phase
    since: datetime | None  # when it entered the phase
    takes: int
    intended: Intended | None  # of the current take
    began_at: datetime | None  # of the current take
    ticket: Ticket | None
    accepted_at: datetime | None
    evidence: str | None
    charge: Charge | None  # of the current take
    rendered: Rendered | None
    frames: tuple[Frame, ...]
    saved: tuple[Saved, ...]
    stalled: bool
    missing: tuple[str, ...]
    reason: str | None
    source: str | None  # the run directory that it was adopted from
    resubmissions: int
    spent: Money  # settled, of earlier takes
    maybe_spent: Money  # possible charges of earlier takes that nobody settled
    counters: Counters

    @property
    def at_risk(self) -> Money:
        """What may have been spent, or is reserved to be, beyond what is known to be charged."""
        if self.phase in FREE or self.intended is None or self.charge is not None:
            return self.maybe_spent
        return Money(self.maybe_spent + self.intended.reserve)

    @property
    def charged(self) -> Money:
        """What the service has said that it charged, over all takes."""
        return Money(self.spent + (self.charge.usd if self.charge else ZERO))

    @property
    def committed(self) -> Money:
        """What counts against a budget: charged, in flight and unknown."""
        return Money(self.charged + self.at_risk)


UNBORN = Life(
    phase=Phase.PLANNED,
    since=None,
    takes=0,
    intended=None,
    began_at=None,
    ticket=None,
    accepted_at=None,
    evidence=None,
    charge=None,
    rendered=None,
    frames=(),
    saved=(),
    stalled=False,
    missing=(),
    reason=None,
    source=None,
    resubmissions=0,
    spent=ZERO,
    maybe_spent=ZERO,
    counters=NO_COUNTS,
)


class IllegalEvent(ValueError):
    """This event cannot follow in this phase: a bug, or a journal that was tampered with."""


def may_follow(phase: Phase, event: ShotEvent) -> bool:
    """Whether the table has a row for it."""
    return type(event) in TABLE[phase]


def advance(life: Life, event: ShotEvent, *, at: datetime) -> Life:
    """The life after the event. Raises IllegalEvent, and changes nothing, where the table does not allow it."""
    target = TABLE[life.phase].get(type(event))
    if target is None:
        raise IllegalEvent(f"{type(event).__name__} cannot follow in {life.phase}")
    moved = _told(life, event, at)
    if target is Phase.READY and isinstance(event, Saved) and len(moved.saved) == len(moved.frames):
        target = Phase.DONE
    return replace(moved, phase=target, since=life.since if target is life.phase else at)


def replay(events: Iterable[tuple[datetime, ShotEvent]]) -> Life:
    """The fold of a shot's events, from the first."""
    life = UNBORN
    for at, event in events:
        life = advance(life, event, at=at)
    return life


def _told(life: Life, event: ShotEvent, at: datetime) -> Life:
    """The bookkeeping of one event; the phase is advance's."""
    counters = life.counters
    match event:
        case Intended():
            return replace(
                life,
                takes=event.take,
                intended=event,
                began_at=at,
                ticket=None,
                accepted_at=None,
                evidence=None,
                charge=None,
                rendered=None,
                frames=(),
                saved=(),
                stalled=False,
                missing=(),
                reason=None,
                source=None,
                counters=NO_COUNTS,
            )
        case SendBegan():
            return replace(life, stalled=False)
        case Accepted(ticket=ticket, charge=charge, evidence=evidence):
            return replace(
                life,
                ticket=ticket,
                charge=charge,
                evidence=evidence,
                accepted_at=at,
                reason=None,
                stalled=False,
                counters=NO_COUNTS,
            )
        case Throttled(reason=reason):
            return replace(life, reason=reason, counters=replace(counters, throttled=counters.throttled + 1))
        case NotSent(reason=reason):
            return replace(life, reason=reason, counters=replace(counters, not_sent=counters.not_sent + 1))
        case AccountRefused(reason=reason):
            return replace(life, reason=reason, counters=replace(counters, refused=counters.refused + 1))
        case Rejected(reason=reason):
            return replace(life, reason=reason, charge=_nothing(), stalled=False)
        case Unanswered(reason=reason):
            return replace(life, reason=reason)
        case StillWorking(status=status):
            vanished = counters.vanished + 1 if status == NOT_FOUND else 0
            return replace(
                life, counters=replace(counters, polls=counters.polls + 1, failed_polls=0, vanished=vanished)
            )
        case PollFailed(reason=reason):
            return replace(life, reason=reason, counters=replace(counters, failed_polls=counters.failed_polls + 1))
        case Rendered(frames=frames, charge=charge):
            return replace(
                life,
                rendered=event,
                frames=frames,
                charge=charge or life.charge or _as_reserved(life),
                reason=None,
                stalled=False,
                counters=replace(NO_COUNTS, expired=counters.expired),
            )
        case Moderated(reasons=reasons, charge=charge):
            said = "; ".join(reasons) or f"the {event.stage} was moderated"
            return replace(life, reason=said, charge=charge or life.charge, stalled=False)
        case Failed(reason=reason, charge=charge):
            return replace(life, reason=reason, charge=charge or life.charge, stalled=False)
        case Vanished(reason=reason):
            return replace(life, reason=reason, stalled=False)
        case HandedBack(reason=reason):
            return _settled(replace(life, reason=reason, charge=_nothing(), stalled=False))
        case Saved():
            kept = tuple(saved for saved in life.saved if saved.frame != event.frame)
            saved = tuple(sorted((*kept, event), key=lambda one: one.frame))
            return replace(life, saved=saved, missing=(), reason=None, stalled=False)
        case LinkExpired(reason=reason):
            return replace(life, reason=reason, counters=replace(counters, expired=counters.expired + 1))
        case DownloadFailed(reason=reason):
            return replace(
                life, reason=reason, counters=replace(counters, failed_downloads=counters.failed_downloads + 1)
            )
        case Stalled(reason=reason):
            return replace(life, reason=reason, stalled=True, counters=NO_COUNTS)
        case RuledUnsent(reason=reason):
            return replace(life, reason=reason, counters=NO_COUNTS)
        case Resubmitted(number=number):
            return _settled(replace(life, resubmissions=number))
        case Abandoned(reason=reason):
            return replace(life, reason=reason)
        case Adopted(source=source, intended=intended, saved=saved):
            return replace(life, source=source, intended=intended, saved=saved, charge=_nothing(), reason=None)
        case Moved(saved=saved):
            return replace(life, saved=saved, missing=())
        case Missed(path=path):
            return replace(life, missing=(*life.missing, path))
        case Retried():
            return _settled(life)
        case Withdrawn():
            return replace(life, takes=life.takes - 1, intended=None)


def _nothing() -> Charge:
    return Charge(usd=ZERO, source="not-billed", megapixels_in=None, megapixels_out=None)


def _as_reserved(life: Life) -> Charge | None:
    """Where a service delivers and names no price, the most that it can have cost stands in the books, and says so."""
    if life.intended is None:
        return None
    return Charge(usd=life.intended.reserve, source="estimate", megapixels_in=None, megapixels_out=None)


def _settled(life: Life) -> Life:
    """The books of the take that ends here: what it cost, or may have cost, outlives it."""
    if life.intended is None:
        return life
    if life.charge is not None:
        return replace(life, spent=life.charged, charge=None)
    return replace(life, maybe_spent=life.at_risk)
