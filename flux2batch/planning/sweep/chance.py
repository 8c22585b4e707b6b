"""Chance that is the same on every machine and in every year: numbers drawn by hashing."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from hashlib import sha256
from typing import Any

from flux2batch.planning.canonical import canonical_json, tagged

_EXTRA_DECIMALS = 2


def chance(tag: str, value: Any) -> int:
    """A number from 0 to 2**64 - 1 that this value always gives."""
    return int.from_bytes(sha256(tagged(tag) + canonical_json(value)).digest()[:8])


def possible_numbers(low: str, high: str) -> int:
    """How many numbers may be drawn between two ends that are written like this, both included."""
    return int((Fraction(high) - Fraction(low)) * 10 ** _decimals(low, high)) + 1


def draw_numbers(low: str, high: str, *, seed: int) -> Iterator[str]:
    """Numbers between the ends in the order in which they are drawn, none twice, without end before all are drawn.

    Whole numbers where both ends are; else with two decimals more than the ends are written with. A longer draw begins
    with the shorter one.
    """
    decimals = _decimals(low, high)
    first, amount = int(Fraction(low) * 10**decimals), possible_numbers(low, high)
    drawn: set[int] = set()
    turn = 0
    while len(drawn) < amount:
        number = first + chance("random", [low, high, seed, turn]) % amount
        turn += 1
        if number not in drawn:
            drawn.add(number)
            yield _written(number, decimals)


def _decimals(low: str, high: str) -> int:
    longest = max(len(text.partition(".")[2]) for text in (low, high))
    return longest + _EXTRA_DECIMALS if "." in low + high else 0


def _written(scaled: int, decimals: int) -> str:
    if not decimals:
        return str(scaled)
    digits = str(abs(scaled)).rjust(decimals + 1, "0")
    return f"{'-' if scaled < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"
