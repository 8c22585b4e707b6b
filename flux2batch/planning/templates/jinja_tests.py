"""The tests of templates: what may stand behind `is`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Undefined

from flux2batch.planning.templates.comparisons import COMPARISONS
from flux2batch.planning.templates.faults import refuse
from flux2batch.planning.templates.plain import number
from flux2batch.planning.templates.values import EmptyCell, ValueObject


def _value(value: Any) -> Any:
    return value.value if isinstance(value, ValueObject) else value


def _is_defined(value: Any) -> bool:
    return not isinstance(value, (Undefined, EmptyCell))


def _is_none(value: Any) -> bool:
    return _value(value) is None or isinstance(value, EmptyCell)


def _is_number(value: Any) -> bool:
    value = _value(value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _divisible(value: Any, by: Any) -> bool:
    if number(by, "divisibleby") == 0:
        refuse("FB305", "division by zero")
    return number(value, "divisibleby") % number(by, "divisibleby") == 0


TESTS: dict[str, Callable[..., bool]] = {
    "boolean": lambda value: isinstance(_value(value), bool),
    "defined": _is_defined,
    "divisibleby": _divisible,
    "even": lambda value: number(value, "even") % 2 == 0,
    "false": lambda value: _value(value) is False,
    "mapping": lambda value: isinstance(_value(value), dict),
    "none": _is_none,
    "number": _is_number,
    "odd": lambda value: number(value, "odd") % 2 == 1,
    "sequence": lambda value: isinstance(_value(value), (list, tuple)),
    "string": lambda value: isinstance(_value(value), str),
    "true": lambda value: _value(value) is True,
    "undefined": lambda value: not _is_defined(value),
    "eq": COMPARISONS["eq"],
    "ne": COMPARISONS["ne"],
    "lt": COMPARISONS["lt"],
    "le": COMPARISONS["lteq"],
    "gt": COMPARISONS["gt"],
    "ge": COMPARISONS["gteq"],
    "in": COMPARISONS["in"],
}
