"""What to say where no row of a table matches: what its cells really hold."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flux2batch.planning.tables.content import FileRow
from flux2batch.planning.templates.values import as_key
from flux2batch.reading.suggest import did_you_mean

_LOOKED_THROUGH = 1_000
"""Comparing a text with more values than these takes longer than anybody waits for a hint."""
_LISTED = 8
_LONGEST = 40


def what_there_is(expression: str, columns: Sequence[str], rows: Sequence[FileRow]) -> str | None:
    """The value that was meant, or the first few of each column that the expression speaks of."""
    there = {name: values for name in columns if (values := _values(name, rows))}
    everything = [value for values in there.values() for value in values]
    for text in _texts_in(expression):
        if text not in everything and (meant := did_you_mean(text, everything)):
            return meant
    return "; ".join(f"{name}: {_listed(values)}" for name, values in there.items()) or None


def _values(column: str, rows: Sequence[FileRow]) -> list[str]:
    cells = (row.cells.get(column) for row in rows)
    plain = (as_key(cell) for cell in cells if isinstance(cell, (str, int, float)))
    seen: dict[str, None] = {}
    for value in plain:
        seen[value] = None
        if len(seen) == _LOOKED_THROUGH:
            break
    return list(seen)


def _texts_in(expression: str) -> list[str]:
    return [one or other for one, other in re.findall(r"'([^']+)'|\"([^\"]+)\"", expression)]


def _listed(values: Sequence[str]) -> str:
    shown = [_shown(value) for value in values[:_LISTED]]
    return ", ".join([*shown, "…"] if len(values) > _LISTED else shown)


def _shown(value: str) -> str:
    """A value with a blank at its end is what nobody sees and everybody compares with."""
    short = value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
    return short if short == short.strip() else f"'{short}'"
