"""What an unquoted YAML scalar means: the core types of YAML 1.2, and numbers a job cannot use."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

MAX_INTEGER = 2**63

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_MAY_BE_NUMBER = frozenset("+-.0123456789")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LEADING_ZEROS = re.compile(r"[-+]?0[0-9]+")

# 2^63 has 19 decimal digits; Python refuses to read more than 4300, and reading many is slow.
_MAX_DIGITS = 64

Fault = Literal["not finite", "too large", "leading zeros"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The value of a scalar, and what is odd about it; of a number that cannot be used the value is None."""

    value: str | int | float | bool | None
    fault: Fault | None


def resolve(text: str) -> Resolved:
    """`no` is text, `16:9` is text, `010` is ten, `0x10` is sixteen, `1_000` is text."""
    if text in _NULLS:
        return Resolved(value=None, fault=None)
    if text in _BOOLEANS:
        return Resolved(value=_BOOLEANS[text], fault=None)
    if text[0] not in _MAY_BE_NUMBER:
        return Resolved(value=text, fault=None)
    return _number(text)


def _number(text: str) -> Resolved:
    for pattern, base in ((_DECIMAL, 10), (_OCTAL, 8), (_HEXADECIMAL, 16)):
        if pattern.fullmatch(text):
            return _integer(text, base)
    if _NOT_FINITE.fullmatch(text):
        return Resolved(value=None, fault="not finite")
    if _FLOAT.fullmatch(text):
        number = float(text)
        return Resolved(value=number, fault=None) if math.isfinite(number) else Resolved(value=None, fault="too large")
    return Resolved(value=text, fault=None)


def _integer(text: str, base: int) -> Resolved:
    digits = text.lstrip("+-") if base == 10 else text[2:]
    if len(digits.lstrip("0")) > _MAX_DIGITS:
        return Resolved(value=None, fault="too large")
    number = int(digits.lstrip("0") or "0", base) * (-1 if text.startswith("-") else 1)
    if abs(number) > MAX_INTEGER:
        return Resolved(value=None, fault="too large")
    return Resolved(value=number, fault="leading zeros" if _LEADING_ZEROS.fullmatch(text) else None)
