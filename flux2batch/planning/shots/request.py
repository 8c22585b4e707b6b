"""The request of a shot, apart from its prompt and its seed: made once for all shots that share it, and judged there.

Many shots of a sweep differ in their words and their seed alone. Whatever is slow (rendering parameters, opening
references, checking values, pricing) happens here, once for each combination of the axes that it depends on.
"""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flux2batch.planning.configuration import Configuration, host_fault, model_fault
from flux2batch.planning.fault import Fault
from flux2batch.planning.identity import ids_of_seeds
from flux2batch.planning.models.catalogue import Entry, Parameter, identifying
from flux2batch.planning.models.parameters import check_model, check_together, check_value, convert
from flux2batch.planning.models.pricing import quote, unknown_price
from flux2batch.planning.models.sizes import SIZE_PARAMETERS, Size, resolve_size
from flux2batch.planning.references.limits import check_reference
from flux2batch.planning.references.names import names_of
from flux2batch.planning.shot import Quote, Reference, Trim
from flux2batch.planning.shots.findings import of_fault, of_template_fault
from flux2batch.planning.shots.names import Calls, Moment, Names
from flux2batch.planning.shots.settings import BrokenSetting, Circle, Resolver, Setting, filled, leaves_of
from flux2batch.planning.sweep.grid import Grid
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.planning.templating import Template, compile_template
from flux2batch.reading.document import Document
from flux2batch.reading.job import Job, ReferenceSource
from flux2batch.reading.problems import Note, Place, Problem, Steps, error

if TYPE_CHECKING:
    from flux2batch.planning.references.shelf import ReferenceShelf
    from flux2batch.planning.tables.tables import Row

EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


@dataclass(slots=True, kw_only=True)
class Request:
    """What a request says besides prompt and seed. With an error among its `problems` nothing can be sent."""

    entry: Entry | None
    model: str
    endpoint: str
    params: Mapping[str, Any]  # as a shot has them, the seed's place kept
    parameters: Mapping[str, Any]  # as templates see them
    references: tuple[Reference, ...]
    calls: tuple[Calls, Calls]
    trim: Trim | None
    quote: Quote | None
    frames: int
    extension: str
    seed: Any  # of `params`, `set` and `override`: a number, {per: …} or {derive: shot}; None where nobody says
    seed_steps: Steps
    most_seed: int
    short_prompt: int  # characters up to which no prompt can be too long
    id_of: Callable[[str, int | None, int], bytes] | None  # None where the request is broken
    problems: tuple[Problem, ...]
    shots: int  # how many were counted with it
    chosen: int  # how many of these are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceTemplates:
    """One reference with its templates compiled."""

    source: ReferenceSource
    part: str  # path, glob, color or collage: the one that is written
    written: Any
    steps: Steps
    leaves: Mapping[Steps, Template]

    @property
    def names(self) -> frozenset[str]:
        """The names that its templates use."""
        return frozenset().union(*(leaf.names for leaf in self.leaves.values()))


def reference_templates(source: ReferenceSource, document: Document) -> ReferenceTemplates:
    """The reference, ready to be rendered; BrokenSetting where one of its templates cannot be."""
    parts = {"path": source.path, "glob": source.glob, "color": source.color, "collage": source.collage}
    part, written = next((name, value) for name, value in parts.items() if value is not None)
    steps = (*source.steps, part)
    if document.place(steps) == document.place(source.steps):
        steps = source.steps  # written short: `pack: refs/pack.png`
    leaves = {}
    for way, text in leaves_of(written):
        try:
            template = compile_template(text, folder=None, kind="text")
        except TemplateFault as fault:
            raise BrokenSetting(fault, (*steps, *way)) from None
        if not template.is_static:
            leaves[way] = template
    return ReferenceTemplates(source=source, part=part, written=written, steps=steps, leaves=leaves)


class Requests:
    """Makes requests of merged parameters."""

    def __init__(
        self,
        job: Job,
        *,
        configuration: Configuration,
        names: Names,
        grid: Grid,
        shelf: Callable[[], ReferenceShelf],
        references: tuple[ReferenceTemplates, ...],
        check_money: bool,
    ) -> None:
        self._job = job
        self._document = job.document
        self._configuration = configuration
        self._names = names
        self._grid = grid
        self._shelf = shelf
        self._references = references
        self._check_money = check_money
        self._judged: dict[tuple[str, str, str], tuple[Problem, ...]] = {}

    @property
    def sources(self) -> tuple[ReferenceSource, ...]:
        """The references of the job as written."""
        return tuple(each.source for each in self._references)

    def defaults(self, entry: Entry | None) -> dict[str, Any]:
        """What a model's parameters are where the job does not say."""
        return {} if entry is None else {p.name: p.default for p in entry.parameters.values() if p.default is not None}

    def known(self, merged: Mapping[str, Setting], moment: Moment) -> dict[str, Any]:
        """The parameters as conditions see them, before anything of them is judged."""
        model = Resolver(merged, self._names, {}).value("model", moment)
        entry = self._configuration.entry(model) if isinstance(model, str) else None
        resolver = Resolver(merged, self._names, self.defaults(entry))
        return {**self.defaults(entry), **{name: resolver.value(name, moment) for name in merged}}

    def make(self, merged: Mapping[str, Setting], moment: Moment) -> Request:
        """The request at this moment. Never raises for what a job can have wrong: that is in its problems."""
        return _Making(self, merged, moment).request()


class _Making:
    """One request being made: the steps of `request` share what was found so far."""

    def __init__(self, requests: Requests, merged: Mapping[str, Setting], moment: Moment) -> None:
        self.of = requests
        self.merged = merged
        self.moment = Moment(moment.point, None, moment.seed, moment.repeat, moment.index)
        self.problems: list[Problem] = []
        self.values: dict[str, Any] = {}
        self.wrong: set[str] = set()  # parameters that have a problem already
        self.unread: set[str] = set()  # references that have one

    def request(self) -> Request:
        entry, model = self._model()
        self._resolve(entry)
        self.moment.given = _Known(self.values, names_of((), [each.source.name for each in self.of._references]))
        references = self._references(entry)
        size = self._size(entry, references)
        if entry is None:
            return self._broken(model, references)

        params = self._final(entry, size)
        self._judge_together(entry, params, references)
        frames = params.get("num_images", 1)
        whole = isinstance(frames, int) and not isinstance(frames, bool)
        price = self._price(entry, size, references, frames if whole else 1)
        broken = any(problem.severity == "error" for problem in self.problems)
        seed = self.merged.get("seed")
        schema = entry.parameters["seed"].schema if "seed" in entry.parameters else {}
        endpoint = entry.endpoint_for(len(references))
        return Request(
            entry=entry,
            model=entry.model,
            endpoint=endpoint,
            params=params,
            parameters={**self.values, **params, "model": entry.model, "size": _shown_size(self.values, params)},
            references=references,
            calls=names_of(references, [each.source.name for each in self.of._references], self.unread),
            trim=size.trim if size else None,
            quote=price,
            frames=frames if whole else 1,
            extension=EXTENSIONS.get(params.get("output_format", "png"), ".png"),
            seed=self.values.get("seed"),
            seed_steps=seed.steps if seed else ("params", "seed"),
            most_seed=schema.get("maximum", 2**32 - 1),
            short_prompt=sys.maxsize if entry.prompt_max_tokens is None else entry.prompt_max_tokens // 4,
            id_of=None if broken else self._ids(entry, endpoint, params, references),
            problems=tuple(self.problems),
            shots=0,
            chosen=0,
        )

    def _broken(self, model: str, references: tuple[Reference, ...]) -> Request:
        return Request(
            entry=None,
            model=model,
            endpoint="",
            params={},
            parameters={**self.values, "model": model},
            references=references,
            calls=names_of(references, [each.source.name for each in self.of._references], self.unread),
            trim=None,
            quote=None,
            frames=1,
            extension=".png",
            seed=self.values.get("seed"),
            seed_steps=("params", "seed"),
            most_seed=2**32 - 1,
            short_prompt=sys.maxsize,
            id_of=None,
            problems=tuple(self.problems),
            shots=0,
            chosen=0,
        )

    def _model(self) -> tuple[Entry | None, str]:
        model = self._value(Resolver(self.merged, self.of._names, {}), "model")
        if not isinstance(model, str):
            if "model" not in self.wrong:
                self._complain("model", Fault(code="FB205", message="model must be text", help=None, parameter="model"))
            return None, ""
        configuration = self.of._configuration
        fault = check_model(model, configuration.models) or model_fault(configuration, model)
        if fault:
            self._complain("model", fault)
        return (configuration.entry(model) if fault is None or fault.code == "FB613" else None), model

    def _resolve(self, entry: Entry | None) -> None:
        resolver = Resolver(self.merged, self.of._names, self.of.defaults(entry))
        for name, written in self.merged.items():
            if name == "model":
                continue
            value = self._value(resolver, name)
            if value is None:
                continue
            if entry is not None and (written.is_data or written.leaves):
                value = convert(entry, name, value)
            self.values[name] = value
            fault = None if entry is None or name == "seed" else check_value(entry, name, value)
            if fault:
                self._complain(name, fault)

    def _value(self, resolver: Resolver, name: str) -> Any:
        try:
            return resolver.value(name, self.moment)
        except BrokenSetting as broken:
            where = self.of._document.inside(broken.steps, broken.fault.start, broken.fault.end)
            self.problems.append(of_template_fault(broken.fault, where=where, steps=broken.steps))
        except Circle as circle:
            where = self.of._document.place(circle.steps)
            message = f"parameters need one another: {' → '.join(circle.names)}"
            self.problems.append(error("FB315", message, where=where, steps=circle.steps))
        self.wrong.add(name)
        return None

    def _references(self, entry: Entry | None) -> tuple[Reference, ...]:
        found: list[Reference] = []
        for each in self.of._references:
            found += self._reference(each, entry)
        return tuple(found)

    def _reference(self, each: ReferenceTemplates, entry: Entry | None) -> tuple[Reference, ...]:
        document, steps = self.of._document, each.steps
        try:
            value = self._rendered(each)
        except BrokenSetting as broken:
            where = document.inside(broken.steps, broken.fault.start, broken.fault.end)
            self.problems.append(of_template_fault(broken.fault, where=where, steps=broken.steps))
            self.unread.add(each.source.name)
            return ()
        if isinstance(value, str) and not value.strip() and each.leaves:
            value = []  # an empty cell is no path
        where = document.place(steps)
        resolved, problems = self.of._shelf().resolve(each.source, where=where, **{each.part: value})
        self.problems += [self._at_its_row(problem, each) for problem in problems]
        if any(problem.severity == "error" for problem in problems):
            self.unread.add(each.source.name)
        for reference in resolved:
            self._judge_reference(reference, entry, each, where=where, steps=steps)
        return resolved

    def _rendered(self, each: ReferenceTemplates) -> Any:
        made = {}
        for way, leaf in each.leaves.items():
            try:
                made[way] = leaf.value(self.of._names.view(leaf.names).scope(self.moment))
            except TemplateFault as fault:
                raise BrokenSetting(fault, (*each.steps, *way)) from None
        return made[()] if () in made else filled(each.written, made)

    def _judge_reference(
        self, reference: Reference, entry: Entry | None, each: ReferenceTemplates, *, where: Place | None, steps: Steps
    ) -> None:
        if entry is None:
            return
        key = (entry.model, reference.digest, reference.name)
        judged = self.of._judged.get(key)
        if judged is None:
            problems = list(check_reference(entry, reference, where=where, steps=steps))
            host = urlsplit(reference.source).hostname if reference.kind == "url" else None
            fault = host_fault(self.of._configuration, host) if host else None
            if fault:
                problems.append(of_fault(fault, where=where, steps=steps))
            judged = self.of._judged[key] = tuple(problems)
        self.problems += [self._in_its_row(problem, each) for problem in judged]

    def _at_its_row(self, problem: Problem, each: ReferenceTemplates) -> Problem:
        """A picture that a row names is wrong in that row's line, and not in the template."""
        row = self._row(each)
        if row is None or problem.severity != "error":
            return problem
        note = f"reference '{each.source.name}'" + (f", line {problem.where.line}" if problem.where else "")
        return replace(
            problem,
            message=f"{row.about}: {problem.message}",
            where=self._line_of(row),
            notes=(Note(text=note, where=None),),
        )

    def _in_its_row(self, problem: Problem, each: ReferenceTemplates) -> Problem:
        """The same of what is wrong with the picture itself, whose words are equal in every row that names it."""
        row = self._row(each)
        if row is None or problem.severity != "error":
            return problem
        line = f", line {problem.where.line}" if problem.where else ""
        note = f"reference '{each.source.name}'{line}, for {row.about}"
        return replace(problem, where=self._line_of(row), notes=(Note(text=note, where=None),))

    def _row(self, each: ReferenceTemplates) -> Row | None:
        columns = [c for c in self.of._grid.columns if c.axis.kind == "rows" and c.name in each.names]
        rows = [c.value(self.moment.point[c.position]).row for c in columns]
        return next((row for row in rows if row is not None), None)

    def _line_of(self, row: Row) -> Place:
        folder = posixpath.dirname(self.of._document.name.replace("\\", "/"))
        file = posixpath.normpath(posixpath.join(folder, row.file))
        return Place(file=file, line=row.line, column=1, end_line=row.line, end_column=1, line_text=None)

    def _size(self, entry: Entry | None, references: tuple[Reference, ...]) -> Size | None:
        if entry is None or self.wrong & set(SIZE_PARAMETERS):
            return None
        first = references[0] if references else None
        sides = (first.width, first.height) if first and first.width and first.height else None
        given = {name: value for name, value in self.values.items() if name in SIZE_PARAMETERS}
        if self._misses_references(references):
            return None
        size = resolve_size(entry, given, sides, has_references=bool(references))
        if isinstance(size, Size):
            return size
        self._complain(size.parameter, size)
        return None

    def _misses_references(self, references: tuple[Reference, ...]) -> bool:
        """Whether a reference could not be read: what depends on it is not judged, or one slip gives two errors."""
        wrong = {problem.steps[:1] for problem in self.problems if problem.severity == "error"}
        return ("references",) in wrong and not references

    def _final(self, entry: Entry, size: Size | None) -> dict[str, Any]:
        final: dict[str, Any] = {"width": size.width, "height": size.height} if size else {}
        for parameter in entry.parameters.values():
            value = self.values.get(parameter.name)
            value = parameter.default if value is None else value
            if value is not None and parameter.name not in SIZE_PARAMETERS:
                final[parameter.name] = _plain(parameter, value)
        return final

    def _judge_together(self, entry: Entry, params: Mapping[str, Any], references: tuple[Reference, ...]) -> None:
        if "width" not in params:
            params = {**params, "width": entry.sizes.min_side, "height": entry.sizes.min_side}
        for fault in check_together(entry, params, len(references)):
            if fault.parameter == "references" and len(references) > entry.references.max:
                name = references[entry.references.max].name
                steps: Steps = ("references", name)
                self.problems.append(of_fault(fault, where=self.of._document.place(steps), steps=steps))
            elif not self.wrong & {"size", "width", "height", "aspect", "megapixels"}:
                self._complain(fault.parameter, fault)

    def _price(self, entry: Entry, size: Size | None, references: tuple[Reference, ...], frames: int) -> Quote | None:
        if size is None:
            return None
        sides = [(r.width, r.height) if r.width and r.height else None for r in references]
        price = quote(
            entry,
            width=size.width,
            height=size.height,
            references=sides,
            frames=frames,
            prices=self.of._configuration.prices,
            assume=self.of._configuration.assume_price,
        )
        if price is None and self.of._check_money:
            self._complain("model", unknown_price(entry))
        return price

    def _ids(
        self, entry: Entry, endpoint: str, params: Mapping[str, Any], references: tuple[Reference, ...]
    ) -> Callable[[str, int | None, int], bytes]:
        return ids_of_seeds(
            model=entry.model,
            endpoint=endpoint,
            params=identifying(entry, params),
            references=[reference.digest for reference in references],
        )

    def _complain(self, name: str, fault: Fault) -> None:
        self.wrong.add(name)
        steps = self._steps(name)
        if fault.code == "FB602" and name in steps:  # the name itself is wrong, whatever its value
            steps = steps[: steps.index(name) + 1]
            where = self.of._document.key_place(steps)
        else:
            where = self.of._document.place(steps)
        self.problems.append(of_fault(fault, where=where, steps=steps))

    def _steps(self, name: str) -> Steps:
        written = self.merged.get(name)
        if written is None and name in SIZE_PARAMETERS:
            written = next((self.merged[other] for other in SIZE_PARAMETERS if other in self.merged), None)
        return written.steps if written else (name,) if name == "model" else ("params", name)


@dataclass(frozen=True, slots=True)
class _Known:
    parameters: Mapping[str, Any]
    calls: tuple[Calls, Calls]


def _shown_size(values: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
    written = values.get("size")
    return (
        written if isinstance(written, str) else f"{params['width']}x{params['height']}" if "width" in params else None
    )


def _plain(parameter: Parameter, value: Any) -> Any:
    """A number as JSON has it: 20 where a whole number is meant, a float else."""
    if not isinstance(value, Decimal | float) or isinstance(value, bool):
        return value
    if parameter.schema["type"] == "integer" and value == int(value):
        return int(value)
    return float(value)
