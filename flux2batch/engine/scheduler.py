"""The scheduler: what every shot in flight waits for, and what is to be done next.

It owns all state of a run and knows no socket, no file and no clock: it is told outcomes and answers with facts to
record and work to do. Rules that hold it together:

- a fact is recorded before any work that follows from it is handed out: from `hold` to `release` there is none for
  its shot;
- which shot waits for what stands in `in_hand`, and what follows from an outcome in `consequences`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flux2batch.engine.calling import Called, SafetyNet
from flux2batch.engine.consequences import Consequences
from flux2batch.engine.events import AccountRefused, NotSent, ShotEvent, Ticket, Unanswered
from flux2batch.engine.in_hand import Active, InHand, Service
from flux2batch.engine.lifecycle import Life, Phase, advance
from flux2batch.engine.pacing import Allowance
from flux2batch.engine.policy import Throttle, Unknowns
from flux2batch.engine.work import HangUp, Moment, Outcome, Send, Told, Work
from flux2batch.planning.shot import ShotId


class Scheduler:
    """All that a run has in its hands."""

    def __init__(
        self,
        *,
        throttles: Mapping[str, Throttle],
        polls_per_s: Mapping[str, float],
        timeout_s: float,
        unknowns: Mapping[str, Unknowns],
        at_once: Mapping[str, Callable[[], int]],
        chance: Callable[[], float],
        now: Moment,
        nets: Mapping[str, SafetyNet] | None = None,
    ) -> None:
        """`nets` has the services that call, and how rarely each is asked all the same."""
        self._services = {
            name: Service(
                throttle=throttle,
                allowance=Allowance(per_s=polls_per_s[name], tokens=1.0, at=now.s),
                unknowns=unknowns[name],
                at_once=at_once.get(name),
                net=(nets or {}).get(name),
            )
            for name, throttle in throttles.items()
        }
        self._in_hand = InHand()
        self._rules = Consequences(self._in_hand, timeout_s=timeout_s, chance=chance)
        self._aborting = False

    # Taking up shots.

    def take_up(self, shot: ShotId, life: Life, *, service: str, kind: str, now: Moment) -> Told:
        """Take a shot in hand: one just intended, or one that an earlier run left on its way.

        A shot found in `sending` was cut off by the death of its process: a crash and silence are the same fact.
        """
        active = Active(shot=shot, service=self._services[service], kind=kind, life=life, taken_s=now.s)
        self._in_hand.take(active)
        match life.phase:
            case Phase.INTENT:
                self._in_hand.count(active)
                self._in_hand.wait(active, now.s)
                return Told([], life)
            case Phase.SENDING:
                silence = Unanswered(reason="the run died while the request was under way", status=None, excerpt=None)
                return self.told(shot, silence, now)
            case Phase.ACCEPTED:
                self._in_hand.count(active)
                passed = now.at - (life.accepted_at or now.at)
                active.accepted_s = now.s - max(passed.total_seconds(), 0.0)
                self._in_hand.wait(active, now.s)
                return Told([], life)
            case Phase.READY:
                active.ready_s = now.s
                self._in_hand.expect_link(active, now)
                return Told([], life)
            case Phase.UNKNOWN:
                self._rules.await_call(active, since=life.since or now.at, now=now)
                return Told([], life)
            case _:
                raise AssertionError(f"BUG: a shot in {life.phase} has nothing to wait for")

    def room(self, service: str, now: Moment) -> bool:
        """Whether a new take of this service may begin."""
        if self._rules.stopping:
            return False
        return self._services[service].takes_more(now) and not self._in_hand.is_behind_with_fetches(now)

    def is_open(self, service: str) -> bool:
        """Whether this service may take something later, even where it takes nothing now."""
        return not (self._rules.stopping or self._services[service].is_closed)

    def resubmits(self) -> dict[ShotId, Life]:
        """Shots whose take was given up, or handed back: they want a new one, with room in the budget."""
        again, self._rules.again = self._rules.again, {}
        return again

    def stop(self) -> None:
        """No new takes; what is on its way is finished."""
        self._rules.stop(None)

    def abort(self) -> None:
        """No new work at all; what is in a worker's hands is still recorded when it comes back."""
        self.stop()
        self._aborting = True

    # What is to be done.

    def next_work(self, now: Moment) -> Work | None:
        """The most urgent thing to do now, which counts as being done from here on."""
        shot = self._in_hand.next_line()
        if shot is not None:
            unused = self._aborting or self._in_hand.shots[shot].life.phase is Phase.INTENT
            return self._in_hand.begin(shot, HangUp(shot) if unused else Send(shot))
        if self._aborting:
            return None
        self._in_hand.wake(now)
        return self._in_hand.next_fetch() or self._next_poll(now) or self._next_open(now)

    def _next_poll(self, now: Moment) -> Work | None:
        polls = (self._in_hand.next_poll(service, now) for service in self._services.values())
        return next((poll for poll in polls if poll is not None), None)

    def _next_open(self, now: Moment) -> Work | None:
        return self._in_hand.next_open(now, stopping=self._rules.stopping)

    def wake_at(self, now: Moment) -> float | None:
        """The moment at which there may be something to do without any outcome; None where only outcomes help."""
        if self._aborting:
            return None
        next_moment = self._in_hand.next_moment()
        moments = [] if next_moment is None else [next_moment]
        for service in self._services.values():
            if service.due_polls:
                moments.append(service.allowance.ready_at(now.s))
            moments += [moment for moment in (service.quiet_until, service.breaker.open_until_s) if moment > now.s]
        return min(moments, default=None)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand, or nothing will be done about what is."""
        if self._aborting:
            return not any(active.busy for active in self._in_hand.shots.values())
        return len(self._in_hand.shots) == len(self._in_hand.silent)

    @property
    def is_sending(self) -> bool:
        """Whether a submit is under way: its answer may still bring a task id."""
        return any(active.busy and active.life.phase is Phase.SENDING for active in self._in_hand.shots.values())

    @property
    def in_hand(self) -> int:
        """How many shots this run has in its hands."""
        return len(self._in_hand.shots) - len(self._in_hand.in_doubt) - len(self._in_hand.silent)

    @property
    def furthest(self) -> float | None:
        """How far the picture is that will be ready next, from 0 to 1; None where no service tells."""
        if not self._rules.is_told_progress:
            return None
        told = (active.progress for active in self._in_hand.shots.values() if active.life.phase is Phase.ACCEPTED)
        return max((progress for progress in told if progress is not None), default=None)

    def is_pausing(self, now: Moment) -> bool:
        """Whether a service is left alone for a while because answer after answer was lost."""
        return any(service.breaker.open_until_s > now.s for service in self._services.values())

    def life(self, shot: ShotId) -> Life | None:
        """What is known of a shot in hand."""
        active = self._in_hand.shots.get(shot)
        return active.life if active else None

    @property
    def problem(self) -> str | None:
        """Why no new take begins any more, where it is not the user's wish."""
        return self._rules.problem

    @property
    def account_problem(self) -> AccountRefused | None:
        """Why a service takes nothing from this account."""
        return next((s.breaker.refused for s in self._services.values() if s.breaker.refused), None)

    @property
    def offline(self) -> bool:
        """Whether a service could not be reached for so long that the run gave up on new takes."""
        return any(service.offline for service in self._services.values())

    # What came of it.

    def hold(self, shot: ShotId, facts: int) -> None:
        """So many facts of a shot are on their way to the journal: nothing follows from them yet."""
        self._in_hand.hold(shot, facts)

    def release(self, shot: ShotId, facts: int) -> None:
        """So many facts of a shot are durable."""
        self._in_hand.release(shot, facts)

    def told(self, shot: ShotId, outcome: Outcome, now: Moment) -> Told:
        """Take in an outcome; its facts must be recorded before anything else is done."""
        active = self._in_hand.shots[shot]
        active.busy = False
        facts = self._rules.follow(active, outcome, now)
        return Told(facts, active.life)

    def heed(self, call: Called, ticket: Ticket, now: Moment) -> Told:
        """Take in a call about a shot in hand: it is a hint to look, and names the task of a lost answer."""
        active = self._in_hand.shots[call.shot]
        facts = self._rules.heed(active, call, ticket, now)
        return Told(facts, active.life)

    def unheard(self, now: Moment) -> list[tuple[ShotId, Told]]:
        """Shots whose answer was lost and whose call has not come in time, with what follows from that."""
        late = self._in_hand.fallen_silent(now)
        return [(active.shot, Told(self._rules.give_up_waiting(active, now), active.life)) for active in late]

    def hung_up(self, shot: ShotId, now: Moment) -> Told:
        """A line that was not used is closed; the shot stays an intent for the next run."""
        active = self._in_hand.shots[shot]
        facts: list[ShotEvent] = []
        if active.life.phase is Phase.SENDING:
            unsent = NotSent(reason="the run was stopped before a byte was sent", offline=False)
            active.life = advance(active.life, unsent, at=now.at)
            facts.append(unsent)
        self._in_hand.let_go(active)
        return Told(facts, active.life)

    def hang_up(self, now: Moment) -> list[tuple[ShotId, Told]]:
        """Give up every line that is up and unused: not a byte of these shots was sent."""
        unused, self._in_hand.lines = self._in_hand.lines, []
        return [(shot, self.hung_up(shot, now)) for shot in unused]

    def interrupted(self, shot: ShotId) -> None:
        """A worker could not do its work for a reason that ends the run (a full disk): the shot is left as it was."""
        self._in_hand.shots[shot].busy = False
