"""The points of a sweep: axes multiplied, groups that move together, and values that stand outside the lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from operator import itemgetter

from flux2batch.planning.sweep.axes import Axis, AxisValue, none_value

Point = tuple[int, ...]
"""For each column the index of its value: one shot's place in the sweep."""


class Column:
    """One axis of a grid, with the values that only single points have: `none`, and those that `include` adds."""

    __slots__ = ("_extra", "_values", "axis", "count", "name", "none_index", "position")

    def __init__(self, axis: Axis, position: int) -> None:
        self.axis = axis
        self.name = axis.name
        self.position = position
        self.count = axis.count
        self._values = axis.values
        self._extra: list[AxisValue] = []
        self.none_index = self.add(none_value(axis.steps)) if axis.when is not None else -1

    def value(self, index: int) -> AxisValue:
        """The value at an index of a point."""
        return self._values[index] if index < self.count else self._extra[index - self.count]

    def add(self, value: AxisValue) -> int:
        """A value beside those that the axis lists; its index."""
        self._extra.append(value)
        return self.count + len(self._extra) - 1

    def find(self, wanted: object) -> list[int]:
        """The indices of the values that a rule means."""
        return self._values.find(wanted)

    def listed(self, most: int = 8) -> str:
        """Its values for a message: 20, 35, 50."""
        shown = [self._values[index].id for index in range(min(self.count, most))]
        return ", ".join([*shown, "…"] if self.count > most else shown)


class Grid:
    """The product of axes and groups, counted before it is walked. The last one varies fastest."""

    def __init__(self, sweep: Sequence[Axis], zips: Sequence[Sequence[Axis]], draws: Sequence[Axis]) -> None:
        axes = [*sweep, *(axis for group in zips for axis in group), *draws]
        self.columns = tuple(Column(axis, position) for position, axis in enumerate(axes))
        self.crossed = self.columns[: len(axes) - len(draws)]
        self.drawn = self.columns[len(self.crossed) :]
        self.radices = (*(axis.count for axis in sweep), *(group[0].count for group in zips))
        dimensions = [*range(len(sweep))]
        for number, group in enumerate(zips, start=len(sweep)):
            dimensions += [number] * len(group)
        self._spread = _picker(dimensions)

    @property
    def count(self) -> int:
        """How many points there are before any rule or condition takes some away."""
        return prod(self.radices)

    def column(self, name: str) -> Column | None:
        """The axis of this name."""
        return next((column for column in self.columns if column.name == name), None)

    def points(self) -> Iterator[Point]:
        """Every point of the product, in order."""
        spread = self._spread
        return (spread(indices) for indices in _product(self.radices))


def _product(radices: Sequence[int]) -> Iterator[Point]:
    """As itertools.product, which would write out an axis of a million values first."""
    if not radices:
        yield ()
        return
    *outer, last = radices
    for head in _product(outer):
        for index in range(last):
            yield (*head, index)


def _picker(positions: Sequence[int]) -> Callable[[Point], Point]:
    if list(positions) == list(range(len(positions))):
        return lambda point: point
    if len(positions) == 1:
        only = positions[0]
        return lambda point: (point[only],)
    return itemgetter(*positions)


def key_of(positions: Iterable[int]) -> Callable[[Point], object]:
    """What tells points apart that differ on these columns, and on no others."""
    wanted = sorted(set(positions))
    if not wanted:
        return lambda _: None
    return itemgetter(*wanted)
