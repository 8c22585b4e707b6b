"""A run whose service does as it is told, in virtual time: every answer, its delay, and what happens beside it."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from simulated_journals import Journal
from simulation import SHOTS

from flux2batch.engine.calling import Called, Ear, safety_net
from flux2batch.engine.clerk import AtOnce, Clerk, Fact, Record, Written
from flux2batch.engine.events import (
    Accepted,
    Charge,
    Event,
    Frame,
    Intended,
    Rendered,
    Saved,
    ShotEvent,
    StillWorking,
    Ticket,
)
from flux2batch.engine.executor import Ending, Executor, HungUp, Interrupted, Offer, Progress, Resumed
from flux2batch.engine.lifecycle import Life, Phase
from flux2batch.engine.policy import Budgets, Overrun, Throttle, Unknowns
from flux2batch.engine.scheduler import Scheduler
from flux2batch.engine.work import Fetch, LineUp, Moment, Open, Outcome, Poll, Send, Work
from flux2batch.money import ZERO, Money, usd
from flux2batch.planning.shot import Shot, ShotId

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
PRICE, PLENTY = usd("0.05"), usd("1000")
WORKING = StillWorking(status="Pending", queue_position=None, progress=None, wait_s=None, known=True)
Answer = tuple[Outcome | Interrupted | HungUp, float]
Asked = tuple[type[Work], int]  # the kind of work, and the place of its shot in the plan


@dataclass
class Script:
    """Clock, workers and service in one. Where nothing else is said, all goes well within a second.

    `answers` has for a kind of work on a shot what comes of it, one after the other; `at` what happens meanwhile.
    """

    answers: dict[Asked, list[Answer]] = field(default_factory=dict)
    at: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    size: int = 8
    s: float = 0.0
    begun: list[tuple[float, Work]] = field(default_factory=list)
    waits: list[float | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._coming: list[tuple[float, int, ShotId, Outcome | Interrupted | HungUp]] = []
        self._idle = 0

    def now(self) -> Moment:
        return Moment(self.s, BEGAN + timedelta(seconds=self.s))

    # What the executor asks of its workers.

    @property
    def free(self) -> int:
        return self.size - len(self._coming)

    def start(self, work: Work, shot: Shot | None) -> None:
        assert self.free > 0, "more work than hands"
        assert not isinstance(work, Open) or (shot is not None and shot.id == work.shot), "a line for another shot"
        self.begun.append((self.s, work))
        said = self.answers.get((type(work), place(work.shot)))
        outcome, delay = said.pop(0) if said else all_well(work)
        heapq.heappush(self._coming, (self.s + delay, len(self.begun), work.shot, outcome))

    def outcomes(self, timeout_s: float | None) -> Sequence[tuple[ShotId, Outcome | Interrupted | HungUp]]:
        assert timeout_s is None or timeout_s >= 0
        self.waits.append(timeout_s)
        until = float("inf") if timeout_s is None else self.s + timeout_s
        self.at.sort(key=lambda one: one[0])
        next_s = min(self._coming[0][0] if self._coming else until, self.at[0][0] if self.at else until, until)
        assert next_s < float("inf"), "the run waits for something that never comes"
        self._idle = self._idle + 1 if next_s <= self.s else 0
        assert self._idle < 100, "the run spins"
        self.s = max(next_s, self.s)
        while self.at and self.at[0][0] <= self.s:
            self.at.pop(0)[1]()
        arrived = []
        while self._coming and self._coming[0][0] <= self.s:
            _, _, shot, outcome = heapq.heappop(self._coming)
            arrived.append((shot, outcome))
        return arrived

    # What is asked of it afterwards.

    def times(self, kind: type[Work], shot: int) -> list[float]:
        """When this kind of work was begun for the shot at this place."""
        return [s for s, work in self.begun if type(work) is kind and work.shot == SHOTS[shot].id]


def place(shot: ShotId) -> int:
    return int(shot, 16)


def ticket(task_id: str) -> Ticket:
    return Ticket(
        provider="bfl", model="bfl/m", endpoint="/m", task_id=task_id,
        poll_url=f"https://x/{task_id}", result_url=None, cancel_url=None,
    )  # fmt: skip


def charge(amount: Money) -> Charge:
    return Charge(usd=amount, source="cost", megapixels_in=None, megapixels_out=None)


def accepted(shot: int, *, cost: Money | None = PRICE) -> Accepted:
    charged = None if cost is None else charge(cost)
    return Accepted(ticket=ticket(f"task-{shot}"), charge=charged, evidence="answer")


RENDERED = Rendered(
    frames=(Frame(url="https://x/a.png", width=None, height=None, media_type=None, nsfw=False),),
    expires_at=None, seed=1, prompt=None, charge=None, details={},
)  # fmt: skip


def saved(shot: ShotId) -> Saved:
    return Saved(
        frame=0, path=f"{shot}.png", copies=(), sha256="0" * 64, size_bytes=1, width=1, height=1,
        media_type="image/png", original=None, remark=None,
    )  # fmt: skip


def all_well(work: Work) -> Answer:
    match work:
        case Open():
            return LineUp(), 0.125
        case Send(shot=shot):
            return accepted(place(shot)), 0.25
        case Poll():
            return RENDERED, 0.125
        case Fetch(shot=shot):
            return saved(shot), 0.125
        case _:
            return HungUp(), 0.0


def offer(
    shot: int, *, reserve: Money = PRICE, life: Life | None = None, service: str = "bfl", of: Shot | None = None
) -> Offer:
    return Offer(shot=of or SHOTS[shot], service=service, kind="m", reserve=reserve, estimate=reserve, life=life)


@dataclass
class Wanted:
    """A plan: what is offered, and what was read of it so far."""

    offers: Sequence[Offer]
    read: list[ShotId] = field(default_factory=list)

    def services(self) -> Sequence[str]:
        return list(dict.fromkeys(one.service for one in self.offers)) or ["bfl"]

    def wanted(self, service: str) -> Iterator[Offer]:
        for one in self.offers:
            if one.service == service:
                self.read.append(one.shot.id)
                yield one

    def again(self, shots: Mapping[ShotId, Life]) -> Iterator[Offer]:
        for one in self.offers:
            if one.shot.id in shots:
                yield offer(0, of=one.shot, reserve=one.reserve, service=one.service, life=shots[one.shot.id])


class Ledger:
    """A purse for all runs, that keeps books of what is asked of it."""

    def __init__(self, script: Script, *, most: Money = PLENTY) -> None:
        self.script, self.most = script, most
        self.held: dict[ShotId, Money] = {}
        self.said: list[tuple[str, ShotId, Money]] = []

    def reserve(self, shot: ShotId, amount: Money) -> Overrun | None:
        committed = Money(sum(self.held.values(), start=ZERO))
        if committed + amount > self.most:
            return Overrun(limit="today's limit", limit_usd=self.most, committed_usd=committed, needed_usd=amount)
        self.held[shot] = Money(self.held.get(shot, ZERO) + amount)
        self.said.append(("reserve", shot, amount))
        return None

    def settle(self, shot: ShotId, committed: Money) -> None:
        self.held[shot] = committed
        self.said.append(("settle", shot, committed))


@dataclass
class Watching:
    """Notes all that it is told."""

    seen: list[tuple[float, ShotId, ShotEvent]] = field(default_factory=list)
    told: list[tuple[float, Progress]] = field(default_factory=list)

    def saw(self, shot: ShotId, event: ShotEvent, life: Life, now: Moment) -> None:  # noqa: ARG002  # the observer's signature
        self.seen.append((now.s, shot, event))

    def standing(self, standing: Progress, now: Moment) -> None:
        self.told.append((now.s, standing))


class Deaf:
    """Hears no call."""

    def heard(self) -> Sequence[Called]:
        return ()

    def ticket(self, call: Called, intended: Intended) -> Ticket:  # noqa: ARG002  # the ear's signature
        raise AssertionError("nobody called")


class LateClerk:
    """Takes `takes_s` over each batch, and calls out when it is done."""

    def __init__(self, journal: Record, script: Script, *, takes_s: float) -> None:
        self._at_once, self._script, self._takes_s = AtOnce(journal), script, takes_s
        self._batch: tuple[Sequence[Fact], Mapping[ShotId, Life]] | None = None
        self._done_s = 0.0

    def write(self, facts: Sequence[Fact], changed: Mapping[ShotId, Life]) -> None:
        assert self._batch is None, "one batch at a time"
        self._batch, self._done_s = (facts, changed), self._script.s + self._takes_s
        self._script.at.append((self._done_s, lambda: None))

    def written(self) -> Written | None:
        return None if self._script.s < self._done_s else self.wait()

    def wait(self) -> Written:
        assert self._batch is not None, "nothing was given to the clerk"
        (facts, changed), self._batch = self._batch, None
        self._script.s = max(self._script.s, self._done_s)
        self._at_once.write(facts, changed)
        return self._at_once.wait()


class Desk:
    """One run by a script."""

    def __init__(
        self,
        offers: Sequence[Offer] = (),
        *,
        answers: Mapping[Asked, Sequence[Answer]] | None = None,
        limit: int = 4,
        size: int = 8,
        unknowns: Unknowns | None = None,
        budget: Money | None = None,
        call_limit: Money | None = None,
        committed: Money = ZERO,
        timeout_s: float = 3600.0,
        polls_per_s: float = 1000.0,
        clerk_s: float | None = None,
        services: Sequence[str] = ("bfl",),
        ear: Ear | None = None,
    ) -> None:
        self.script = Script(answers={asked: list(said) for asked, said in (answers or {}).items()}, size=size)
        self.journal = Journal(random.Random(1))
        self.plan = Wanted(offers)
        self.purse: Ledger = Ledger(self.script)
        self.observer = Watching()
        self.scheduler = Scheduler(
            throttles={name: Throttle(limit=limit, most=limit, successes=0, halved_at=None) for name in services},
            polls_per_s=dict.fromkeys(services, polls_per_s),
            timeout_s=timeout_s,
            unknowns=dict.fromkeys(services, unknowns or Unknowns(rule="hold", most=0)),
            at_once={},
            chance=lambda: 0.5,
            now=self.script.now(),
            nets=dict.fromkeys(services, safety_net(timeout_s)) if ear else None,
        )
        self.ear = ear
        self.committed, self.clerk_s = committed, clerk_s
        self.budgets = Budgets(run_directory_usd=budget, call_usd=call_limit)
        self.executor: Executor | None = None

    def hire(self) -> Executor:
        """The executor, before its run."""
        clerk: Clerk | None = None
        if self.clerk_s is not None:
            clerk = LateClerk(self.journal, self.script, takes_s=self.clerk_s)
        return Executor(
            scheduler=self.scheduler,
            journal=self.journal,
            workers=self.script,
            clock=self.script,
            purse=self.purse,
            observer=self.observer,
            budgets=self.budgets,
            committed=self.committed,
            ear=self.ear,
            clerk=clerk,
        )

    def run(self, resumed: Sequence[Resumed] = ()) -> Ending:
        self.executor = self.hire()
        return self.executor.run(self.plan, resumed)

    def press(self, how: str, *, at: float) -> None:
        """Ctrl-C, once or twice."""
        self.script.at.append((at, lambda: setattr(self.executor, "stop", how)))

    # What came of it.

    def life(self, shot: int) -> Life:
        return self.journal.lives()[SHOTS[shot].id]

    def phases(self) -> list[Phase]:
        return [life.phase for life in self.journal.lives().values()]

    def facts(self, shot: int) -> list[Event]:
        return [fact for _, of, fact in self.journal.facts if of == SHOTS[shot].id]

    def intended(self, shot: int) -> list[Intended]:
        return [fact for fact in self.facts(shot) if isinstance(fact, Intended)]
