"""A whole run in virtual time: the real lifecycle, policy, scheduler and executor; a service that fails on purpose.

Everything follows from one seed. Processes die at transitions of the journal more often than anywhere else, because
that is where a mistake would cost money. The service keeps double-entry books, and `check` holds the journal to them.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from simulated_journals import Crash, Journal, SqliteJournal
from simulated_service import CALM, PRICE, Service, Weather

from flux2batch.engine.clerk import AtOnce, Fact, Written
from flux2batch.engine.events import (
    NotSent,
    Resubmitted,
)
from flux2batch.engine.executor import Ending, Executor, HungUp, Offer, Resumed
from flux2batch.engine.lifecycle import ENDED, IN_FLIGHT, UNBORN, Life, Phase
from flux2batch.engine.policy import Budgets, Throttle, Unknowns
from flux2batch.engine.scheduler import Scheduler
from flux2batch.engine.work import Fetch, HangUp, LineUp, Moment, Open, Outcome, Poll, Send, Work
from flux2batch.money import ZERO, Money
from flux2batch.planning.shot import Shot, ShotId

START = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class World:
    """Virtual time and what happens in it; it goes on when a process dies."""

    service: Service
    s: float = 0.0
    jump: timedelta = timedelta()

    _seen: tuple[float, timedelta] | None = None
    _now: Moment = field(default_factory=lambda: Moment(0.0, START))

    def now(self) -> Moment:
        # It is asked for many times at every step: a moment is made once.
        if self._seen != (self.s, self.jump):
            self._seen = (self.s, self.jump)
            self._now = Moment(self.s, START + timedelta(seconds=self.s) + self.jump)
        return self._now


class Hands:
    """The workers of one process, in virtual time. What was posted stays posted when the process dies."""

    def __init__(self, world: World, crash_s: float, size: int = 8) -> None:
        self._world = world
        self._crash_s = crash_s
        self._size = size
        self._coming: list[tuple[float, int, ShotId, Outcome | HungUp]] = []
        self._count = 0
        self._nudges: list[float] = []

    def nudge_at(self, moment_s: float) -> None:
        heapq.heappush(self._nudges, moment_s)

    @property
    def free(self) -> int:
        return self._size - len(self._coming)

    def start(self, work: Work, _shot: Shot | None) -> None:
        service, now_s = self._world.service, self._world.s
        outcome: Outcome | HungUp
        match work:
            case Open():
                lost = service.chance.random() < service.weather.unsent
                outcome, delay = NotSent(reason="refused", offline=False) if lost else LineUp(), 0.05
            case Send(shot=shot_id):
                outcome, delay = service.post(shot_id, now_s)
            case HangUp():
                outcome, delay = HungUp(), 0.0
            case Poll(ticket=ticket):
                outcome, delay = service.poll(ticket, now_s), 0.05
            case Fetch():
                outcome, delay = service.fetch(work), 0.1
        self._count += 1
        heapq.heappush(self._coming, (now_s + delay, self._count, work.shot, outcome))

    def outcomes(self, timeout_s: float | None) -> Sequence[tuple[ShotId, Outcome | HungUp]]:
        world = self._world
        until = float("inf") if timeout_s is None else world.s + timeout_s
        while self._nudges and self._nudges[0] < world.s:
            heapq.heappop(self._nudges)
        nudge_s = self._nudges[0] if self._nudges else float("inf")
        next_s = min(self._coming[0][0] if self._coming else float("inf"), until, nudge_s)
        assert next_s < float("inf"), "the run waits for something that never comes"
        if next_s > self._crash_s:
            world.s = self._crash_s
            raise Crash
        world.s = next_s
        if self._nudges and self._nudges[0] <= next_s:
            heapq.heappop(self._nudges)
        arrived = []
        while self._coming and self._coming[0][0] <= next_s:
            _, _, shot, outcome = heapq.heappop(self._coming)
            arrived.append((shot, outcome))
        return arrived


class SlowClerk:
    """A clerk whose disk takes its time: what it has in its hands when the process dies is lost."""

    def __init__(self, journal: Journal, world: World, hands: Hands) -> None:
        self._at_once = AtOnce(journal)
        self._world = world
        self._hands = hands
        self._batch: tuple[Sequence[Fact], Mapping[ShotId, Life]] | None = None
        self._done_s = 0.0

    def write(self, facts: Sequence[Fact], changed: Mapping[ShotId, Life]) -> None:
        assert self._batch is None, "one batch at a time"
        self._batch = facts, changed
        self._done_s = self._world.s + self._world.service.chance.random() * 0.6
        self._hands.nudge_at(self._done_s)

    def written(self) -> Written | None:
        return None if self._world.s < self._done_s else self.wait()

    def wait(self) -> Written:
        self._world.s = max(self._world.s, self._done_s)
        assert self._batch is not None
        facts, changed = self._batch
        self._batch = None
        self._at_once.write(facts, changed)
        return self._at_once.wait()


class NoPurse:
    def reserve(self, _shot: ShotId, _amount: Money) -> None:
        return None

    def settle(self, shot: ShotId, committed: Money) -> None:
        pass


class Watcher:
    """Sees every fact after it is durable, and holds the books to the budget at every moment."""

    def __init__(self, budget: Money | None) -> None:
        self.budget = budget

    def saw(self, shot: ShotId, event: object, life: Life, now: Moment) -> None:
        pass

    def standing(self, standing: object, _now: Moment) -> None:
        committed = standing.committed
        assert self.budget is None or committed <= self.budget, f"{committed} is over the budget {self.budget}"


SHOTS = [
    Shot(
        id=ShotId(f"{n:032x}"),
        index=n,
        model="m",
        endpoint="/m",
        prompt="",
        params={},
        references=(),
        coordinates={},
        repeat=1,
        paths=(f"{n}.png",),
        trim=None,
        quote=None,
    )
    for n in range(1000)
]


@dataclass
class Story:
    """One seed, told to the end."""

    seed: int
    service: Service
    journal: Journal
    lives: dict[ShotId, Life]
    ending: Ending
    lifetimes: int
    seconds: float


@dataclass
class Plan:
    """The first `count` shots, all of one service."""

    lives: Mapping[ShotId, Life]
    count: int
    service: str

    def services(self) -> list[str]:
        return [self.service]

    def wanted(self, service: str) -> Iterator[Offer]:
        for shot in SHOTS[: self.count]:
            life = self.lives.get(shot.id)
            if life is None or life.phase in (Phase.PLANNED, Phase.INTENT):
                yield Offer(shot=shot, service=service, kind="m", reserve=PRICE, estimate=PRICE, life=life)

    def again(self, shots: Mapping[ShotId, Life]) -> Iterator[Offer]:
        for shot in SHOTS[: self.count]:
            if shot.id in shots:
                life = shots[shot.id]
                yield Offer(shot=shot, service=self.service, kind="m", reserve=PRICE, estimate=PRICE, life=life)


def live_once(
    world: World,
    journal: Journal,
    *,
    count: int,
    crash_s: float,
    unknowns: Unknowns,
    budget: Money | None,
    concurrency: int,
    timeout_s: float = 3600.0,
    polls_per_s: float = 20.0,
) -> Ending:
    """One process, from its start to its end or its death."""
    name = world.service.name
    journal.restart()
    lives = journal.standing()
    scheduler = Scheduler(
        throttles={name: Throttle(limit=concurrency, most=concurrency, successes=0, halved_at=None)},
        polls_per_s={name: polls_per_s},
        timeout_s=timeout_s,
        unknowns={name: unknowns},
        at_once={},
        chance=world.service.chance.random,
        now=world.now(),
    )
    hands = Hands(world, crash_s)
    executor = Executor(
        scheduler=scheduler,
        journal=journal,
        workers=hands,
        clerk=SlowClerk(journal, world, hands) if world.service.chance.random() < 0.5 else None,
        clock=world,
        purse=NoPurse(),
        observer=Watcher(budget),
        budgets=Budgets(run_directory_usd=budget, call_usd=None),
        committed=Money(sum((life.committed for life in lives.values()), start=ZERO)),
    )
    resumed = [
        Resumed(id=shot, service=name, kind="m", life=life)
        for shot, life in lives.items()
        if life.phase in IN_FLIGHT and life.phase is not Phase.INTENT
    ]
    ending = executor.run(Plan(lives, count, name), resumed)
    if ending.error is not None:
        raise ending.error  # in virtual time nothing fails but what we got wrong
    return ending


def tell(
    seed: int,
    *,
    service: str = "bfl",
    count: int = 20,
    weather: Weather | None = None,
    unknowns: Unknowns | None = None,
    budget: Money | None = None,
    concurrency: int = 6,
    once: bool = False,
    sqlite: Path | None = None,
) -> Story:
    """One seed to its end: lives that crash, then one in calm weather that finishes what is left."""
    chance = random.Random(seed)
    weather = weather or Weather()
    world = World(Service(chance=chance, weather=weather, name=service, most=24))
    journal = Journal(chance) if sqlite is None else SqliteJournal(chance, sqlite)
    rule = unknowns or Unknowns(rule="hold", most=0)
    lifetimes = 0
    while True:
        lifetimes += 1
        last = lifetimes > 8
        journal.crash_at_append = 0.0 if last else weather.crash_at_append
        crashes = not last and chance.random() < weather.crash_any_time
        crash_s = world.s + chance.random() * 12 if crashes else float("inf")
        if last:
            world.service.weather = CALM
        try:
            ending = live_once(
                world, journal, count=count, crash_s=crash_s, unknowns=rule, budget=budget, concurrency=concurrency
            )
        except Crash:
            world.s += chance.random() * 5
            world.jump += timedelta(seconds=chance.choice([0, 0, 0, -3, 3600]))
            continue
        if once or last or all(life.phase not in IN_FLIGHT for life in journal.lives().values()):
            lives = journal.lives()
            journal.close()
            return Story(seed, world.service, journal, lives, ending, lifetimes, world.s)


def check(
    story: Story, *, count: int = 20, budget: Money | None = None, finished: bool = True, resubmits: int = 0
) -> None:
    """S1 to S3 and L1 of the reliability promise, against the service's own books."""
    lives, service = story.lives, story.service
    resubmitted = Counter(shot for _, shot, fact in story.journal.facts if isinstance(fact, Resubmitted))
    for shot in SHOTS[:count]:
        life, posts = lives.get(shot.id, UNBORN), service.posts[shot.id]
        assert resubmitted[shot.id] <= resubmits, (
            f"seed {story.seed}: {shot.id} was sent again, and nobody asked for it"
        )
        assert posts <= 1 + resubmitted[shot.id], f"seed {story.seed}: {shot.id} was paid {posts} times"
        # A take that was given up for another stays in the books as a possible charge, whatever becomes of the other.
        if posts and not life.maybe_spent:
            forgotten = (Phase.PLANNED, Phase.INTENT, Phase.REJECTED)
            assert life.phase not in forgotten, f"seed {story.seed}: {shot.id} was paid for and is {life.phase}"
        if finished:
            assert life.phase in ENDED or life.phase is Phase.UNKNOWN, f"seed {story.seed}: {shot.id} is {life.phase}"
    truly = sum((task.charge for task in service.tasks.values()), start=Decimal(0))
    charged = sum((life.charged for life in lives.values()), start=Decimal(0))
    at_risk = sum((life.at_risk for life in lives.values()), start=Decimal(0))
    assert charged <= truly <= charged + at_risk, (
        f"seed {story.seed}: {truly} is not in [{charged}, {charged + at_risk}]"
    )
    assert budget is None or charged + at_risk <= budget
