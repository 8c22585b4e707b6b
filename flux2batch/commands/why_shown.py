"""`plan --why SHOT`: what became of one shot since, and which of its inputs are other ones now."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flux2batch.commands.against_shown import Compared, reasons_data
from flux2batch.commands.console import Part, column, styled, table
from flux2batch.errors import UsageError
from flux2batch.money import show
from flux2batch.planning.comparing import Change, Difference, Reason
from flux2batch.planning.plan_line import PlanLine
from flux2batch.planning.reasons_in_words import value
from flux2batch.reading.suggest import did_you_mean

_SHORTEST_ID = 4
_NARROW = 100

State = Literal["new", "gone", "changed", "kept"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """One shot, before and now."""

    state: State
    was: PlanLine | None
    now: PlanLine | None
    reasons: tuple[Reason, ...]

    @property
    def line(self) -> PlanLine:
        """The shot as it is, or as it was where it is gone."""
        line = self.now or self.was
        assert line is not None, "BUG: a shot that never was"
        return line


def fate_of(named: str, difference: Difference, kept: Iterable[tuple[PlanLine, PlanLine]]) -> Fate:
    """What became of the shot that is meant by an id, its beginning, or a path. Raises UsageError where none is."""
    fates = [*_fates(difference), *(Fate(state="kept", was=was, now=now, reasons=()) for was, now in kept)]
    found = [fate for fate in fates if any(_is_meant(named, line) for line in (fate.was, fate.now) if line)]
    exact = [fate for fate in found if any(named in (line.id, *line.paths) for line in (fate.now, fate.was) if line)]
    found = exact or found
    if len(found) == 1:
        return found[0]
    if found:
        paths = ", ".join(fate.line.path for fate in found[:5])
        raise UsageError(f"--why {named}: {len(found)} shots are meant by that, such as {paths}. Write more of it.")
    known = [path for fate in fates for path in fate.line.paths]
    help = did_you_mean(named, known) or f"a shot is named by its path or its id, such as {known[0]}" if known else ""
    raise UsageError(f"--why {named}: there is no such shot ({help or 'there are none at all'})")


def _fates(difference: Difference) -> Iterator[Fate]:
    yield from (Fate(state="new", was=None, now=line, reasons=()) for line in difference.added)
    yield from (Fate(state="gone", was=line, now=None, reasons=()) for line in difference.removed)
    yield from (_changed(change) for change in difference.changed)


def _changed(change: Change) -> Fate:
    return Fate(state="changed", was=change.was, now=change.now, reasons=change.reasons)


def _is_meant(named: str, line: PlanLine) -> bool:
    if any(named in (path, path.rpartition(".")[0]) for path in line.paths):
        return True
    return len(named) >= _SHORTEST_ID and line.id.startswith(named.lower())


def lines(fate: Fate, compared: Compared, *, width: int) -> Iterator[Sequence[Part]]:
    """The answer as a person reads it."""
    against = compared.against
    yield styled(fate.line.path, "bold"), f"  {_verdict(fate, against)}"
    coordinates = fate.line.coordinates
    if coordinates:
        yield (styled("  " + ", ".join(f"{axis} {id}" for axis, id in coordinates.items()), "dim"),)
    match fate.state:
        case "new":
            yield from _why_new(fate.line, against, compared.news)
        case "changed":
            yield from _why_changed(fate, width)
        case "kept" if fate.was and fate.now and fate.was.paths != fate.now.paths:
            yield ()
            yield f"  It moved from {fate.was.path}, which costs nothing."
        case _:
            pass
    cost = fate.now.cost[1] if fate.now and fate.now.cost else None
    if fate.state in ("new", "changed") and cost is not None:
        yield ()
        yield "  Its picture costs ", styled(show(cost), "bold"), ", unless it is there already."


def _verdict(fate: Fate, against: str) -> str:
    match fate.state:
        case "new":
            return f"is new: {against} has no shot in its place"
        case "gone":
            return f"is gone: it was in {against}, and is no longer asked for"
        case "changed":
            inputs = ", ".join(reason.input for reason in fate.reasons) or "how an id is made"
            return f"changed since {against}: {inputs}"
        case "kept":
            return f"is as it was in {against}: nothing changed that its picture is made of"


def _why_new(line: PlanLine, against: str, news: Mapping[str, Mapping[str, int]]) -> Iterator[Sequence[Part]]:
    fresh = [(axis, id) for axis, id in line.coordinates.items() if id in news.get(axis, {})]
    if fresh:
        yield ()
    for axis, id in fresh:
        yield f"  {axis} {id} is not in {against}"


def _why_changed(fate: Fate, width: int) -> Iterator[Sequence[Part]]:
    short = [reason for reason in fate.reasons if reason.input != "prompt"]
    if short:
        rows = [(reason.input, _shown(reason.was), _shown(reason.now)) for reason in short]
        yield ()
        columns = [column("  input"), column("was", shrinks=True), column("is", shrinks=True)]
        yield from table(columns, [(f"  {input}", was, now) for input, was, now in rows], width=width)
    for reason in fate.reasons:
        if reason.input == "prompt":
            yield ()
            yield from _prompts(str(reason.was), str(reason.now), min(width, _NARROW))
    assert fate.was is not None
    assert fate.now is not None
    yield ()
    yield (styled(f"  id {fate.was.id[:8]} → {fate.now.id[:8]}", "dim"),)


def _shown(raw: Any) -> str:
    return "–" if raw is None else value(raw)


def _prompts(was: str, now: str, width: int) -> Iterator[Sequence[Part]]:
    """Both prompts, the words in colour that only one of them has, with a sign where there is no colour."""
    for sign, text in (("-", was), ("+", now)):
        style: Literal["red", "green"] = "red" if sign == "-" else "green"
        for number, line in enumerate(textwrap.wrap(" ".join(text.split()), max(20, width - 6)) or [""]):
            yield styled(f"  {sign if not number else ' '} ", style), styled(line, style)


def as_data(fate: Fate, compared: Compared) -> dict[str, Any]:
    """The answer as `plan --why --json` prints it: schemas/why.schema.json."""
    return {
        "schema_version": 1,
        "against": compared.name,
        "against_commit": compared.commit,
        "state": fate.state,
        "id": None if fate.now is None else fate.now.id,
        "was": None if fate.was is None else fate.was.id,
        "path": fate.line.path,
        "was_path": None if fate.was is None else fate.was.path,
        "coordinates": dict(fate.line.coordinates),
        "reasons": reasons_data(fate.reasons),
        "cost_usd": None
        if fate.now is None or fate.now.cost is None
        else {"min": float(fate.now.cost[0]), "max": float(fate.now.cost[1])},
    }
