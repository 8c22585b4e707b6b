"""What follows from an outcome: the facts to record, and what the shot and its service wait for from then on.

Nothing is ever sent again from here but what was provably not sent, or refused for now.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flux2batch.engine.calling import MOST_CALLS, Called
from flux2batch.engine.events import (
    Accepted,
    AccountRefused,
    DownloadFailed,
    HandedBack,
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
from flux2batch.engine.in_hand import Active, InHand
from flux2batch.engine.lifecycle import ENDED, Life, Phase, advance
from flux2batch.engine.pacing import Pace
from flux2batch.engine.policy import (
    DOWNLOAD_FAILED,
    LINK_EXPIRED,
    POLL_FAILED,
    THROTTLED,
    UNSENT,
    jittered,
    judge_vanished,
    may_resubmit,
    resubmitted_by,
)
from flux2batch.engine.work import LineUp, Moment, Outcome
from flux2batch.planning.shot import ShotId


class Consequences:
    """The rules of one run, and what it has learnt of how long pictures take."""

    def __init__(self, in_hand: InHand, *, timeout_s: float, chance: Callable[[], float]) -> None:
        self._in_hand = in_hand
        self._timeout_s = timeout_s
        self._chance = chance
        self._paces: dict[str, Pace] = {}
        self.again: dict[ShotId, Life] = {}  # whose take was given up or handed back: they want a new one
        self.is_told_progress = False  # by any service, how far a picture is
        self.stopping = False
        self.problem: str | None = None  # why no new take begins any more, where it is not the user's wish

    def stop(self, why: str | None) -> None:
        """No new takes; what is on its way is finished."""
        self.stopping = True
        self.problem = self.problem or why
        self._in_hand.release_unsent()
        self._in_hand.release_doubtful()

    def follow(self, active: Active, outcome: Outcome, now: Moment) -> list[ShotEvent]:
        """Take the outcome in; the facts that it brought."""
        match outcome:
            case LineUp():
                return self._line_is_up(active, now)
            case NotSent():
                return self._not_sent(active, outcome, now)
            case Accepted():
                return self._accepted(active, outcome, now)
            case Throttled():
                return self._throttled(active, outcome, now)
            case AccountRefused():
                return self._account_refused(active, outcome, now)
            case Unanswered():
                return self._unanswered(active, outcome, now)
            case StillWorking():
                return self._still_working(active, outcome, now)
            case PollFailed():
                return self._poll_failed(active, outcome, now)
            case Vanished():
                return self._vanished(active, outcome, now)
            case HandedBack():
                return self._handed_back(active, outcome, now)
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
                    active.service.breaker = active.service.breaker.answered()
                return self._ended(active, outcome, now)
            case _:
                # Moderated, Failed: the service's last word.
                return self._ended(active, outcome, now)

    # Of a submit.

    def _line_is_up(self, active: Active, now: Moment) -> list[ShotEvent]:
        self._in_hand.lines.append(active.shot)
        if self.stopping or not active.service.breaker.allows(now.s):
            return []  # the scheduler hangs up: not a byte was sent
        began = SendBegan()
        _advance(active, began, now)
        return [began]

    def _not_sent(self, active: Active, outcome: NotSent, now: Moment) -> list[ShotEvent]:
        service = active.service
        _advance(active, outcome, now)
        attempt = active.life.counters.not_sent
        wait_s = jittered(UNSENT.wait_s(attempt), self._chance())
        if outcome.offline:
            # The others would only learn the same.
            service.quiet_until = max(service.quiet_until, now.s + wait_s)
        if UNSENT.is_spent(attempt):
            service.offline = service.offline or outcome.offline
            return [outcome, *self._stalled(active, outcome.reason, now)]
        self._in_hand.wait(active, now.s + wait_s)
        return [outcome]

    def _accepted(self, active: Active, outcome: Accepted, now: Moment) -> list[ShotEvent]:
        if not self._in_hand.claim(outcome.ticket.task_id, active.shot):
            self.stop("the service gave one task id to two shots; nothing more is sent until a person has looked")
            doubt = Unanswered(reason="the service answered with another shot's task id", status=200, excerpt=None)
            return self._unanswered(active, doubt, now)
        active.service.throttle = active.service.throttle.accepted()
        active.service.breaker = active.service.breaker.answered()
        _advance(active, outcome, now)
        active.accepted_s = active.looked_s = now.s
        active.accepted_here = True
        self._in_hand.wait(active, self._next_look(active, now))
        if active.early is not None:
            call, _ = active.early
            active.early = None
            if call.is_over and call.task_id == outcome.ticket.task_id:
                self._look_now(active, now)
        return [outcome]

    def _throttled(self, active: Active, outcome: Throttled, now: Moment) -> list[ShotEvent]:
        service = active.service
        sent_at = active.life.since or now.at
        service.throttle = service.throttle.refused(sent_at=sent_at, at=now.at)
        _advance(active, outcome, now)
        wait_s = max(outcome.wait_s or 0.0, THROTTLED.wait_s(min(active.life.counters.throttled, 6)))
        due = now.s + jittered(wait_s, self._chance())
        service.quiet_until = max(service.quiet_until, now.s + (outcome.wait_s or 0.5))
        self._in_hand.wait(active, due)
        return [outcome]

    def _account_refused(self, active: Active, outcome: AccountRefused, now: Moment) -> list[ShotEvent]:
        active.service.breaker = active.service.breaker.account_refused(outcome)
        _advance(active, outcome, now)
        if active.life.phase is Phase.INTENT:
            self._in_hand.let_go(active)
            return [outcome]
        if self._out_of_time(active, now):
            return self._stalled(active, outcome.reason, now)
        wait_s = jittered(POLL_FAILED.wait_s(active.life.counters.refused + 2), self._chance())
        self._in_hand.wait(active, now.s + wait_s)
        return []

    def _unanswered(self, active: Active, outcome: Unanswered, now: Moment) -> list[ShotEvent]:
        if outcome.status is None or outcome.status >= 500:
            active.service.breaker = active.service.breaker.unanswered(now.s)
        sent_at = active.life.since or now.at
        _advance(active, outcome, now)
        if active.early is not None and self._in_hand.is_free(active.early[0].task_id, active.shot):
            return [outcome, *self._accepted_by_call(active, *active.early, now)]
        if active.service.net is not None and not self.stopping:
            self.await_call(active, since=sent_at, now=now)
            return [outcome]
        facts = self._resubmitted(active, now)
        self._in_hand.let_go(active)
        return [outcome, *facts]

    def _resubmitted(self, active: Active, now: Moment) -> list[ShotEvent]:
        """The doubtful take is given up for another, where the rule allows it."""
        rule = active.service.unknowns
        if self.stopping or not may_resubmit(active.life, rule):
            return []
        again = Resubmitted(by=resubmitted_by(rule), number=active.life.resubmissions + 1)
        _advance(active, again, now)
        self.again[active.shot] = active.life
        return [again]

    # Of a call.

    def await_call(self, active: Active, *, since: datetime, now: Moment) -> None:
        """Wait for a take's call as long as its picture may take."""
        passed_s = max((now.at - since).total_seconds(), 0.0)
        self._in_hand.await_call(active, until_s=now.s + max(self._timeout_s - passed_s, 0.0))

    def heed(self, active: Active, call: Called, ticket: Ticket, now: Moment) -> list[ShotEvent]:
        """A service called. What is not about this take, or about its task, changes nothing."""
        if call.take != active.life.takes or not self._in_hand.is_free(call.task_id, active.shot):
            return []
        match active.life.phase:
            case Phase.SENDING:
                active.early = call, ticket  # the answer is on its way, or lost: then this is as good as it
            case Phase.UNKNOWN:
                return self._accepted_by_call(active, call, ticket, now)
            case Phase.ACCEPTED if active.life.ticket is not None and active.life.ticket.task_id == call.task_id:
                if call.is_over:
                    self._look_now(active, now)
        return []

    def give_up_waiting(self, active: Active, now: Moment) -> list[ShotEvent]:
        """The call has not come. It is still heard if it comes while the run has other things to do."""
        facts = self._resubmitted(active, now)
        if facts:
            self._in_hand.let_go(active)
        return facts

    def _accepted_by_call(self, active: Active, call: Called, ticket: Ticket, now: Moment) -> list[ShotEvent]:
        self._in_hand.expect_no_call(active)
        self._in_hand.count(active)
        active.early = call, ticket
        return self._accepted(active, Accepted(ticket=ticket, charge=None, evidence="webhook"), now)

    def _look_now(self, active: Active, now: Moment) -> None:
        active.service.missed = 0
        if active.called == MOST_CALLS:
            return
        active.called, active.looks = active.called + 1, 0
        if active.busy:
            active.look_again = True  # what is being asked now may have been asked a moment too early
        else:
            self._in_hand.wait(active, now.s)

    # Of a poll.

    def _still_working(self, active: Active, outcome: StillWorking, now: Moment) -> list[ShotEvent]:
        _advance(active, outcome, now)
        active.progress = outcome.progress
        self.is_told_progress = self.is_told_progress or outcome.progress is not None
        active.looks += 1
        if self._out_of_time(active, now):
            return self._stalled(active, f"still {outcome.status} when its time was over", now)
        due = self._next_look(active, now)
        active.looked_s = now.s
        if not outcome.known:
            # A status that we know comes with a Retry-After of its own accord (BFL: always 1), and is no plea for rest.
            due = max(due, now.s + (outcome.wait_s or 0.0))
        self._in_hand.wait(active, due)
        return []

    def _poll_failed(self, active: Active, outcome: PollFailed, now: Moment) -> list[ShotEvent]:
        _advance(active, outcome, now)
        if self._out_of_time(active, now):
            return self._stalled(active, outcome.reason, now)
        wait_s = max(POLL_FAILED.wait_s(active.life.counters.failed_polls), outcome.wait_s or 0.0)
        self._in_hand.wait(active, now.s + jittered(wait_s, self._chance()))
        return []

    def _vanished(self, active: Active, outcome: Vanished, now: Moment) -> list[ShotEvent]:
        judged = judge_vanished(active.life, outcome, age_s=now.s - active.accepted_s)
        if isinstance(judged, StillWorking):
            return self._still_working(active, judged, now)
        return self._ended(active, judged, now)

    def _handed_back(self, active: Active, outcome: HandedBack, now: Moment) -> list[ShotEvent]:
        _advance(active, outcome, now)
        if not self.stopping:
            self.again[active.shot] = active.life
        self._in_hand.let_go(active)
        return [outcome]

    def _rendered(self, active: Active, outcome: Rendered, now: Moment) -> list[ShotEvent]:
        if active.accepted_here and not active.life.counters.expired:
            if active.service.is_relied_on and not active.called:
                active.service.missed += 1  # and since when it has been ready nobody knows
            else:
                age_s = now.s - active.accepted_s
                not_at_s = age_s if active.called else active.looked_s - active.accepted_s
                self._pace(active).saw(not_at_s=not_at_s, by_s=age_s, chance=self._chance())
        self._in_hand.uncount(active)
        _advance(active, outcome, now)
        active.ready_s = now.s
        self._in_hand.expect_link(active, now)
        return [outcome]

    # Of a download.

    def _saved(self, active: Active, outcome: Saved, now: Moment) -> list[ShotEvent]:
        _advance(active, outcome, now)
        if active.life.phase is Phase.DONE:
            self._in_hand.let_go(active)
        else:
            self._in_hand.wait(active, now.s)
        return [outcome]

    def _link_expired(self, active: Active, outcome: LinkExpired, now: Moment) -> list[ShotEvent]:
        _advance(active, outcome, now)
        self._in_hand.count(active)
        attempt = active.life.counters.expired
        if LINK_EXPIRED.is_spent(attempt):
            return [outcome, *self._stalled(active, outcome.reason, now)]
        wait_s = 0.0 if attempt == 1 else jittered(LINK_EXPIRED.wait_s(attempt), self._chance())
        self._in_hand.wait(active, now.s + wait_s)
        return [outcome]

    def _download_failed(self, active: Active, outcome: DownloadFailed, now: Moment) -> list[ShotEvent]:
        _advance(active, outcome, now)
        attempt = active.life.counters.failed_downloads
        if DOWNLOAD_FAILED.is_spent(attempt):
            return self._stalled(active, outcome.reason, now)
        wait_s = max(DOWNLOAD_FAILED.wait_s(attempt), outcome.wait_s or 0.0)
        self._in_hand.wait(active, now.s + jittered(wait_s, self._chance()))
        return []

    # Of any.

    def _ended(self, active: Active, outcome: ShotEvent, now: Moment) -> list[ShotEvent]:
        _advance(active, outcome, now)
        assert active.life.phase in ENDED, f"BUG: {type(outcome).__name__} does not end a shot"
        self._in_hand.let_go(active)
        return [outcome]

    def _stalled(self, active: Active, reason: str, now: Moment) -> list[ShotEvent]:
        stalled = Stalled(reason=reason)
        _advance(active, stalled, now)
        self._in_hand.let_go(active)
        return [stalled]

    def _next_look(self, active: Active, now: Moment) -> float:
        if active.look_again:
            active.look_again = False
            return now.s
        service = active.service
        if service.net is not None and service.is_relied_on:
            return now.s + service.net.wait_s(called=bool(active.called), looks=active.looks)
        age_s = now.s - active.accepted_s
        return active.accepted_s + self._pace(active).next_age(age_s)

    def _pace(self, active: Active) -> Pace:
        return self._paces.setdefault(active.kind, Pace())

    def _out_of_time(self, active: Active, now: Moment) -> bool:
        since = active.accepted_s if active.accepted_here else active.taken_s
        return now.s - since > self._timeout_s


def _advance(active: Active, event: ShotEvent, now: Moment) -> None:
    active.life = advance(active.life, event, at=now.at)
