"""The plan: the ordered shots of a job with their ids, prices and paths, and what they come to."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flux2batch.errors import InvalidInput
from flux2batch.money import ZERO, Money, show
from flux2batch.planning.configuration import Configuration, bounds, host_fault
from flux2batch.planning.flat_rows import Row, flat
from flux2batch.planning.models.pricing import Estimate, cliff
from flux2batch.planning.over_budget import over_budget
from flux2batch.planning.shot import Shot, ShotId
from flux2batch.planning.shots.expansion import Draft, Script, Walk
from flux2batch.planning.shots.findings import Findings
from flux2batch.planning.shots.request import Request
from flux2batch.planning.shots.rows import Builder, row_of
from flux2batch.planning.shots.script import Prepared, prepare
from flux2batch.planning.shots.survey import Survey, survey
from flux2batch.planning.shots.totals import Batch, Tally, Totals
from flux2batch.planning.sweep.selection import Selection, place_of_flag
from flux2batch.planning.sweep.shards import Shard, run_name
from flux2batch.planning.sweep.spread import ranks
from flux2batch.planning.tables.tables import Table
from flux2batch.reading.job import Job
from flux2batch.reading.problems import Problem, error, has_errors, in_order, warning

if TYPE_CHECKING:
    from flux2batch.planning.references.looking import Looker
    from flux2batch.planning.references.shelf import ReferenceShelf

__all__ = ["Batch", "Plan", "PlanOptions", "PlannedAxis", "Totals", "plan_job", "row_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """Which shots are asked for, and what is checked. What may be spent stands in the configuration."""

    only: str | None = None  # an expression
    picks: Path | None = None  # a file of picks
    limit: int | None = None  # the first so many
    sample: int | None = None  # so many, spread over all axes
    shard: Shard | None = None  # a part of those
    check_money: bool = True  # False: validate, which asks for everything but prices and budgets
    check_budget: bool = True  # False: who knows what is paid for already judges the rest
    strict: bool = False  # warnings are errors
    fetch: Callable[[str, str | None], bytes | str] | None = None  # a URL, by a proxy: how references are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAxis:
    """An axis as the plan shows it."""

    name: str
    count: int
    ids: tuple[str, ...]  # the first few
    drawn: bool
    conditional: bool


class Plan:
    """The shots of a job. Iterating makes them afresh, in the same order each time, and keeps none."""

    job: Job  # what it was made from
    configuration: Configuration  # the limits and prices that it was made with
    warnings: tuple[Problem, ...]  # what is odd and no error

    def __init__(
        self,
        job: Job,
        *,
        configuration: Configuration,
        prepared: Prepared,
        script: Script,
        surveyed: Survey,
        selection: Selection,
        warnings: tuple[Problem, ...],
    ) -> None:
        self.job = job
        self.configuration = configuration
        self.warnings = warnings
        self._prepared = prepared
        self._script = script
        self._survey = surveyed
        self._selection = selection

    def __len__(self) -> int:
        return self.totals.shots

    def __iter__(self) -> Iterator[Shot]:
        build = Builder(self._script, self._survey)
        return (build.shot(draft) for draft in self._drafts())

    @property
    def name(self) -> str:
        """The job's name."""
        return self.job.name

    @property
    def shelf(self) -> ReferenceShelf:
        """The references of the job, for who sends them."""
        return self._prepared.shelf()

    @property
    def shard(self) -> Shard | None:
        """The part of the plan that this is, where it was asked for in parts."""
        return self._selection.shard

    @property
    def whole(self) -> Plan:
        """What all shards of this plan come to together."""
        return self if self.shard is None else self._chosen(replace(self._selection, shard=None))

    @property
    def run_name(self) -> str:
        """What its run directory is called: shards that meet on one machine have one each."""
        return run_name(self.name, self.shard)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables of the job, with the rows that their filters keep."""
        return self._prepared.tables

    @property
    def all_shots(self) -> int:
        """The shots of the whole job, whatever is asked for."""
        return self._survey.shots

    @property
    def cost(self) -> Estimate:
        """What the shots cost together: the least and the most."""
        return self.totals.cost

    @cached_property
    def hints(self) -> tuple[str, ...]:
        """Where a slightly smaller picture is a whole megapixel cheaper."""
        sizes = {(batch.model, batch.width, batch.height): None for batch in self.totals.batches if batch.trim is None}
        entries = [(self.configuration.entry(model), width, height) for model, width, height in sizes]
        hints = [cliff(entry, width, height) for entry, width, height in entries if entry]
        return tuple(dict.fromkeys(hint for hint in hints if hint))

    @cached_property
    def axes(self) -> tuple[PlannedAxis, ...]:
        """The axes in the order of the job, drawn ones last."""
        grid = self._script.grid
        return tuple(
            PlannedAxis(
                name=column.name,
                count=column.count,
                ids=tuple(column.value(index).id for index in range(min(column.count, 12))),
                drawn=column in grid.drawn,
                conditional=column.axis.when is not None,
            )
            for column in grid.columns
        )

    @cached_property
    def totals(self) -> Totals:
        """What is asked for, counted."""
        if self._selection.is_everything and not self._survey.skipped:
            tally = self._survey.tally
        else:
            tally = Tally()
            for _ in self._drafts(lambda request: tally.add(request, request.chosen)):
                pass
        return tally.totals(self._script.requests, self.configuration, self._prepared.shelf)

    def add_warnings(self, found: Iterable[Problem]) -> None:
        """Warnings of the job file itself, which was read before it was planned."""
        self.warnings = tuple(in_order([*found, *self.warnings]))

    def only(self, expression: str) -> Plan:
        """The plan of those shots for which an expression is true."""
        return self._chosen(self._selection.only(expression, self._script, self.job.document))

    def sending_order(self) -> list[int]:
        """The indices of the shots in the order in which they are sent: as written, or one of each first."""
        if self.job.run.order == "written":
            return [draft.number for draft in self._drafts()]
        placed = _Ranks(self._script)
        return [index for _, index in sorted((placed.of(draft), draft.number) for draft in self._drafts())]

    def fitting(self, budget: Money) -> int:
        """How many shots together cost no more than this at the most; one that is too dear is passed over."""
        left, count = budget, 0
        for draft in self._drafts():
            price = draft.request.quote.max if draft.request.quote else ZERO
            if price <= left:
                left = Money(left - price)
                count += 1
        return count

    def to_rows(self) -> list[Row]:
        """The shots as flat rows with the same columns each, for pandas, csv.DictWriter and the like.

        They are the lines of `plan --jsonl` with what is nested under dotted names: `params.guidance`,
        `coordinates.light`, `cost_usd.max`; references and paths are text, one a line.
        """
        return flat({name: value for name, value in row_of(shot).items() if name != "schema_version"} for shot in self)

    def _repr_html_(self) -> str:
        """The plan as a notebook shows it."""
        from flux2batch.planning.plan_html import plan_html

        return plan_html(self)

    def counted_by(self, state: Callable[[ShotId], str]) -> Counter[str]:
        """The shots by a state that somebody knows: new, done or reused, from a run directory's journal."""
        return Counter(state(shot.id) for shot in self)

    def _chosen(self, selection: Selection) -> Plan:
        return Plan(
            self.job,
            configuration=self.configuration,
            prepared=self._prepared,
            script=self._script,
            surveyed=self._survey,
            selection=selection,
            warnings=self.warnings,
        )

    def _drafts(self, count: Callable[[Request], None] = lambda _: None) -> Iterator[Draft]:
        """The drafts that are asked for. Requests that are let go carry how many shots were chosen of them."""
        walk = Walk(self._script, Findings(self.job.document), let_go=count, judged=True)
        skipped, selection = self._survey.skipped, self._selection
        drafts = walk.drafts()
        if skipped:
            drafts = (draft for draft in drafts if draft.number not in skipped)
        if selection.test is not None:
            drafts = (draft for draft in drafts if selection.test(draft))
        if selection.sample is not None:
            sampled = self._sampled
            drafts = (draft for draft in drafts if draft.number in sampled)
        left, shard = selection.limit, selection.shard
        for draft in drafts:
            if left is not None and (left := left - 1) < 0:
                break
            if shard is not None and not (draft.id and shard.takes(draft.id)):
                continue
            draft.request.chosen += 1
            yield draft
        walk.finish()

    @cached_property
    def _sampled(self) -> frozenset[int]:
        wider = self._chosen(replace(self._selection, sample=None, limit=None, shard=None))
        placed = _Ranks(self._script)
        wanted = self._selection.sample or 0
        chosen = heapq.nsmallest(wanted, ((placed.of(draft), draft.number) for draft in wider._drafts()))
        return frozenset(index for _, index in chosen)


def plan_job(job: Job, *, configuration: Configuration, options: PlanOptions | None = None) -> Plan:
    """The plan of a job; raises InvalidInput with everything that is wrong with it."""
    options = options or PlanOptions()
    limit = configuration.limits.max_shots
    looker = _looker(options, configuration)
    prepared = prepare(job, configuration, check_money=options.check_money, max_shots=limit, looker=looker)
    findings, script = prepared.findings, prepared.script
    if script is None or job.lost is not None:
        raise InvalidInput(findings.problems())
    surveyed = survey(job, script, findings, max_shots=limit)
    problems = findings.problems()
    if has_errors(problems):
        raise InvalidInput(problems)

    selection = Selection.of(
        options.only, options.picks, options.limit, options.sample, script, job.document, shard=options.shard
    )
    plan = Plan(
        job,
        configuration=configuration,
        prepared=prepared,
        script=script,
        surveyed=surveyed,
        selection=selection,
        warnings=problems,
    )
    plan.warnings = tuple(
        in_order([*problems, *_about_totals(plan, options), *_about_selection(plan, options, selection)])
    )
    if has_errors(plan.warnings, strict=options.strict and bool(plan.warnings)):
        raise InvalidInput(plan.warnings)
    return plan


def _looker(options: PlanOptions, configuration: Configuration) -> Looker | None:
    """Looks at https references where that was asked for, and at none on a host that the configuration forbids."""
    fetch = options.fetch
    if fetch is None:
        return None
    from flux2batch.planning.references.looking import Looker

    proxy = next((service.proxy for service in configuration.services.values() if service.proxy), None)
    return Looker(
        lambda url: fetch(url, proxy),
        may_ask=lambda url: host_fault(configuration, urlsplit(url).hostname or "") is None,
    )


class _Ranks:
    """The place of a draft in the spread order: repeats last, what `include` added behind the product."""

    def __init__(self, script: Script) -> None:
        self._ranks = ranks(script.grid.radices)

    def of(self, draft: Draft) -> tuple[int, int]:
        raw = draft.raw
        return draft.repeat, self._ranks[raw] if raw < len(self._ranks) else raw


def _about_totals(plan: Plan, options: PlanOptions) -> Iterator[Problem]:
    """Whether the shots that are asked for fit the budget."""
    document = plan.job.document
    if not options.check_money:
        return
    yield from _about_warnings(plan)
    yield from _about_all_shards(plan)
    limits = bounds(plan.configuration, plan.job.budget.max_usd)
    most, least_bound = plan.cost.max, min((bound.usd for bound in limits), default=None)
    if options.check_budget and least_bound is not None and most > least_bound:
        fitting = plan.fitting(least_bound)
        yield over_budget(document, limits, new=len(plan), most=most, committed=ZERO, fitting=fitting)
    elif plan.job.budget.warn_usd is not None and most > plan.job.budget.warn_usd:
        steps = ("budget", "warn_usd")
        message = f"the plan comes to {show(most)}, over warn_usd, {show(plan.job.budget.warn_usd)}"
        yield warning("FB610", message, where=document.place(steps), steps=steps)


def _about_selection(plan: Plan, options: PlanOptions, selection: Selection) -> Iterator[Problem]:
    """What is asked for and not there: a filter that no shot passes, picks from what has changed since (FB312)."""
    if selection.test is None or not selection.asks_every_shot:
        return
    shots = plan.totals.shots  # when they are counted, every shot has been asked about
    picked = selection.picked
    gone = picked.gone if picked is not None else ()
    if picked is None and options.only is not None and not shots and plan.all_shots:
        yield warning(
            "FB312", "no shot passes this filter", where=place_of_flag(options.only), help=_values(plan, options.only)
        )
    if picked is not None and gone:
        picks = "picks names" if len(gone) == 1 else "picks name"
        message = f"{len(gone):,} of {picked.count:,} {picks} no shot of this plan: {', '.join(gone[:5])}"
        help = (
            "what they were picked from has changed since, its prompt or a parameter: leave away the --set that did it,"
            " or take `id` out of each pick, which is then found by its path, and without that by its coordinates"
        )
        yield warning("FB312", message, where=plan.job.document.whole, help=help)


def _values(plan: Plan, only: str) -> str | None:
    """The values of the axes that a filter speaks of."""
    named = [axis for axis in plan.axes if re.search(rf"\b{re.escape(axis.name)}\b", only)]
    listed = (", ".join([*axis.ids, *["…"] * (axis.count > len(axis.ids))]) for axis in named)
    return "; ".join(f"{axis.name}: {values}" for axis, values in zip(named, listed, strict=True)) or None


def _about_all_shards(plan: Plan) -> Iterator[Problem]:
    """Each shard is run by itself and knows nothing of what the others spend: the budget must do for all of them."""
    budget = plan.job.budget.max_usd
    if plan.shard is None or budget is None or (most := plan.whole.cost.max) <= budget:
        return
    steps = ("budget", "max_usd")
    message = f"all {plan.shard.count} shards together may cost {show(most)}, the budget is {show(budget)}"
    help = "each shard would spend by itself: take fewer shots with --only, --sample or --limit, or raise the budget"
    yield error("FB610", message, where=plan.job.document.place(steps), steps=steps, help=help)


def _about_warnings(plan: Plan) -> Iterator[Problem]:
    """A sum from which on to warn that lies above the most that may be spent: it would never be reached."""
    budget = plan.job.budget
    if budget.max_usd is None or budget.warn_usd is None or budget.warn_usd <= budget.max_usd:
        return
    steps = ("budget", "warn_usd")
    message = f"warn_usd, {show(budget.warn_usd)}, is above max_usd, {show(budget.max_usd)}, so it never warns"
    yield warning("FB204", message, where=plan.job.document.place(steps), steps=steps, help="exchange the two sums")
