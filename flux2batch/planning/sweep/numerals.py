"""Numbers as they come out of cells and templates, which hold nothing but text."""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}[.,][0-9]{1,18}")


def number_in(text: str) -> int | Decimal | None:
    """The number that a text is: `1088`, `2.5`, and `2,5` as a spreadsheet in Berlin writes it. Else None."""
    bare = text.strip()
    if _WHOLE.fullmatch(bare):
        return int(bare)
    if _DECIMAL.fullmatch(bare):
        return Decimal(bare.replace(",", "."))
    return None


def whole(value: object) -> int | None:
    """The whole number that a value is, be it written 1024, 1024.0 or as text; else None."""
    number = number_in(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, (int, float, Decimal)):
        return None
    return int(number) if isfinite(number) and number == int(number) else None
