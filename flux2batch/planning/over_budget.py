"""That what is to be bought costs more than may be spent: one wording, whatever was bought before."""

from __future__ import annotations

from collections.abc import Iterable

from flux2batch.money import ZERO, Money, show
from flux2batch.planning.configuration import JOBS_BUDGET, Bound
from flux2batch.reading.document import Document
from flux2batch.reading.problems import Note, Problem, error


def over_budget(
    document: Document,
    bounds: Iterable[Bound],
    *,
    new: int,
    most: Money,
    committed: Money,
    fitting: int,
) -> Problem:
    """FB610 for `new` shots that cost `most`, with the bound that is nearest and who set it.

    `committed` is what earlier calls have spent, or may have spent; `fitting` says how many of the shots may be bought.
    """

    def room(bound: Bound) -> Money:
        return Money(bound.usd - (committed if bound.counts_all_calls else ZERO))

    bound = min(bounds, key=room)
    of_which = f", of which {show(committed)} are spent or in doubt" if bound.counts_all_calls and committed else ""
    is_jobs_own = bound.source == JOBS_BUDGET
    steps = ("budget", "max_usd") if is_jobs_own else ()
    shots = "1 new shot costs" if new == 1 else f"{new:,} new shots cost"
    return error(
        "FB610",
        f"{shots} up to {show(most)}, the budget is {show(bound.usd)}{of_which}",
        where=document.place(steps) if is_jobs_own else document.whole,
        steps=steps,
        help=f"{_fitting(fitting)}, or raise {'budget.max_usd' if is_jobs_own else 'that bound'}",
        notes=[] if is_jobs_own else [Note(text=f"set by {bound.source}", where=None)],
    )


def _fitting(shots: int) -> str:
    return f"{shots:,} of them fit: run --up-to-budget buys those" if shots else "not one of them fits: choose fewer"
