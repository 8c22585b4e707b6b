"""What the executor makes of trouble around it: what is paid for is recorded, whatever fails beside it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import pytest
from simulated_journals import Journal
from simulated_service import CALM, Service
from simulation import Hands, NoPurse, Plan, SlowClerk, Watcher, World
from test_lifecycle import AT, accepted, intended, life_of, rendered

from flux2batch.engine.clerk import Clerk, Fact
from flux2batch.engine.events import Accepted, SendBegan
from flux2batch.engine.executor import Ending, Executor, FactsUnrecorded, Offer
from flux2batch.engine.lifecycle import Life, Phase
from flux2batch.engine.policy import Budgets, Overrun, Throttle, Unknowns
from flux2batch.engine.scheduler import Scheduler
from flux2batch.engine.work import Fetch, Moment, Work
from flux2batch.errors import GoneForGood, MachineError
from flux2batch.money import ZERO, Money
from flux2batch.planning.shot import Shot, ShotId


class Trouble:
    """One run in calm weather, with one thing around it that fails."""

    def __init__(self, *, count: int = 12, stalls: bool = False, seed: int = 1) -> None:
        self.world = World(Service(chance=random.Random(seed), weather=CALM, name="bfl", most=24))
        self.journal: Journal = Journal(random.Random(1))
        self.plan = Plan({}, count, "bfl")
        self.purse: object = NoPurse()
        self.observer: object = Watcher(None)
        self.hands = Stalling(self.world) if stalls else Hands(self.world, float("inf"))
        self.executor: Executor | None = None
        self.clerk: Clerk | None = None

    def scheduler(self) -> Scheduler:
        return Scheduler(
            throttles={"bfl": Throttle(limit=4, most=4, successes=0, halved_at=None)},
            polls_per_s={"bfl": 20.0},
            timeout_s=3600,
            unknowns={"bfl": Unknowns(rule="hold", most=0)},
            at_once={},
            chance=random.Random(1).random,
            now=self.world.now(),
        )

    def run(self) -> Ending:
        self.executor = Executor(
            scheduler=self.scheduler(),
            journal=self.journal,
            workers=self.hands,
            clock=self.world,
            purse=self.purse,
            observer=self.observer,
            budgets=Budgets(run_directory_usd=None, call_usd=None),
            committed=ZERO,
            clerk=self.clerk,
        )
        return self.executor.run(self.plan, [])

    @property
    def phases(self) -> list[Phase]:
        return [life.phase for life in self.journal.lives().values()]

    def unrecorded(self) -> set[ShotId]:
        """Shots that the service has booked and the journal knows no task id of."""
        lives = self.journal.lives()
        return {task.shot for task in self.world.service.tasks.values() if lives[task.shot].ticket is None}


class Stalling(Hands):
    """Whose submits are booked, and answered an hour later."""

    def __init__(self, world: World) -> None:
        super().__init__(world, float("inf"))

    def start(self, work: Work, shot: Shot | None) -> None:
        super().start(work, shot)
        if type(work).__name__ == "Send":
            latest = max(self._coming, key=lambda one: one[1])
            self._coming.remove(latest)
            self._coming.append((self._world.s + 3600, *latest[1:]))
            self._coming.sort()


class BrokenPurse(NoPurse):
    """Keeps the daily limit for five shots, and then cannot any more."""

    def __init__(self) -> None:
        self.reserved = 0

    def reserve(self, _shot: ShotId, _amount: Money) -> Overrun | None:
        self.reserved += 1
        if self.reserved > 5:
            raise MachineError("The daily limit cannot be kept: disk I/O error.")
        return None


class EndingPlan(Plan):
    """Cannot be read on after five shots."""

    def wanted(self, service: str) -> Iterator[Offer]:
        for number, offer in enumerate(super().wanted(service)):
            if number == 5:
                raise MachineError("copy.csv cannot be read.")
            yield offer


@pytest.mark.parametrize("what", ["purse", "plan"])
def test_f19_trouble_between_two_shots_brings_home_what_is_in_flight(what: str):
    trouble = Trouble()
    if what == "purse":
        trouble.purse = BrokenPurse()
    else:
        trouble.plan = EndingPlan({}, 12, "bfl")

    ending = trouble.run()

    assert isinstance(ending.error, MachineError)
    assert len(trouble.world.service.tasks) > 0
    assert trouble.unrecorded() == set()
    assert Phase.SENDING not in trouble.phases


class Leaver(Watcher):
    """Reads three lines and closes the pipe, or meets a bug of its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__(None)
        self.error = error
        self.seen = 0

    def saw(self, shot: ShotId, event: object, life: Life, now: Moment) -> None:  # noqa: ARG002  # the observer's signature
        self.seen += 1
        if self.seen > 3:
            raise self.error


def test_f11_the_run_goes_on_when_nobody_reads_any_more():
    trouble = Trouble()
    trouble.observer = Leaver(BrokenPipeError())

    ending = trouble.run()

    assert ending.error is None
    assert trouble.phases == [Phase.DONE] * 12


def test_f14_a_bug_in_what_is_shown_costs_no_picture():
    trouble = Trouble()
    trouble.observer = Leaver(ZeroDivisionError())

    ending = trouble.run()

    assert isinstance(ending.error, ZeroDivisionError)
    assert trouble.phases == [Phase.DONE] * 12


class Failing(Journal):
    """Cannot be written from the `nth` fact of a kind on, for some virtual seconds or for ever."""

    def __init__(self, world: World, *, kind: str, for_s: float, error: Callable[[str], MachineError]) -> None:
        super().__init__(random.Random(1))
        self.world, self.kind, self.for_s, self.error = world, kind, for_s, error
        self.since: float | None = None
        self.tries = 0
        self.last_tried: Sequence[Fact] = ()

    def write(self, facts: Sequence[Fact]) -> None:
        if self.since is None and any(type(fact).__name__ == self.kind for _, _, fact in facts):
            self.since = self.world.s
        if self.since is not None and self.world.s < self.since + self.for_s:
            self.tries += 1
            self.last_tried = facts
            raise self.error("The journal cannot be written: database or disk is full.")
        super().write(facts)


def test_f17_a_task_id_that_the_disk_would_not_take_is_recorded_when_there_is_room_again():
    trouble = Trouble()
    trouble.journal = Failing(trouble.world, kind="Accepted", for_s=20, error=MachineError)

    ending = trouble.run()

    assert isinstance(ending.error, MachineError)
    assert trouble.unrecorded() == set()
    assert Phase.SENDING not in trouble.phases


def test_f17_after_a_minute_every_task_id_is_told_for_a_person_to_keep():
    trouble = Trouble()
    trouble.journal = Failing(trouble.world, kind="Accepted", for_s=float("inf"), error=MachineError)

    with pytest.raises(FactsUnrecorded) as told:
        trouble.run()

    lines = {tuple(line.split()[:3]) for line in told.value.recover}
    assert lines == {("RECOVER", task.shot, name) for name, task in trouble.world.service.tasks.items()}
    assert trouble.world.s >= 60


def test_f17_before_anything_is_sent_a_full_disk_ends_the_run_at_once():
    trouble = Trouble()
    trouble.journal = Failing(trouble.world, kind="Intended", for_s=float("inf"), error=MachineError)

    with pytest.raises(FactsUnrecorded) as told:
        trouble.run()

    assert told.value.recover == ()
    assert trouble.world.service.tasks == {}
    assert trouble.world.s < 1


def test_f17_what_is_sent_waits_for_a_durable_word_that_it_will_be():
    trouble = Trouble()
    trouble.journal = Failing(trouble.world, kind="SendBegan", for_s=float("inf"), error=MachineError)

    with pytest.raises(FactsUnrecorded):
        trouble.run()

    assert trouble.world.service.tasks == {}


def test_f25_a_journal_that_is_gone_is_not_waited_for_but_answers_under_way_are():
    trouble = Trouble()
    trouble.journal = Failing(trouble.world, kind="Accepted", for_s=float("inf"), error=GoneForGood)

    with pytest.raises(FactsUnrecorded) as told:
        trouble.run()

    assert len(told.value.recover) == len(trouble.world.service.tasks) > 0
    assert trouble.world.s < 10


# Red where the facts that came while the last attempt was under way are told, but not tried.
@pytest.mark.parametrize("seed", range(8))
def test_f25_what_was_learnt_while_the_journal_went_is_offered_to_it_too(seed: int):
    trouble = Trouble(seed=seed)
    trouble.journal = failing = Failing(trouble.world, kind="Accepted", for_s=float("inf"), error=GoneForGood)
    trouble.clerk = SlowClerk(failing, trouble.world, trouble.hands)

    with pytest.raises(FactsUnrecorded):
        trouble.run()

    offered = {event.ticket.task_id for _, _, event in failing.last_tried if isinstance(event, Accepted)}
    assert offered == set(trouble.world.service.tasks)


class StopsNow(Watcher):
    """Presses Ctrl-C twice a second after the run began, when submits are under way."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(None)
        self.trouble = trouble
        trouble.hands.nudge_at(1.0)

    def standing(self, standing: object, now: Moment) -> None:
        super().standing(standing, now)
        if now.s >= 1.0 and self.trouble.executor is not None:
            self.trouble.executor.stop = "now"


def test_f08_stopped_at_once_no_answer_is_waited_for_longer_than_a_second():
    trouble = Trouble(stalls=True)
    trouble.observer = StopsNow(trouble)

    ending = trouble.run()

    assert ending.stopped
    assert trouble.world.s < 3
    paid = {task.shot for task in trouble.world.service.tasks.values()}
    assert len(paid) == 4
    assert all(trouble.journal.lives()[shot].phase is Phase.SENDING for shot in paid)


# Red with `is_behind_with_fetches` answering False.
def test_f72_a_picture_that_has_waited_for_five_minutes_closes_the_gate_until_it_is_fetched():
    scheduler = Trouble().scheduler()
    ready = life_of(intended(), SendBegan(), accepted(), rendered())
    begin, later = Moment(0.0, AT), Moment(301.0, AT)
    for shot in ("a", "b"):
        scheduler.take_up(ShotId(shot), ready, service="bfl", kind="m", now=begin)
    assert isinstance(scheduler.next_work(begin), Fetch)
    assert scheduler.room("bfl", begin)

    assert not scheduler.room("bfl", later)

    assert isinstance(scheduler.next_work(later), Fetch)
    assert scheduler.room("bfl", later)
