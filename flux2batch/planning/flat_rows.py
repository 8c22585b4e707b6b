"""Rows for tables of any kind: flat, each with the same columns, as pandas and csv.DictWriter want them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

Cell = str | int | float | bool | None
Row = dict[str, Cell]


def flat(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The rows with what is nested under dotted names (`params.guidance`), and lists as text, one entry a line.

    Every row has every column, in one order; None stands where a row has nothing there. Amounts become plain numbers.
    """
    flattened = [dict(_cells(row)) for row in rows]
    columns: dict[str, dict[str, None]] = {}  # by what stands before the dot, so that what belongs together stays so
    for row in flattened:
        for name in row:
            columns.setdefault(name.partition(".")[0], {})[name] = None
    ordered = [name for top, names in columns.items() for name in names if name != top or len(names) == 1]
    return [{name: row.get(name) for name in ordered} for row in flattened]


def _cells(row: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Cell]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _cells(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", _cell(value)


def _cell(value: Any) -> Cell:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return float(value)
        case list() | tuple():
            return "\n".join(str(one["source"] if isinstance(one, Mapping) else one) for one in value)
        case _:
            return str(value)
