"""How the difference between two plans is shown: on a terminal, in a pull request, and to a program."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flux2batch.commands.console import Part, Style, column, counted, styled, table
from flux2batch.commands.markdown_text import escaped
from flux2batch.money import ZERO, Money, show
from flux2batch.planning.comparing import Change, Difference, Reason
from flux2batch.planning.models.pricing import Estimate
from flux2batch.planning.plan_line import PlanLine
from flux2batch.planning.reasons_in_words import because

_SHOTS = 10  # of each kind on a terminal
_SHOTS_IN_A_COMMENT = 50
_VALUES = 8
MINUS = "−"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A plan and what it was held against."""

    name: str  # as it was asked for: main, or runs/final
    commit: str | None  # the hash behind a revision, in the short form
    remark: str | None  # why there was nothing to hold against
    difference: Difference
    news: Mapping[str, Mapping[str, int]]  # axis → new values → new shots that have them

    @property
    def against(self) -> str:
        """What the plan was held against, as people read it: main (1a2b3c4)."""
        is_plain = self.commit is None or self.name.startswith(self.commit)
        return self.name if is_plain else f"{self.name} ({self.commit})"


def summary(difference: Difference) -> str:
    """The whole difference in a line: +88 shots, −0, +$4.40. What changed is bought anew, though it adds nothing."""
    changed = f", {len(difference.changed):,} changed" if difference.changed else ""
    to_buy = f", {_span(difference.to_buy)} to buy" if difference.changed and not difference.to_buy.unknown else ""
    delta = difference.delta
    cost = "the price of some is not known" if delta is None else _signed_span(*delta)
    if to_buy and delta is not None and not any(delta):
        cost = "the price stays"  # "+$0.00" beside something to buy reads like a contradiction
    return f"+{counted(len(difference.added), 'shot')}, {MINUS}{len(difference.removed):,}{changed}, {cost}{to_buy}"


def headline(compared: Compared) -> str:
    """What changed, in a line."""
    difference = compared.difference
    if difference.is_none and compared.remark is None:
        return f"nothing changed: {counted(difference.kept, 'shot')}, {_span(difference.after)}"
    return summary(difference)


# On a terminal


def lines(name: str, compared: Compared, *, width: int) -> Iterator[Sequence[Part]]:
    """The difference as a person reads it."""
    difference = compared.difference
    yield styled(name, "bold"), f" against {compared.against}: ", styled(headline(compared), "bold")
    if compared.remark:
        yield (styled(f"{compared.remark}; so every shot counts as new.", "yellow"),)
    if difference.is_none:
        return
    yield ()
    yield from table(
        [column(""), column("shots", right=True), column("cost", right=True)],
        [_count_row(*row) for row in _counts(difference)],
        width=width,
    )
    yield from _values(compared)
    yield from _shots("+", "green", [(line.path, _cost(line)) for line in difference.added])
    yield from _shots(MINUS, "red", [(line.path, _cost(line)) for line in difference.removed])
    yield from _changes(difference.changed)
    yield from _shots("→", "cyan", [(move.was.path, f"→ {move.now.path}, for nothing") for move in difference.moved])


def _count_row(word: str, shots: int, cost: str) -> tuple[Part, ...]:
    return styled(word, "bold" if shots else "dim"), f"{shots:,}", cost


def _counts(difference: Difference) -> Iterator[tuple[str, int, str]]:
    added, changed = difference.added, difference.changed
    yield "new", len(added), _together(added)
    yield "gone", len(difference.removed), _together(difference.removed)
    yield "changed", len(changed), _together([change.now for change in changed])
    if difference.moved:
        yield "only moved", len(difference.moved), "–"
    yield "as before", difference.kept - len(difference.moved), "–"


def _values(compared: Compared) -> Iterator[Sequence[Part]]:
    for axis, shots in compared.news.items():
        named = [f"{id} ({count:,})" for id, count in list(shots.items())[:_VALUES]]
        more = f", and {len(shots) - _VALUES:,} more" if len(shots) > _VALUES else ""
        yield ()
        yield "new on ", styled(axis, "bold"), f": {', '.join(named)}{more}"


def _shots(sign: str, style: Style, shots: Sequence[tuple[str, str]]) -> Iterator[Sequence[Part]]:
    if not shots:
        return
    yield ()
    for path, cost in shots[:_SHOTS]:
        yield styled(f"  {sign} ", style), path, styled(f"  {cost}", "dim")
    if len(shots) > _SHOTS:
        yield (styled(f"    and {len(shots) - _SHOTS:,} more: --json names them all", "dim"),)


def _changes(changes: Sequence[Change]) -> Iterator[Sequence[Part]]:
    """The changed shots, those with the same reasons together."""
    groups = _by_reason(changes)
    for why, group in list(groups.items())[:_SHOTS]:
        yield ()
        yield styled("  ~ ", "yellow"), f"{counted(len(group), 'shot')}: ", styled(why, "bold")
        shown = ", ".join(change.now.path for change in group[:3])
        yield (styled(f"    {shown}{', …' if len(group) > 3 else ''}", "dim"),)
    if len(groups) > _SHOTS:
        yield ()
        yield (styled(f"    and {len(groups) - _SHOTS:,} more reasons: --json names them all", "dim"),)
    if changes:
        yield ()
        yield (styled(f"one of them in full: --why {shlex.quote(changes[0].now.path)}", "dim"),)


def _by_reason(changes: Sequence[Change]) -> dict[str, list[Change]]:
    groups: dict[str, list[Change]] = {}
    for change in changes:
        groups.setdefault(because(change.reasons), []).append(change)
    return groups


# In a pull request


def markdown(compared: Compared) -> list[str]:
    """The difference as lines of a comment."""
    difference = compared.difference
    said = [f"**{escaped(headline(compared))}** against {escaped(compared.against)}", ""]
    if compared.remark:
        said += [f"> {escaped(compared.remark)}; so every shot counts as new.", ""]
    if difference.is_none:
        return said
    said += ["| | shots | cost |", "|---|---:|---:|"]
    said += [f"| {word} | {shots:,} | {escaped(cost)} |" for word, shots, cost in _counts(difference)]
    said.append("")
    for axis, shots in compared.news.items():
        named = ", ".join(f"{escaped(id)} ({count:,})" for id, count in list(shots.items())[:_VALUES])
        more = f", and {len(shots) - _VALUES:,} more" if len(shots) > _VALUES else ""
        said += [f"New on **{escaped(axis)}**: {named}{more}", ""]
    said += _folded("new", [f"{line.path} {_cost(line)}" for line in difference.added])
    said += _folded("gone", [line.path for line in difference.removed])
    said += _folded("changed", [f"{one.now.path}: {because(one.reasons)}" for one in difference.changed])
    said += _folded("only moved", [f"{move.was.path} → {move.now.path}" for move in difference.moved])
    return said


def _folded(word: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    more = [f"- and {len(items) - _SHOTS_IN_A_COMMENT:,} more"] if len(items) > _SHOTS_IN_A_COMMENT else []
    listed = [f"- {escaped(item)}" for item in items[:_SHOTS_IN_A_COMMENT]]
    return [f"<details><summary>{len(items):,} {word}</summary>", "", *listed, *more, "", "</details>", ""]


# To a program


def as_data(compared: Compared) -> dict[str, Any]:
    """The difference as `plan --json --against` adds it: schemas/plan.schema.json."""
    difference = compared.difference
    delta = difference.delta
    return {
        "against": compared.name,
        "against_commit": compared.commit,
        "against_remark": compared.remark,
        "added": [_line_data(line) for line in difference.added],
        "removed": [_line_data(line) for line in difference.removed],
        "changed": [
            {**_line_data(change.now), "was": change.was.id, "reasons": reasons_data(change.reasons)}
            for change in difference.changed
        ],
        "moved": [{**_line_data(move.now), "was_path": move.was.path} for move in difference.moved],
        "kept": difference.kept,
        "delta_usd": None if delta is None else float(delta[1]),
        "to_buy_usd": {"min": float(difference.to_buy.min), "max": float(difference.to_buy.max)},
    }


def reasons_data(reasons: Sequence[Reason]) -> list[dict[str, Any]]:
    """Reasons as plain data."""
    return [{"input": reason.input, "was": reason.was, "now": reason.now} for reason in reasons]


def _line_data(line: PlanLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "path": line.path,
        "coordinates": dict(line.coordinates),
        "cost_usd": None if line.cost is None else {"min": float(line.cost[0]), "max": float(line.cost[1])},
    }


# Money


def _together(shots: Sequence[PlanLine]) -> str:
    if not shots:
        return "–"
    costs = [line.cost for line in shots if line.cost is not None]
    if len(costs) < len(shots):
        return "not known"
    return _between(Money(sum((low for low, _ in costs), ZERO)), Money(sum((high for _, high in costs), ZERO)))


def _cost(line: PlanLine) -> str:
    return "not known" if line.cost is None else _between(*line.cost)


def _span(estimate: Estimate) -> str:
    return _between(estimate.min, estimate.max)


def _between(least: Money, most: Money) -> str:
    return show(most) if least == most else f"{show(least)} to {show(most)}"


def _signed_span(least: Money, most: Money) -> str:
    return _signed(most) if least == most else f"{_signed(least)} to {_signed(most)}"


def _signed(amount: Money) -> str:
    return f"{MINUS if amount < 0 else '+'}{show(abs(amount))}"
