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

from flux2batch.engine import journal as journal_module
from flux2batch.engine.clerk import AtOnce, Fact, Written
from flux2batch.engine.events import (
    Accepted,
    AccountRefused,
    Charge,
    DownloadFailed,
    Event,
    Failed,
    Frame,
    LinkExpired,
    Moderated,
    NotSent,
    PollFailed,
    Rejected,
    Rendered,
    Resubmitted,
    Saved,
    SendBegan,
    StillWorking,
    Throttled,
    Ticket,
    Unanswered,
    Vanished,
)
from flux2batch.engine.executor import Ending, Executor, HungUp, Offer, Resumed
from flux2batch.engine.journal import Journal as RealJournal
from flux2batch.engine.lifecycle import ENDED, IN_FLIGHT, UNBORN, Life, Phase, advance
from flux2batch.engine.policy import Budgets, Throttle, Unknowns
from flux2batch.engine.scheduler import Scheduler
from flux2batch.engine.work import Fetch, HangUp, LineUp, Moment, Open, Outcome, Poll, Send, Work
from flux2batch.money import ZERO, Money, usd
from flux2batch.planning.shot import Shot, ShotId

START = datetime(2026, 11, 1, tzinfo=UTC)
PRICE = usd("0.05")


@dataclass(frozen=True)
class Weather:
    """How badly things go, as probabilities."""

    unsent: float = 0.04
    throttled: float = 0.06
    lost_answer: float = 0.05
    server_error: float = 0.03
    rejected: float = 0.02
    account: float = 0.0
    moderated: float = 0.04
    failed: float = 0.02
    poll_fails: float = 0.1
    not_yet_found: float = 0.05
    expired: float = 0.08
    download_fails: float = 0.1
    crash_at_append: float = 0.02
    crash_any_time: float = 0.3


CALM = Weather(*[0.0] * 14)


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Task:
    shot: ShotId
    ready_s: float
    end: str
    charge: Money


@dataclass
class Service:
    """The service's own books: they outlive every process."""

    chance: random.Random
    weather: Weather
    name: str
    most: int
    tasks: dict[str, Task] = field(default_factory=dict)
    posts: Counter[ShotId] = field(default_factory=Counter)

    def active(self, now_s: float) -> int:
        return sum(task.ready_s > now_s for task in self.tasks.values())

    def post(self, shot: ShotId, now_s: float) -> tuple[Outcome, float]:
        """What a submit comes to, and how long its answer takes. Booked at once: the answer may still be lost."""
        roll, weather = self.chance.random, self.weather
        delay = 0.05 + roll() * 0.4
        if roll() < weather.account:
            return AccountRefused(status=402, kind="credits", reason="no credits"), delay
        if roll() < weather.throttled or (self.name == "bfl" and self.active(now_s) >= self.most):
            wait = self.chance.choice([None, 0.5, 3.0])
            return Throttled(wait_s=wait, reason="too many"), delay
        if roll() < weather.rejected:
            return Rejected(status=422, reason="no", parameters=()), delay
        if roll() < weather.server_error / 2:
            return Unanswered(reason="500 before booking", status=500, excerpt=None), delay
        task_id = f"{self.name}-{len(self.tasks)}"
        ends = ["done", "moderated", "failed"]
        fair = 1 - weather.moderated - weather.failed
        end = self.chance.choices(ends, [fair, weather.moderated, weather.failed])[0]
        self.tasks[task_id] = Task(
            shot, now_s + self.chance.lognormvariate(0.8, 0.2), end, PRICE if end == "done" else ZERO
        )
        self.posts[shot] += 1
        if roll() < weather.lost_answer:
            return Unanswered(reason="silence", status=None, excerpt=None), delay + 5
        if roll() < weather.server_error / 2:
            return Unanswered(reason="502 after booking", status=502, excerpt=None), delay
        ticket = Ticket(
            provider=self.name,
            model=f"{self.name}/m",
            endpoint="/m",
            task_id=task_id,
            poll_url=f"https://x/{task_id}",
            result_url=None,
            cancel_url=None,
        )
        told = self.name == "bfl"
        return Accepted(ticket=ticket, charge=_charge(PRICE) if told else None, evidence="answer"), delay

    def poll(self, ticket: Ticket, now_s: float) -> Outcome:
        roll, task = self.chance.random, self.tasks[ticket.task_id]
        if roll() < self.weather.poll_fails:
            return PollFailed(reason="502", status=502, wait_s=None, offline=False)
        if now_s < task.ready_s:
            if roll() < self.weather.not_yet_found:
                return Vanished(reason="not found")
            return StillWorking(status="Pending", queue_position=None, progress=None, wait_s=1.0, known=True)
        match task.end:
            case "moderated":
                return Moderated(stage="content", reasons=("x",), charge=_charge(ZERO))
            case "failed":
                return Failed(reason="x", charge=_charge(ZERO))
        frame = Frame(url=f"{ticket.poll_url}.png", width=None, height=None, media_type=None, nsfw=False)
        charge = _charge(task.charge) if self.name == "fal" else None
        return Rendered(frames=(frame,), expires_at=None, seed=1, prompt=None, charge=charge, details={})

    def fetch(self, work: Fetch) -> Outcome:
        roll = self.chance.random
        if roll() < self.weather.expired:
            return LinkExpired(reason="403")
        if roll() < self.weather.download_fails:
            return DownloadFailed(reason="cut", status=None, wait_s=None, offline=False)
        return Saved(
            frame=work.frame,
            path=f"{work.shot}.png",
            copies=(),
            sha256="0" * 64,
            size_bytes=1,
            width=1,
            height=1,
            media_type="image/png",
            original=None,
            remark=None,
        )


def _charge(amount: Money) -> Charge:
    return Charge(usd=amount, source="cost", megapixels_in=None, megapixels_out=None)


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


class Journal:
    """The journal as a list; a process may die just before or just after a fact is durable."""

    def __init__(self, chance: random.Random) -> None:
        self.facts: list[tuple[datetime, ShotId, Event]] = []
        self.crash_at_append = 0.0
        self._chance = chance
        self._lives: dict[ShotId, Life] = {}
        self._folded = 0

    def write(self, facts: Sequence[Fact]) -> None:
        dies = self._chance.random() < self._chance_to_die(facts)
        before = dies and self._chance.random() < 0.5
        if before:
            raise Crash
        self.facts += [(at, shot, fact) for at, shot, fact in facts if shot is not None]
        if dies:
            raise Crash

    def _chance_to_die(self, facts: Sequence[Fact]) -> float:
        """Where money changes hands a death is the likeliest."""
        costs = any(isinstance(fact, SendBegan | Accepted) for _, _, fact in facts)
        return self.crash_at_append * (4 if costs else 1)

    def remember(self, shot: ShotId, life: Life) -> None:
        pass

    def lives(self) -> dict[ShotId, Life]:
        lives = self._lives
        for at, shot, fact in self.facts[self._folded :]:
            lives[shot] = advance(lives.get(shot, UNBORN), fact, at=at)
        self._folded = len(self.facts)
        return dict(lives)

    def restart(self) -> None:
        """The next process finds what is in the list."""

    def standing(self) -> Mapping[ShotId, Life]:
        """What the next process believes."""
        return self.lives()

    def close(self) -> None:
        pass


class SqliteJournal(Journal):
    """The real journal in a file, beside the list: dying closes nothing, and a snapshot may be cut off in the middle.

    The next process believes what `standing` reads from snapshot and events, and that must be what the list says.
    """

    def __init__(self, chance: random.Random, path: Path) -> None:
        super().__init__(chance)
        self._path = path
        self._real = RealJournal.create(path, run_directory_id="simulated")
        # No power fails here: what SIGKILL leaves is the same without waiting for the disk.
        self._real._database.execute("PRAGMA synchronous = OFF")

    def write(self, facts: Sequence[Fact]) -> None:
        dies = self._chance.random() < self._chance_to_die(facts)
        if dies and self._chance.random() < 0.5:
            raise Crash
        self._real.write(facts)
        self.facts += [(at, shot, fact) for at, shot, fact in facts if shot is not None]
        if dies:
            raise Crash

    def remember(self, shot: ShotId, life: Life) -> None:
        self._real.remember(shot, life)
        if self._chance.random() < 0.05:
            if self._chance.random() < self.crash_at_append * 10:
                self._die_in_a_snapshot()
            self._real.write_snapshot()

    def _die_in_a_snapshot(self) -> None:
        def rows(*_: object) -> tuple[str, ...]:
            raise Crash

        real, journal_module._snapshot_row = journal_module._snapshot_row, rows
        try:
            self._real.write_snapshot()
        finally:
            journal_module._snapshot_row = real
        raise Crash

    def restart(self) -> None:
        """The next process opens what the last one left, closed or not."""
        if self._chance.random() < 0.3:
            self._real.close()  # it ended well enough to write its snapshot
        else:
            self._real._database.close()
        self._real = RealJournal.open(self._path, driving=True)
        self._real._database.execute("PRAGMA synchronous = OFF")

    def standing(self) -> Mapping[ShotId, Life]:
        standing = self._real.standing()
        agreed = super().lives()
        for shot, life in agreed.items():
            if life.phase in ENDED:
                assert standing.ended[shot].phase is life.phase
                assert standing.ended[shot].charged + standing.ended[shot].at_risk == life.committed
            else:
                assert standing.open[shot] == life, f"{shot}: the snapshot and its events disagree"
        assert len(standing.open) + len(standing.ended) == len(agreed)
        return {**agreed, **standing.open}

    def close(self) -> None:
        self._real._database.close()


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
