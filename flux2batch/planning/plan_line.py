"""A line of plan.jsonl, read back: a shot as far as two plans are compared by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from flux2batch.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReference:
    """A reference as a plan writes it down."""

    name: str
    source: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """A line of plan.jsonl: a shot as far as two plans are compared by it."""

    id: str
    model: str
    endpoint: str
    prompt: str
    params: Mapping[str, Any]
    references: tuple[LineReference, ...]
    coordinates: Mapping[str, str]  # axis → id of its value
    repeat: int
    paths: tuple[str, ...]
    cost: tuple[Money, Money] | None  # the least and the most; None where it is not known

    @property
    def path(self) -> str:
        """Where its first picture lies, or is to lie."""
        return self.paths[0] if self.paths else self.id


def line_of(row: Mapping[str, Any]) -> PlanLine:
    """A row of `plan --jsonl`, which has the form that it should."""
    return PlanLine(
        id=row["id"],
        model=row["model"],
        endpoint=row["endpoint"],
        prompt=row["prompt"],
        params=row["params"],
        references=tuple(
            LineReference(name=one["name"], source=one["source"], digest=one["digest"]) for one in row["references"]
        ),
        coordinates=row["coordinates"],
        repeat=row["repeat"],
        paths=tuple(row["paths"]),
        cost=_cost(row.get("cost_usd")),
    )


def _cost(written: object) -> tuple[Money, Money] | None:
    """What a plan.jsonl says of a price; it may have been written by hand."""
    if not isinstance(written, Mapping):
        return None
    try:
        least, most = (Decimal(str(written[end])) for end in ("min", "max"))
    except (KeyError, InvalidOperation):
        return None
    return (Money(least), Money(most)) if least.is_finite() and most.is_finite() else None
