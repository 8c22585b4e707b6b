"""The names that templates and expressions of a job may use, and what each of them depends on.

A template is rendered with the names that it uses and no others. What those depend on is known before anything is
rendered: so a text that does not speak of the seed is rendered once for all seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flux2batch.planning.shots.unsure import Unsure
from flux2batch.planning.sweep.grid import Column, Point
from flux2batch.planning.templates.column_names import columns_of, in_brackets, with_a_hyphen
from flux2batch.planning.templates.values import ValueObject
from flux2batch.planning.templating import Expression, Template
from flux2batch.reading.suggest import did_you_mean

Calls = Callable[[str], str]


class Given(Protocol):
    """What is known of a point's request when a text is rendered: its parameters and the names of its references."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters by neutral name, without the seed."""

    @property
    def calls(self) -> tuple[Calls, Calls]:
        """`ref` and `refs`."""


@dataclass(slots=True)
class Moment:
    """Where the walk over the shots stands. One of it moves from shot to shot, for there may be a million."""

    point: Point
    given: Given | None  # None before the parameters are known
    seed: int | None  # the final one, with its repeat
    repeat: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The names that one text uses, and where each comes from."""

    constants: Mapping[str, Any]
    columns: tuple[tuple[str, Column], ...]
    parameters: tuple[str, ...]
    calls: frozenset[str]  # of ref and refs
    seed: bool
    repeat: bool
    index: bool

    @property
    def positions(self) -> tuple[int, ...]:
        """The columns that it depends on by name."""
        return tuple(column.position for _, column in self.columns)

    @property
    def needs_given(self) -> bool:
        """Whether it depends on the request: its parameters or references."""
        return bool(self.parameters or self.calls)

    def scope(self, moment: Moment) -> dict[str, Any]:
        """The names with their values."""
        scope = dict(self.constants)
        for name, column in self.columns:
            scope[name] = column.value(moment.point[column.position]).seen
        if self.seed and moment.seed is not None and _shown_seed(scope.get("seed")) != moment.seed:
            scope["seed"] = moment.seed
        if self.repeat:
            scope["repeat"] = moment.repeat
        if self.index:
            scope["index"] = moment.index
        if self.needs_given and moment.given is not None:
            for name in self.parameters:
                scope[name] = moment.given.parameters.get(name)
            if self.calls:
                scope.update(zip(("ref", "refs"), moment.given.calls, strict=True))
        return scope


class Names:
    """Everything that a text of the job may name."""

    def __init__(
        self,
        *,
        columns: Iterable[Column],
        variables: Mapping[str, Any],
        tables: Mapping[str, Any],
        job: Mapping[str, Any],
        parameters: Collection[str],
        unsure: Unsure | None = None,
    ) -> None:
        self._unsure = unsure or Unsure()
        self._columns = {column.name.removeprefix("params."): column for column in columns}
        self._constants = {**tables, **variables, "vars": dict(variables), "data": dict(tables), "job": dict(job)}
        self._parameters = frozenset(parameters)

    @property
    def known(self) -> tuple[str, ...]:
        """All of them, the job's own first: for suggestions."""
        special = ("index", "repeat", "ref", "refs")
        return (*self._columns, *self._constants, *special, *sorted(self._parameters))

    @property
    def own(self) -> tuple[str, ...]:
        """Those that the job itself gives."""
        return tuple(name for name in (*self._columns, *self._constants) if name not in ("vars", "data", "job"))

    def meant(self, name: str, template: Template | Expression) -> str | None:
        """The help for an unknown name of this text."""
        at, _ = template.name_span(name)
        rows = (column.value(0).seen.fields for column in self._columns.values() if column.count)
        columns = columns_of((*rows, *self._constants.values()))
        return (
            in_brackets(template.text, at, columns)
            or did_you_mean(name, self.known)
            or with_a_hyphen(template.text, at)
            or (f"the job's own names are {', '.join(self.own[:12])}" if self.own else None)
        )

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Those of these names that mean nothing."""
        return sorted(set(names) - set(self.known))

    def complaints(self, names: Iterable[str]) -> list[str]:
        """Those that mean nothing, and were not lost with another mistake either."""
        return [name for name in self.unknown(names) if not self._unsure.holds(name)]

    def are_sure(self, names: Collection[str]) -> bool:
        """Whether a text that uses these names can be rendered."""
        return not self.unknown(names) and not self._unsure.names.intersection(names)

    def view(self, names: Collection[str]) -> View:
        """What a text that uses these names sees. An axis hides a constant, a constant a parameter."""
        columns = tuple((name, self._columns[name]) for name in sorted(names) if name in self._columns)
        rest = {name for name in names if name not in self._columns}
        constants = {name: self._constants[name] for name in rest if name in self._constants}
        rest -= set(constants)
        return View(
            constants=constants,
            columns=columns,
            parameters=tuple(sorted((rest & self._parameters) - {"seed"})),
            calls=frozenset(rest & {"ref", "refs"}),
            seed="seed" in rest or any(name == "seed" for name, _ in columns),
            repeat="repeat" in rest,
            index="index" in rest,
        )


def _shown_seed(value: ValueObject | None) -> Any:
    return None if value is None else value.value
