"""Ranges of numbers, read from text and counted without being written out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})(?:\s+(step|count)\s+({_NUMBER}))?\s*", re.ASCII)
_SEEDS = re.compile(r"\s*(\d+)\s*#\s*(\d+)\s*", re.ASCII)
_MEANT = re.compile(r"\s*[-+]?[\d.]*\d\s*(\.\.|#\s*\d)", re.ASCII)

_INEXACT_DECIMALS = 6
"""Of a step that no decimal number is: a third."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRange:
    """Numbers at equal distances, exact: the first, the last that is reached, and all between."""

    start: Fraction
    step: Fraction
    count: int
    decimals: int  # how many every number is written with

    def written(self, index: int) -> str:
        """The number at an index, in the form in which the ends are written: 2.0 for 2.0..5.0."""
        number = self.start + index * self.step
        if self.decimals == 0 and number.denominator == 1:
            return str(number.numerator)
        return _decimal_text(number, self.decimals)

    def __iter__(self) -> Iterator[str]:
        return map(self.written, range(self.count))

    def index_of(self, number: int | float | Decimal) -> int | None:
        """Where a number stands in the range, or None."""
        wanted = Fraction(str(number))
        index = round((wanted - self.start) / self.step) if self.step else 0
        return index if 0 <= index < self.count and Fraction(self.written(index)) == wanted else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotARange:
    """Text that begins like a range and is none, and how it would be right."""

    message: str
    help: str


def looks_like_range(text: str) -> bool:
    """Whether somebody who wrote this meant numbers, right or wrong."""
    return _MEANT.match(text) is not None


def read_range(text: str) -> NumberRange | NotARange:
    """The range that a text is: `1..5`, `2..8 step 2`, `1.5..6 count 4`, `20#1000`."""
    seeds = _SEEDS.fullmatch(text)
    if seeds:
        return _seeds(int(seeds[1]), int(seeds[2]))
    found = _RANGE.fullmatch(text)
    if not found:
        return NotARange(
            message=f"'{text.strip()}' is not a range",
            help="write 1..5, 2..8 step 2, 1.5..6 count 4, or 20#1000 for 20 seeds from 1000",
        )
    start, end, way, amount = found.groups()
    if way == "count":
        return _counted(start, end, amount)
    return _stepped(start, end, amount or "1")


def _seeds(count: int, first: int) -> NumberRange | NotARange:
    if count == 0:
        return NotARange(message=f"'0#{first}' asks for no seeds", help=f"write 1#{first} or more")
    return NumberRange(start=Fraction(first), step=Fraction(1), count=count, decimals=0)


def _stepped(start: str, end: str, step: str) -> NumberRange | NotARange:
    first, last, distance = Fraction(start), Fraction(end), Fraction(step)
    decimals = max(_decimals(text) for text in (start, end, step))
    if first == last:
        return NumberRange(start=first, step=Fraction(0), count=1, decimals=decimals)
    if distance == 0:
        return NotARange(message="a range cannot go on in steps of 0", help=f"write {start}..{end} step 1")
    if (last > first) != (distance > 0):
        return NotARange(
            message=f"a range from {start} to {end} in steps of {step} has no numbers",
            help=f"write {end}..{start}" if last < first and distance > 0 else f"write {start}..{end} step {step[1:]}",
        )
    return NumberRange(start=first, step=distance, count=int((last - first) / distance) + 1, decimals=decimals)


def _counted(start: str, end: str, count: str) -> NumberRange | NotARange:
    first, last = Fraction(start), Fraction(end)
    least = 1 if first == last else 2
    if not count.isdigit() or int(count) < least:
        return NotARange(
            message=f"a range with both its ends has {least} or more numbers, got count {count}", help="count 2"
        )
    number = int(count)
    step = (last - first) / (number - 1) if number > 1 else Fraction(0)
    exact = _exact_decimals(step)
    decimals = max(_decimals(start), _decimals(end), _INEXACT_DECIMALS if exact is None else exact)
    return NumberRange(start=first, step=step, count=number, decimals=decimals)


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _exact_decimals(number: Fraction) -> int | None:
    """How many decimals write this number in full; None where they would not end, or run on."""
    for decimals in range(_INEXACT_DECIMALS + 1):
        if (number * 10**decimals).denominator == 1:
            return decimals
    return None


def _decimal_text(number: Fraction, decimals: int) -> str:
    scaled = round(number * 10**decimals)  # halves to even, and exact: no float is made
    digits = str(abs(scaled)).rjust(decimals + 1, "0")
    sign = "-" if scaled < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else f"{sign}{digits}"
