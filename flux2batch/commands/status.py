"""`flux2batch status`: how far a run directory is, why shots failed, and what to type next."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flux2batch.commands.command import as_command
from flux2batch.commands.completing import Directory
from flux2batch.commands.console import Console, Part, column, counted, is_terminal, styled, table, this_console

if TYPE_CHECKING:
    from flux2batch.running.overview import Overview, Reason

SCHEMA_VERSION = 1
_EVERY_S = 1.0
_MOST_REASONS = 3
_MOST_UNKNOWNS = 5
_STYLES = {"done": "green", "moderated": "yellow", "rejected": "yellow", "failed": "yellow", "lost": "red"}


@as_command(
    "status",
    summary="Show how far a run is, what went wrong, what is next.",
    examples=[
        ("flux2batch status", "The newest run under runs/"),
        ("flux2batch status job.yaml --watch", "Look on while it runs in another terminal"),
        ("flux2batch status runs/final --json", "Counts for programs"),
    ],
)
@click.argument("directory", metavar="[DIR]", required=False, type=Directory())
@click.option("--watch", is_flag=True, help="Show it again until the run ends.")
@click.option("--json", "as_json", is_flag=True, help="One line of counts.")
def command(directory: Path | None, watch: bool, as_json: bool) -> None:
    """Show how many shots are done, on their way, refused or in doubt, with the reasons and what it has cost.

    DIR may be a job file, meaning its run directory, or be left out, meaning the newest under runs/. Nothing is
    changed and nothing is sent; a run that goes on is not disturbed. Counts are shots of the plan that was last run;
    what earlier plans left is told apart from them.
    """
    from flux2batch.commands.run_directories import run_directory
    from flux2batch.engine.run_directory import look_into
    from flux2batch.running.overview import overview

    console = this_console()
    root = run_directory(directory)
    shown: object = None
    while True:
        with look_into(root) as opened:
            seen = overview(opened)
        if (seen.counts, seen.earlier) != shown or seen.driver is None:
            _show(console, seen, named=directory, as_json=as_json, again=shown is not None)
        shown = seen.counts, seen.earlier
        if not watch or seen.driver is None:
            return
        time.sleep(_EVERY_S)  # --watch: another process drives, and only its journal tells of news


def _show(console: Console, seen: Overview, *, named: Path | None, as_json: bool, again: bool) -> None:
    if as_json:
        from flux2batch.commands.run_shown import as_data

        shard = {"shard": seen.shard} if seen.shard else {}
        earlier = {"earlier": dict(seen.earlier)} if seen.earlier else {}
        console.print_json({"schema_version": SCHEMA_VERSION, **as_data(seen.counts), **earlier, **shard})
        console.stdout.flush()
        return
    if again and is_terminal(console.stdout):
        console.stdout.write("\x1b[H\x1b[2J")
    console.print_all(_lines(console, seen, named))
    console.stdout.flush()


def _lines(console: Console, seen: Overview, named: Path | None) -> Iterator[Sequence[Part]]:
    emulated = "  on an emulator" if seen.emulated else ""
    shard = f"  shard {seen.shard}" if seen.shard else ""
    yield (styled(seen.job_name, "bold"), f"  {counted(seen.counts.shots, 'shot')}  {seen.root}{emulated}{shard}")
    yield ()
    columns = [column(""), column("", right=True), column("", shrinks=True)]
    yield from table(columns, list(_rows(seen)), width=console.width)
    yield ()
    yield from _earlier(seen)
    yield from _money(seen)
    yield from _unknown(seen)
    yield from _driven(seen)
    yield from _next(seen, named)


def _rows(seen: Overview) -> Iterator[tuple[Part, Part, Part]]:
    counts = seen.counts
    yield _row("done", counts.done, counted(counts.frames, "picture"))
    if counts.in_flight:
        yield _row("in flight", counts.in_flight, "sent, and on their way")
    if counts.planned:
        yield _row("planned", counts.planned, "not begun")
    for state, number in (
        ("moderated", counts.moderated),
        ("rejected", counts.rejected),
        ("failed", counts.failed),
        ("lost", counts.lost),
    ):
        if number:
            yield from _with_reasons(state, number, [reason for reason in seen.reasons if reason.phase == state])
    if counts.stalled:
        yield _row("stalled", counts.stalled, "accepted, and not ready when patience was spent")
    if counts.unknown:
        yield styled("unknown", "red"), styled(f"{counts.unknown:,}", "red"), "the answer never came"


def _row(state: str, number: int, says: str) -> tuple[Part, Part, Part]:
    style = _STYLES.get(state)
    return styled(state, style if number else None), f"{number:,}", says  # type: ignore[arg-type]  # one of Style's words


def _with_reasons(state: str, number: int, reasons: Sequence[Reason]) -> Iterator[tuple[Part, Part, Part]]:
    says = [f"{reason.shots:,} × {reason.says}  ({reason.example})" for reason in reasons[:_MOST_REASONS]]
    if len(reasons) > _MOST_REASONS:
        says.append(f"and {counted(len(reasons) - _MOST_REASONS, 'other reason')}")
    yield _row(state, number, says[0] if says else "")
    yield from (("", "", more) for more in says[1:])


def _earlier(seen: Overview) -> Iterator[Sequence[Part]]:
    """What the last plan does not ask for and the table above does not count: a value less, or a part with --limit."""
    if seen.earlier:
        states = ", ".join(f"{number:,} {state.replace('_', ' ')}" for state, number in seen.earlier.items())
        count = sum(seen.earlier.values())
        yield (f"{count:,} more from earlier versions of the job or a larger part of it: {states}",)


def _money(seen: Overview) -> Iterator[Sequence[Part]]:
    from flux2batch.money import show

    counts = seen.counts
    at_risk = f", and up to {show(counts.at_risk_usd)} more in doubt or on its way" if counts.at_risk_usd else ""
    free = " (by the emulator, so nothing)" if seen.emulated else ""
    in_all = " in all" if seen.earlier else ""
    yield (f"{show(counts.charged_usd)} charged{in_all}{at_risk}{free}",)
    if seen.missing:
        yield (styled(f"{counted(seen.missing, 'picture')} no longer where they were put", "yellow"),)


def _unknown(seen: Overview) -> Iterator[Sequence[Part]]:
    from flux2batch.money import show
    from flux2batch.running.overview import place_of

    for shot, life in seen.unknowns[:_MOST_UNKNOWNS]:
        reserve = show(life.intended.reserve) if life.intended else "?"
        place = place_of(life, shot)
        yield (styled("unknown ", "red"), f"{shot[:8]}  {place}  up to {reserve}", styled(f"  {life.reason}", "dim"))
    if len(seen.unknowns) > _MOST_UNKNOWNS:
        yield (f"and {len(seen.unknowns) - _MOST_UNKNOWNS:,} more unknown",)


def _driven(seen: Overview) -> Iterator[Sequence[Part]]:
    if seen.driver is not None:
        yield ("driven now by ", str(seen.driver))
    last = seen.last
    if last is None or seen.driver is not None:
        return
    began = f"{last.began:%Y-%m-%d %H:%M} UTC"
    if last.ended is None:
        yield (styled(f"the last {last.command}, begun {began}, was cut off", "yellow"),)
    else:
        held_back = f": {last.held_back}" if last.held_back else ""
        says = f"the last {last.command} began {began} and ended with exit code {last.exit_code}{held_back}"
        yield (styled(says, "dim"),)


def _next(seen: Overview, named: Path | None) -> Iterator[Sequence[Part]]:
    """What to type next, the most pressing first, for who named the run by this file or directory."""
    if seen.driver is not None:
        return
    counts, root = seen.counts, seen.root
    on_the_way = seen.earlier.get("stalled", 0) + seen.earlier.get("in_flight", 0)
    run = seen.asked.command(named)
    for number, line in (
        (len(seen.unknowns), f"flux2batch resolve {root}"),
        (counts.stalled + counts.in_flight + counts.planned + on_the_way, run),
        (counts.failed + counts.moderated + counts.rejected + counts.lost, f"flux2batch retry {root}"),
        (seen.missing, f"flux2batch retry {root} --missing"),
    ):
        if number:
            yield (styled("next  ", "dim"), line)
