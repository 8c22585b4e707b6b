"""The scheduler: what every shot in flight waits for, and what is to be done next.

It owns all state of a run and knows no socket, no file and no clock: it is told outcomes and answers with facts to
record and work to do. Rules that hold it together:

- a fact is recorded before any work that follows from it is handed out: the executor commits between `told` and
  `next_work`;
- a shot that waits is an entry in a heap and holds no thread;
- lines that are up are used first, then pictures are fetched (links that die soon first), then polls, then new takes;
- nothing is ever sent again from here but what was provably not sent, or refused for now.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from flux2batch.engine.events import (
    Accepted,
    AccountRefused,
    DownloadFailed,
    LinkExpired,
    NotSent,
    PollFailed,
    Rejected,
    Rendered,
    Resubmitted,
    Saved,
    SendBegan,
    ShotEvent,
    Stalled,
    StillWorking,
    Throttled,
    Ticket,
    Unanswered,
    Vanished,
)
from flux2batch.engine.lifecycle import ENDED, Life, Phase, advance
from flux2batch.engine.pacing import Allowance, Pace
from flux2batch.engine.policy import (
    CLOSED,
    DOWNLOAD_FAILED,
    LINK_EXPIRED,
    POLL_FAILED,
    THROTTLED,
    UNSENT,
    Breaker,
    Throttle,
    Unknowns,
    jittered,
    judge_vanished,
    may_resubmit,
)
from flux2batch.planning.shot import ShotId

LINK_LIFE_S = 540.0
"""A result link lives ten minutes; where the service names no moment, it is used up a minute before."""
_BACKLOG_S = 300.0
_SHARE = 0.35


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, twice: `s` only ever goes forward and measures; `at` is for people and for the journal."""

    s: float
    at: datetime


# What is to be done.


@dataclass(frozen=True, slots=True)
class Open:
    """Prepare the request and connect."""

    shot: ShotId


@dataclass(frozen=True, slots=True)
class Send:
    """Send on the line that is up. `SendBegan` is durable."""

    shot: ShotId


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the line that is up: the run stops before anything was sent on it."""

    shot: ShotId


@dataclass(frozen=True, slots=True)
class Poll:
    shot: ShotId
    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch, check and place one frame."""

    shot: ShotId
    frame: int
    life: Life


Work = Open | Send | HangUp | Poll | Fetch


# What came of it, beside the events themselves.


@dataclass(frozen=True, slots=True)
class LineUp:
    """The request is ready and the connection stands."""


Outcome = ShotEvent | LineUp


class Told(NamedTuple):
    """What followed from an outcome: facts to record, and the shot's life after them."""

    facts: list[ShotEvent]
    life: Life


@dataclass(slots=True)
class _Service:
    """One service as this run has come to know it."""

    throttle: Throttle
    allowance: Allowance
    breaker: Breaker = CLOSED
    taking: int = 0  # takes that count against the throttle: from the opening of a line to the last poll
    quiet_until: float = 0.0  # no new take before: a 429 asked for it, or the network is away
    unsent: int = 0  # in a row
    offline: bool = False
    due_polls: list[tuple[float, int, ShotId]] = field(default_factory=list)  # the longest due first


@dataclass(slots=True)
class _Active:
    """One shot that this run has in its hands."""

    shot: ShotId
    service: str
    kind: str  # of picture: what its pace is learnt from
    life: Life
    taken_s: float
    accepted_s: float = 0.0
    accepted_here: bool = False
    dies_s: float = 0.0  # when its link does
    ready_s: float = 0.0
    busy: bool = False
    counted: bool = False  # against the throttle
    turn: int = 0  # a heap entry of an earlier turn is stale


class Scheduler:
    """All that a run has in its hands."""

    def __init__(
        self,
        *,
        throttles: Mapping[str, Throttle],
        polls_per_s: Mapping[str, float],
        timeout_s: float,
        unknowns: Unknowns,
        chance: Callable[[], float],
        now: Moment,
    ) -> None:
        self._services = {
            name: _Service(throttle=throttle, allowance=Allowance(rate=polls_per_s[name], tokens=1.0, at=now.s))
            for name, throttle in throttles.items()
        }
        self._timeout_s = timeout_s
        self._unknowns = unknowns
        self._chance = chance
        self._active: dict[ShotId, _Active] = {}
        self._task_ids: dict[str, ShotId] = {}
        self._paces: dict[str, Pace] = {}
        self._turn = 0
        self._lines: list[ShotId] = []
        self._fetches: list[tuple[float, int, ShotId]] = []  # ordered by the death of the link
        self._later: list[tuple[float, int, ShotId]] = []  # everything that waits for a moment
        self._opens: list[ShotId] = []
        self._again: dict[ShotId, Life] = {}
        self._stopping = False
        self._aborting = False
        self.problem: str | None = None  # why no new take begins any more, where it is not the user's wish

    # Taking up shots.

    def take_up(self, shot: ShotId, life: Life, *, service: str, kind: str, now: Moment) -> Told:
        """Take a shot in hand: one just intended, or one that an earlier run left on its way.

        A shot found in `sending` was cut off by the death of its process: a crash and silence are the same fact.
        """
        active = _Active(shot=shot, service=service, kind=kind, life=life, taken_s=now.s)
        self._active[shot] = active
        if life.ticket is not None:
            self._task_ids[life.ticket.task_id] = shot
        match life.phase:
            case Phase.INTENT:
                self._count(active)
                self._opens.append(shot)
                return Told([], life)
            case Phase.SENDING:
                self._count(active)
                silence = Unanswered(reason="the run died while the request was under way", status=None, excerpt=None)
                return self.told(shot, silence, now)
            case Phase.ACCEPTED:
                self._count(active)
                passed = (now.at - life.accepted_at).total_seconds() if life.accepted_at else 0.0
                active.accepted_s = now.s - max(passed, 0.0)
                self._wait(active, now.s)
                return Told([], life)
            case Phase.READY:
                active.ready_s = now.s
                self._expect_link(active, now)
                return Told([], life)
            case _:
                raise AssertionError(f"BUG: a shot in {life.phase} has nothing to wait for")

    def room(self, service: str, now: Moment) -> bool:
        """Whether a new take of this service may begin."""
        if self._stopping or self._aborting:
            return False
        state = self._services[service]
        return (
            state.breaker.allows(now.s)
            and not state.offline
            and now.s >= state.quiet_until
            and state.taking < state.throttle.limit
            and not self._behind_with_downloads(now)
        )

    def is_open(self, service: str) -> bool:
        """Whether this service may take something later, even where it takes nothing now."""
        state = self._services[service]
        return not (self._stopping or state.offline or state.breaker.refused)

    def resubmits(self) -> dict[ShotId, Life]:
        """Shots whose unknown take was given up, as the user allowed: they want a new take, with room in the budget."""
        again, self._again = self._again, {}
        return again

    def stop(self, why: str | None = None) -> None:
        """No new takes; what is on its way is finished."""
        self._stopping = True
        self.problem = self.problem or why
        for active in list(self._active.values()):
            if active.life.phase is Phase.INTENT and not active.busy and active.shot not in self._lines:
                self._let_go(active)  # it stays an intent: the next run begins with it
        self._opens.clear()

    def abort(self) -> None:
        """No new work at all; what is in a worker's hands is still recorded when it comes back."""
        self.stop()
        self._aborting = True

    # What is to be done.

    def next_work(self, now: Moment) -> Work | None:
        """The most urgent thing to do now, which counts as being done from here on."""
        if self._lines:
            shot = self._lines.pop()
            unused = self._aborting or self._active[shot].life.phase is Phase.INTENT
            return self._begin(shot, HangUp(shot) if unused else Send(shot))
        if self._aborting:
            return None
        self._wake(now)
        if self._fetches:
            shot = heapq.heappop(self._fetches)[2]
            life = self._active[shot].life
            missing = set(range(len(life.frames))) - {saved.frame for saved in life.saved}
            return self._begin(shot, Fetch(shot, min(missing), life))
        poll = self._next_poll(now)
        if poll is not None:
            return poll
        return self._next_open(now)

    def wake_at(self, now: Moment) -> float | None:
        """The moment at which there may be something to do without any outcome; None where only outcomes help."""
        if self._aborting:
            return None
        while self._later and self._is_stale(self._later[0]):
            heapq.heappop(self._later)
        moments = [self._later[0][0]] if self._later else []
        for state in self._services.values():
            if state.due_polls:
                moments.append(state.allowance.ready_at(now.s))
            moments += [moment for moment in (state.quiet_until, state.breaker.open_until_s) if moment > now.s]
        return min(moments, default=None)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand, or nothing will be done about what is."""
        if self._aborting:
            return not any(active.busy for active in self._active.values())
        return not self._active

    @property
    def is_sending(self) -> bool:
        """Whether a submit is under way: its answer may still bring a task id."""
        return any(active.busy and active.life.phase is Phase.SENDING for active in self._active.values())

    @property
    def in_hand(self) -> int:
        """How many shots this run has in its hands."""
        return len(self._active)

    def life(self, shot: ShotId) -> Life | None:
        """What is known of a shot in hand."""
        active = self._active.get(shot)
        return active.life if active else None

    @property
    def account_problem(self) -> AccountRefused | None:
        """Why a service takes nothing from this account."""
        return next((s.breaker.refused for s in self._services.values() if s.breaker.refused), None)

    @property
    def offline(self) -> bool:
        """Whether a service could not be reached for so long that the run gave up on new takes."""
        return any(state.offline for state in self._services.values())

    def limit(self, service: str) -> int:
        """How many takes of this service may be in flight at present."""
        return self._services[service].throttle.limit

    def _begin(self, shot: ShotId, work: Work) -> Work:
        self._active[shot].busy = True
        return work

    def _wake(self, now: Moment) -> None:
        """Move what has become due to where it is looked for."""
        while self._later and self._later[0][0] <= now.s:
            entry = heapq.heappop(self._later)
            if self._is_stale(entry):
                continue
            due, turn, shot = entry
            active = self._active[shot]
            match active.life.phase:
                case Phase.ACCEPTED:
                    heapq.heappush(self._services[active.service].due_polls, (due, turn, shot))
                case Phase.READY:
                    heapq.heappush(self._fetches, (active.dies_s, turn, shot))
                case Phase.INTENT:
                    self._opens.append(shot)

    def _is_stale(self, entry: tuple[float, int, ShotId]) -> bool:
        active = self._active.get(entry[2])
        return active is None or active.turn != entry[1]

    def _next_poll(self, now: Moment) -> Poll | None:
        for state in self._services.values():
            while state.due_polls:
                shot = state.due_polls[0][2]
                if self._is_stale(state.due_polls[0]):
                    heapq.heappop(state.due_polls)
                    continue
                active = self._active[shot]
                if not state.allowance.take(now.s):
                    break
                heapq.heappop(state.due_polls)
                assert active.life.ticket is not None, "BUG: accepted without a ticket"
                active.busy = True
                return Poll(shot, active.life.ticket)
        return None

    def _next_open(self, now: Moment) -> Open | None:
        for position, shot in enumerate(self._opens):
            active = self._active[shot]
            state = self._services[active.service]
            if self._stopping or state.offline or state.breaker.refused:
                self._opens.pop(position)
                self._let_go(active)  # it stays an intent: the next run begins with it
                return self._next_open(now)
            if now.s >= state.quiet_until and state.breaker.allows(now.s):
                self._opens.pop(position)
                active.busy = True
                return Open(shot)
        return None

    def _behind_with_downloads(self, now: Moment) -> bool:
        """Whether finished pictures have waited so long that their links are in danger: then nothing new is begun."""
        if not self._fetches:
            return False
        return any(now.s - self._active[shot].ready_s > _BACKLOG_S for _, _, shot in self._fetches[:1])

    # What came of it.

    def told(self, shot: ShotId, outcome: Outcome, now: Moment) -> Told:
        """Take in an outcome; its facts must be recorded before anything else is done."""
        active = self._active[shot]
        active.busy = False
        facts = self._take_in(active, outcome, now)
        return Told(facts, active.life)

    def interrupted(self, shot: ShotId, now: Moment) -> None:
        """A worker could not do its work for a reason that is not the shot's (a full disk): it waits as it was."""
        active = self._active[shot]
        active.busy = False
        self._wait(active, now.s)

    def _take_in(self, active: _Active, outcome: Outcome, now: Moment) -> list[ShotEvent]:
        state = self._services[active.service]
        match outcome:
            case LineUp():
                return self._line_is_up(active, now)
            case NotSent():
                return self._not_sent(active, state, outcome, now)
            case Accepted():
                return self._accepted(active, state, outcome, now)
            case Throttled():
                return self._throttled(active, state, outcome, now)
            case AccountRefused():
                return self._account_refused(active, state, outcome, now)
            case Unanswered():
                return self._unanswered(active, state, outcome, now)
            case StillWorking():
                return self._still_working(active, outcome, now)
            case PollFailed():
                return self._poll_failed(active, outcome, now)
            case Vanished():
                age_s = now.s - active.accepted_s
                judged = judge_vanished(active.life, outcome, age_s=age_s)
                if isinstance(judged, StillWorking):
                    return self._still_working(active, judged, now)
                return self._ended(active, judged, now)
            case Rendered():
                return self._rendered(active, outcome, now)
            case Saved():
                return self._saved(active, outcome, now)
            case LinkExpired():
                return self._link_expired(active, outcome, now)
            case DownloadFailed():
                return self._download_failed(active, outcome, now)
            case Rejected():
                if active.life.phase is Phase.SENDING:
                    state.breaker = state.breaker.answered()
                return self._ended(active, outcome, now)
            case _:
                # Moderated, Failed: the service's last word.
                return self._ended(active, outcome, now)

    def _line_is_up(self, active: _Active, now: Moment) -> list[ShotEvent]:
        state = self._services[active.service]
        state.unsent = 0
        self._lines.append(active.shot)
        if self._stopping or not state.breaker.allows(now.s):
            return []  # next_work hangs up: not a byte was sent
        began = SendBegan()
        self._advance(active, began, now)
        return [began]

    def hung_up(self, shot: ShotId, now: Moment) -> Told:
        """A line that was not used is closed; the shot stays an intent for the next run."""
        active = self._active[shot]
        facts: list[ShotEvent] = []
        if active.life.phase is Phase.SENDING:
            facts.append(NotSent(reason="the run was stopped before a byte was sent", offline=False))
            self._advance(active, facts[0], now)
        self._let_go(active)
        return Told(facts, active.life)

    def _not_sent(self, active: _Active, state: _Service, outcome: NotSent, now: Moment) -> list[ShotEvent]:
        self._advance(active, outcome, now)
        state.unsent += 1
        attempt = active.life.counters.not_sent
        wait_s = jittered(UNSENT.wait_s(state.unsent if outcome.offline else attempt), self._chance())
        if outcome.offline:
            # The others would only learn the same.
            state.quiet_until = max(state.quiet_until, now.s + wait_s)
        if UNSENT.is_spent(attempt):
            state.offline = state.offline or outcome.offline
            return [outcome, *self._stalled(active, outcome.reason, now)]
        self._wait(active, now.s + wait_s)
        return [outcome]

    def _accepted(self, active: _Active, state: _Service, outcome: Accepted, now: Moment) -> list[ShotEvent]:
        owner = self._task_ids.get(outcome.ticket.task_id)
        if owner is not None and owner != active.shot:
            self.stop("the service gave one task id to two shots; nothing more is sent until a person has looked")
            doubt = Unanswered(reason="the service answered with another shot's task id", status=200, excerpt=None)
            return self._unanswered(active, state, doubt, now)
        self._task_ids[outcome.ticket.task_id] = active.shot
        state.throttle = state.throttle.accepted()
        state.breaker = state.breaker.answered()
        self._advance(active, outcome, now)
        active.accepted_s, active.accepted_here = now.s, True
        self._wait(active, self._next_look(active, now))
        return [outcome]

    def _throttled(self, active: _Active, state: _Service, outcome: Throttled, now: Moment) -> list[ShotEvent]:
        sent_at = active.life.since or now.at
        state.throttle = state.throttle.refused(sent_at=sent_at, at=now.at)
        self._advance(active, outcome, now)
        wait_s = max(outcome.wait_s or 0.0, THROTTLED.wait_s(min(active.life.counters.throttled, 6)))
        due = now.s + jittered(wait_s, self._chance())
        state.quiet_until = max(state.quiet_until, now.s + (outcome.wait_s or 0.5))
        self._wait(active, due)
        return [outcome]

    def _account_refused(
        self, active: _Active, state: _Service, outcome: AccountRefused, now: Moment
    ) -> list[ShotEvent]:
        state.breaker = state.breaker.account_refused(outcome)
        self._advance(active, outcome, now)
        if active.life.phase is Phase.INTENT:
            self._let_go(active)
            return [outcome]
        if self._out_of_time(active, now):
            return self._stalled(active, outcome.reason, now)
        self._wait(active, now.s + jittered(POLL_FAILED.wait_s(active.life.counters.refused + 2), self._chance()))
        return []

    def _unanswered(self, active: _Active, state: _Service, outcome: Unanswered, now: Moment) -> list[ShotEvent]:
        if outcome.status is None or outcome.status >= 500:
            state.breaker = state.breaker.unanswered(now.s)
        self._advance(active, outcome, now)
        facts: list[ShotEvent] = [outcome]
        if may_resubmit(active.life, self._unknowns) and not self._stopping:
            again = Resubmitted(by="--on-unknown resubmit", number=active.life.resubmissions + 1)
            self._advance(active, again, now)
            facts.append(again)
            self._again[active.shot] = active.life
        self._let_go(active)
        return facts

    def _still_working(self, active: _Active, outcome: StillWorking, now: Moment) -> list[ShotEvent]:
        self._advance(active, outcome, now)
        if self._out_of_time(active, now):
            return self._stalled(active, f"still {outcome.status} when its time was over", now)
        due = self._next_look(active, now)
        if not outcome.known:
            # A status that we know comes with a Retry-After of its own accord (BFL: always 1), and is no plea for rest.
            due = max(due, now.s + (outcome.wait_s or 0.0))
        self._wait(active, due)
        return []

    def _poll_failed(self, active: _Active, outcome: PollFailed, now: Moment) -> list[ShotEvent]:
        self._advance(active, outcome, now)
        if self._out_of_time(active, now):
            return self._stalled(active, outcome.reason, now)
        wait_s = max(POLL_FAILED.wait_s(active.life.counters.failed_polls), outcome.wait_s or 0.0)
        self._wait(active, now.s + jittered(wait_s, self._chance()))
        return []

    def _rendered(self, active: _Active, outcome: Rendered, now: Moment) -> list[ShotEvent]:
        if active.accepted_here and not active.life.counters.expired:
            self._paces.setdefault(active.kind, Pace()).saw(now.s - active.accepted_s)
        self._uncount(active)
        self._advance(active, outcome, now)
        active.ready_s = now.s
        self._expect_link(active, now)
        return [outcome]

    def _saved(self, active: _Active, outcome: Saved, now: Moment) -> list[ShotEvent]:
        self._advance(active, outcome, now)
        if active.life.phase is Phase.DONE:
            self._let_go(active)
        else:
            self._wait(active, now.s)
        return [outcome]

    def _link_expired(self, active: _Active, outcome: LinkExpired, now: Moment) -> list[ShotEvent]:
        self._advance(active, outcome, now)
        self._count(active)
        attempt = active.life.counters.expired
        if LINK_EXPIRED.is_spent(attempt):
            return [outcome, *self._stalled(active, outcome.reason, now)]
        wait_s = 0.0 if attempt == 1 else jittered(LINK_EXPIRED.wait_s(attempt), self._chance())
        self._wait(active, now.s + wait_s)
        return [outcome]

    def _download_failed(self, active: _Active, outcome: DownloadFailed, now: Moment) -> list[ShotEvent]:
        self._advance(active, outcome, now)
        attempt = active.life.counters.failed_downloads
        if DOWNLOAD_FAILED.is_spent(attempt):
            return self._stalled(active, outcome.reason, now)
        wait_s = max(DOWNLOAD_FAILED.wait_s(attempt), outcome.wait_s or 0.0)
        self._wait(active, now.s + jittered(wait_s, self._chance()))
        return []

    def _ended(self, active: _Active, outcome: ShotEvent, now: Moment) -> list[ShotEvent]:
        self._advance(active, outcome, now)
        assert active.life.phase in ENDED, f"BUG: {type(outcome).__name__} does not end a shot"
        self._let_go(active)
        return [outcome]

    def _stalled(self, active: _Active, reason: str, now: Moment) -> list[ShotEvent]:
        stalled = Stalled(reason=reason)
        self._advance(active, stalled, now)
        self._let_go(active)
        return [stalled]

    def _advance(self, active: _Active, event: ShotEvent, now: Moment) -> None:
        active.life = advance(active.life, event, at=now.at)

    def _let_go(self, active: _Active) -> None:
        """The run has no more to do with this shot."""
        del self._active[active.shot]
        if active.life.ticket is not None:
            self._task_ids.pop(active.life.ticket.task_id, None)
        self._uncount(active)

    def _count(self, active: _Active) -> None:
        if not active.counted:
            active.counted = True
            self._services[active.service].taking += 1

    def _uncount(self, active: _Active) -> None:
        if active.counted:
            active.counted = False
            self._services[active.service].taking -= 1

    def _wait(self, active: _Active, due: float) -> None:
        self._turn += 1
        active.turn = self._turn
        heapq.heappush(self._later, (due, self._turn, active.shot))

    def _expect_link(self, active: _Active, now: Moment) -> None:
        rendered = active.life.rendered
        left_s = LINK_LIFE_S
        if rendered is not None and rendered.expires_at is not None:
            left_s = (rendered.expires_at - now.at) / timedelta(seconds=1)
        active.dies_s = now.s + left_s
        self._wait(active, now.s)

    def _next_look(self, active: _Active, now: Moment) -> float:
        age_s = now.s - active.accepted_s
        pace = self._paces.setdefault(active.kind, Pace())
        return active.accepted_s + pace.next_age(age_s, share=_SHARE)

    def _out_of_time(self, active: _Active, now: Moment) -> bool:
        since = active.accepted_s if active.accepted_here else active.taken_s
        return now.s - since > self._timeout_s
