"""`flux2batch plan`: how many pictures a job is, what they cost and what would be uploaded; nothing is sent."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

import click

from flux2batch.commands.against import against_options
from flux2batch.commands.checking_urls import check_urls_option, fetch_picture
from flux2batch.commands.command import as_command, format_option
from flux2batch.commands.console import Console, fail, this_console
from flux2batch.commands.options import Dollars, job_options, selection_options
from flux2batch.errors import InvalidInput
from flux2batch.reading.problems import Problem, error, has_errors

if TYPE_CHECKING:
    from flux2batch.commands.against import Both
    from flux2batch.commands.plan_ahead import Ahead
    from flux2batch.planning.configuration import Configuration
    from flux2batch.planning.plan import Plan, PlanOptions
    from flux2batch.planning.sweep.shards import Shard
    from flux2batch.reading.job import Job

_WIDEST = 110


@as_command(
    "plan",
    summary="Show shots, price and uploads; nothing is sent.",
    examples=[
        ("flux2batch plan job.yaml", "What would it cost, and what would be sent where?"),
        ("flux2batch plan job.yaml --sample 8 --set params.size=512x512", "Eight small ones from all over the sweep"),
        ("flux2batch plan job.yaml --against main", "What is new, gone and changed since, and what does it cost?"),
        ("flux2batch plan job.yaml --why fox/g2.0.png", "Why would this picture be bought again?"),
        ("flux2batch plan jobs/*.yaml --against main --markdown -o plan.md", "For a pull request"),
        ("flux2batch plan job.yaml --jsonl | jq .prompt", "Every shot, for programs"),
    ],
)
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One object a job.")
@click.option("--jsonl", "as_jsonl", is_flag=True, help="One object a shot.")
@click.option("--markdown", "as_markdown", is_flag=True, help="For a pull request.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write there, not to stdout.")
@against_options
@selection_options
@click.option("--max-usd", metavar="X", type=Dollars(), help="Refuse a plan that may cost more.")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="The run directory; default runs/NAME.")
@click.option(
    "--reuse",
    metavar="DIR",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Look for finished pictures there as well; repeatable.",
)
@click.option("--fresh", is_flag=True, help="Look for finished pictures nowhere but in the run directory.")
@check_urls_option
@job_options
@format_option
def command(
    files: tuple[Path, ...],
    as_json: bool,
    as_jsonl: bool,
    as_markdown: bool,
    output: Path | None,
    against: str | None,
    why: str | None,
    only: str | None,
    picks: Path | None,
    limit: int | None,
    sample: int | None,
    shard: Shard | None,
    max_usd: Decimal | None,
    out: Path | None,
    reuse: tuple[Path, ...],
    fresh: bool,
    check_urls: bool,
    sets: tuple[str, ...],
    strict: bool,
    assume_price: Decimal | None,
    max_shots: int | None,
    allow_paths: tuple[Path, ...],
    config: Path | None,
    format: str,
) -> None:
    """Show what a job comes to: its shots, their price in its parts, the files that would be uploaded and to whom.

    Nothing is sent and no key is needed; no network either, unless --check-urls asks for it. The exit code is 4 where
    the plan is over a budget or a limit.

    REV is a git revision, whose job is read from the repository and planned as it was; DIR is a run directory. The
    selection (--only, --limit, --sample, --picks) holds for both sides, --set for this one alone.
    """
    del format
    from flux2batch.commands.plan_ahead import ahead_of, nothing_yet, run_directory_of
    from flux2batch.planning.configuration import load_configuration
    from flux2batch.planning.plan import PlanOptions
    from flux2batch.planning.whole_check import load_to_plan

    if as_json + as_jsonl + as_markdown > 1:
        raise click.UsageError("choose one of --json, --jsonl and --markdown")
    if as_jsonl and (against is not None or why is not None):
        raise click.UsageError("--jsonl lists the shots of one plan: --against and --why go with --json")
    if shard is not None and (against is not None or why is not None):
        raise click.UsageError("--shard is a part of one plan: --against and --why compare whole plans")
    if why is not None and (as_markdown or len(dict.fromkeys(files)) > 1):
        raise click.UsageError("--why is about one shot of one job, as text or with --json")
    configuration = load_configuration(
        file=config, max_usd=max_usd, max_shots=max_shots, assume_price=assume_price, allow_paths=allow_paths
    )
    fetch = fetch_picture if check_urls else None
    options = PlanOptions(only=only, picks=picks, limit=limit, sample=sample, shard=shard, strict=strict, fetch=fetch)
    plans: list[tuple[Plan, Ahead, Both | None]] = []
    problems: list[Problem] = []
    for file in dict.fromkeys(files):
        try:
            job, found = load_to_plan(
                file, allow_paths=allow_paths, sets=sets, configuration=configuration, options=options
            )
        except InvalidInput as invalid:
            problems += invalid.problems
            continue
        runs = out if out is not None else job.folder / "runs"
        compared = bool(runs.is_dir() or reuse or configuration.reuse)
        try:
            # Where something may be there already, only what is still to be bought is held against the budget.
            plan, dear = _planned(job, configuration, replace(options, check_budget=not compared))
            root = run_directory_of(plan, out)
            _refuse_unusable(root, job)
            ahead = ahead_of(plan, root, reuse=reuse, fresh=fresh) if compared else nothing_yet(plan)
        except InvalidInput as invalid:
            problems += [*found, *invalid.problems]
            continue
        ahead = replace(ahead, too_dear=(*dear, *ahead.too_dear))
        plan.add_warnings(found)
        plan.add_warnings(problem for problem in ahead.problems if problem.severity == "warning")
        problems += [problem for problem in ahead.problems if problem.severity == "error" or strict]
        both = None
        if against is not None or why is not None:
            from flux2batch.commands.against import held_against

            both = held_against(
                plan, file, against, root=root, configuration=configuration, options=options, allow_paths=allow_paths
            )
        plans.append((plan, ahead, both))
    too_dear = [problem for _, ahead, _ in plans for problem in ahead.too_dear]
    if has_errors(problems, strict=strict):
        fail([*problems, *too_dear], strict=strict)

    console = this_console()
    form: Literal["json", "jsonl", "markdown", "text"] = (
        "json" if as_json else "jsonl" if as_jsonl else "markdown" if as_markdown else "text"
    )
    with _written_to(output, console) as stream:
        if why is not None:
            _explain(why, plans[0][2], form, stream, console)
            return
        _write(plans, form, stream, console)
    warnings = [
        warning
        for plan, ahead, _ in plans
        for warning in plan.warnings
        if not ahead.too_dear or warning.code != "FB610"
    ]
    if (warnings or too_dear) and form == "text":
        console.say()
    if warnings and form != "json":
        console.show_problems(warnings)
    if too_dear:
        fail(too_dear, strict=strict)


def _planned(job: Job, configuration: Configuration, options: PlanOptions) -> tuple[Plan, list[Problem]]:
    """The plan, and that it is too dear: it is shown all the same, for whoever has to make it cheaper."""
    from flux2batch.planning.plan import plan_job

    try:
        return plan_job(job, configuration=configuration, options=options), []
    except InvalidInput as invalid:
        errors = [problem for problem in invalid.problems if problem.severity == "error"]
        if not options.check_budget or not all(_is_about_money(problem) for problem in errors):
            raise
        return plan_job(job, configuration=configuration, options=replace(options, check_budget=False)), errors


def _is_about_money(problem: Problem) -> bool:
    return problem.code == "FB610" and problem.severity == "error"


def _write(
    plans: Iterable[tuple[Plan, Ahead, Both | None]], form: str, stream: TextIO | None, console: Console
) -> None:
    from flux2batch.commands import against_shown, plan_shown
    from flux2batch.planning.plan import row_of

    printed = _printing_to(stream, console)
    width = min(printed.width, _WIDEST)
    for plan, ahead, both in plans:
        match form:
            case "jsonl":
                for shot in plan:
                    printed.print_json(row_of(shot))
            case "json":
                data = plan_shown.as_data(plan, ahead.states)
                data |= against_shown.as_data(both.compared) if both else {}
                printed.print_json(data)
            case "markdown":
                since = against_shown.markdown(both.compared) if both else ()
                text = plan_shown.markdown(plan, ahead, since=since)
                printed.print_text(text)
            case _ if both:
                printed.print_all(against_shown.lines(plan.name, both.compared, width=width))
                printed.print("")
                printed.print_all(plan_shown.ending(plan, ahead, both.there))
            case _:
                printed.print_all(plan_shown.lines(plan, ahead, width=width))


def _explain(shot: str, both: Both | None, form: str, stream: TextIO | None, console: Console) -> None:
    from flux2batch.commands import why_shown

    assert both is not None, "BUG: --why without anything to compare with"
    fate = both.fate(shot)
    printed = _printing_to(stream, console)
    if form == "json":
        printed.print_json(why_shown.as_data(fate, both.compared))
        return
    printed.print_all(why_shown.lines(fate, both.compared, width=min(printed.width, _WIDEST)))


def _printing_to(stream: TextIO | None, console: Console) -> Console:
    """The console, with its answers in a file where one is asked for."""
    if stream is None:
        return console
    return replace(console, stdout=stream, choice="never")


@contextmanager
def _written_to(output: Path | None, console: Console) -> Any:
    """The file to write to, which takes its place only when it is whole; None for stdout."""
    if output is None:
        yield None
        return
    try:
        handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.", suffix=".part")
    except OSError as refused:
        raise InvalidInput([_not_writable(output, refused)]) from None
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            yield stream
        part.chmod(0o666 & ~_umask())
        part.replace(output)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    console.say(f"written to {output}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refuse_unusable(root: Path, job: Job) -> None:
    """A run directory has to be a folder, and one that can be written to (FB504)."""
    if root.exists() and not root.is_dir():
        raise InvalidInput([_unusable(f"'{root}' is a file, and the run directory would be there", job)])
    nearest = next(parent for parent in (root, *root.absolute().parents) if parent.exists())
    if not os.access(nearest, os.W_OK):
        raise InvalidInput([_unusable(f"'{nearest}' cannot be written to", job)])


def _unusable(message: str, job: Job) -> Problem:
    return error("FB504", message, where=job.document.whole, help="choose another place for the run: --out DIR")


def _not_writable(output: Path, refused: OSError) -> Problem:
    return error("FB504", f"'{output}' cannot be written: {refused.strerror}", where=None, help="choose another file")
