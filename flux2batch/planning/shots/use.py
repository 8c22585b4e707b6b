"""What of a job does nothing: axes whose values ask for one and the same, constants that nobody names (FB308)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flux2batch.planning.configuration import Configuration
from flux2batch.planning.shots.findings import Findings
from flux2batch.planning.shots.settings import sets_parameters
from flux2batch.planning.sweep.axes import PARAMETER_AXES
from flux2batch.planning.sweep.grid import Column, Grid
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.planning.templating import is_static
from flux2batch.reading.job import Job
from flux2batch.reading.suggest import closest


def judge_use(
    job: Job, grid: Grid, findings: Findings, *, configuration: Configuration, requested: Collection[str]
) -> None:
    """Axes that change nothing are errors, and so is one that --set adds for nobody; other idle things are warnings.

    `requested` are the names that the texts of a request use: prompts, references and parameters.
    """
    used = {*requested, *_names_of_rules(job, grid)}
    everywhere = used | set(_names_outside_requests(job))
    judge = _Judge(job, grid, findings, configuration, used, everywhere)
    for column in grid.columns:
        judge.axis(column)
    for name in job.variables:
        if name not in everywhere and "vars" not in everywhere and not _is_used_by_vars(job, name):
            findings.warn("FB308", f"nothing uses the constant '{name}'", ("vars", name), key=True)


@dataclass(frozen=True, slots=True)
class _Judge:
    job: Job
    grid: Grid
    findings: Findings
    configuration: Configuration
    used: Collection[str]
    everywhere: Collection[str]

    def axis(self, column: Column) -> None:
        if column.count > 1 and not self._changes_something(column):
            if self.job.equal != "share":
                self._complain_of_equal_shots(column)
            elif self._is_added(column) and not self._is_named(column):
                self._refuse_addition(column)
        elif column.count == 1 and not self._is_named(column):
            if self._is_added(column):
                self._refuse_addition(column)
            elif self._meant(column):
                self._warn_of_one_value(column)

    def _is_added(self, column: Column) -> bool:
        """Whether the axis comes from the command line alone: whoever typed it expects it to do something."""
        return self.job.document.is_added(column.axis.steps)

    def _is_named(self, column: Column) -> bool:
        """Whether anything reads the axis, whatever its values; one of a single value decides about nothing else."""
        name = column.name.removeprefix("params.")
        by_name = sets_parameters(column) or name == "prompt" or name in self.everywhere
        return by_name or any(name in seed.get("per", ()) for seed in self._made_seeds())

    def _changes_something(self, column: Column) -> bool:
        name = column.name.removeprefix("params.")
        makes_seed = any("derive" in seed or name in seed.get("per", ()) for seed in self._made_seeds())
        is_drawn_by = bool(self.grid.drawn) and column not in self.grid.drawn
        return sets_parameters(column) or name == "prompt" or name in self.used or makes_seed or is_drawn_by

    def _made_seeds(self) -> Sequence[Mapping[str, Any]]:
        seeds = [self.job.params.get("seed"), *(each.set.get("seed") for each in self.job.override)]
        return [seed for seed in seeds if isinstance(seed, dict)]

    def _complain_of_equal_shots(self, column: Column) -> None:
        name = column.name
        message = (
            f"axis '{name}' changes nothing: {column.count:,} identical requests, {column.count:,} times the cost"
            if column.axis.steps[0] != "draw"
            else f"'{name}' is drawn, and nothing uses it"
        )
        help = (
            f"{self._or_else(column)}use {{{{ {name} }}}} in the prompt, or say what is meant: "
            f"repeat: {{count: {column.count}, seed: same}} "
            "asks for the identical request again, equal: share buys it once for all paths"
        )
        self.findings.error("FB308", message, column.axis.steps, help, key=True)

    def _refuse_addition(self, column: Column) -> None:
        name = column.name
        message = f"the job has no axis '{name}', no parameter is called so, and nothing uses it"
        help = f"{self._or_else(column)}use {{{{ {name} }}}} in the prompt, or leave it out"
        self.findings.error("FB308", message, column.axis.steps, help, key=True)

    def _warn_of_one_value(self, column: Column) -> None:
        name = column.name
        help = f"{self._or_else(column)}use {{{{ {name} }}}} in the prompt"
        self.findings.warn("FB308", f"nothing uses axis '{name}' and its one value", column.axis.steps, help, key=True)

    def _or_else(self, column: Column) -> str:
        meant = self._meant(column)
        return f"did you mean '{meant}'? If not, " if meant else ""

    def _meant(self, column: Column) -> str | None:
        """The parameter, or of an axis from the command line the axis of the job, that may be meant."""
        entry = self.configuration.entry(self.job.model) if is_static(self.job.model) else None
        known = sorted(entry.parameters if entry else PARAMETER_AXES)
        others = [each.name for each in self.grid.columns if each is not column] if self._is_added(column) else []
        return closest(column.name, [*known, *others])


def _is_used_by_vars(job: Job, name: str) -> bool:
    return any(name in str(value) for other, value in job.variables.items() if other != name)


def _names_of_rules(job: Job, grid: Grid) -> Iterator[str]:
    """Names that decide about a request: those in overrides, and in `when`."""
    for each in job.override:
        yield from each.rule.match
        yield from _names_in(each.rule.where)
    for column in grid.columns:
        yield from _names_in(column.axis.when)


def _names_outside_requests(job: Job) -> Iterator[str]:
    for rule in job.exclude:
        yield from _names_in(rule.where)
    for table in job.data:
        yield from _names_in(table.rows)
    if job.output.path is not None and not is_static(job.output.path):
        yield from _names_in_template(job.output.path)


def _names_in(expression: str | None) -> frozenset[str]:
    from flux2batch.planning.templating import compile_expression

    if expression is None:
        return frozenset()
    try:
        return compile_expression(expression).names
    except TemplateFault:
        return frozenset()


def _names_in_template(text: str) -> frozenset[str]:
    from flux2batch.planning.templating import compile_template

    try:
        return compile_template(text, folder=None, kind="path").names
    except TemplateFault:
        return frozenset()
