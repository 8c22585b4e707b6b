"""`flux2batch run`: turn a job into its pictures, once, at the price that the plan says."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flux2batch.commands.command import as_command, format_option
from flux2batch.commands.console import Console, fail, is_terminal, styled, this_console
from flux2batch.commands.plan import Dollars, job_options, selection_options
from flux2batch.errors import Refused

if TYPE_CHECKING:
    from flux2batch.engine.policy import Unknowns
    from flux2batch.planning.plan import Plan
    from flux2batch.running.outlook import Outlook
    from flux2batch.running.run import Run

_ASKS_FOR_A_BUDGET = Decimal(10)
_SIGNALS: dict[int, int] = {signal.SIGINT: 130, signal.SIGTERM: 143}


class OnUnknown(click.ParamType[Any]):
    """hold, ask, or resubmit with how often at most."""

    name = "rule"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Unknowns:
        from flux2batch.engine.policy import Unknowns

        if isinstance(value, Unknowns):
            return value
        rule, _, most = str(value).partition(":")
        match rule:
            case "hold" | "ask" if not most:
                return Unknowns(rule=rule, most=0)
            case "resubmit" if not most or most.isdecimal():
                return Unknowns(rule=rule, most=int(most or 1))
            case _:
                return self.fail(f"{value!r} is none of hold, ask, resubmit, resubmit:2", param, ctx)


@as_command(
    "run",
    summary="Make the pictures of a job; going on where it was.",
    examples=[
        ("flux2batch run job.yaml", "Show the price and the uploads, ask, then run"),
        ("flux2batch run job.yaml --emulate", "Try it on the built-in emulator: no key, no cost"),
        ("flux2batch run job.yaml --yes --max-usd 5 --json", "In a script"),
    ],
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--emulate", is_flag=True, help="On an emulator started for this run: no key, no cost, no question.")
@click.option("--yes", is_flag=True, help="Consent to the price and the uploads.")
@click.option("--max-usd", metavar="X", type=Dollars(), help="What this call may spend at the most.")
@click.option("--up-to-budget", is_flag=True, help="Run as many shots as fit the budget.")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="The run directory; default runs/NAME.")
@click.option(
    "--reuse",
    metavar="DIR",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Look for finished pictures there as well; repeatable.",
)
@click.option("--fresh", is_flag=True, help="Look for finished pictures nowhere but in the run directory.")
@click.option(
    "--on-unknown",
    metavar="RULE",
    type=OnUnknown(),
    default="hold",
    help="Of a take whose answer was lost: hold (default), ask, resubmit[:N].",
)
@click.option("--moderated-ok", is_flag=True, help="Moderated shots do not make the exit code 1.")
@click.option("--open", "open_sheet", is_flag=True, help="Open the contact sheet at the end.")
@click.option("--json", "as_json", is_flag=True, help="Events, one a line.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@selection_options
@job_options
@format_option
def command(
    file: Path,
    emulate: bool,
    yes: bool,
    max_usd: Decimal | None,
    up_to_budget: bool,
    out: Path | None,
    reuse: tuple[Path, ...],
    fresh: bool,
    on_unknown: Unknowns,
    moderated_ok: bool,
    open_sheet: bool,
    as_json: bool,
    quiet: bool,
    only: str | None,
    picks: Path | None,
    limit: int | None,
    sample: int | None,
    sets: tuple[str, ...],
    strict: bool,
    assume_price: Decimal | None,
    max_shots: int | None,
    allow_paths: tuple[Path, ...],
    config: Path | None,
    format: str,
) -> None:
    """Run a job. What is there already is not bought again: running twice costs once.

    It shows the price and every file that would be uploaded, and asks. In a script it needs --yes, and above $10 also
    a budget in the job, --max-usd or a limit in your configuration. Ctrl-C once finishes what is in flight, twice
    stops at once; either way the next run goes on where this one was.
    """
    del format, strict
    from flux2batch.commands import run_shown as shown
    from flux2batch.planning.configuration import load_configuration
    from flux2batch.planning.plan import PlanOptions, plan_job
    from flux2batch.reading.load import load_job
    from flux2batch.reading.problems import has_errors
    from flux2batch.reporting.progress import Tally
    from flux2batch.running.run import open_run

    job, problems = load_job(file, allow_paths=allow_paths, sets=sets)
    if job is None or has_errors(problems):
        fail(problems)
    configuration = load_configuration(
        file=config, max_usd=max_usd, max_shots=max_shots, assume_price=assume_price, allow_paths=allow_paths
    )
    options = PlanOptions(only=only, picks=picks, limit=limit, sample=sample, check_budget=False)
    plan = plan_job(job, configuration=configuration, options=options)
    plan.add_warnings(problems)
    console = this_console()
    console.show_problems(plan.warnings) if plan.warnings and not as_json else None

    wishes = _wishes(
        plan,
        out=out,
        emulate=emulate,
        max_usd=max_usd,
        unknowns=on_unknown,
        fresh=fresh,
        reuse=reuse,
        moderated_ok=moderated_ok,
    )
    with open_run(plan, wishes, environ=os.environ, now=datetime.now(UTC)) as run:
        outlook = run.outlook
        if not as_json:
            console.say_all(shown.summary(plan, outlook, emulated=wishes.emulated))
        if not outlook.has_work and not as_json:
            _nothing_to_do(console, run)
        if outlook.new:
            _within_budget(run, plan, up_to_budget=up_to_budget)
            _consent(console, plan, outlook, yes=yes, emulate=emulate, emulated=wishes.emulated)
        tally = Tally(wanted=outlook.new + outlook.on_the_way, budget=run.budget, committed=outlook.committed_usd)
        observer = shown.observer_for(console, tally, as_json=as_json, quiet=quiet or not outlook.has_work)
        began = shown.stopwatch()
        with _signals(run, console) as received:
            report = run.go(observer)
        observer.close()
    code = _SIGNALS[received[0]] if received and report.exit_code <= 5 else report.exit_code
    if isinstance(observer, shown.JsonEvents):
        observer.finished(replace(report, exit_code=code))
    elif outlook.has_work:
        console.say_all(shown.ending(report, seconds=shown.stopwatch() - began, command=f"flux2batch run {file}"))
        console.say("  ", styled(str(report.root), "cyan"))
    if open_sheet:
        click.launch(str(report.root / "index.html"))
    raise click.exceptions.Exit(code)


def _wishes(plan: Plan, *, out: Path | None, emulate: bool, max_usd: Decimal | None, **rest: Any) -> Any:
    from platformdirs import user_state_path

    from flux2batch.money import Money
    from flux2batch.running.run import Wishes
    from flux2batch.running.services import on_this_machine

    emulated = emulate or on_this_machine(plan)
    folder = f"{plan.name}.emulated" if emulated else plan.name
    return Wishes(
        root=out if out is not None else plan.job.folder / "runs" / folder,
        emulate=emulate,
        emulated=emulated,
        command="run",
        max_usd=None if max_usd is None else Money(max_usd),
        state_folder=user_state_path("flux2batch", appauthor=False),
        accept_rollback=False,
        fork=False,
        **rest,
    )


def _nothing_to_do(console: Console, run: Run) -> None:
    outlook = run.outlook
    console.say(styled("✓ ", "green"), f"Nothing to do: {outlook.done:,} of {outlook.planned:,} are there.")


def _within_budget(run: Run, plan: Plan, *, up_to_budget: bool) -> None:
    """A plan that is dearer than what may be spent is refused before anything is sent."""
    outlook = run.outlook
    if outlook.fits or (up_to_budget and outlook.fitting):
        return
    from flux2batch.commands.run_shown import span
    from flux2batch.errors import InvalidInput
    from flux2batch.money import show
    from flux2batch.reading.problems import error

    spent = f", of which {show(outlook.committed_usd)} are spent or in doubt" if outlook.committed_usd else ""
    bound = run.budget
    raise InvalidInput(
        [
            error(
                "FB610",
                f"{outlook.new:,} new shots cost {span(outlook.min_usd, outlook.max_usd)},"
                f" the budget is {show(bound) if bound is not None else 'less'}{spent}",
                where=plan.job.document.place(("budget", "max_usd")),
                steps=("budget", "max_usd"),
                help=f"{outlook.fitting:,} of them fit: --up-to-budget runs those" if outlook.fitting else "none fits",
            )
        ]
    )


def _consent(console: Console, plan: Plan, outlook: Outlook, *, yes: bool, emulate: bool, emulated: bool) -> None:
    """Ask for the money and the uploads, or insist that a script has said yes."""
    if emulate:
        return
    from flux2batch.planning.configuration import tightest_budget

    interactive = is_terminal(console.stderr) and os.isatty(0)
    bounded = tightest_budget(plan.configuration, plan.job.budget.max_usd) is not None
    if yes and not emulated and not interactive and outlook.max_usd > _ASKS_FOR_A_BUDGET and not bounded:
        raise Refused(
            "FB611: above $10 a script needs a bound as well as --yes:"
            " budget.max_usd in the job, --max-usd, or limits in your configuration."
        )
    if yes:
        return
    if not interactive:
        raise Refused("FB611: this would cost money, and nobody is here to ask. Say --yes to consent.")
    files = len(plan.totals.uploads)
    uploads = f" and upload {files} file{'s' if files != 1 else ''}" if files else ""
    if not click.confirm(f"Spend up to ${outlook.max_usd:,.2f}{uploads}?", default=False, err=True):
        raise Refused("Nothing was sent.")


@contextmanager
def _signals(run: Run, console: Console) -> Iterator[list[int]]:
    """The first signal lets the run finish what is in flight, the second stops it, the third leaves at once."""
    received: list[int] = []

    def heard(number: int, _frame: object) -> None:
        received.append(number)
        if len(received) >= 3:
            os._exit(_SIGNALS[received[0]])
        run.stop("drain" if len(received) == 1 else "now")

    known = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in known:
        signal.signal(number, heard)
    try:
        yield received
    finally:
        for number, handler in known.items():
            signal.signal(number, handler)
        if received:
            console.say()
