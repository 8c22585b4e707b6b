"""The promise where services call: in virtual time, with calls that are lost, early, told twice or about others."""

from __future__ import annotations

import heapq
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from simulated_journals import Crash, Journal
from simulated_service import CALM, PRICE, Service, Weather
from simulation import Hands, NoPurse, Plan, Story, Watcher, World, check

from flux2batch.engine.calling import Called, safety_net
from flux2batch.engine.events import Intended, Ticket
from flux2batch.engine.executor import Ending, Executor, Resumed
from flux2batch.engine.lifecycle import IN_FLIGHT, Phase
from flux2batch.engine.policy import Budgets, Throttle, Unknowns
from flux2batch.engine.scheduler import Scheduler
from flux2batch.engine.work import Open, Send, Work
from flux2batch.money import ZERO, Money
from flux2batch.planning.shot import Shot, ShotId

SEEDS = int(os.environ.get("FLUX2BATCH_SIMULATED_SEEDS", "300")) // 3
TIMEOUT_S = 900.0


@dataclass(frozen=True, kw_only=True)
class Line:
    """How well the service can be heard."""

    lost: float = 0.2
    early: float = 0.1
    twice: float = 0.1
    foreign: float = 0.05
    late_s: float = 10


CLEAR = Line(lost=0, early=0, twice=0, foreign=0, late_s=0)
LATE = Line(lost=0, early=0, twice=0, foreign=0, late_s=60)
DEAD = Line(lost=1, early=0, twice=0, foreign=0)


@dataclass
class Calls:
    """What the service has to say; it goes on when a process dies, and a call to a dead process is tried again once."""

    world: World
    line: Line
    coming: list[tuple[float, int, Called]] = field(default_factory=list)
    polls: int = 0

    def promise(self, shot: ShotId, take: int, task_id: str, ready_s: float) -> None:
        chance, now_s = self.world.service.chance, self.world.s
        told = Called(shot=shot, take=take, task_id=task_id, is_over=True)
        if chance.random() >= self.line.lost:
            late_s = chance.random() * self.line.late_s
            self._at(now_s if chance.random() < self.line.early else ready_s + late_s, told)
        if chance.random() < self.line.twice:
            self._at(ready_s + chance.random() * 5, told)
        if chance.random() < self.line.foreign:
            others = list(self.world.service.tasks)
            self._at(now_s, Called(shot=shot, take=take, task_id=chance.choice(others), is_over=True))

    def _at(self, s: float, told: Called) -> None:
        heapq.heappush(self.coming, (s, len(self.coming) + 1000 * self.world.service.chance.randrange(1000), told))

    def missed(self) -> None:
        """Nobody was there for those that are due: they come once more."""
        due = [told for s, _, told in self.coming if s <= self.world.s]
        self.coming = [one for one in self.coming if one[0] > self.world.s]
        heapq.heapify(self.coming)
        for told in due:
            self._at(self.world.s + 3, told)

    # What the executor hears.

    def heard(self) -> Sequence[Called]:
        due = []
        while self.coming and self.coming[0][0] <= self.world.s:
            due.append(heapq.heappop(self.coming)[2])
        return due

    def ticket(self, call: Called, _intended: Intended) -> Ticket:
        return Ticket(
            provider=self.world.service.name, model="m", endpoint="/m", task_id=call.task_id,
            poll_url=f"https://x/{call.task_id}", result_url=None, cancel_url=None,
        )  # fmt: skip


class CalledHands(Hands):
    """Hands whose waiting ends when a call comes."""

    def __init__(self, world: World, crash_s: float, calls: Calls) -> None:
        super().__init__(world, crash_s)
        self._calls = calls
        self._takes: dict[ShotId, int] = {}

    def start(self, work: Work, shot: Shot | None) -> None:
        service = self._world.service
        booked = len(service.tasks)
        super().start(work, shot)
        match work:
            case Open(shot=of, take=take):
                self._takes[of] = take
            case Send(shot=of) if len(service.tasks) > booked:
                task_id = next(reversed(service.tasks))
                self._calls.promise(of, self._takes[of], task_id, service.tasks[task_id].ready_s)
            case _ if type(work).__name__ == "Poll":
                self._calls.polls += 1

    def outcomes(self, timeout_s: float | None) -> Sequence[tuple[ShotId, object]]:  # type: ignore[override]  # of which any will do
        if self._calls.coming:
            until_call = max(0.0, self._calls.coming[0][0] - self._world.s)
            timeout_s = until_call if timeout_s is None else min(timeout_s, until_call)
        return super().outcomes(timeout_s)


def live_once(
    world: World, journal: Journal, calls: Calls, *, count: int, crash_s: float, unknowns: Unknowns
) -> Ending:
    """One process that is called, from its start to its end or its death."""
    name, lives = world.service.name, journal.standing()
    scheduler = Scheduler(
        throttles={name: Throttle(limit=6, most=6, successes=0, halved_at=None)},
        polls_per_s={name: 20.0},
        timeout_s=TIMEOUT_S,
        unknowns={name: unknowns},
        at_once={},
        chance=world.service.chance.random,
        now=world.now(),
        nets={name: safety_net(TIMEOUT_S)},
    )
    executor = Executor(
        scheduler=scheduler,
        journal=journal,
        workers=CalledHands(world, crash_s, calls),
        clock=world,
        purse=NoPurse(),
        observer=Watcher(None),
        budgets=Budgets(run_directory_usd=None, call_usd=None),
        committed=Money(sum((life.committed for life in lives.values()), start=ZERO)),
        ear=calls,
    )
    known = (IN_FLIGHT - {Phase.INTENT}) | {Phase.UNKNOWN}
    resumed = [
        Resumed(id=shot, service=name, kind="m", life=life) for shot, life in lives.items() if life.phase in known
    ]
    ending = executor.run(Plan(lives, count, name), resumed)
    if ending.error is not None:
        raise ending.error
    return ending


def tell(
    seed: int, *, service: str = "bfl", count: int = 20, weather: Weather | None = None, line: Line | None = None,
    unknowns: Unknowns | None = None,
) -> tuple[Story, Calls]:  # fmt: skip
    """One seed to its end: lives that crash, then one in calm weather that finishes what is left."""
    chance = random.Random(seed)
    weather = weather or Weather()
    world = World(Service(chance=chance, weather=weather, name=service, most=24))
    journal, calls = Journal(chance), Calls(world, line or Line())
    rule, lifetimes = unknowns or Unknowns(rule="hold", most=0), 0
    while True:
        lifetimes += 1
        last = lifetimes > 6
        journal.crash_at_append = 0.0 if last else weather.crash_at_append
        crash_s = (
            world.s + chance.random() * 12 if not last and chance.random() < weather.crash_any_time else float("inf")
        )
        if last:
            world.service.weather = CALM
        try:
            ending = live_once(world, journal, calls, count=count, crash_s=crash_s, unknowns=rule)
        except Crash:
            world.s += chance.random() * 5
            world.jump += timedelta(seconds=chance.choice([0, 0, 0, -3, 3600]))
            calls.missed()
            continue
        if last or all(life.phase not in IN_FLIGHT for life in journal.lives().values()):
            return Story(seed, world.service, journal, journal.lives(), ending, lifetimes, world.s), calls


@pytest.mark.parametrize("service", ["bfl", "fal"])
def test_nothing_is_paid_twice_and_nothing_paid_is_lost(service: str) -> None:
    for seed in range(SEEDS):
        check(tell(seed, service=service)[0])


def test_resubmitting_unknowns_pays_no_more_often_than_was_decided() -> None:
    for seed in range(SEEDS // 4):
        check(tell(seed, unknowns=Unknowns(rule="resubmit", most=2))[0], resubmits=2)


def test_where_no_call_ever_comes_everything_is_as_without() -> None:
    for seed in range(SEEDS // 4):
        check(tell(seed, line=DEAD)[0])


LOSING = Weather(**{**dict.fromkeys(Weather.__dataclass_fields__, 0.0), "lost_answer": 0.5})


def test_every_lost_answer_is_settled_by_its_call_and_no_shot_is_paid_twice() -> None:
    for seed in range(SEEDS // 4):
        story, _ = tell(seed, weather=LOSING, line=LATE, unknowns=Unknowns(rule="resubmit", most=3))

        check(story)
        assert {life.phase for life in story.lives.values()} == {Phase.DONE}, f"seed {seed}"
        assert set(story.service.posts.values()) == {1}, f"seed {seed}"
        assert story.lives[next(iter(story.lives))].charged == PRICE


def test_in_calm_weather_each_shot_is_looked_at_once() -> None:
    story, calls = tell(1, weather=CALM, line=CLEAR, count=100)

    assert {life.phase for life in story.lives.values()} == {Phase.DONE}
    assert calls.polls == 100
