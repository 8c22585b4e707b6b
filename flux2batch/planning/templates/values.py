"""What a template may see besides plain data: axis values with an id and a label, empty cells, tables with a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux2batch.planning.templates.faults import refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueObject:
    """A value of an axis as templates see it.

    `{{ light }}` gives `text`; its fields are the columns of a row or the keys of an object, and behind them `.id`,
    `.label` and `.value`. It compares by `value`, and by its id where that is a row or a list.
    """

    id: str
    label: str
    value: Any
    text: str | None  # None where there is nothing sensible to print: a row
    fields: Mapping[str, Any]

    def field(self, name: str) -> Any:
        """The field of this name; KeyError where there is none."""
        if name in self.fields:
            return self.fields[name]
        if name == "id":
            return self.id
        if name == "label":
            return self.label
        if name == "value":
            return self.value
        raise KeyError(name)

    def field_names(self) -> tuple[str, ...]:
        """All names that `field` answers."""
        return tuple(dict.fromkeys((*self.fields, "id", "label", "value")))

    @property
    def comparable(self) -> Any:
        """What comparisons look at."""
        return self.id if isinstance(self.value, (dict, list, tuple)) else self.value

    def __bool__(self) -> bool:
        return bool(self.value)


class EmptyCell(str):
    """A cell with nothing in it: false, equal to "", and an error where a text needs its words."""

    __slots__ = ("column", "row")
    row: str  # data/copy.csv:9 (sku cap-03, locale de)
    column: str

    def __new__(cls, row: str, column: str) -> EmptyCell:
        cell = super().__new__(cls, "")
        cell.row = row
        cell.column = column
        return cell

    @property
    def about(self) -> str:
        """What is wrong where its words are needed."""
        return f"{self.row}: {self.column} is empty"

    def __reduce__(self) -> tuple[type[EmptyCell], tuple[str, str]]:
        return EmptyCell, (self.row, self.column)


class KeyedTable:
    """The rows of one table: `copy[product.sku, locale]` is the row with this key, and a loop goes over all rows."""

    __slots__ = ("_by_key", "file", "key", "name", "rows")

    def __init__(self, *, name: str, file: str, key: tuple[str, ...], rows: tuple[Mapping[str, Any], ...]) -> None:
        self.name = name
        self.file = file
        self.key = key
        self.rows = rows
        self._by_key = {tuple(as_key(row.get(column)) for column in key): row for row in rows} if key else {}

    def row(self, key: Any) -> Mapping[str, Any] | None:
        """The row with this key, one value or several; None where the table has none."""
        parts = tuple(key) if isinstance(key, (tuple, list)) else (key,)
        if not self.key:
            refuse(
                "FB305",
                f"the table '{self.name}' has no key to look rows up by",
                f"give it one: {self.name}: {{file: {self.file}, key: …}}",
            )
        if len(parts) != len(self.key):
            wanted = ", ".join(self.key)
            refuse(
                "FB305",
                f"a row of '{self.name}' is found by {wanted}: {len(self.key)} values, not {len(parts)}",
                f"write {self.name}[{wanted}]",
            )
        return self._by_key.get(tuple(as_key(part) for part in parts))

    def absence(self, key: Any) -> str:
        """What is wrong where `row` gave None."""
        parts = tuple(key) if isinstance(key, (tuple, list)) else (key,)
        wanted = ", ".join(f"{column} {as_key(part)}" for column, part in zip(self.key, parts, strict=True))
        return f"no row for {wanted} in {self.file}"

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def as_key(value: Any) -> str:
    """A value as it is compared with the key of a row: text, as cells are."""
    if isinstance(value, ValueObject):
        value = value.comparable
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    return number_text(value) if isinstance(value, (int, float)) else str(value)


def number_text(value: int | float) -> str:
    """A number as people write it: 0.00001, never 1e-05."""
    text = repr(value)
    if "e" not in text:
        return text
    from decimal import Decimal

    return format(Decimal(text), "f")


def kind_of(value: Any) -> str:
    """What a value is, in the words of a message."""
    if isinstance(value, ValueObject):
        value = value.value
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {number_text(value)}"
        case EmptyCell():
            return "an empty cell"
        case str():
            return f"the text '{value}'" if len(value) <= 30 else "a text"
        case dict():
            return "a row or mapping"
        case list() | tuple():
            return "a list"
        case KeyedTable():
            return f"the table '{value.name}'"
        case _:
            return "something that cannot be used here"
