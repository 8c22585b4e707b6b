"""`flux2batch ledger`: what was estimated and charged, take by take or summed up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flux2batch.commands.command import as_command
from flux2batch.commands.completing import Directory
from flux2batch.commands.console import Console, Part, column, counted, is_terminal, styled, table, this_console
from flux2batch.errors import UsageError
from flux2batch.safe_text import safe_line

if TYPE_CHECKING:
    from flux2batch.engine.journal import Journal
    from flux2batch.reporting.csv_rows import Form
    from flux2batch.reporting.ledger import Line, Total

SCHEMA_VERSION = 1
_ALWAYS = ("model", "status", "day")


@as_command(
    "ledger",
    summary="Show what was spent, by model, day, status or axis.",
    examples=[
        ("flux2batch ledger", "The newest run, by model"),
        ("flux2batch ledger job.yaml --by subject", "By the values of an axis"),
        ("flux2batch ledger runs/final --csv > spent.csv", "Every take, for a spreadsheet"),
        ("flux2batch ledger --picks picks.yaml --json", "What the picked shots have cost, for programs"),
    ],
)
@click.argument("directory", metavar="[DIR]", required=False, type=Directory())
@click.option("--by", metavar="WHAT", help="Sums by model, status, day (UTC), or an axis. Default: model.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV: a take a line, or with --by a sum a line.")
@click.option(
    "--json", "as_json", is_flag=True, help='JSON: a take a line, or with --by a sum a line. Amounts are text: "0.045".'
)
@click.option("--semicolons", is_flag=True, help="CSV with ; and decimal commas: a German Excel opens it.")
@click.option("--only", metavar="EXPR", help='The shots for which this is true: "guidance >= 3".')
@click.option("--picks", metavar="FILE", type=click.Path(path_type=Path), help="The shots picked in a sheet.")
def command(
    directory: Path | None,
    by: str | None,
    as_csv: bool,
    as_json: bool,
    semicolons: bool,
    only: str | None,
    picks: Path | None,
) -> None:
    """Show what the takes of a run directory were estimated at, what was charged, and what may yet be.

    DIR may be a job file, meaning its run directory, or be left out, meaning the newest under runs/. Everything is
    drawn from the journal, and the sums equal it to the last digit. A take is one attempt at a shot.

    In JSON, and in the run directory's ledger.jsonl, amounts are exact decimals as text, for a number would be
    rounded on the way; null is not known yet. jq reads one with tonumber, pandas.read_json(FILE, lines=True) by itself.
    """
    if as_csv and as_json:
        raise click.UsageError("choose one of --csv and --json")
    if semicolons and not as_csv:
        raise click.UsageError("--semicolons goes with --csv")
    from flux2batch.commands.run_directories import run_directory
    from flux2batch.engine.run_directory import look_into
    from flux2batch.reporting import ledger
    from flux2batch.reporting.csv_rows import form_of

    form = form_of(semicolons=semicolons)
    console = this_console()
    root = run_directory(directory)
    with look_into(root) as opened:
        chosen = _chosen(root, opened.journal, only=only, picks=picks)
        lines = (line for line in ledger.lines(opened.journal.entries_by_shot()) if _is_in(chosen, line))
        if by is None and (as_csv or as_json):
            if as_csv:
                _print_csv(console, ledger.as_csv(lines, form), form)
            else:
                console.stdout.writelines(map(ledger.json_line, lines))
            return
        axes: dict[str, None] = {}
        sums = ledger.totals(_noting(axes, lines), by=by or "model")
        emulated = opened.journal.meta("kind") == "emulated"
    if by is not None:
        _check(by, axes)
    if as_csv:
        _print_csv(console, ledger.totals_as_csv(sums, form, by=by or "model"), form)
    elif as_json:
        for each in _as_data(by or "model", sums):
            console.print_json(each)
    else:
        _show(console, root, by or "model", sums, emulated=emulated)


def _is_in(chosen: frozenset[str] | None, line: Line) -> bool:
    return chosen is None or line.shot in chosen


def _noting(axes: dict[str, None], lines: Iterable[Line]) -> Iterator[Line]:
    """The same lines, while the axes that they have are noted."""
    for line in lines:
        axes.update(dict.fromkeys(line.coordinates))
        yield line


def _chosen(root: Path, journal: Journal, *, only: str | None, picks: Path | None) -> frozenset[str] | None:
    """The shots that these flags ask for; None for all there are."""
    if only is None and picks is None:
        return None
    from flux2batch.planning.tables.picks import read_picks
    from flux2batch.reporting.sheet_choice import choice_of
    from flux2batch.running.recorded_run import RecordedRun

    run = RecordedRun(root, journal)
    run.look_again()
    shots = run.shots()
    chooses = choice_of(shots, only=only, picks=None if picks is None else read_picks(picks))
    return frozenset(shot.id for shot in shots if any(chooses(shot, frame) for frame in range(1, shot.frames + 1)))


def _check(by: str, axes: Iterable[str]) -> None:
    if by in _ALWAYS or by in axes:
        return
    from flux2batch.reading.suggest import did_you_mean

    known = [*_ALWAYS, *axes]
    help = did_you_mean(by, known) or f"there are {', '.join(known)}"
    raise UsageError(f"--by {by}: no such axis; {help}")


def _print_csv(console: Console, rows: Iterable[str], form: Form) -> None:
    """CSV for a stream that may be a terminal: a row a line, whatever a prompt holds. The file has it as it was."""
    encoding = (console.stdout.encoding or "").lower()
    if encoding.startswith("utf") and not is_terminal(console.stdout):  # the mark says of a file that it is UTF-8
        console.stdout.write(form.mark)
    console.stdout.writelines(f"{safe_line(row.removesuffix(chr(10)))}\n" for row in rows)


def _as_data(by: str, sums: Iterable[Total]) -> Iterator[dict[str, Any]]:
    for each in sums:
        yield {
            "schema_version": SCHEMA_VERSION,
            "by": by,
            "name": each.name,
            "takes": each.takes,
            "pictures": each.pictures,
            "estimate_usd": f"{each.estimate:f}",
            "charged_usd": f"{each.charged:f}",
            "at_risk_usd": f"{each.at_risk:f}",
        }


def _show(console: Console, root: Path, by: str, sums: Sequence[Total], *, emulated: bool) -> None:
    from flux2batch.reporting.ledger import all_together

    if not sums:
        console.say(f"No take is in the books of {root}.")
        return
    whole = all_together(sums)
    columns = [
        column(by, shrinks=True),
        *(column(title, right=True) for title in ("takes", "pictures", "estimate", "charged", "in doubt")),
    ]
    rows = [_row(styled(each.name or "–", "bold"), each) for each in sums]
    total = _row(styled("total", "bold"), whole) if len(sums) > 1 else None
    console.print_all(table(columns, rows, total=total, width=console.width))
    if emulated:
        console.say("Emulated: nothing of it was really charged.")
    console.say(f"{counted(whole.takes, 'take')} of {root}")


def _row(name: Part, total: Total) -> tuple[Part, ...]:
    from flux2batch.money import show

    at_risk = styled(show(total.at_risk), "yellow") if total.at_risk else styled("–", "dim")
    return name, f"{total.takes:,}", f"{total.pictures:,}", show(total.estimate), show(total.charged), at_risk
