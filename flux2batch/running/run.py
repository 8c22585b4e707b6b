"""Run a plan: locked, compared with what is there, executed, and told.

with open_run(plan, wishes, …) as run:
    run.outlook                what is new, done, missing, and what it may cost; nothing is sent
    run.go(observer)           until nothing is left to do, or somebody stops it
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from flux2batch import __version__
from flux2batch.durable import sync_folder
from flux2batch.engine.calling import SafetyNet, safety_net
from flux2batch.engine.clerk import Fact, Meanwhile
from flux2batch.engine.clock import RealClock
from flux2batch.engine.crew import Crew
from flux2batch.engine.events import BalanceSeen, Event, Retried, RunBegan, RunEnded, Saved, ShotEvent
from flux2batch.engine.executor import Ending, Executor, Observer, Progress, Stop
from flux2batch.engine.journal import Journal
from flux2batch.engine.lifecycle import Life, Phase
from flux2batch.engine.policy import FREE_TAKES, REACHED, Budgets, Throttle, Unknowns
from flux2batch.engine.purse import DailyPurse, FreePurse
from flux2batch.engine.reconciling import reconcile
from flux2batch.engine.run_directory import Memory, Purpose, RunDirectory, drive, sound
from flux2batch.engine.scheduler import Scheduler
from flux2batch.engine.work import Moment
from flux2batch.money import ZERO, Money
from flux2batch.pictures.describing import embed
from flux2batch.pictures.description import describe, sidecar
from flux2batch.pictures.placing import Gallery
from flux2batch.planning.configuration import concurrency
from flux2batch.planning.plan import Plan, row_of
from flux2batch.planning.shot import ShotId
from flux2batch.providers.contract import Engine
from flux2batch.reading.masking import without_keys
from flux2batch.reporting import ledger
from flux2batch.reporting.csv_rows import COMMAS, csv_row
from flux2batch.running.again import Again, OnlySome, asked_again, clear_away, with_lives
from flux2batch.running.cutting import Recut, count_of, cut_anew, to_cut
from flux2batch.running.exits import exit_code_of
from flux2batch.running.feed import InSendingOrder, PlanFeed, phase_of, resumed, service_of
from flux2batch.running.hands import RealHands
from flux2batch.running.housekeeping import Doorman, put_in_order, refuse_foreign, replace_file, replacing
from flux2batch.running.leftovers import sweep_thumbnails
from flux2batch.running.one_heap import share_one_heap
from flux2batch.running.outlook import Outlook, look_ahead
from flux2batch.running.recorded_run import Present
from flux2batch.running.reuse import NOBODY, Neighbourhood, adopt, look_around, neighbours
from flux2batch.running.services import Services, open_services
from flux2batch.running.sheet_writer import SheetWriter
from flux2batch.running.standings import Counts, count
from flux2batch.running.thumbnail_folder import FOLDER
from flux2batch.running.webhooks import Calls, Webhook, open_calls
from flux2batch.safe_text import safe_json

_WORKERS = 32
# BFL's replies name 1,200 requests a minute. fal names no limit: so many are enough for a thousand pictures in flight.
# A poll of workers of one's own costs nobody anything.
_POLLS_PER_S: Mapping[str, float] = {"bfl": 20.0, "fal": 280.0, "local": 200.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How this call is to be run."""

    root: Path
    emulate: bool  # start an emulator for this run
    emulated: bool  # everything stays on this machine: such an emulator, or a base URL on loopback
    command: str  # "run", "retry"
    flags: tuple[tuple[str, str], ...]  # what of it is asked for otherwise than the job file says: --set, --only
    max_usd: Money | None
    unknowns: Unknowns
    fresh: bool  # look nowhere but in the own directory
    reuse: tuple[Path, ...]  # further run directories, or folders of them
    moderated_ok: bool
    state_folder: Path  # the user's: limits across runs, and what is remembered of run directories
    accept_rollback: bool
    fork: bool
    webhook: Webhook | None  # where services are to call


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a run."""

    root: Path
    counts: Counts
    ending: Ending
    balances: Mapping[str, tuple[Money | None, Money | None]]  # service → before and after
    sheet_trouble: str | None  # why the contact sheet is not up to date
    exit_code: int
    done_before: int  # shots that were there when it began
    charged_before: Money


class Run:
    """An open run directory beside the plan it is for. Nothing has been sent."""

    def __init__(
        self,
        *,
        plan: Plan,
        wishes: Wishes,
        directory: RunDirectory,
        services: Services,
        stack: ExitStack,
        calls: Calls | None = None,
        again: Again | None = None,
    ) -> None:
        self._plan = plan
        self._wishes = wishes
        self._directory = directory
        self._services = services
        self._clock = RealClock()
        self.calls = calls  # what services said, where they were asked to
        self._crew: Crew | None = None
        self._executor: Executor | None = None
        self._stop: Stop = "no"
        self._again = again
        self._lives_again = asked_again(directory.journal, again, at=self._clock.now().at) if again else {}
        self._asked = OnlySome(plan, self._lives_again) if again else plan
        self._standing = with_lives(directory.journal.standing(), self._lives_again)
        self._reconciled = reconcile(plan, self._standing)
        self.neighbourhood = self._look_around()
        self._stack = stack
        if again is None:
            bought = (shot for shot in plan if shot.id not in self.neighbourhood.finds)
            refuse_foreign(bought, self._standing, self._reconciled, directory.root)
        self.outlook: Outlook = look_ahead(
            self._asked,
            self._standing,
            self._reconciled,
            found=self.neighbourhood.finds,
            budgets=self._budgets,
            root=directory.root,
            cut=count_of(self._to_cut()),
        )

        if self.outlook.has_work:
            for name, engine in self._engines.items():
                engine.check(self._models_of(name))

    @property
    def root(self) -> Path:
        """The run directory."""
        return self._directory.root

    @property
    def _engines(self) -> Mapping[str, Engine]:
        providers = self._services.providers
        return {name: provider for name, provider in providers.items() if isinstance(provider, Engine)}

    def _models_of(self, service: str) -> list[str]:
        return [model for model, _ in self._plan.totals.models if service_of(model) == service]

    @property
    def budget(self) -> Money | None:
        """The tightest bound on what this call may spend."""
        bounds = [self._budgets.run_directory_usd, self._budgets.call_usd]
        return min((bound for bound in bounds if bound is not None), default=None)

    @property
    def journal(self) -> Journal:
        """The run directory's journal."""
        return self._directory.journal

    def make_ready(self) -> Iterator[str]:
        """Load what draws on machines of one's own; a line on each. `go` does it where nobody has."""
        if self.outlook.has_work:
            for name, engine in self._engines.items():
                yield from engine.make_ready(self._models_of(name))

    def stop(self, how: Stop) -> None:
        """Finish what is in flight ("drain"), or stop at once ("now"). A signal's handler may call it."""
        self._stop = how
        for engine in self._engines.values():
            engine.stop()
        if self._executor is not None:
            self._executor.stop = how
        if self._crew is not None:
            self._crew.nudge()

    def go(self, observer: Observer) -> Report:
        """Run until nothing is left to do. What was accepted is brought home, whatever happens."""
        list(self.make_ready())
        journal, run_id = self.journal, secrets.token_hex(4)
        providers = self._services.providers
        self._append([(None, self._began(run_id))])
        self._note_shard()
        gallery = Gallery(self.root, known=_nothing_known)
        self._ask_again(gallery)
        put_in_order(gallery, journal, self._standing, self._reconciled, self.root, self._append)
        self._directory.originals.mkdir(parents=True, exist_ok=True)
        sync_folder(self._directory.inner)  # the gallery below syncs what is in it, and not its own name
        originals = Gallery(self._directory.originals, known=_nothing_known)
        originals.sweep()
        sweep_thumbnails(self.root / FOLDER)
        adopted = self._adopt(gallery, originals)
        self._standing = journal.standing()
        cut_anew(self._to_cut(), gallery=gallery, originals=originals, describe=self._describe, record=self._append)
        self._write_plan()

        done_before, charged_before = self.outlook.done + adopted, self._standing.charged
        before = self._balances(when="before")
        doorman = Doorman.of(gallery, journal, self._standing, self._reconciled.displaced)
        hands = RealHands(
            providers=providers,
            shelf=self._plan.shelf,
            gallery=gallery,
            originals=originals,
            describe=self._describe,
            make_way=doorman.make_way,
            hooks=self.calls,
        )
        with SheetWriter(self.root) as sheet:
            ending = self._execute(hands, doorman, _AndTheSheet(observer, sheet))
            after = self._balances(when="after")
            journal.write_snapshot()  # before what reads where every shot stands
            counts = count(self._plan, journal)
            code = exit_code_of(counts, ending, moderated_ok=self._wishes.moderated_ok)
            self._append([(None, RunEnded(run=run_id, exit_code=code, reason=_reason(ending)))])
            write_ledger(self._directory)
        return Report(
            root=self.root,
            counts=counts,
            ending=ending,
            balances={name: (before.get(name), after.get(name)) for name in providers},
            sheet_trouble=sheet.trouble,
            exit_code=code,
            done_before=done_before,
            charged_before=charged_before,
        )

    def _note_shard(self) -> None:
        """Remember of which part of the plan this is the run directory, for whoever looks at it."""
        shard = str(self._plan.shard or "")
        if self._again is None and (self.journal.meta("shard") or "") != shard:
            self.journal.set_meta("shard", shard)

    def _ask_again(self, gallery: Gallery) -> None:
        """Record what a person asked for, now that it is agreed to: before this a refusal changed nothing."""
        if self._again is None:
            return
        clear_away(gallery, Present(self.root), self._lives_again)
        self._append([(shot, Retried(by=self._again.by)) for shot in self._lives_again])

    def _look_around(self) -> Neighbourhood:
        """Emulated pictures are never reused, and --fresh looks nowhere."""
        if self._wishes.emulated or self._wishes.fresh:
            return NOBODY
        wanted = (shot.id for shot in self._asked if phase_of(self._standing, shot.id) is Phase.PLANNED)
        further = (*self._wishes.reuse, *self._plan.configuration.reuse)
        return look_around(wanted, list(neighbours(self.root, further)))

    def _adopt(self, gallery: Gallery, originals: Gallery) -> int:
        """Lay what was found beside: it is done, and costs nothing. How many shots that were."""
        finds, adopted = self.neighbourhood.finds, 0
        if not finds:
            return 0
        for shot in self._asked:
            find = finds.get(shot.id)
            fact = adopt(shot, find, gallery=gallery, originals=originals) if find else None
            if fact is not None:
                self._append([(shot.id, fact)])
                adopted += 1
        return adopted

    def _to_cut(self) -> tuple[Recut, ...]:
        """Done shots that the plan wants in another exact size."""
        if self._again is not None:
            return ()
        return to_cut(self._plan, self._standing, self.journal, self._directory)

    def _describe(self, content: bytes, shot: ShotId, life: Life, frame: int) -> tuple[bytes, bytes | None]:
        """Write into the picture where it comes from, and beside it, as `output` asks."""
        output = self._plan.job.output
        if output.metadata == "none" and not output.sidecar:
            return content, None
        told = describe(
            shot,
            life,
            frame=frame,
            job=self._plan.name,
            emulated=self._wishes.emulated,
            secrets=[secret.reveal() for secret in self._services.secrets],
        )
        # A picture that is to stay as it came may have all of its story beside it.
        beside = sidecar(told, "full" if output.metadata == "none" else output.metadata) if output.sidecar else None
        return (content if output.metadata == "none" else embed(content, told, level=output.metadata).content), beside

    def _execute(self, hands: RealHands, doorman: Doorman, observer: Observer) -> Ending:
        services = tuple(self._services.providers)
        share_one_heap()
        self._crew = Crew(hands, size=_WORKERS)
        if self.calls is not None:
            self.calls.wake = self._crew.nudge
        journal = _WithCompanions(self.journal, doorman)
        clerk = Meanwhile(journal, nudge=self._crew.nudge)
        self._executor = Executor(
            scheduler=self._scheduler(services),
            journal=journal,
            clerk=clerk,
            workers=self._crew,
            clock=self._clock,
            purse=self._purse(),
            observer=observer,
            budgets=self._budgets,
            committed=self._standing.committed,
            ear=self.calls,
        )
        self._executor.stop = self._stop
        try:
            return self._executor.run(
                PlanFeed(InSendingOrder(self._plan, self._asked), self._standing, services),
                resumed(self._standing, services, called=self.calls.services if self.calls else frozenset()),
            )
        finally:
            self._crew.dismiss(patience_s=1.0)
            clerk.dismiss()

    @property
    def _budgets(self) -> Budgets:
        """The job's budget and the configuration's limit for a run count all calls; --max-usd counts this one."""
        limits = [self._plan.job.budget.max_usd, self._plan.configuration.limits.per_run_usd]
        total = min((limit for limit in limits if limit is not None), default=None)
        return Budgets(run_directory_usd=total, call_usd=self._wishes.max_usd)

    def _purse(self) -> FreePurse | DailyPurse:
        per_day = self._plan.configuration.limits.per_day_usd
        if per_day is None or self._wishes.emulated:
            return FreePurse()
        purse = DailyPurse(
            self._wishes.state_folder / "spend.db",
            run_directory=self.journal.run_directory_id,
            per_day_usd=per_day,
            now=self._clock.now().at,
        )
        self._stack.callback(purse.close)
        purse.settle_up(self._standing.committed_of)
        return purse

    def _scheduler(self, services: Sequence[str]) -> Scheduler:
        return Scheduler(
            throttles={service: _throttle(self._plan, service) for service in services},
            polls_per_s={service: _POLLS_PER_S.get(service, 20.0) for service in services},
            timeout_s=float(self._plan.job.run.timeout_s),
            unknowns={
                service: FREE_TAKES if _is_free(self._plan, service) else self._wishes.unknowns for service in services
            },
            at_once={name: _room(engine) for name, engine in self._engines.items()},
            chance=Random().random,
            now=self._clock.now(),
            nets=self._nets,
        )

    @property
    def _nets(self) -> dict[str, SafetyNet]:
        """The services that call, and how rarely they are asked all the same."""
        net = safety_net(float(self._plan.job.run.timeout_s))
        return dict.fromkeys(self.calls.services, net) if self.calls else {}

    def _began(self, run_id: str) -> RunBegan:
        job = self._plan.job
        return RunBegan(
            run=run_id,
            version=__version__,
            command=self._wishes.command,
            job_file=str(job.file) if job.file else None,
            job_name=job.name,
            origins={name: provider.origin for name, provider in self._services.providers.items()},
            emulated=self._wishes.emulated,
            shots=len(self._plan),
            axes=_axes(self._plan),
            sheet=dict(job.sheet),
            flags=tuple((flag, self._without_secrets(value)) for flag, value in self._wishes.flags),
        )

    def _without_secrets(self, text: str) -> str:
        for secret in self._services.secrets:
            text = text.replace(secret.reveal(), "****")
        return without_keys(text)

    def _balances(self, *, when: str) -> dict[str, Money]:
        """What the accounts hold, where the services tell; recorded, so that the books can be held against it."""
        seen: dict[str, Money] = {}
        if not self.outlook.new or self._stop == "now":
            return seen
        for name, provider in self._services.providers.items():
            balance = provider.balance()
            if balance is not None:
                seen[name] = balance
                self._append(
                    [(None, BalanceSeen(service=name, usd=balance, when="before" if when == "before" else "after"))]
                )
        return seen

    def _write_plan(self) -> None:
        """Leave behind what was asked for. A selection that no shot passes asks for nothing: the last plan stands."""
        path = self.root / "plan.jsonl"
        if self._plan.all_shots and not len(self._plan.whole) and path.is_file():
            return
        lines = (
            safe_json(json.dumps(row_of(shot), ensure_ascii=False, separators=(",", ":"))) + "\n" for shot in self._plan
        )
        replace_file(path, lines)

    def _append(self, facts: Sequence[tuple[ShotId | None, Event]]) -> None:
        if facts:
            self.journal.append(facts, at=self._clock.now().at)


@contextmanager
def open_run(
    plan: Plan, wishes: Wishes, *, environ: Mapping[str, str], now: datetime, again: Again | None = None
) -> Iterator[Run]:
    """Open the run directory for this plan and this process alone, with the services that the plan names.

    With `again` nothing is bought but those shots, which had ended.
    Raises AccountError where a key is missing, Refused and MachineError as `drive` does.
    """
    purpose = Purpose(
        job_name=plan.job.name,
        job_file=str(plan.job.file.resolve()) if plan.job.file else None,
        emulated=wishes.emulated,
    )
    memory = Memory(
        wishes.state_folder / "run-directories.db", accept_rollback=wishes.accept_rollback, fork=wishes.fork
    )
    with ExitStack() as stack:
        directory = stack.enter_context(drive(wishes.root, purpose, now=now, memory=memory))
        services = stack.enter_context(
            open_services(plan, emulate=wishes.emulate, inner=directory.inner, environ=environ)
        )
        calls: Calls | None = None
        if wishes.webhook is not None:
            listening = open_calls(
                wishes.webhook,
                providers=services.providers,
                state_folder=wishes.state_folder,
                run_directory_id=directory.journal.run_directory_id,
            )
            calls = stack.enter_context(listening)
        yield Run(
            plan=plan, wishes=wishes, directory=directory, services=services, stack=stack, calls=calls, again=again
        )


def write_ledger(directory: RunDirectory) -> None:
    """Draw ledger.csv and ledger.jsonl from the journal."""
    root = directory.root
    with sound(root), replacing(root / "ledger.csv") as table, replacing(root / "ledger.jsonl") as objects:
        table.write(csv_row(ledger.COLUMNS, COMMAS))
        for line in ledger.lines(directory.journal.entries_by_shot()):
            table.write(ledger.csv_line(line, COMMAS))
            objects.write(ledger.json_line(line))


class _AndTheSheet:
    """Whoever watches the run, and the contact sheet beside them."""

    def __init__(self, observer: Observer, sheet: SheetWriter) -> None:
        self._observer = observer
        self._sheet = sheet

    def saw(self, shot: ShotId, event: ShotEvent, life: Life, now: Moment) -> None:
        if isinstance(event, Saved):
            self._sheet.saw(event)
        self._observer.saw(shot, event, life, now)

    def standing(self, standing: Progress, now: Moment) -> None:
        self._observer.standing(standing, now)


class _WithCompanions:
    """The journal, for the executor: facts about pictures that made way are recorded with those they made way for."""

    def __init__(self, journal: Journal, doorman: Doorman) -> None:
        self._journal = journal
        self._doorman = doorman
        self._moved: list[Fact] = []

    def write(self, facts: Sequence[Fact]) -> None:
        last_at = facts[-1][0]
        self._moved += [(last_at, shot, fact) for shot, fact in self._doorman.facts()]
        self._journal.write([*facts, *self._moved])
        self._moved.clear()  # not before: the executor tries again where a disk is full

    def remember(self, shot: ShotId, life: Life) -> None:
        self._journal.remember(shot, life)


def _throttle(plan: Plan, service: str) -> Throttle:
    models = [model for model, _ in plan.totals.models if service_of(model) == service]
    entries = [entry for model in models if (entry := plan.configuration.entry(model)) is not None]
    bounds = [concurrency(plan.configuration, entry, plan.job.run.concurrency) for entry in entries]
    return Throttle(
        limit=min(start for start, _ in bounds), most=min(most for _, most in bounds), successes=0, halved_at=None
    )


def _room(engine: Engine) -> Callable[[], int]:
    return lambda: engine.at_once


def _is_free(plan: Plan, service: str) -> bool:
    """Whether no picture that the plan asks of this service costs anything."""
    quotes = [batch.quote for batch in plan.totals.batches if service_of(batch.model) == service]
    return all(quote is not None and quote.max == ZERO for quote in quotes)


def _axes(plan: Plan) -> dict[str, tuple[tuple[str, str], ...]]:
    """The axes with the values that the plan's shots have on them, in order of appearance."""
    seen: dict[str, dict[str, str]] = {axis.name: {} for axis in plan.axes}
    for shot in plan:
        for name, coordinate in shot.coordinates.items():
            seen[name].setdefault(coordinate.id, coordinate.label)
    return {name: tuple(values.items()) for name, values in seen.items()}


def _reason(ending: Ending) -> str | None:
    if ending.error is not None:
        return str(ending.error) or type(ending.error).__name__
    return ending.problem or (f"{ending.overrun.limit}{REACHED}" if ending.overrun else None)


def _nothing_known(_path: str) -> str | None:
    return None
