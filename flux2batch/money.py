"""Amounts of money: decimal US dollars, never floats."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import NewType

Money = NewType("Money", Decimal)
"""US dollars. One BFL credit is one cent."""

ZERO = Money(Decimal(0))

_GRAIN = Decimal("0.000001")  # services answer 7.000000000000001; nobody bills less than a millionth
_CREDIT = Decimal("0.01")
_MOST = Decimal(10**9)  # of dollars, credits or pixels: more is an answer gone wrong, and arithmetic that may overflow


def usd(amount: Decimal | int | str) -> Money:
    """The amount in dollars, rounded to a millionth."""
    return Money(Decimal(amount).quantize(_GRAIN, rounding=ROUND_HALF_EVEN).normalize() + 0)


def credits(amount: Decimal | int | str) -> Money:
    """The amount of BFL credits in dollars."""
    return usd(Decimal(amount) * _CREDIT)


def amount_in(value: object) -> Decimal | None:
    """The non-negative finite number in a service's answer, or None where there is none to be trusted."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= _MOST else None


def show(amount: Decimal) -> str:
    """The amount as people read it: $6.60, and $0.014 where cents are too coarse."""
    cents = amount.quantize(Decimal("0.01"))
    if cents == amount:
        return f"${cents:,}"
    return f"${amount.normalize():,f}"
