"""The parameters of a shot before its model has judged them: layers laid over one another, the stronger on top.

From weak to strong: `params`, the axes (their own value, and what moves with it), `override`. A size is one parameter
in three ways of writing it: a layer that writes it in another way replaces it as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flux2batch.planning.models.sizes import SIZE_PARAMETERS
from flux2batch.planning.shots.names import Moment, Names, View
from flux2batch.planning.sweep.axes import AxisValue
from flux2batch.planning.sweep.grid import Column, Point
from flux2batch.planning.sweep.kept import KEPT
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.planning.templating import EmptyCell, Template, compile_template
from flux2batch.reading.job import Job
from flux2batch.reading.problems import Steps

_WAYS = {"size": "size", "width": "sides", "height": "sides", "aspect": "shape", "megapixels": "shape"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One parameter as written. `leaves` holds its compiled templates, by the way to each."""

    name: str
    written: Any
    leaves: Mapping[Steps, Template]
    steps: Steps
    is_data: bool  # it came out of a file: text that is a number is read as one

    @property
    def names(self) -> frozenset[str]:
        """The names that its templates use."""
        return frozenset().union(*(leaf.names for leaf in self.leaves.values()))


Layer = Mapping[str, Setting | None]
"""Parameters by name; None: it is not sent."""


class BrokenSetting(Exception):
    """A template of a setting cannot be compiled; carries the fault and the place."""

    def __init__(self, fault: TemplateFault, steps: Steps) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.steps = steps


class Circle(Exception):
    """Parameters that need one another: the names, in their order."""

    def __init__(self, names: Sequence[str], steps: Steps) -> None:
        super().__init__(" → ".join(names))
        self.names = tuple(names)
        self.steps = steps


OnBroken = Callable[[BrokenSetting], None]


def setting(
    name: str, written: Any, steps: Steps, *, is_data: bool = False, templates: OnBroken | None = None
) -> Setting:
    """A parameter as written; its `templates` are compiled, and what is told is which of them cannot be."""
    leaves = dict(_leaves(written, steps, templates)) if templates else {}
    return Setting(name=name, written=written, leaves=leaves, steps=steps, is_data=is_data)


def laid_over(weaker: Mapping[str, Setting], stronger: Layer) -> dict[str, Setting]:
    """The parameters of two layers."""
    ways = {_WAYS[name] for name in stronger if name in _WAYS}
    kept = {name: value for name, value in weaker.items() if not (ways and name in _WAYS and _WAYS[name] not in ways)}
    for name, value in stronger.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value
    return kept


class Layers:
    """All that a job says about parameters, by the layer that says it."""

    def __init__(self, job: Job, columns: Sequence[Column], *, on_broken: OnBroken) -> None:
        self._on_broken = on_broken
        self._base: dict[str, Setting] = {"model": setting("model", job.model, ("model",), templates=on_broken)}
        self._base |= {
            name: setting(name, value, ("params", name), templates=on_broken) for name, value in job.params.items()
        }
        self._columns = tuple(column for column in columns if sets_parameters(column))
        self._of_value: dict[tuple[int, int], Layer] = {}
        self.overrides: tuple[Layer, ...] = tuple(
            {
                name: setting(name, value, (*each.steps, "set", name), templates=on_broken)
                for name, value in each.set.items()
            }
            for each in job.override
        )

    @property
    def positions(self) -> frozenset[int]:
        """The columns that set a parameter; that of the seed alone is none, for a seed is judged shot by shot."""
        return frozenset(c.position for c in self._columns if not (c.axis.parameter == "seed" and not _moves_others(c)))

    def all_settings(self) -> tuple[Setting, ...]:
        """Every parameter that is written anywhere, but for the values of an axis that are its own parameter's."""
        layers: list[Layer] = [self._base, *self.overrides]
        layers += [self.of_value(c, i) for c in self._columns if _moves_others(c) for i in range(c.count)]
        return tuple(value for layer in layers for value in layer.values() if value)

    def named(self) -> frozenset[str]:
        """The names that any template of them uses."""
        return frozenset().union(*(each.names for each in self.all_settings()))

    def merged(self, point: Point, overrides: Iterable[int] = ()) -> dict[str, Setting]:
        """What holds at a point, where these overrides match. Columns beyond the end of the point are left out."""
        merged = self._base
        for column in self._columns:
            if column.position < len(point):
                merged = laid_over(merged, self.of_value(column, point[column.position]))
        for number in overrides:
            merged = laid_over(merged, self.overrides[number])
        return dict(merged)

    def of_value(self, column: Column, index: int) -> Layer:
        """What one value of an axis sets."""
        key = (column.position, index)
        if key not in self._of_value:
            if len(self._of_value) >= KEPT:
                self._of_value.clear()
            self._of_value[key] = _layer_of(column, column.value(index), self._on_broken)
        return self._of_value[key]


def sets_parameters(column: Column) -> bool:
    """Whether the axis sets a parameter, by its name or by what moves with its values."""
    return column.axis.parameter is not None or _moves_others(column)


def moved(column: Column) -> dict[str, Steps]:
    """The parameters that move with the values of an axis, and where each is first written."""
    if column.axis.kind != "objects":
        return {}
    found: dict[str, Steps] = {}
    for index in range(column.count):
        value = column.value(index)
        for name in value.settings:
            found.setdefault(name, (*value.steps, "set", name))
    return found


class Resolver:
    """Gives the parameters of one point their values, each after those that it needs."""

    def __init__(self, merged: Mapping[str, Setting], names: Names, defaults: Mapping[str, Any]) -> None:
        self._merged = merged
        self._names = names
        self._defaults = defaults
        self._values: dict[str, Any] = {}
        self._waiting: list[str] = []

    def value(self, name: str, moment: Moment) -> Any:
        """The value of a parameter, or its default; raises TemplateFault (through Unresolved) and Circle."""
        if name in self._values:
            return self._values[name]
        written = self._merged.get(name)
        if written is None:
            return self._defaults.get(name)
        if name in self._waiting:
            raise Circle([*self._waiting[self._waiting.index(name) :], name], written.steps)
        self._waiting.append(name)
        try:
            self._values[name] = self._rendered(written, moment)
        finally:
            self._waiting.pop()
        return self._values[name]

    def _rendered(self, written: Setting, moment: Moment) -> Any:
        if not written.leaves:
            return written.written
        made = {}
        for way, leaf in written.leaves.items():
            view = self._names.view(leaf.names)
            try:
                made[way] = _filled_in(leaf.value(self._scope(view, moment)), leaf)
            except TemplateFault as fault:
                raise BrokenSetting(fault, (*written.steps, *way)) from None
        return made[()] if () in made else filled(written.written, made)

    def _scope(self, view: View, moment: Moment) -> dict[str, Any]:
        scope = view.scope(moment)
        for name in view.parameters:
            scope[name] = self.value(name, moment)
        if view.seed and "seed" not in scope:
            scope["seed"] = self.value("seed", moment)
        return scope


def _filled_in(value: Any, leaf: Template) -> Any:
    """The value, unless it is an empty cell of a table: no parameter is empty, and its row is what has to be mended."""
    if not isinstance(value, EmptyCell):
        return value
    help = "fill in the cell, or write what stands in for it: | default(5)"
    raise TemplateFault("FB316", value.about, 0, len(leaf.text), help)


def filled(written: Any, made: Mapping[Steps, Any], way: Steps = ()) -> Any:
    """The written value with what its templates became in their places."""
    if way in made:
        return made[way]
    if isinstance(written, Mapping):
        return {key: filled(value, made, (*way, key)) for key, value in written.items()}
    if isinstance(written, list | tuple):
        return [filled(value, made, (*way, index)) for index, value in enumerate(written)]
    return written


def size_parameters(values: Collection[str]) -> list[str]:
    """Those of these parameters that say the size."""
    return [name for name in SIZE_PARAMETERS if name in values]


def leaves_of(written: Any) -> Iterable[tuple[Steps, str]]:
    """Every text in a value, with the way to it."""
    match written:
        case str():
            yield (), written
        case Mapping():
            for key, value in written.items():
                yield from (((key, *way), text) for way, text in leaves_of(value))
        case list() | tuple():
            for index, value in enumerate(written):
                yield from (((index, *way), text) for way, text in leaves_of(value))


def _leaves(written: Any, steps: Steps, on_broken: OnBroken) -> Iterable[tuple[Steps, Template]]:
    for way, text in leaves_of(written):
        try:
            template = compile_template(text, folder=None, kind="text")
        except TemplateFault as fault:
            on_broken(BrokenSetting(fault, (*steps, *way)))
            continue
        if not template.is_static:
            yield way, template


def _layer_of(column: Column, value: AxisValue, on_broken: OnBroken) -> Layer:
    layer: dict[str, Setting | None] = {}
    parameter = column.axis.parameter
    if parameter is not None and parameter != "prompt":
        is_data = column.axis.kind in ("rows", "lines")
        layer[parameter] = (
            None
            if value.value is None
            else setting(parameter, value.value, _value_steps(column, value), is_data=is_data)
        )
    for name, written in value.settings.items():
        layer[name] = setting(name, written, (*value.steps, "set", name), templates=on_broken)
    return layer


def _value_steps(column: Column, value: AxisValue) -> Steps:
    return (
        (*value.steps, "value")
        if column.axis.kind == "objects" and "value" in value.seen.field_names()
        else value.steps
    )


def _moves_others(column: Column) -> bool:
    return bool(moved(column))
