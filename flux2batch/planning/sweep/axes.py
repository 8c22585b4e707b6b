"""Axes: every way of writing one, turned into values with ids.

An axis knows how many values it has before it makes any of them, so that a job of a billion shots is refused at once.
Ranges and draws make a value when it is asked for; whatever else an axis can be is in memory already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Literal

from flux2batch.planning.canonical import canonical_text
from flux2batch.planning.files.folder import FileFault, JobFolder
from flux2batch.planning.sweep.chance import draw_numbers, possible_numbers
from flux2batch.planning.sweep.kept import KEPT
from flux2batch.planning.sweep.numerals import number_in
from flux2batch.planning.sweep.ranges import NotARange, NumberRange, looks_like_range, read_range
from flux2batch.planning.sweep.slugs import slug
from flux2batch.planning.tables.tables import Constant, Row, Table
from flux2batch.planning.templates.values import ValueObject, number_text
from flux2batch.reading.job import AxisSource, Job
from flux2batch.reading.problems import Place, Problem, Steps, error, warning
from flux2batch.reading.suggest import did_you_mean

PARAMETER_AXES = frozenset(
    {
        *("model", "size", "aspect", "megapixels", "width", "height", "seed", "guidance", "steps", "upsampling"),
        *("output_format", "safety_tolerance", "num_images", "acceleration"),
    }
)
"""Axes of these names set the parameter of the same name. The list is frozen for version 1 of the language."""

_OBJECT_KEYS = frozenset({"id", "value", "label", "set"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisValue:
    """One value of an axis. `value` is what the axis sets and what rules compare with; of a row it is the row."""

    id: str
    label: str
    value: Any
    settings: Mapping[str, Any]  # the parameters that move with it
    seen: ValueObject  # what templates see
    row: Row | None  # the row of a table that it is
    steps: Steps  # where it is written; of the axis where it is not written by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis with all its values."""

    name: str
    kind: Literal["plain", "objects", "rows", "lines"]
    values: Values
    when: str | None
    steps: Steps

    @property
    def count(self) -> int:
        """How many values it has; known without making them."""
        return self.values.count

    @property
    def parameter(self) -> str | None:
        """The parameter that it sets; None where it is a name for templates alone."""
        if self.name in PARAMETER_AXES:
            return self.name
        return self.name.removeprefix("params.") if self.name.startswith("params.") else None


class Values:
    """The values of an axis, some of them made only when they are asked for."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self.count = sum(part.count for part in parts)
        self._parts = parts
        self._made: dict[int, AxisValue] = {}

    def __getitem__(self, index: int) -> AxisValue:
        made = self._made.get(index)
        return made if made is not None else self._make(index)

    def find(self, wanted: Any) -> list[int]:
        """Where the values stand that a rule means by this: equal ones (5 = 5.0), or the one with this id."""
        found: list[int] = []
        before = 0
        for part in self._parts:
            found.extend(before + index for index in part.find(wanted))
            before += part.count
        return found

    def _make(self, index: int) -> AxisValue:
        if not 0 <= index < self.count:
            raise IndexError(index)
        offset = index
        for part in self._parts:
            if offset < part.count:
                break
            offset -= part.count
        if len(self._made) >= KEPT:
            self._made.clear()
        return self._made.setdefault(index, part.value(offset))


def values_of(
    source: AxisSource, job: Job, tables: Mapping[str, Table | Constant], folder: JobFolder
) -> tuple[Axis | None, tuple[Problem, ...]]:
    """The axis that a source writes, or None and what is wrong with it. Warnings come with an axis."""
    reader = _Reader(source, job, tables, folder)
    axis = reader.read()
    return axis, tuple(reader.problems)


def matches(value: AxisValue, wanted: Any) -> bool:
    """Whether a rule that names `wanted` means this value: it is equal to it (5 = 5.0), or its id."""
    if isinstance(wanted, bool) or isinstance(value.value, bool):
        return value.value is wanted or (isinstance(wanted, str) and wanted == value.id)
    return bool(value.value == wanted) or value.id == (
        number_text(wanted) if isinstance(wanted, (int, float)) else wanted
    )


def plain_value(value: Any, *, written: str | None, steps: Steps) -> AxisValue:
    """The value that a scalar is, or a mapping that is its own value."""
    text = written if written is not None and not isinstance(value, str) else _text(value)
    is_mapping = isinstance(value, Mapping)
    return _value(
        id=text if _is_number(value) else slug(text),
        label=text,
        value=value,
        text=None if is_mapping else _text(value),
        fields=value if is_mapping else None,
        steps=steps,
    )


def none_value(steps: Steps) -> AxisValue:
    """The one value of an axis where its `when` is false."""
    return _value(id="none", label="none", value=None, text="none", steps=steps)


class _Part:
    """Some values of an axis that are made in one way."""

    count: int

    def value(self, index: int) -> AxisValue:
        raise NotImplementedError

    def find(self, wanted: Any) -> Iterator[int]:
        return (index for index in range(self.count) if matches(self.value(index), wanted))


class _Listed(_Part):
    def __init__(self, values: Sequence[AxisValue]) -> None:
        self.count = len(values)
        self._values = values

    def value(self, index: int) -> AxisValue:
        return self._values[index]


class _Ranged(_Part):
    def __init__(self, numbers: NumberRange, steps: Steps) -> None:
        self.count = numbers.count
        self._numbers = numbers
        self._steps = steps

    def value(self, index: int) -> AxisValue:
        return _number_value(self._numbers.written(index), self._steps)

    def find(self, wanted: Any) -> Iterator[int]:
        number = _number_in(wanted)
        index = None if number is None else self._numbers.index_of(number)
        return iter(() if index is None else (index,))


class _Drawn(_Part):
    def __init__(self, low: str, high: str, *, count: int, seed: int, steps: Steps) -> None:
        self.count = count
        self._draws = draw_numbers(low, high, seed=seed)
        self._drawn: list[str] = []
        self._steps = steps

    def value(self, index: int) -> AxisValue:
        self._drawn.extend(islice(self._draws, max(0, index + 1 - len(self._drawn))))
        return _number_value(self._drawn[index], self._steps)


class _Reader:
    """Reads one axis and collects what is wrong with it."""

    def __init__(self, source: AxisSource, job: Job, tables: Mapping[str, Table | Constant], folder: JobFolder) -> None:
        self.source = source
        self.job = job
        self.document = job.document
        self.tables = tables
        self.folder = folder
        self.problems: list[Problem] = []

    def read(self) -> Axis | None:
        written, steps = self.source.written, self.source.steps
        when = written.get("when") if isinstance(written, dict) else None
        kind: Literal["plain", "objects", "rows", "lines"] = "plain"
        if isinstance(written, dict) and "values" in written:
            written, steps = written["values"], (*steps, "values")

        parts = self._parts(written, steps)
        if parts is None or any(problem.severity == "error" for problem in self.problems):
            return None
        if isinstance(written, str) and written.startswith("data."):
            kind = "rows"
        elif isinstance(written, list) and any(isinstance(item, dict) for item in written):
            kind = "objects"
        elif isinstance(written, dict) and ("file" in written or "glob" in written):
            kind = "lines"
        if not any(part.count for part in parts):
            self._complain("FB309", f"axis '{self.source.name}' is empty, so there are 0 images", steps)
            return None
        values = Values(parts)
        if self._has_equal_ids(parts, values):
            return None
        return Axis(name=self.source.name, kind=kind, values=values, when=when, steps=self.source.steps)

    def _parts(self, written: Any, steps: Steps) -> list[_Part] | None:
        match written:
            case list():
                return self._list(written, steps)
            case {"range": str() as text}:
                return self._range(text, (*steps, "range"))
            case {"random": [low, high], "count": int() as count}:
                return self._random(low, high, count, written.get("seed", 1), steps)
            case {"file": str() as path}:
                return self._lines(path, (*steps, "file"))
            case {"glob": str() as pattern}:
                return self._files(pattern, (*steps, "glob"))
            case {"values": inner}:
                return self._parts(inner, (*steps, "values"))
            case str() if written.startswith("data."):
                return self._rows(written.removeprefix("data."), steps)
            case str():
                return self._text(written, steps)
            case bool() | int() | float():
                return [_Listed([plain_value(written, written=self.document.written(steps), steps=steps)])]
            case _:
                self._complain("FB205", f"axis '{self.source.name}' must be a list, a range or a table", steps)
                return None

    def _text(self, text: str, steps: Steps) -> list[_Part] | None:
        if self.document.is_plain(steps):
            return self._range(text, steps)
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        if not looks_like_range(text):
            self._complain(
                "FB205", f"axis '{self.source.name}' must be a list, got the text '{shown}'", steps, f"write [{shown}]"
            )
        elif self.document.name == "<dict>":
            self._complain(
                "FB205",
                f"axis '{self.source.name}' must be a list, got the text '{shown}'",
                steps,
                f'write {{"range": "{shown}"}}',
            )
        else:
            self._complain(
                "FB205",
                f"axis '{self.source.name}' must be a list, got the text \"{shown}\"",
                steps,
                f"remove the quotes: {self.source.name}: {shown}",
            )
        return None

    def _range(self, text: str, steps: Steps) -> list[_Part] | None:
        numbers = read_range(text)
        if isinstance(numbers, NotARange):
            self._complain("FB311", numbers.message, steps, numbers.help)
            return None
        return [_Ranged(numbers, steps)]

    def _random(self, low: Any, high: Any, count: int, seed: int, steps: Steps) -> list[_Part] | None:
        ends = [
            self.document.written((*steps, "random", side)) or number_text(end) for side, end in enumerate((low, high))
        ]
        if low > high:
            self._complain(
                "FB311",
                f"no number lies between {ends[0]} and {ends[1]}",
                (*steps, "random"),
                f"write [{ends[1]}, {ends[0]}]",
            )
            return None
        possible = possible_numbers(*ends)
        if possible < count:
            kind = "numbers" if "." in "".join(ends) else "whole numbers"
            self.problems.append(
                warning(
                    "FB311",
                    f"only {possible} {kind} lie between {ends[0]} and {ends[1]}: the axis has {possible} values, "
                    f"not {count}",
                    where=self.document.place((*steps, "count")),
                    steps=(*steps, "count"),
                    help=None if "." in "".join(ends) else f"write [{ends[0]}.0, {ends[1]}.0] for decimal numbers",
                )
            )
        return [_Drawn(*ends, count=min(count, possible), seed=seed, steps=steps)]

    def _lines(self, path: str, steps: Steps) -> list[_Part] | None:
        opened = self.folder.open(path)
        if isinstance(opened, FileFault):
            self._complain(opened.code, opened.message, steps, opened.help)
            return None
        try:
            text = opened.content.decode("utf-8-sig")
        except UnicodeDecodeError as broken:
            line = opened.content[: broken.start].count(b"\n") + 1
            self._complain("FB313", f"{path}:{line} is not UTF-8", steps, "save the file as UTF-8")
            return None
        lines = [line.strip() for line in text.splitlines()]
        return [_Listed([plain_value(line, written=None, steps=self.source.steps) for line in lines if line])]

    def _files(self, pattern: str, steps: Steps) -> list[_Part] | None:
        found = self.folder.glob(pattern)
        if isinstance(found, FileFault):
            self._complain(found.code, found.message, steps, found.help)
            return None
        return [_Listed([plain_value(path, written=None, steps=self.source.steps) for path in found])]

    def _rows(self, name: str, steps: Steps) -> list[_Part] | None:
        table = self.tables.get(name)
        if table is None:
            lost = self.job.lost is not None and self.job.lost.holds(name)
            if lost or name in {source.name for source in self.job.data}:
                return None  # what is wrong with the table is said where the table is
            help = did_you_mean(name, self.tables) or (
                f"the tables are {', '.join(self.tables)}" if self.tables else None
            )
            self._complain("FB301", f"there is no table 'data.{name}'", steps, help)
            return None
        if not isinstance(table, Table):
            self._complain(
                "FB205", f"data.{name} is one mapping and not a table of rows", steps, "a table is a list of rows"
            )
            return None
        return [_Listed([self._row(row) for row in table.rows])]

    def _row(self, row: Row) -> AxisValue:
        first = next((_text(cell) for cell in row.data.values()), "")
        id = row.id if row.id is not None else slug(first)
        return _value(
            id=id,
            label=_text(row.data.get("label") or id),
            value=row.data,
            text=None,
            fields=row.data,
            row=row,
            steps=self.source.steps,
        )

    def _list(self, items: Sequence[Any], steps: Steps) -> list[_Part]:
        parts: list[_Part] = []
        listed: list[AxisValue] = []
        for position, item in enumerate(items):
            here = (*steps, position)
            numbers = self._range_in_list(item, here)
            if numbers:
                parts += [_Listed(listed), *numbers]
                listed = []
                continue
            listed.append(self._item(item, here))
        return [part for part in (*parts, _Listed(listed)) if part.count]

    def _range_in_list(self, item: Any, steps: Steps) -> list[_Part] | None:
        if isinstance(item, dict) and set(item) == {"range"} and isinstance(item["range"], str):
            return self._range(item["range"], (*steps, "range"))
        if isinstance(item, str) and looks_like_range(item) and self.document.is_plain(steps):
            return self._range(item, steps)
        return None

    def _item(self, item: Any, steps: Steps) -> AxisValue:
        if isinstance(item, dict) and _OBJECT_KEYS & set(item):
            return self._object(item, steps)
        return plain_value(item, written=self.document.written(steps), steps=steps)

    def _object(self, item: Mapping[str, Any], steps: Steps) -> AxisValue:
        named = self._written_id(item, steps)
        value = item.get("value", item.get("id", named))
        label = item.get("label", _text(value) if isinstance(value, (str, int, float)) and "id" not in item else named)
        fields = {key: inner for key, inner in item.items() if key not in _OBJECT_KEYS}
        return _value(
            id=named,
            label=_text(label),
            value=value,
            text=None if isinstance(value, Mapping) else _text(value),
            fields=fields,
            settings=item.get("set", {}),
            steps=steps,
        )

    def _written_id(self, item: Mapping[str, Any], steps: Steps) -> str:
        for key in ("id", "value", "label"):
            if key in item:
                inner = item[key]
                text = self.document.written((*steps, key)) if _is_number(inner) else None
                text = _text(inner) if text is None else text
                return text if key == "id" or _is_number(inner) else slug(text)
        return slug(canonical_text(item))

    def _has_equal_ids(self, parts: Sequence[_Part], values: Values) -> bool:
        # A range alone, or a draw, has no two equal numbers; only what is listed can.
        if all(not isinstance(part, _Listed) for part in parts) and len(parts) == 1:
            return False
        first: dict[str, int] = {}
        for index in range(min(values.count, _MOST_COMPARED)):
            earlier = first.setdefault(values[index].id, index)
            if earlier != index:
                self._complain_of_equals(values[earlier], values[index])
                return True
        return False

    def _complain_of_equals(self, first: AxisValue, second: AxisValue) -> None:
        where = self.document.place(second.steps)
        one, other = _shown(first), _shown(second)
        about = "twice" if one == other else f"for {one} and for {other}"
        self.problems.append(
            error(
                "FB317",
                f"axis '{self.source.name}' has the id '{second.id}' {about}",
                where=where,
                steps=second.steps,
                help=_EQUAL_ROWS
                if second.seen.text is None
                else "leave one out, or give one an id of its own: {id: …, value: …}",
                notes=[] if first.steps == second.steps else [_first_at(self.document.place(first.steps))],
            )
        )

    def _complain(self, code: str, message: str, steps: Steps, help: str | None = None) -> None:
        self.problems.append(error(code, message, where=self.document.place(steps), steps=steps, help=help))


_EQUAL_ROWS = "give the table a key whose values differ: key: COLUMN"
_MOST_COMPARED = 1_000_000


def _first_at(place: Place | None) -> str:
    return f"first at line {place.line}" if place else "the first is written before it"


def _shown(value: AxisValue) -> str:
    return f"'{value.label}'"


def _value(
    *,
    id: str,
    label: str,
    value: Any,
    text: str | None,
    steps: Steps,
    fields: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    row: Row | None = None,
) -> AxisValue:
    seen = ValueObject(id=id, label=label, value=value, text=text, fields=fields or {})
    return AxisValue(id=id, label=label, value=value, settings=settings or {}, seen=seen, row=row, steps=steps)


def _number_value(written: str, steps: Steps) -> AxisValue:
    number = float(written) if "." in written else int(written)
    return _value(id=written, label=written, value=number, text=number_text(number), steps=steps)


def _number_in(wanted: Any) -> int | float | Decimal | None:
    if isinstance(wanted, bool):
        return None
    if isinstance(wanted, (int, float)):
        return wanted
    return number_in(wanted) if isinstance(wanted, str) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return number_text(value)
        case _:
            return canonical_text(value)
