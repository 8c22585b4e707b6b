"""How a plan is shown: as tables for a terminal, as Markdown for a pull request, as one object for a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from flux2batch.commands.console import Part, column, counted, styled, table
from flux2batch.commands.markdown_text import escaped
from flux2batch.commands.plan_ahead import Ahead, Elsewhere, left_over
from flux2batch.money import ZERO, Money, show
from flux2batch.planning.models.pricing import Estimate
from flux2batch.planning.plan import Batch, Plan, PlannedAxis
from flux2batch.planning.shot import Quote

_PROMPTS = 3
_UPLOADS = 12
_LONGEST_PROMPT = 400

States = Mapping[str, int]
"""How many shots are new, done and reused, and how many pictures of the run directory are no longer asked for."""


def spending(estimate: Estimate) -> str:
    """An estimate as people say it: $6.60, or $0.29 to $0.86."""
    return _span(estimate.min, estimate.max)


def lines(plan: Plan, ahead: Ahead, *, width: int) -> Iterator[Sequence[Part]]:
    """The plan as a person reads it."""
    yield from _head(plan, width)
    yield ()
    yield from _axes(plan, width)
    yield from _tables(plan)
    yield from _prices(plan, width)
    yield from _uploads(plan, width)
    yield from _prompts(plan, width)
    yield from ending(plan, ahead)


def ending(plan: Plan, ahead: Ahead, there: Elsewhere | None = None) -> Iterator[Sequence[Part]]:
    """What is there already, and what the rest would cost; `there` it may be more, or less."""
    yield from _states(plan, ahead.states)
    will, amount, of = _spends(plan, ahead)
    if there is None:
        yield f"{will} ", styled(amount, "bold"), f"{of}. Nothing was sent."
        return
    # Two prices are a riddle unless each says of which run directory it is; the one that was asked about comes last.
    yield f"A run in {_from_here(there.own)} would spend ", styled(amount, "bold"), f"{of}."
    new, free = counted(there.ahead.states["new"], "new shot"), ", by the emulator, so nothing" * there.emulated
    yield (
        f"Going on in {there.root}: {new}, ",
        styled(spending(there.ahead.to_pay), "bold"),
        f"{free}. Nothing was sent.",
    )


def markdown(plan: Plan, ahead: Ahead, *, since: Sequence[str] = ()) -> str:
    """The plan as a comment on a pull request. `since` are lines on what changed, which come first."""
    states = ahead.states
    totals = plan.totals
    models = ", ".join(f"`{model}`" for model, _ in totals.models)
    said = [f"### {escaped(plan.name)}", "", *since]
    said += [f"{counted(len(plan), 'shot')} on {models}: **{spending(ahead.to_pay)}**", ""]
    if plan.axes:
        said += ["| axis | values | |", "|---|---:|---|"]
        said += [f"| {escaped(axis.name)} | {axis.count:,} | {escaped(_ids(axis))} |" for axis in plan.axes]
        said.append("")
    shares = [f"- {escaped(table.share)}" for table in plan.tables if table.share]
    said += [*shares, ""] if shares else []
    said += ["| model | size | references | shots | each | together |", "|---|---|---:|---:|---:|---:|"]
    said += [f"| {' | '.join(escaped(cell) for cell in _batch(batch))} |" for batch in totals.batches]
    said.append("")
    if totals.uploads:
        said.append(f"{counted(len(totals.uploads), 'file')} would be uploaded:")
        said.append("")
        said += [
            f"- {escaped(upload.path)} ({_bytes(upload.file_bytes)}) → {', '.join(hosts)}"
            for upload, hosts in totals.uploads
        ]
        said.append("")
    said += [f"- {counted(shots, 'shot')} without reference `{name}`" for name, shots in totals.without]
    said += [f"- {escaped(hint)}" for hint in plan.hints]
    said += [""] if totals.without or plan.hints else []
    if states["done"] or states["reused"]:
        said += [_named(plan, states), ""]
    said += [f"> **{problem.code}** {escaped(problem.message)}" for problem in (*plan.warnings, *ahead.too_dear)]
    said += [""] if plan.warnings or ahead.too_dear else []
    will, amount, of = _spends(plan, ahead)
    return "\n".join([*said, f"{will} **{amount}**{of}. Nothing was sent.", ""])


def as_data(plan: Plan, states: States) -> dict[str, Any]:
    """The plan as `plan --json` prints it: schemas/plan.schema.json."""
    totals = plan.totals
    return {
        "schema_version": 1,
        "name": plan.name,
        "file": plan.job.document.name if plan.job.file else None,
        "shots": len(plan),
        "all_shots": plan.all_shots,
        **states,
        "cost_usd": {"min": float(totals.cost.min), "max": float(totals.cost.max)},
        "axes": [{"name": axis.name, "values": axis.count} for axis in plan.axes],
        "tables": [
            {"name": table.name, "file": table.file, "rows": len(table.rows), "all_rows": table.all_rows}
            for table in plan.tables
        ],
        "uploads": [
            {"path": upload.path, "bytes": upload.file_bytes, "hosts": list(hosts)} for upload, hosts in totals.uploads
        ],
        "hosts": list(totals.hosts),
        "models": [{"model": model, "shots": shots} for model, shots in totals.models],
        "without": [{"reference": name, "shots": shots} for name, shots in totals.without],
        "hints": list(plan.hints),
        "warnings": [_problem(problem) for problem in plan.warnings],
    }


def _head(plan: Plan, width: int) -> Iterator[Sequence[Part]]:
    del width
    all_of = f" of {plan.all_shots:,}" if len(plan) != plan.all_shots else ""
    models = ", ".join(model for model, _ in plan.totals.models)
    shard = f", shard {plan.shard}" if plan.shard else ""
    shots = "shot" if len(plan) == 1 else "shots"
    yield (styled(plan.name, "bold"), f"  {len(plan):,}{all_of} {shots}{shard}  ", models)
    if plan.job.root != plan.job.folder:
        yield (styled(f"the job's folder is {plan.job.root}", "dim"),)


def _axes(plan: Plan, width: int) -> Iterator[Sequence[Part]]:
    if not plan.axes:
        return
    rows = [(axis.name, f"{axis.count:,}", styled(_ids(axis), "dim")) for axis in plan.axes]
    of_all = "" if len(plan) == plan.all_shots else "of the whole job"
    yield from table([column("axis"), column("values", right=True), column(of_all, shrinks=True)], rows, width=width)
    yield ()


def _tables(plan: Plan) -> Iterator[Sequence[Part]]:
    shares = [table.share for table in plan.tables if table.share]
    yield from ((share,) for share in shares)
    if shares:
        yield ()


def _ids(axis: PlannedAxis) -> str:
    shown = ", ".join(axis.ids) + (", …" if axis.count > len(axis.ids) else "")
    return (
        f"{shown} (one a shot)" if axis.drawn else f"{shown} (where its condition holds)" if axis.conditional else shown
    )


def _prices(plan: Plan, width: int) -> Iterator[Sequence[Part]]:
    columns = [
        column("model"),
        column("size"),
        column("refs", right=True),
        column("shots", right=True),
        column("each", right=True),
        column("together", right=True),
    ]
    batches = plan.totals.batches
    yield from table(
        columns,
        [_batch(batch) for batch in batches],
        total=("", "", "", f"{len(plan):,}", "", spending(plan.cost)) if len(batches) > 1 else None,
        width=width,
    )
    for parts in dict.fromkeys(_parts(batch.quote) for batch in batches if batch.quote and len(batch.quote.parts) > 1):
        yield (styled(f"  {parts}", "dim"),)
    for hint in plan.hints:
        yield (styled(f"  {hint}", "dim"),)
    for name, shots in plan.totals.without:
        yield (f"{counted(shots, 'shot')} without reference '{name}'",)
    yield ()


def _batch(batch: Batch) -> tuple[str, ...]:
    size = f"{batch.width}x{batch.height}"
    size = f"{batch.trim.width}x{batch.trim.height}, drawn as {size}" if batch.trim else size
    size = f"{size}, {batch.frames} pictures" if batch.frames > 1 else size
    if batch.quote is None:
        return batch.model, size, str(batch.references), f"{batch.shots:,}", "not known", "not known"
    each = _span(batch.quote.min, batch.quote.max)
    together = _span(Money(batch.quote.min * batch.shots), Money(batch.quote.max * batch.shots))
    return batch.model, size, str(batch.references), f"{batch.shots:,}", each, together


def _parts(quote: Quote) -> str:
    counts = Counter(quote.parts)
    named = [f"{name} {show(amount)}" + (f" × {n}" if n > 1 else "") for (name, amount), n in counts.items()]
    return f"{_span(quote.min, quote.max)} = {' + '.join(named)}"


def _uploads(plan: Plan, width: int) -> Iterator[Sequence[Part]]:
    uploads = plan.totals.uploads
    if not uploads:
        return
    rows = [(upload.path, _bytes(upload.file_bytes), ", ".join(hosts)) for upload, hosts in uploads[:_UPLOADS]]
    columns = [column("would be uploaded", shrinks=True), column("", right=True), column("to")]
    yield from table(columns, rows, width=width)
    if len(uploads) > _UPLOADS:
        yield (f"and {len(uploads) - _UPLOADS:,} more files",)
    yield ()


def _prompts(plan: Plan, width: int) -> Iterator[Sequence[Part]]:
    import textwrap

    prompts = tuple(dict.fromkeys(shot.prompt for shot in islice(plan, 200)))
    for prompt in _some_of(prompts):
        short = prompt if len(prompt) <= _LONGEST_PROMPT else f"{prompt[:_LONGEST_PROMPT]}…"
        wrapped = textwrap.wrap(" ".join(short.split()), max(20, min(width, 100) - 4))
        for number, line in enumerate(wrapped):
            yield ("  " if number else "› ", line)
    if prompts:
        yield ()


def _some_of(prompts: Sequence[str]) -> Sequence[str]:
    """The first, the last and one in between: those that follow one another differ by a word."""
    if len(prompts) <= _PROMPTS:
        return prompts
    return [prompts[number * (len(prompts) - 1) // (_PROMPTS - 1)] for number in range(_PROMPTS)]


def _states(plan: Plan, states: States) -> Iterator[Sequence[Part]]:
    if states["done"] or states["reused"] or states["left"]:
        yield (_named(plan, states),)


def _named(plan: Plan, states: States) -> str:
    words = {"left": left_over(plan)}
    return ", ".join(f"{count:,} {words.get(state, state)}" for state, count in states.items() if count)


def _spends(plan: Plan, ahead: Ahead) -> tuple[str, str, str]:
    """What a run would spend, and of what."""
    amount, budget = spending(ahead.to_pay), plan.job.budget.max_usd
    spent = f", of which {show(ahead.committed)} are spent or in doubt" if ahead.committed else ""
    if ahead.too_dear:
        return "Would spend", amount, ", which is more than may be spent"
    return "Will spend", amount, f" of a budget of {show(budget)}{spent}" if budget is not None else ""


def _from_here(path: Path) -> Path:
    """The path as a person would type it, where it lies below the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _span(least: Money, most: Money) -> str:
    if least == most:
        return show(least)
    return f"{show(least)} to {show(most)}" if least > ZERO else f"up to {show(most)}"


def _bytes(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:,.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"


def _problem(problem: Any) -> dict[str, Any]:
    where = problem.where
    return {
        "code": problem.code,
        "message": problem.message,
        "file": where.file if where else None,
        "line": where.line if where else None,
        "help": problem.help,
    }
