"""A job made ready to be walked: tables read, everything compiled, what can be judged without a single shot judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from flux2batch.planning.configuration import Configuration
from flux2batch.planning.files.folder import JobFolder
from flux2batch.planning.models.sizes import SIZE_PARAMETERS
from flux2batch.planning.shots.beyond import look_beyond
from flux2batch.planning.shots.expansion import Script, point_in_words
from flux2batch.planning.shots.findings import Findings, of_template_fault
from flux2batch.planning.shots.names import Moment, Names, View
from flux2batch.planning.shots.paths import Paths, name_fault
from flux2batch.planning.shots.prompts import Prompt, PromptSource, read_prompt
from flux2batch.planning.shots.request import ReferenceTemplates, Requests, reference_templates
from flux2batch.planning.shots.settings import BrokenSetting, Layers, moved
from flux2batch.planning.shots.texts import Text
from flux2batch.planning.shots.unsure import Unsure
from flux2batch.planning.shots.use import judge_use
from flux2batch.planning.shots.variables import constants_of
from flux2batch.planning.sweep.axes import PARAMETER_AXES, Axis, values_of
from flux2batch.planning.sweep.grid import Column, Grid
from flux2batch.planning.sweep.rules import Condition, Matcher, condition_of, matcher, names_are_known, point_of
from flux2batch.planning.tables.tables import Constant, Table, load_tables, scope_of
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.planning.templates.paths import safe_component
from flux2batch.planning.templating import Template, TemplateFolder, is_static, other_syntax
from flux2batch.reading.job import AxisSource, Job
from flux2batch.reading.problems import Steps, error, warning

if TYPE_CHECKING:
    from flux2batch.planning.references.looking import Looker
    from flux2batch.planning.references.shelf import ReferenceShelf

_ASKED_OVER = 20
"""So many times the limit may the product of the axes be where rules and conditions take points away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What became of a job: a script to walk, unless something is wrong with it."""

    script: Script | None
    findings: Findings
    shelf: Callable[[], ReferenceShelf]  # always the same one; a job without references never asks for it
    axes: tuple[Axis, ...]
    tables: tuple[Table, ...]


def prepare(
    job: Job, configuration: Configuration, *, check_money: bool, max_shots: int, looker: Looker | None = None
) -> Prepared:
    """The job's script. Everything that is wrong is in the findings; there is no script where it cannot be walked."""
    return _Preparing(job, configuration, check_money=check_money, max_shots=max_shots, looker=looker).prepared()


class _Preparing:
    def __init__(
        self, job: Job, configuration: Configuration, *, check_money: bool, max_shots: int, looker: Looker | None
    ) -> None:
        self.job = job
        self.document = job.document
        self.configuration = configuration
        self.check_money = check_money
        self.max_shots = max_shots
        self.findings = Findings(job.document)
        self.folder = JobFolder(job.root, (*job.allowed, *configuration.allow.paths), folder=job.folder)
        self.templates = TemplateFolder.of(self.folder)
        self.looker = looker
        self.unsure = Unsure(job.lost)
        self.aside: set[Steps] = set()  # texts with a mistake
        self.references_are_known = not self.unsure.lost.references

    @cached_property
    def shelf(self) -> ReferenceShelf:
        # Imported here: what reads pictures takes longer to import than a job without any takes to plan.
        from flux2batch.planning.references.shelf import ReferenceShelf

        return ReferenceShelf(self.folder, looker=self.looker)

    def prepared(self) -> Prepared:
        self._judge_name()
        tables, problems = load_tables(self.job, self.folder)
        self.findings.add(problems)
        self.unsure.add(source.name for source in self.job.data if source.name not in tables)
        sweep = self._axes(self.job.sweep, tables)
        zips = [self._agreeing(self._axes(group, tables)) for group in self.job.zips]
        draws = self._axes(self.job.draws, tables)
        axes = (*sweep, *(axis for group in zips for axis in group), *draws)
        grid = Grid(sweep, [group for group in zips if group], draws)
        script = self._script(grid, tables, is_small=self._is_small_enough(grid))
        return Prepared(
            script=script,
            findings=self.findings,
            shelf=lambda: self.shelf,
            axes=axes,
            tables=tuple(table for table in tables.values() if isinstance(table, Table)),
        )

    def _judge_name(self) -> None:
        """The name becomes a folder, so it must be one on every system."""
        why = name_fault(self.job.name)
        if why is not None:
            help = f"write name: {safe_component(self.job.name)}"
            self.findings.error("FB212", f"the job's name becomes a folder, and {why}", ("name",), help)

    def _axes(self, sources: Sequence[AxisSource], tables: Mapping[str, Table | Constant]) -> list[Axis]:
        axes: list[Axis] = []
        for source in sources:
            axis, problems = values_of(source, self.job, tables, self.folder)
            self.findings.add(problems)
            if axis is None:
                self.unsure.add([source.name])
            else:
                axes.append(axis)
        return axes

    def _agreeing(self, group: list[Axis]) -> list[Axis]:
        """The axes of a zip, or none of them where their lengths differ."""
        first = group[0] if group else None
        others = [axis for axis in group if first and axis.count != first.count]
        for axis in others:
            assert first is not None
            message = f"'{first.name}' has {first.count:,} values and '{axis.name}' has {axis.count:,}"
            help = "axes of one zip move together, value by value: give both as many"
            self.findings.error("FB310", message, axis.steps, help, key=True)
        if others:
            self.unsure.add(axis.name for axis in group)
        return [] if others else group

    def _is_small_enough(self, grid: Grid) -> bool:
        """Whether the job stays below the limit, by arithmetic alone: nothing is expanded to find out."""
        count = grid.count * self.job.repeat.count
        may_shrink = bool(self.job.exclude) or any(column.axis.when for column in grid.columns)
        if count + len(self.job.include) <= self.max_shots * (_ASKED_OVER if may_shrink else 1):
            return True
        self.findings.add([too_many(self.job, grid.columns, count, self.max_shots)])
        return False

    def _script(self, grid: Grid, tables: Mapping[str, Table | Constant], *, is_small: bool) -> Script | None:
        findings, job = self.findings, self.job
        shown = scope_of(tables)
        sources = (*job.sweep, *(source for group in job.zips for source in group), *job.draws)
        axis_names = frozenset(source.name.removeprefix("params.") for source in sources)
        variables = constants_of(job.variables, shown, axis_names, findings, unsure=self.unsure)
        facts = {"name": job.name, "description": job.description or "", "tags": list(job.tags)}
        parameters = self._parameters(grid)
        known_names = partial(Names, variables=variables, tables=shown, job=facts, parameters=parameters)
        names = known_names(columns=grid.columns, unsure=self.unsure)
        early = known_names(columns=grid.crossed, unsure=self.unsure)
        layers = Layers(job, grid.columns, on_broken=self._complain_of_text)
        references = self._reference_templates()
        prompts = self._prompt_sources(grid)
        self._judge_names(layers, references, prompts, names, grid)
        self._judge_parameters(grid)
        given_names = layers.named() | frozenset().union(*(each.names for each in references))
        own = names.view(given_names)
        known_positions = layers.positions | frozenset(names.view(layers.named()).positions)
        requests = Requests(
            job,
            configuration=self.configuration,
            names=names,
            grid=grid,
            shelf=lambda: self.shelf,
            references=references,
            check_money=self.check_money,
        )

        def known(moment: Moment) -> Mapping[str, Any]:
            return requests.known(layers.merged(moment.point), moment)

        def condition(text: str, steps: Steps) -> Condition | None:
            return condition_of(
                text,
                steps,
                names=early,
                known=known,
                known_positions=known_positions & {column.position for column in grid.crossed},
                findings=findings,
                in_words=lambda point: "the point" + point_in_words(grid, point),
            )

        conditions = self._conditions(grid, condition)
        exclude = [self._matcher(rule, grid, condition) for rule in job.exclude]
        include = [point_of(inclusion, grid, findings) for inclusion in job.include]
        overrides = [
            (number, self._matcher(each.rule, grid, condition), each.repeat) for number, each in enumerate(job.override)
        ]
        rule_positions = {p for _, rule, _ in overrides if rule for p in rule.positions}
        given_positions = tuple(sorted({*layers.positions, *own.positions, *rule_positions}))
        path = self._path_template(names, given_positions, own)
        usable_prompts = {index: source for index, source in enumerate(prompts) if source is not None}
        seed = job.params.get("seed")
        stands_in = findings.has_errors or job.lost is not None or len(usable_prompts) != len(prompts)
        if stands_in:
            usable_prompts = self._stand_ins(prompts, names)
            path = path if path is not None and self._can_be_rendered(path.names, names) else None
        script = Script(
            grid=grid,
            names=names,
            layers=layers,
            requests=requests,
            conditions=tuple(conditions),
            exclude=tuple(rule for rule in exclude if rule is not None),
            include=tuple(point for point in include if point is not None),
            overrides=tuple((number, rule, own) for number, rule, own in overrides if rule is not None),
            repeat=job.repeat,
            prompts={
                index: Prompt(source, names=names, given_positions=given_positions, given=own, folder=self.templates)
                for index, source in usable_prompts.items()
            },
            prompt_column=grid.column("prompt"),
            paths=Paths(path, grid, name=job.name, seed_rises=not job.repeat.same_seed),
            path_steps=("output", "path"),
            given=own,
            given_positions=given_positions,
            literal_seed=seed if type(seed) is int else 1,
            findings=findings,
        )
        if not stands_in:
            return script
        if is_small and "model" not in self.unsure.names and not findings.holds("FB208"):
            rules_are_known = not (
                self.unsure.lost.rules
                or None in exclude
                or None in include
                or any(rule is None for _, rule, _ in overrides)
                or len(conditions) < sum(column.axis.when is not None for column in grid.columns)
            )
            look_beyond(
                script,
                findings,
                self.unsure,
                self.aside,
                rules=rules_are_known,
                references=self.references_are_known,
            )
        return None

    def _stand_ins(self, prompts: Sequence[PromptSource | None], names: Names) -> dict[int, PromptSource]:
        """The prompts for a look at the values alone: some words for each that cannot be rendered."""
        words, _ = read_prompt(
            "words", ("prompt",), document=self.document, folder=self.folder, templates=self.templates
        )
        assert words is not None
        sound = [source and self._can_be_rendered(source.names, names) for source in prompts]
        found = {
            index: source if source and can else words
            for index, (source, can) in enumerate(zip(prompts, sound, strict=True))
        }
        return found or {0: words}

    def _can_be_rendered(self, used: frozenset[str], names: Names) -> bool:
        return names.are_sure(used) and (self.references_are_known or not used & {"ref", "refs"})

    def _parameters(self, grid: Grid) -> frozenset[str]:
        """The names of all parameters that there are, as far as the job's models and words know them."""
        written = {*self.job.params, *(name for each in self.job.override for name in each.set)}
        written |= {column.axis.parameter for column in grid.columns if column.axis.parameter}
        written |= {name for column in grid.columns for name in moved(column)}
        entry = self.configuration.entry(self.job.model) if is_static(self.job.model) else None
        return frozenset({*PARAMETER_AXES, *SIZE_PARAMETERS, *written, *(entry.parameters if entry else ())})

    def _reference_templates(self) -> tuple[ReferenceTemplates, ...]:
        made: list[ReferenceTemplates] = []
        for source in self.job.references:
            try:
                made.append(reference_templates(source, self.document))
            except BrokenSetting as broken:
                self._complain_of_text(broken)
                self.references_are_known = False
        return tuple(made)

    def _complain_of_text(self, broken: BrokenSetting) -> None:
        where = self.document.inside(broken.steps, broken.fault.start, broken.fault.end)
        self.findings.add([of_template_fault(broken.fault, where=where, steps=broken.steps)])
        self.aside.add(broken.steps)

    def _prompt_sources(self, grid: Grid | None) -> list[PromptSource | None]:
        column = grid.column("prompt") if grid else None
        if column is not None:
            values = [(column.value(index).value, column.value(index).steps) for index in range(column.count)]
            written = [(value, _inner(steps, column)) for value, steps in values]
        elif self.job.prompt is None:
            return []
        else:
            written = [(self.job.prompt, ("prompt",))]
        sources: list[PromptSource | None] = []
        for value, steps in written:
            source, problems = read_prompt(
                value, steps, document=self.document, folder=self.folder, templates=self.templates
            )
            self.findings.add(problems)
            sources.append(source)
        return sources

    def _path_template(self, names: Names, given_positions: tuple[int, ...], given: View) -> Text | None:
        if self.job.output.path is None:
            return None
        steps = ("output", "path")
        try:
            text = Text(
                self.job.output.path,
                names=names,
                given_positions=given_positions,
                given=given,
                folder=self.templates,
                kind="path",
            )
        except TemplateFault as fault:
            where = self.document.inside(steps, fault.start, fault.end)
            self.findings.add([of_template_fault(fault, where=where, steps=steps)])
            return None
        names_are_known(text.whole, names, steps, self.findings)
        return text

    def _matcher(self, rule: Any, grid: Grid, condition: Any) -> Matcher | None:
        asked = condition(rule.where, (*rule.steps, "where")) if rule.where is not None else None
        made = matcher(rule, grid, self.findings, asked, may_be_lost=self.unsure.holds)
        return None if rule.where is not None and asked is None else made

    def _conditions(self, grid: Grid, condition: Any) -> list[tuple[Column, Condition]]:
        """The `when` of every axis, each behind those that it depends on."""
        made: dict[int, tuple[Column, Condition]] = {}
        for column in grid.columns:
            if column.axis.when is None:
                continue
            asked = condition(column.axis.when, (*column.axis.steps, "when"))
            if asked is not None:
                made[column.position] = (column, asked)
        ordered: list[tuple[Column, Condition]] = []
        done: set[int] = set()
        while len(done) < len(made):
            ready = [p for p in made if p not in done and not (made[p][1].positions & made.keys()) - done]
            if not ready:
                self._complain_of_circle([made[p][0] for p in made if p not in done])
                return []
            ordered += [made[position] for position in ready]
            done |= set(ready)
        return ordered

    def _complain_of_circle(self, columns: Sequence[Column]) -> None:
        circle = " → ".join([*(column.name for column in columns), columns[0].name])
        steps = (*columns[0].axis.steps, "when")
        self.findings.error("FB315", f"whether these axes apply depends on one another: {circle}", steps)

    def _judge_names(
        self,
        layers: Layers,
        references: Sequence[ReferenceTemplates],
        prompts: Sequence[PromptSource | None],
        names: Names,
        grid: Grid,
    ) -> None:
        without_calls = frozenset({"ref", "refs"})
        for setting in layers.all_settings():
            for way, leaf in setting.leaves.items():
                self._judge_leaf(leaf, names, (*setting.steps, *way))
                self._refuse_calls(leaf, without_calls, (*setting.steps, *way))
        for each in references:
            for way, leaf in each.leaves.items():
                if not self._judge_leaf(leaf, names, (*each.steps, *way)):
                    self.references_are_known = False
                self._refuse_calls(leaf, without_calls, (*each.steps, *way))
        for source in prompts:
            for leaf_of_prompt in source.leaves if source else ():
                self._judge_prompt_names(leaf_of_prompt, names)
        # With a name that is misspelt, what it stands for would seem unused as well.
        if not self.findings.has_errors and self.job.lost is None:
            requested = set(layers.named()).union(*(each.names for each in references))
            requested |= {name for source in prompts if source for name in source.names}
            judge_use(self.job, grid, self.findings, configuration=self.configuration, requested=requested)

    def _judge_leaf(self, leaf: Template, names: Names, steps: Steps) -> bool:
        known = names_are_known(leaf, names, steps, self.findings)
        if not known:
            self.aside.add(steps)
        return known

    def _judge_prompt_names(self, leaf: Any, names: Names) -> None:
        source, template = leaf.source, leaf.template
        for name in names.complaints(template.names):
            help = names.meant(name, template) or "the job's own names are none"
            where = source.place(*template.name_span(name))
            message = f"unknown variable '{name}'"
            self.findings.add([error("FB301", message, where=where, steps=source.steps, help=help)])
        for fault in other_syntax(template.text, names.own):
            where = source.place(fault.start, fault.end)
            self.findings.add([warning(fault.code, fault.message, where=where, steps=source.steps, help=fault.help)])

    def _refuse_calls(self, template: Any, calls: frozenset[str], steps: Steps) -> None:
        for name in sorted(template.names & calls):
            where = self.document.inside(steps, *template.name_span(name))
            message = f"{name}() is known in prompts and paths alone"
            self.findings.add([error("FB301", message, where=where, steps=steps)])

    def _judge_parameters(self, grid: Grid) -> None:
        """No two axes set one parameter, and no override sets what an axis does (FB208)."""
        setters: dict[str, tuple[Column, Steps]] = {}
        for column in grid.columns:
            own = column.axis.parameter
            sets = {**({own: column.axis.steps} if own else {})}
            for name, steps in moved(column).items():
                if name == own:
                    self._complain_of_two(name, column.name, column.name, steps)
                sets.setdefault(name, steps)
            for name, steps in sets.items():
                rival = next((setters[other] for other in setters if _is_one_parameter(name, other)), None)
                if rival is not None:
                    self._complain_of_two(name, rival[0].name, column.name, steps)
            for name, steps in sets.items():
                setters.setdefault(name, (column, steps))
        for each in self.job.override:
            for name in each.set:
                owner = next(
                    (setters[other][0] for other in setters if _is_one_parameter(name, other) or name == other), None
                )
                if owner is not None:
                    message = f"axis '{owner.name}' sets '{name}', so an override cannot"
                    help = "leave the points out by exclude and add them as you want them by include"
                    self.findings.error("FB208", message, (*each.steps, "set", name), help, key=True)

    def _complain_of_two(self, name: str, first: str, second: str, steps: Steps) -> None:
        if first == second:
            message = f"axis '{second}' sets '{name}' by its name, and again by what moves with a value"
        else:
            message = f"axis '{first}' and axis '{second}' both set '{name}'"
        self.findings.error("FB208", message, steps, "let one of them set it", key=True)


def too_many(job: Job, columns: Sequence[Column], count: int, limit: int) -> Any:
    """The refusal of a job with too many shots, with the lengths of its axes (FB605)."""
    lengths = [f"{column.name} {column.count:,}" for column in columns if column.axis.steps[0] != "draw"]
    if job.repeat.count > 1:
        lengths.append(f"repeat {job.repeat.count:,}")
    longest = max(columns, key=lambda column: column.count, default=None)
    steps = longest.axis.steps if longest else ("repeat",)
    where = job.document.key_place(steps)
    help = f"shorten an axis, or allow as many for this call: --max-shots {count}"
    message = f"{count:,} shots, and the limit is {limit:,}: {' × '.join(lengths)}"
    return error("FB605", message, where=where, steps=steps, help=help)


def _is_one_parameter(name: str, other: str) -> bool:
    """Whether two names set the same thing: width goes with height, and aspect with megapixels, and no others."""
    if name == other:
        return True
    pairs = ({"width", "height"}, {"aspect", "megapixels"})
    return name in SIZE_PARAMETERS and other in SIZE_PARAMETERS and {name, other} not in pairs


def _inner(steps: Steps, column: Column) -> Steps:
    return (*steps, "value") if column.axis.kind == "objects" else steps
