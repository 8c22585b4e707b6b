"""A plan as a notebook shows it: shots, price, axes, and the first few shots."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from flux2batch import html_text
from flux2batch.money import show

if TYPE_CHECKING:
    from flux2batch.planning.plan import Plan

_SHOTS = 5


def plan_html(plan: Plan) -> str:
    """A small piece of HTML."""
    cost = plan.cost
    price = show(cost.max) if cost.min == cost.max else f"{show(cost.min)} to {show(cost.max)}"
    models = ", ".join(model for model, _ in plan.totals.models)
    shots = "1 shot" if len(plan) == 1 else f"{len(plan):,} shots"
    first = [(shot.paths[0], shot.prompt, show(shot.quote.max) if shot.quote else "") for shot in islice(plan, _SHOTS)]
    left = len(plan) - len(first)
    return html_text.whole(
        html_text.paragraph(plan.name, f"{shots} on {models}, {price}; nothing was sent"),
        html_text.table(
            ["axis", "values", ""],
            [
                (axis.name, f"{axis.count:,}", ", ".join(axis.ids) + ", …" * (axis.count > len(axis.ids)))
                for axis in plan.axes
            ],
        ),
        html_text.table(["picture", "prompt", "up to"], first),
        f"<p>and {left:,} more</p>" if left else "",
    )
