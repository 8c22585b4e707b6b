"""Rows of CSV that a spreadsheet opens without running anything in them: texts quoted and disarmed, numbers bare."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# A spreadsheet takes a cell that begins like this for a formula. Full-width forms become the plain ones on the way.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_DECIMAL = re.compile(r"[0-9]+\.[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a file of rows is written."""

    separator: str
    point: str  # between a number's whole part and the rest
    mark: str  # what the file begins with


COMMAS = Form(separator=",", point=".", mark="")
"""What programs read."""
SEMICOLONS = Form(separator=";", point=",", mark="\ufeff")
"""What Excel opens by a double click where a comma stands in numbers. It takes UTF-8 for itself by its mark alone."""


def form_of(*, semicolons: bool) -> Form:
    """The form that a flag asks for."""
    return SEMICOLONS if semicolons else COMMAS


@dataclass(frozen=True, slots=True)
class Number:
    """Digits that stay as they are written, to the last one."""

    written: str


Cell = str | Number | None


def csv_row(cells: Iterable[Cell], form: Form) -> str:
    """One row."""
    return form.separator.join(_written(cell, form) for cell in cells) + "\n"


def _written(cell: Cell, form: Form) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Number):
        return cell.written.replace(".", form.point)
    if form.point != "." and _DECIMAL.fullmatch(cell):
        return cell.replace(".", form.point)  # quotes would not keep "2.5" from being taken for the second of May
    doubled = disarmed(cell).replace('"', '""')
    return f'"{doubled}"'


def disarmed(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    begins = text.lstrip(" ")
    return f"'{text}" if begins.startswith(_FORMULA) else text
