"""How values compare in templates and expressions.

- An axis value compares by its value; a row or an object without one by its id.
- A comparison with `none` is false, whichever it is, and never an error. So is one of an empty cell with a number.
- 5 equals 5.0. Where one side is a number, a text that is one ("5", or "2,5" from a `;` file) compares as a number;
  where one side is true or false, the texts "true" and "false" in any case do, as Excel writes them.
- Otherwise different kinds are not equal, and asking which is greater is a fault.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from jinja2 import Undefined

from flux2batch.planning.sweep.numerals import number_in
from flux2batch.planning.templates.faults import refuse
from flux2batch.planning.templates.meter import METER
from flux2batch.planning.templates.values import EmptyCell, KeyedTable, ValueObject, kind_of


def _seen(value: Any) -> Any:
    if isinstance(value, ValueObject):
        return value.comparable
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Both sides as one kind where a text says the same as a number or as true and false."""
    if isinstance(left, str) and not isinstance(right, str):
        return _as_kind_of(right, left), right
    if isinstance(right, str) and not isinstance(left, str):
        return left, _as_kind_of(left, right)
    return left, right


def _as_kind_of(other: Any, text: str) -> Any:
    if isinstance(other, bool):
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    if _is_number(other):
        read = number_in(text)
        return text if read is None else float(read) if isinstance(read, Decimal) else read
    return text


def _equal(left: Any, right: Any) -> bool:
    left, right = _alike(_seen(left), _seen(right))
    METER.spend(2)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(_equal(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    METER.spend_on(left)
    return bool(left == right)


def equal(left: Any, right: Any) -> bool:
    """left == right"""
    return _seen(left) is not None and _seen(right) is not None and _equal(left, right)


def unequal(left: Any, right: Any) -> bool:
    """left != right"""
    return _seen(left) is not None and _seen(right) is not None and not _equal(left, right)


def _ordered(sign: str, answer: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:
        left, right = _seen(left), _seen(right)
        if left is None or right is None:
            return False
        left, right = _alike(left, right)
        if _is_number(left) and _is_number(right):
            METER.spend(1)
            return answer(left, right)
        if isinstance(left, str) and isinstance(right, str):
            METER.spend_on(left)
            return answer(left, right)
        if isinstance(left, EmptyCell) or isinstance(right, EmptyCell):
            return False
        return refuse("FB305", f"'{sign}' cannot compare {kind_of(left)} with {kind_of(right)}")

    return compare


def contained(needle: Any, where: Any) -> bool:
    """needle in where"""
    where = where.value if isinstance(where, ValueObject) else _seen(where)
    if isinstance(where, KeyedTable):
        return where.row(needle) is not None
    needle = _seen(needle)
    if needle is None or where is None:
        return False
    if isinstance(where, str):
        if not isinstance(needle, str):
            refuse("FB305", f"'in' cannot look for {kind_of(needle)} in a text")
        METER.spend_on(where)
        return needle in where
    if isinstance(where, dict):
        return isinstance(needle, str) and needle in where
    if isinstance(where, (list, tuple)):
        METER.spend_on(where)
        return any(equal(needle, item) for item in where)
    return refuse("FB305", f"'in' needs a list or a text behind it, got {kind_of(where)}")


def not_contained(needle: Any, where: Any) -> bool:
    """needle not in where"""
    return _seen(needle) is not None and _seen(where) is not None and not contained(needle, where)


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": equal,
    "ne": unequal,
    "lt": _ordered("<", lambda left, right: bool(left < right)),
    "lteq": _ordered("<=", lambda left, right: bool(left <= right)),
    "gt": _ordered(">", lambda left, right: bool(left > right)),
    "gteq": _ordered(">=", lambda left, right: bool(left >= right)),
    "in": contained,
    "notin": not_contained,
}


def order_key(value: Any, *, case_sensitive: bool) -> tuple[int, Any]:
    """A key to sort and to tell apart by: numbers before texts, each among themselves."""
    value = _seen(value)
    if isinstance(value, bool):
        return 0, int(value)
    if _is_number(value):
        return 1, value
    if isinstance(value, str):
        return 2, value if case_sensitive else value.casefold()
    return refuse("FB305", f"cannot put {kind_of(value)} in an order", "name a field: | sort(attribute='name')")
