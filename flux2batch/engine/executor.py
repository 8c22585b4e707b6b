"""The executor: one thread that owns the truth, records facts and hands out work until nothing is left to do.

    outcomes → scheduler.told → journal.append → scheduler.next_work → workers → outcomes …

It knows no HTTP, no SQL and no files. When it stops, it drains: what is in a worker's hands is brought home and
recorded, because it may have been paid for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from flux2batch.engine.calling import Ear
from flux2batch.engine.clerk import AtOnce, Clerk, Fact, Record, Written
from flux2batch.engine.events import Accepted, AccountRefused, Intended, ShotEvent
from flux2batch.engine.lifecycle import UNBORN, Life, Phase, advance
from flux2batch.engine.policy import Budgets, Overrun, fits
from flux2batch.engine.scheduler import Scheduler
from flux2batch.engine.work import Moment, Outcome, Told, Work
from flux2batch.errors import GoneForGood, MachineError
from flux2batch.money import ZERO, Money
from flux2batch.planning.shot import Shot, ShotId

Stop = Literal["no", "drain", "now"]


class Workers(Protocol):
    """Whoever does the work: a crew of threads, or a simulation."""

    @property
    def free(self) -> int: ...

    def start(self, work: Work, shot: Shot | None) -> None: ...

    def outcomes(self, timeout_s: float | None) -> Sequence[tuple[ShotId, Outcome | Interrupted | HungUp]]: ...


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> Moment: ...


class Purse(Protocol):
    """Limits across runs: what may be reserved is reserved there first."""

    def reserve(self, shot: ShotId, amount: Money) -> Overrun | None: ...

    def settle(self, shot: ShotId, committed: Money) -> None: ...


class Feed(Protocol):
    """The plan, as the executor asks for it: lazily, and of each service on its own."""

    def services(self) -> Sequence[str]: ...

    def wanted(self, service: str) -> Iterator[Offer]: ...

    def again(self, shots: Mapping[ShotId, Life]) -> Iterator[Offer]: ...


class Observer(Protocol):
    """Whoever watches: the terminal, `--json`, the sheet. The run never needs one."""

    def saw(self, shot: ShotId, event: ShotEvent, life: Life, now: Moment) -> None: ...

    def standing(self, standing: Progress, now: Moment) -> None: ...


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A worker met trouble: a full disk ends the run, a bug does not. `outcome` is what is believed of the shot."""

    error: Exception
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class HungUp:
    """A line that was not used is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A shot that the plan wants. `life` is what is known of it, where it has a history."""

    shot: Shot
    service: str
    kind: str
    reserve: Money
    estimate: Money
    life: Life | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A shot that an earlier run left on its way."""

    id: ShotId
    service: str
    kind: str
    life: Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the run is, for observers."""

    in_hand: int
    committed: Money
    stopping: bool
    pausing: bool  # a service is left alone for a minute: answer after answer was lost
    furthest: float | None  # how far the next picture is, from 0 to 1, where a service tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why the run came to its end."""

    error: Exception | None  # a machine's trouble, or a bug
    overrun: Overrun | None  # the budget ended it: the next shot did not fit
    account: AccountRefused | None  # the service refused the key or the account
    problem: str | None
    offline: bool
    stopped: bool


class Executor:
    """One run, from the first fact to the last."""

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        journal: Record,
        workers: Workers,
        clock: Clock,
        purse: Purse,
        observer: Observer,
        budgets: Budgets,
        committed: Money,
        ear: Ear | None = None,
        clerk: Clerk | None = None,
    ) -> None:
        """`ear` is there where services call; without a `clerk` facts are written in the executor's own time."""
        self._scheduler = scheduler
        self._workers = workers
        self._clock = clock
        self._purse = purse
        self._observer = observer
        self._budgets = budgets
        self._committed_before = committed
        self._committed = committed
        self._ear = ear
        self._shots: dict[ShotId, Offer] = {}
        self._settled: dict[ShotId, Money] = {}
        self._clerk = clerk or AtOnce(journal)
        self._gathering = _Batch()
        self._being_written: _Batch | None = None
        self._held: dict[str, Offer] = {}  # of each service the next shot, for which there was no room yet
        self._returning: list[Offer] = []
        self._overrun: Overrun | None = None
        self._error: Exception | None = None
        self._told_s = float("-inf")  # when the observer last heard how things stand
        self._leave_at: float | None = None  # when not even what is in a worker's hands is waited for any more
        self.stop: Stop = "no"  # set by a signal's handler

    def run(self, feed: Feed, resumed: Sequence[Resumed]) -> Ending:
        """Do all of it: first what earlier runs left on its way, then the shots that the plan wants.

        Raises MachineError where the journal itself cannot be written.
        """
        for one in resumed:
            self._settled[one.id] = one.life.committed
            now = self._clock.now()
            told = self._scheduler.take_up(one.id, one.life, service=one.service, kind=one.kind, now=now)
            self._note(one.id, told, now)
        wanted = {service: feed.wanted(service) for service in feed.services()}
        while True:
            self._obey()
            more = self._begin_takes(feed, wanted)
            self._commit()
            self._hand_out()
            if (self._scheduler.is_idle and not more and self._being_written is None) or self._has_waited_enough():
                break
            self._take_in(self._patience_s())
            self._listen()
            self._commit()
        while self._being_written is not None:
            self._settle(self._being_written, self._clerk.wait())
            self._commit()
        return Ending(
            error=self._error,
            overrun=self._overrun,
            account=self._scheduler.account_problem,
            problem=self._scheduler.problem,
            offline=self._scheduler.offline,
            stopped=self.stop != "no",
        )

    def _obey(self) -> None:
        if self.stop == "drain":
            self._scheduler.stop()
        if self.stop == "now":
            self._scheduler.abort()
            self._leave_at = self._leave_at or self._clock.now().s + _ABORT_S

    def _has_waited_enough(self) -> bool:
        """Whoever says stop twice gets the terminal back: a submit that is still unanswered stays one in `sending`."""
        return self._leave_at is not None and self._clock.now().s >= self._leave_at

    def _begin_takes(self, feed: Feed, wanted: Mapping[str, Iterator[Offer]]) -> bool:
        """Intend as many new takes as there is room for; whether more may be begun later."""
        try:
            returning = self._scheduler.resubmits()
            if returning:
                self._returning.extend(feed.again(returning))
            waiting = [self._begin_takes_of(service, offers) for service, offers in wanted.items()]
        except Exception as error:
            # A plan that cannot be read on, a daily limit that cannot be kept: what is in flight is still brought home.
            self._give_up(error)
            return False
        return any(waiting)

    def _begin_takes_of(self, service: str, wanted: Iterator[Offer]) -> bool:
        while self._scheduler.is_open(service):
            offer = self._held.get(service) or self._returned(service) or next(wanted, None)
            if offer is None:
                return False
            self._held[service] = offer
            if not self._scheduler.room(service, self._clock.now()):
                return True
            if not self._intend(offer, offer.life or UNBORN):
                return not self._scheduler.is_idle  # what is in flight may cost less than is reserved for it
            del self._held[service]
        return False  # and the plan is not read on: of a large one that would take its time

    def _returned(self, service: str) -> Offer | None:
        """A shot of this service whose doubtful take was given up: it goes before new ones."""
        found = next((offer for offer in self._returning if offer.service == service), None)
        if found is not None:
            self._returning.remove(found)
        return found

    def _intend(self, offer: Offer, life: Life) -> bool:
        """Reserve the price and begin the take; False where it does not fit."""
        now = self._clock.now()
        if life.phase is Phase.INTENT:
            self._settled[offer.shot.id] = life.committed
            self._take_up(offer, life, now)
            return True
        self._overrun = fits(
            offer.reserve, budgets=self._budgets, committed=self._committed, committed_before=self._committed_before
        ) or self._purse.reserve(offer.shot.id, offer.reserve)
        if self._overrun is not None:
            return False
        intended = intention(offer, take=life.takes + 1)
        after = advance(life, intended, at=now.at)
        self._settled.setdefault(offer.shot.id, life.committed)
        self._note(offer.shot.id, Told([intended], after), now)
        self._take_up(offer, after, now)
        return True

    def _take_up(self, offer: Offer, life: Life, now: Moment) -> None:
        self._shots[offer.shot.id] = offer
        self._scheduler.take_up(offer.shot.id, life, service=offer.service, kind=offer.kind, now=now)

    def _hand_out(self) -> None:
        while self._workers.free > 0:
            work = self._scheduler.next_work(self._clock.now())
            if work is None:
                return
            offer = self._shots.get(work.shot)
            self._workers.start(work, offer.shot if offer else None)

    def _patience_s(self) -> float | None:
        """How long to wait for an outcome before looking again; None: until there is one."""
        now = self._clock.now()
        wake_at = self._scheduler.wake_at(now) if self._workers.free else None
        moments = [moment for moment in (wake_at, self._leave_at) if moment is not None]
        return max(0.0, min(moments) - now.s) if moments else None

    def _take_in(self, timeout_s: float | None) -> None:
        for shot, outcome in self._workers.outcomes(timeout_s):
            now = self._clock.now()
            match outcome:
                case Interrupted(error=error, outcome=None):
                    self._give_up(error)
                    self._scheduler.interrupted(shot)
                case Interrupted(error=error, outcome=believed):
                    # A bug met one shot; the others go on, and the run's exit code tells of it.
                    assert believed is not None
                    self._error = self._error or error
                    if isinstance(error, MachineError):
                        self._scheduler.abort()
                    self._note(shot, self._scheduler.told(shot, believed, now), now)
                case HungUp():
                    self._note(shot, self._scheduler.hung_up(shot, now), now)
                case _:
                    self._note(shot, self._scheduler.told(shot, outcome, now), now)

    def _listen(self) -> None:
        """Take in what services called about, and stop waiting for the calls that did not come."""
        if self._ear is None:
            return
        now = self._clock.now()
        for call in self._ear.heard():
            life = self._scheduler.life(call.shot)
            if life is not None and life.intended is not None:
                self._note(call.shot, self._scheduler.heed(call, self._ear.ticket(call, life.intended), now), now)
        for shot, told in self._scheduler.unheard(now):
            self._note(shot, told, now)

    def _give_up(self, error: Exception) -> None:
        self._error = self._error or error
        self._scheduler.abort()

    def _note(self, shot: ShotId, told: Told, now: Moment) -> None:
        """Gather the facts for the next commit, and keep the books. Nothing follows before they are written."""
        facts, life = told
        if facts:
            self._gathering.take(shot, told, now.at)
            self._scheduler.hold(shot, len(facts))
        before = self._settled.get(shot, ZERO)
        self._settled[shot] = life.committed
        self._committed = Money(self._committed + life.committed - before)

    def _commit(self) -> None:
        """Have everything that was learnt written down, and go on from what is written."""
        while True:
            if self._being_written is not None:
                written = self._clerk.written()
                if written is None:
                    break
                self._settle(self._being_written, written)
            if not self._gathering.facts:
                break
            batch, self._gathering = self._gathering, _Batch()
            self._being_written = batch
            self._clerk.write(batch.facts, batch.changed)
        self._tell([], self._clock.now())

    def _settle(self, batch: _Batch, written: Written) -> None:
        """The facts of a batch are durable: what waited for them goes on, and whoever watches hears of them."""
        self._being_written = None
        if written.unwritten is not None:
            batch = self._rescue(batch, written.unwritten)
        if written.forgotten is not None:
            self._give_up(written.forgotten)  # the facts themselves are safe
        for shot, life in batch.changed.items():
            try:
                self._purse.settle(shot, life.committed)
            except MachineError as error:
                self._give_up(error)
        for shot, number in Counter(shot for shot, _, _ in batch.news).items():
            self._scheduler.release(shot, number)
            if self._scheduler.life(shot) is None:
                self._shots.pop(shot, None)
                self._settled.pop(shot, None)
        self._tell(batch.news, self._clock.now())

    def _tell(self, news: Sequence[tuple[ShotId, ShotEvent, Life]], now: Moment) -> None:
        """Let whoever watches know. A watcher that fails is not told any more, and costs nobody a picture."""
        try:
            for shot, event, life in news:
                self._observer.saw(shot, event, life, now)
            if not news and now.s - self._told_s < _TELL_S:
                return
            self._told_s = now.s
            self._observer.standing(
                Progress(
                    in_hand=self._scheduler.in_hand,
                    committed=self._committed,
                    stopping=self.stop != "no",
                    pausing=self._scheduler.is_pausing(now),
                    furthest=self._scheduler.furthest,
                ),
                now,
            )
        except BrokenPipeError:
            self._observer = _Nobody()  # whoever read our output has left: the run goes on
        except Exception as error:
            self._observer = _Nobody()
            self._error = self._error or error

    def _rescue(self, batch: _Batch, error: MachineError) -> _Batch:
        """Try again to write what could not be. A task id that came, or may still come, is worth a minute of it."""
        until_s = self._clock.now().s + _RESCUE_S
        while True:
            self._give_up(error)
            untried = bool(self._gathering.facts)  # learnt while the clerk was at it: no fact is lost that nobody wrote
            self._gathering = batch = batch.and_then(self._gathering)
            hopeless = isinstance(error, GoneForGood) or not any(isinstance(e, Accepted) for _, _, e in batch.facts)
            is_over = self._clock.now().s >= until_s or (hopeless and not self._scheduler.is_sending)
            if is_over and not untried:
                if not self._hang_up():
                    raise FactsUnrecorded(error, batch.facts) from error
            elif not untried:
                self._pause()
            batch, self._gathering = self._gathering, _Batch()
            self._clerk.write(batch.facts, batch.changed)
            written = self._clerk.wait()
            if written.unwritten is None:
                return batch
            error = written.unwritten

    def _hang_up(self) -> bool:
        """Say of what was about to be sent that it was not; whether there was any. A rescued journal would doubt it."""
        now = self._clock.now()
        unsent = self._scheduler.hang_up(now)
        for shot, told in unsent:
            self._note(shot, told, now)
        return any(told.facts for _, told in unsent)

    def _pause(self) -> None:
        """A moment, or until there is something new: the clerk's nudge after a vain attempt is nothing new."""
        known, until_s = len(self._gathering.facts), self._clock.now().s + _PAUSE_S
        while len(self._gathering.facts) == known and (left_s := until_s - self._clock.now().s) > 0:
            self._take_in(left_s)


@dataclass(slots=True)
class _Batch:
    """Facts that become durable together, and what follows when they are."""

    facts: list[Fact] = field(default_factory=list)
    news: list[tuple[ShotId, ShotEvent, Life]] = field(default_factory=list)
    changed: dict[ShotId, Life] = field(default_factory=dict)

    def take(self, shot: ShotId, told: Told, at: datetime) -> None:
        self.facts += [(at, shot, fact) for fact in told.facts]
        self.news += [(shot, fact, told.life) for fact in told.facts]
        self.changed[shot] = told.life

    def and_then(self, later: _Batch) -> _Batch:
        """Both in one."""
        return _Batch(
            facts=[*self.facts, *later.facts],
            news=[*self.news, *later.news],
            changed={**self.changed, **later.changed},
        )


_RESCUE_S = 60.0
_PAUSE_S = 1.0
_ABORT_S = 1.0
_TELL_S = 0.1


class FactsUnrecorded(MachineError):
    """The journal could not be written to the end. `recover` has, a line each, what it should say of paid takes."""

    def __init__(self, cause: MachineError, facts: Sequence[Fact]) -> None:
        super().__init__(str(cause))
        self.recover = tuple(
            f"RECOVER {shot} {event.ticket.task_id} {event.ticket.poll_url}"
            for _, shot, event in facts
            if isinstance(event, Accepted)
        )


class _Nobody:
    """Watches nothing."""

    def saw(self, shot: ShotId, event: ShotEvent, life: Life, now: Moment) -> None:
        pass

    def standing(self, standing: Progress, now: Moment) -> None:
        pass


def intention(offer: Offer, *, take: int) -> Intended:
    """The fact that a take begins, with what ledger and sheet need to know of its shot."""
    shot = offer.shot
    return Intended(
        take=take,
        reserve=offer.reserve,
        estimate=offer.estimate,
        model=shot.model,
        endpoint=shot.endpoint,
        prompt=shot.prompt,
        params=dict(shot.params),
        references=tuple(f"{ref.name} {ref.source} {ref.digest}" for ref in shot.references),
        coordinates={axis: (one.id, one.label) for axis, one in shot.coordinates.items()},
        repeat=shot.repeat,
        paths=shot.paths,
        frames=int(shot.params.get("num_images") or 1),
        trim=(shot.trim.width, shot.trim.height) if shot.trim else None,
    )
