"""What to write where the name of a column cannot stand behind a dot, as names in spreadsheets often cannot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flux2batch.planning.templates.values import KeyedTable


def columns_of(values: Iterable[Any]) -> frozenset[str]:
    """The names of columns of these tables and rows that no template can write behind a dot."""
    return frozenset(
        name for value in values for row in _first_rows(value) for name in map(str, row) if not name.isidentifier()
    )


def _first_rows(value: Any) -> Iterable[Mapping[str, Any]]:
    """One row speaks for its table: a job with a mistake in it must not wait for a hundred thousand of them."""
    if isinstance(value, KeyedTable):
        return value.rows[:1]
    if isinstance(value, (list, tuple)):
        return [row for row in value[:1] if isinstance(row, Mapping)]
    return [value] if isinstance(value, Mapping) else []


def in_brackets(text: str, at: int, columns: Iterable[str]) -> str | None:
    """The help for a word of `product.Artikel-Nr`, which is read as a subtraction. The longest name wins.

    Spelling with other capitals is taken for the same name: the help then has the right ones.
    """
    for column in sorted(columns, key=lambda name: (-len(name), name)):
        written = re.compile(rf"(\w*)\.{re.escape(column)}(?!\w)", re.IGNORECASE)
        if found := _around(at, written, text):
            return _help(found[1], column)
    return None


def with_a_hyphen(text: str, at: int) -> str | None:
    """The same where nothing is known of the columns."""
    found = _around(at, re.compile(r"\b([^\W\d]\w*)\.([^\W\d]\w*(?:-\w+)+)"), text)
    return _help(found[1], found[2]) if found else None


def with_a_space(text: str, at: int) -> str | None:
    """The same for `product.Text de`, which no template can be, where the second word stands at this character."""
    before = re.search(r"(\w+)\.(\w+) +$", text[:at])
    after = re.match(r"\w+", text[at:])
    return _help(before[1], f"{before[2]} {after[0]}") if before and after else None


def cannot_stand_bare(text: str, at: int, columns: Iterable[str]) -> str | None:
    """The help for a word of `Artikel-Nr` in a filter of rows, where columns are named without anything before them."""
    for column in sorted(columns, key=lambda name: (-len(name), name)):
        if not column.isidentifier() and _around(at, re.compile(rf"(?<![\w.]){re.escape(column)}(?!\w)"), text):
            return f"a filter of rows cannot name the column '{column}': in the table, give it a name of letters and _"
    return None


def _around(at: int, pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next((match for match in pattern.finditer(text) if match.start() <= at < match.end()), None)


def _help(owner: str, column: str) -> str:
    sign = "a space" if " " in column else "a hyphen" if "-" in column else "such a sign"
    quote = '"' if "'" in column else "'"
    return f"a column with {sign} in its name is written {owner or '…'}[{quote}{column}{quote}]"
