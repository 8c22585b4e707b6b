"""Rules of a sweep: which points `exclude` takes away, `override` changes and `include` adds, and what `when` asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flux2batch.planning.shots.findings import Findings, of_template_fault
from flux2batch.planning.shots.names import Moment, Names, View
from flux2batch.planning.shots.settings import BrokenSetting, Circle
from flux2batch.planning.shots.texts import remembered
from flux2batch.planning.sweep.axes import plain_value
from flux2batch.planning.sweep.grid import Column, Grid, Point
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.planning.templating import Expression, compile_expression
from flux2batch.reading.job import Inclusion, Rule
from flux2batch.reading.problems import Problem, Steps, error
from flux2batch.reading.suggest import did_you_mean

Known = Callable[[Moment], Mapping[str, Any]]
"""The parameters at a point, as far as conditions may ask for them."""


class Condition:
    """An expression that is asked at points of the grid, once for each combination of what it names."""

    def __init__(
        self,
        expression: Expression,
        *,
        steps: Steps,
        names: Names,
        known: Known,
        known_positions: frozenset[int],
        findings: Findings,
        in_words: Callable[[Point], str],
    ) -> None:
        self.names = expression.names
        self.view: View = names.view(expression.names)
        self.positions = frozenset(self.view.positions) | (known_positions if self.view.needs_given else frozenset())
        self._expression = expression
        self._steps = steps
        self._known = known
        self._findings = findings
        self._in_words = in_words
        self._asked = remembered(self.view, tuple(sorted(self.positions)), self._ask)

    def holds(self, moment: Moment) -> bool:
        """Whether it is true there. Where it cannot be asked it is not, and the reason is among the findings."""
        return self._asked(moment)

    def _ask(self, moment: Moment) -> bool:
        scope = self.view.scope(moment)
        try:
            if self.view.parameters:
                known = self._known(moment)
                scope |= {name: known.get(name) for name in self.view.parameters}
            return bool(self._expression.evaluate(scope))
        except TemplateFault as fault:
            where = self._findings.document.inside(self._steps, fault.start, fault.end)
            problem = of_template_fault(fault, where=where, steps=self._steps)
            self._findings.hit([problem], self._in_words(moment.point))
        except (BrokenSetting, Circle):
            pass  # said where the parameter itself is judged
        return False


@dataclass(slots=True, kw_only=True)
class Matcher:
    """One rule against the points: every axis it names, and its expression. Remembers whether it ever matched."""

    steps: Steps
    wanted: tuple[tuple[int, frozenset[int]], ...]
    condition: Condition | None
    matched: bool = field(default=False)

    def matches(self, moment: Moment) -> bool:
        """Whether the rule means this point."""
        point = moment.point
        for position, indices in self.wanted:
            if point[position] not in indices:
                return False
        if self.condition is not None and not self.condition.holds(moment):
            return False
        self.matched = True
        return True

    @property
    def positions(self) -> frozenset[int]:
        """The columns that it depends on."""
        named = frozenset(position for position, _ in self.wanted)
        return named | (self.condition.positions if self.condition else frozenset())


def matcher(
    rule: Rule, grid: Grid, findings: Findings, condition: Condition | None, *, may_be_lost: Callable[[str], bool]
) -> Matcher | None:
    """The rule, ready to be asked; None where it names something that is not there, or was lost."""
    wanted: list[tuple[int, frozenset[int]]] = []
    for name, value in rule.match.items():
        column = grid.column(name)
        if column is None or column in grid.drawn:
            if may_be_lost(name):
                return None
            findings.error("FB312", f"no axis is called '{name}'", (*rule.steps, name), key=True)
            return None
        indices = _indices(column, value, (*rule.steps, name), findings)
        if not indices:
            return None
        wanted.append((column.position, indices))
    return Matcher(steps=rule.steps, wanted=tuple(wanted), condition=condition)


def never_matched(rule: Matcher, grid: Grid, what: str, findings: Findings) -> Problem:
    """A rule that takes part in nothing (FB312)."""
    axes = [grid.columns[position] for position in sorted(rule.positions)]
    listed = "; ".join(f"{column.name}: {column.listed()}" for column in axes)
    where = findings.document.place(rule.steps)
    return error("FB312", f"this {what} matches nothing", where=where, steps=rule.steps, help=listed or None)


def point_of(inclusion: Inclusion, grid: Grid, findings: Findings) -> Point | None:
    """The point that an `include` names, values of its own added to plain axes; None where it cannot be one."""
    missing = [c.name for c in grid.crossed if c.name not in inclusion.coordinates and c.axis.when is None]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        findings.error(
            "FB312", f"this include leaves out {names}", inclusion.steps, "it names every axis with its value"
        )
        return None
    point: list[int] = []
    for column in grid.crossed:
        if column.name not in inclusion.coordinates:
            point.append(column.none_index)
            continue
        index = _included(column, inclusion.coordinates[column.name], (*inclusion.steps, column.name), findings)
        if index is None:
            return None
        point.append(index)
    return tuple(point)


def condition_of(
    text: str,
    steps: Steps,
    *,
    names: Names,
    known: Known,
    known_positions: frozenset[int],
    findings: Findings,
    in_words: Callable[[Point], str],
) -> Condition | None:
    """The expression, ready to be asked; None where it is wrong, which is then among the findings."""
    try:
        expression = compile_expression(text)
    except TemplateFault as fault:
        where = findings.document.inside(steps, fault.start, fault.end)
        findings.add([of_template_fault(fault, where=where, steps=steps)])
        return None
    if not names_are_known(expression, names, steps, findings):
        return None
    return Condition(
        expression,
        steps=steps,
        names=names,
        known=known,
        known_positions=known_positions,
        findings=findings,
        in_words=in_words,
    )


def names_are_known(template: Any, names: Names, steps: Steps, findings: Findings) -> bool:
    """Whether a template or expression names only what there is; each unknown name is one finding (FB301).

    A name that was lost with another mistake is none, but what uses it cannot be asked either.
    """
    for name in names.complaints(template.names):
        start, end = template.name_span(name)
        where = findings.document.inside(steps, start, end)
        findings.add(
            [error("FB301", f"unknown variable '{name}'", where=where, steps=steps, help=names.meant(name, template))]
        )
    return names.are_sure(template.names)


def _indices(column: Column, value: Any, steps: Steps, findings: Findings) -> frozenset[int]:
    several = value if isinstance(value, list | tuple) else [value]
    found: set[int] = set()
    lost: list[tuple[Steps, Any]] = []
    for position, wanted in enumerate(several):
        indices = column.find(wanted)
        if not indices and wanted == "none" and column.none_index >= 0:
            indices = [column.none_index]
        found.update(indices)
        if not indices:
            lost.append(((*steps, position) if several is value else steps, wanted))
    say = findings.warn if found else findings.error
    for place, wanted in lost:
        message = f"axis '{column.name}' has no value '{_text(wanted)}', so this matches nothing"
        say("FB312", message, place, _meant(column, wanted))
    return frozenset(found)


def _included(column: Column, wanted: Any, steps: Steps, findings: Findings) -> int | None:
    found = column.find(wanted)
    if found:
        return found[0]
    if wanted == "none" and column.none_index >= 0:
        return column.none_index
    if column.axis.kind in ("objects", "rows"):
        message = f"axis '{column.name}' has no value with the id '{_text(wanted)}'"
        findings.error("FB312", message, steps, _meant(column, wanted))
        return None
    return column.add(plain_value(wanted, written=findings.document.written(steps), steps=steps))


def _meant(column: Column, wanted: Any) -> str:
    ids = [column.value(index).id for index in range(min(column.count, 1000))]
    return did_you_mean(str(wanted), ids) or f"its values are {column.listed()}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
