"""The plan: the ordered shots of a job with their ids, prices and paths, and what they come to."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flux2batch.errors import InvalidInput
from flux2batch.money import ZERO, Money, show
from flux2batch.planning.configuration import Configuration, tightest_budget
from flux2batch.planning.expansion import Draft, Script, Walk
from flux2batch.planning.findings import Findings
from flux2batch.planning.pricing import Estimate, cliff
from flux2batch.planning.references import ReferenceShelf, Upload
from flux2batch.planning.request import Request
from flux2batch.planning.script import Prepared, prepare
from flux2batch.planning.selection import Selection
from flux2batch.planning.shot import Coordinate, Quote, Reference, Shot, ShotId, Trim
from flux2batch.planning.spread import ranks
from flux2batch.planning.survey import Survey, survey
from flux2batch.reading.job import Job
from flux2batch.reading.problems import Note, Problem, error, has_errors, in_order, warning


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """Which shots are asked for, and what is checked. What may be spent stands in the configuration."""

    only: str | None = None  # an expression
    picks: Path | None = None  # a file of picks
    limit: int | None = None  # the first so many
    sample: int | None = None  # so many, spread over all axes
    check_money: bool = True  # False: validate, which asks for everything but prices and budgets
    check_budget: bool = True  # False: a run, which knows what is paid for already and judges the rest itself
    strict: bool = False  # warnings are errors


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAxis:
    """An axis as the plan shows it."""

    name: str
    count: int
    ids: tuple[str, ...]  # the first few
    drawn: bool
    conditional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Shots that ask for the same: one model, one size, so many references, one price."""

    model: str
    endpoint: str
    width: int
    height: int
    trim: Trim | None
    frames: int
    references: int
    quote: Quote | None
    shots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the shots that are asked for come to."""

    shots: int
    cost: Estimate
    batches: tuple[Batch, ...]
    uploads: tuple[tuple[Upload, tuple[str, ...]], ...]  # each file with the hosts that it goes to
    hosts: tuple[str, ...]
    models: tuple[tuple[str, int], ...]
    without: tuple[tuple[str, int], ...]  # optional references, and the shots that go without them


class Plan:
    """The shots of a job. Iterating makes them afresh, in the same order each time, and keeps none."""

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
        build = _Builder(self._script, self._survey)
        return (build.shot(draft) for draft in self._drafts())

    @property
    def name(self) -> str:
        """The job's name."""
        return self.job.name

    @property
    def shelf(self) -> ReferenceShelf:
        """The references of the job, for who sends them."""
        return self._prepared.shelf

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
        return _totals(self._drafts, self._script, self.configuration, self._prepared.shelf)

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
        """How many shots, from the first on, cost no more than this at the most."""
        spent, count = ZERO, 0
        for draft in self._drafts():
            spent = Money(spent + (draft.request.quote.max if draft.request.quote else ZERO))
            if spent > budget:
                break
            count += 1
        return count

    def to_rows(self) -> Iterator[dict[str, Any]]:
        """The shots as plain data, as `plan --jsonl` prints them."""
        return map(row_of, self)

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
        walk = Walk(self._script, Findings(self.job.document), count)
        skipped, selection = self._survey.skipped, self._selection
        drafts = walk.drafts()
        if skipped:
            drafts = (draft for draft in drafts if draft.number not in skipped)
        if selection.test is not None:
            drafts = (draft for draft in drafts if selection.test(draft))
        if selection.sample is not None:
            sampled = self._sampled
            drafts = (draft for draft in drafts if draft.number in sampled)
        left = selection.limit
        for draft in drafts:
            if left is not None and (left := left - 1) < 0:
                break
            draft.request.chosen += 1
            yield draft
        walk.finish()

    @cached_property
    def _sampled(self) -> frozenset[int]:
        wider = self._chosen(replace(self._selection, sample=None, limit=None))
        placed = _Ranks(self._script)
        wanted = self._selection.sample or 0
        chosen = heapq.nsmallest(wanted, ((placed.of(draft), draft.number) for draft in wider._drafts()))
        return frozenset(index for _, index in chosen)


def plan_job(job: Job, *, configuration: Configuration, options: PlanOptions | None = None) -> Plan:
    """The plan of a job; raises InvalidInput with everything that is wrong with it."""
    options = options or PlanOptions()
    limit = configuration.limits.max_shots
    prepared = prepare(job, configuration, check_money=options.check_money, max_shots=limit)
    findings, script = prepared.findings, prepared.script
    if script is None:
        raise InvalidInput(findings.problems())
    surveyed = survey(job, script, findings, max_shots=limit)
    problems = findings.problems()
    if has_errors(problems):
        raise InvalidInput(problems)

    selection = Selection.of(options.only, options.picks, options.limit, options.sample, script, job.document)
    plan = Plan(
        job,
        configuration=configuration,
        prepared=prepared,
        script=script,
        surveyed=surveyed,
        selection=selection,
        warnings=problems,
    )
    plan.warnings = tuple(in_order([*problems, *_about_totals(plan, options)]))
    if has_errors(plan.warnings, strict=options.strict and bool(plan.warnings)):
        raise InvalidInput(plan.warnings)
    return plan


def row_of(shot: Shot) -> dict[str, Any]:
    """A shot as `plan --jsonl` prints it."""
    return {
        "schema_version": 1,
        "id": shot.id,
        "index": shot.index,
        "model": shot.model,
        "endpoint": shot.endpoint,
        "prompt": shot.prompt,
        "params": dict(shot.params),
        "references": [
            {"name": r.name, "kind": r.kind, "source": r.source, "digest": r.digest} for r in shot.references
        ],
        "coordinates": {name: coordinate.id for name, coordinate in shot.coordinates.items()},
        "repeat": shot.repeat,
        "paths": list(shot.paths),
        "trim": f"{shot.trim.width}x{shot.trim.height}" if shot.trim else None,
        "cost_usd": None if shot.quote is None else {"min": float(shot.quote.min), "max": float(shot.quote.max)},
    }


class _Builder:
    """Makes shots of drafts."""

    def __init__(self, script: Script, surveyed: Survey) -> None:
        self._script = script
        self._shared = surveyed.shared
        self._names = tuple(column.name for column in script.grid.columns)
        self._columns = script.grid.columns
        self._coordinates: list[dict[int, Coordinate]] = [{} for _ in self._columns]

    def shot(self, draft: Draft) -> Shot:
        request = draft.request
        assert draft.id is not None, "BUG: a plan with a broken shot"
        paths = self._script.paths.of(draft.path, request)
        if draft.number in self._shared:
            paths = tuple(dict.fromkeys((*paths, *self._shared[draft.number])))
        return Shot(
            id=ShotId(draft.id.hex()),
            index=draft.number,
            model=request.model,
            endpoint=request.endpoint,
            prompt=draft.prompt,
            params={**request.params, "seed": draft.seed},
            references=request.references,
            coordinates=self._where(draft),
            repeat=draft.repeat,
            paths=paths,
            trim=request.trim,
            quote=request.quote,
        )

    def _where(self, draft: Draft) -> dict[str, Coordinate]:
        return {
            name: known.get(index) or self._coordinate(known, position, index)
            for position, (name, known, index) in enumerate(
                zip(self._names, self._coordinates, draft.point, strict=True)
            )
        }

    def _coordinate(self, known: dict[int, Coordinate], position: int, index: int) -> Coordinate:
        if len(known) > 4096:
            known.clear()
        value = self._columns[position].value(index)
        return known.setdefault(index, Coordinate(id=value.id, label=value.label, value=value.value))


class _Ranks:
    """The place of a draft in the spread order: repeats last, what `include` added behind the product."""

    def __init__(self, script: Script) -> None:
        self._ranks = ranks(script.grid.radices)

    def of(self, draft: Draft) -> tuple[int, int]:
        raw = draft.raw
        return draft.repeat, self._ranks[raw] if raw < len(self._ranks) else raw


class _Tally:
    """Adds up requests with the number of shots that were chosen of each."""

    def __init__(self) -> None:
        self.batches: Counter[tuple[Any, ...]] = Counter()
        self.references: dict[tuple[Reference, str], None] = {}
        self.models: Counter[str] = Counter()
        self.present: Counter[str] = Counter()
        self.shots = 0

    def add(self, request: Request) -> None:
        chosen, request.chosen = request.chosen, 0
        if not chosen:
            return
        params = request.params
        key = (
            request.model,
            request.endpoint,
            params.get("width", 0),
            params.get("height", 0),
            request.trim,
            request.frames,
            len(request.references),
            request.quote,
        )
        self.batches[key] += chosen
        self.models[request.model] += chosen
        self.shots += chosen
        provider = request.model.partition("/")[0]
        self.references |= {(reference, provider): None for reference in request.references}
        self.present.update(dict.fromkeys({reference.name for reference in request.references}, chosen))


def _totals(
    drafts: Callable[[Callable[[Request], None]], Iterator[Draft]],
    script: Script,
    configuration: Configuration,
    shelf: ReferenceShelf,
) -> Totals:
    tally = _Tally()
    for _ in drafts(tally.add):
        pass
    batches = tuple(Batch(**dict(zip(_BATCH, key, strict=True)), shots=shots) for key, shots in tally.batches.items())
    least = sum((batch.quote.min * batch.shots for batch in batches if batch.quote), Decimal(0))
    most = sum((batch.quote.max * batch.shots for batch in batches if batch.quote), Decimal(0))
    unknown = sum(batch.shots for batch in batches if batch.quote is None)
    hosts = {provider: _host_of(provider, configuration) for provider in {m.partition("/")[0] for m in tally.models}}
    return Totals(
        shots=tally.shots,
        cost=Estimate(min=Money(least), max=Money(most), shots=tally.shots, unknown=unknown),
        batches=batches,
        uploads=tuple(_uploads(tally.references, hosts, shelf)),
        hosts=tuple(sorted({host for host in hosts.values() if host})),
        models=tuple(tally.models.items()),
        without=tuple(_without(script, tally)),
    )


_BATCH = ("model", "endpoint", "width", "height", "trim", "frames", "references", "quote")


def _uploads(
    references: Iterable[tuple[Reference, str]], hosts: Mapping[str, str | None], shelf: ReferenceShelf
) -> Iterator[tuple[Upload, tuple[str, ...]]]:
    used = [(reference, hosts[provider]) for reference, provider in references if reference.sources]
    goes_to: dict[str, dict[str, None]] = {}
    for reference, host in used:
        for source in reference.sources:
            goes_to.setdefault(source, {}).update({host: None} if host else {})
    for upload in shelf.uploads(reference for reference, _ in used):
        targets = tuple(goes_to.get(upload.absolute, ()))
        if targets:
            yield upload, targets


def _without(script: Script, tally: _Tally) -> Iterator[tuple[str, int]]:
    for source in script.requests.sources:
        missing = tally.shots - tally.present[source.name]
        if source.optional and missing:
            yield source.name, missing


def _host_of(provider: str, configuration: Configuration) -> str | None:
    """Where a provider's requests go; None for one's own machine."""
    service = configuration.services.get(provider)
    return urlsplit(service.base_url).hostname if service else None


def _about_totals(plan: Plan, options: PlanOptions) -> Iterator[Problem]:
    """Whether the shots that are asked for fit the budget."""
    document = plan.job.document
    if not (options.check_money and options.check_budget):
        return
    bound = tightest_budget(plan.configuration, plan.job.budget.max_usd)
    most = plan.cost.max
    if bound is not None and most > bound[0]:
        yield _over_budget(plan, *bound)
    elif plan.job.budget.warn_usd is not None and most > plan.job.budget.warn_usd:
        steps = ("budget", "warn_usd")
        message = f"the plan comes to {show(most)}, over warn_usd, {show(plan.job.budget.warn_usd)}"
        yield warning("FB610", message, where=document.place(steps), steps=steps)


def _over_budget(plan: Plan, budget: Money, source: str) -> Problem:
    fit = plan.fitting(budget)
    steps = ("budget", "max_usd") if source == "the job's budget" else ()
    least, most = plan.cost.min, plan.cost.max
    cost = show(most) if least == most else f"{show(least)} to {show(most)}"
    notes = [] if steps else [Note(text=f"set by {source}", where=None)]
    return error(
        "FB610",
        f"the plan is {cost}, the budget {show(budget)}",
        where=plan.job.document.place(steps) if steps else None,
        steps=steps,
        help=f"the first {fit:,} of {len(plan):,} shots fit: --limit {fit}" if fit else "not one shot fits",
        notes=notes,
    )
