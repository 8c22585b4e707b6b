"""Take a value out of its wrapping before a filter or an operator works on it, and print it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from jinja2 import Undefined

from flux2batch.planning.templates.faults import refuse
from flux2batch.planning.templates.values import EmptyCell, KeyedTable, ValueObject, kind_of, number_text


def given(value: Any) -> Any:
    """The plain value of an axis value; what is missing is refused here."""
    if isinstance(value, ValueObject):
        return value.value
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    if isinstance(value, EmptyCell):
        refuse("FB316", value.about, "fill in the cell, or write what stands in for it: | default('…')")
    return value


def to_text(value: Any) -> str:
    """What stands in the text for `{{ value }}`."""
    if type(value) is str:
        return value
    if isinstance(value, ValueObject):
        if value.text is None:
            _refuse_row(value.field_names())
        return value.text
    value = given(value)
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return "none"
        case int() | float():
            return number_text(value)
        case dict():
            return _refuse_row(value)
        case list() | tuple():
            return refuse("FB305", "a list cannot stand in a text as it is", "join it: | join(', ')")
        case KeyedTable():
            wanted = ", ".join(value.key) or "…"
            way = f"name a row and a column: {value.name}[{wanted}].COLUMN"
            return refuse("FB305", f"{value.name} is a table", way)
        case _:
            return refuse("FB305", "this cannot stand in a text", "name a value, such as {{ product.name }}")


def _refuse_row(names: Iterable[str]) -> NoReturn:
    known = list(names)
    shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    refuse(
        "FB305",
        "a row or mapping cannot stand in a text as it is",
        f"name one of its fields: {shown}" if shown else None,
    )


def number(value: Any, what: str) -> int | float:
    """The number for an operator."""
    value = given(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        help = "write | float behind a text that holds a number" if isinstance(value, str) else None
        refuse("FB305", f"'{what}' needs numbers, got {kind_of(value)}", help)
    return value
