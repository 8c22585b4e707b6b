"""What `run` and `retry` share: the price and the uploads shown, consent asked for, the plan run, its end told."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from flux2batch.commands.console import Console, is_terminal, styled, this_console
from flux2batch.commands.local_flags import local_options, with_local_flags
from flux2batch.commands.options import Dollars
from flux2batch.errors import Refused

if TYPE_CHECKING:
    from flux2batch.engine.policy import Unknowns
    from flux2batch.planning.plan import Plan
    from flux2batch.running.again import Again
    from flux2batch.running.outlook import Outlook
    from flux2batch.running.run import Report, Run, Wishes
    from flux2batch.running.webhooks import Webhook

_ASKS_FOR_A_BUDGET = Decimal(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a run is agreed to and shown."""

    yes: bool
    up_to_budget: bool
    as_json: bool
    quiet: bool
    open_sheet: bool
    next_time: str  # the command that goes on with it


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


def running_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of every command that runs a plan."""
    for option in (
        local_options,
        click.option("--quiet", "-q", is_flag=True, help="No progress."),
        click.option("--json", "as_json", is_flag=True, help="Events, one a line."),
        click.option("--open", "open_sheet", is_flag=True, help="Open the contact sheet at the end."),
        click.option("--moderated-ok", is_flag=True, help="Moderated shots do not make the exit code 1."),
        click.option(
            "--on-unknown",
            metavar="RULE",
            type=OnUnknown(),
            default="hold",
            help="Of a take whose answer was lost: hold (default), ask (on a terminal), resubmit[:N].",
        ),
        click.option("--up-to-budget", is_flag=True, help="Run as many shots as fit the budget."),
        click.option("--max-usd", metavar="X", type=Dollars(), help="What this call may spend at the most."),
        click.option("--yes", is_flag=True, help="Consent to the price and the uploads."),
    ):
        function = option(function)
    return function


def plan_of(
    file: Path,
    *,
    sets: tuple[str, ...],
    strict: bool,
    assume_price: Decimal | None,
    max_shots: int | None,
    allow_paths: tuple[Path, ...],
    config: Path | None,
    max_usd: Decimal | None,
    **selection: Any,
) -> Plan:
    """The plan of a job file under these flags; what is wrong with it ends the command. Its budget is looked at later,
    where it is known what has been spent."""
    from flux2batch.planning.configuration import load_configuration
    from flux2batch.planning.plan import PlanOptions, plan_job
    from flux2batch.planning.whole_check import load_to_plan

    configuration = with_local_flags(
        load_configuration(
            file=config, max_usd=max_usd, max_shots=max_shots, assume_price=assume_price, allow_paths=allow_paths
        )
    )
    options = PlanOptions(check_budget=False, strict=strict, **selection)
    job, problems = load_to_plan(file, allow_paths=allow_paths, sets=sets, configuration=configuration, options=options)
    plan = plan_job(job, configuration=configuration, options=options)
    plan.add_warnings(problems)
    return plan


def wishes_for(
    *,
    root: Path,
    emulate: bool,
    emulated: bool,
    command: str,
    flags: tuple[tuple[str, str], ...],
    max_usd: Decimal | None,
    webhook: Webhook | None = None,
    **rest: Any,
) -> Wishes:
    """How this call is to be run, with what follows from this machine."""
    from platformdirs import user_state_path

    from flux2batch.money import Money
    from flux2batch.running.going_on import PATHS
    from flux2batch.running.run import Wishes

    return Wishes(
        root=root,
        emulate=emulate,
        emulated=emulated,
        command=command,
        flags=tuple((flag, str(Path(value).absolute()) if flag in PATHS else value) for flag, value in flags),
        max_usd=None if max_usd is None else Money(max_usd),
        state_folder=user_state_path("flux2batch", appauthor=False),
        accept_rollback=False,
        fork=False,
        webhook=webhook,
        **rest,
    )


def run_a_plan(plan: Plan, wishes: Wishes, manner: Manner, *, again: Again | None = None) -> NoReturn:
    """Show it, ask, run it, and end the command with the exit code of what became of it."""
    from flux2batch.commands import calls_shown
    from flux2batch.commands import run_shown as shown
    from flux2batch.commands.signals import EXIT_CODES, heard
    from flux2batch.commands.strangers import refuse_to_spend_for_strangers
    from flux2batch.engine.executor import FactsUnrecorded
    from flux2batch.reporting.progress import Tally
    from flux2batch.running.licences import new_licences, note_shown
    from flux2batch.running.run import open_run

    console = this_console()
    as_json = manner.as_json
    if plan.warnings and not as_json:
        console.show_problems(plan.warnings)
    if not wishes.emulated:
        refuse_to_spend_for_strangers(os.environ)
    with open_run(plan, wishes, environ=os.environ, now=datetime.now(UTC), again=again) as run:
        outlook = run.outlook
        licences = {} if wishes.emulate or not outlook.has_work else new_licences(plan, wishes.state_folder)
        if not as_json:
            console.say_all(shown.summary(plan, outlook, emulated=wishes.emulated, rehearsed=wishes.emulate))
            console.say_all(("  ", styled(f"licence of {model}: ", "dim"), text) for model, text in licences.items())
            console.say_all(calls_shown.before(wishes.webhook))
        if not outlook.has_work and not as_json:
            _nothing_to_do(console, run)
        if outlook.new:
            _within_budget(plan, outlook, up_to_budget=manner.up_to_budget)
            _consent(console, plan, outlook, yes=manner.yes, emulate=wishes.emulate, emulated=wishes.emulated)
        for line in run.make_ready():
            console.say("  ", styled(line, "dim"))
        if not as_json:
            note_shown(licences, wishes.state_folder)
        tally = Tally(wanted=outlook.new + outlook.on_the_way, budget=run.budget, committed=outlook.committed_usd)
        observer = shown.observer_for(console, tally, as_json=as_json, quiet=manner.quiet or not outlook.has_work)
        began = shown.stopwatch()
        with heard(run) as received:
            try:
                report = run.go(observer)
            except FactsUnrecorded as error:
                console.say_all((line,) for line in error.recover)
                raise
    code = EXIT_CODES[received[0]] if received and report.exit_code <= 5 else report.exit_code
    seconds = shown.stopwatch() - began
    with suppress(BrokenPipeError):  # whoever read this has left; what became of the run is the same
        observer.close()
        if received:
            console.say()
        if isinstance(observer, shown.JsonEvents):
            observer.finished(replace(report, exit_code=code))
        elif outlook.has_work:
            told = shown.ending(report, plan, seconds=seconds, command=manner.next_time, emulated=wishes.emulated)
            console.say_all(told)
            console.say_all(calls_shown.after(run.calls))
            console.say("  ", styled(str(report.root / "index.html"), "cyan"))
    asks = wishes.unknowns.rule == "ask" and not as_json and not received
    if asks and report.counts.unknown and _ask(console, report, wishes):
        if again is None:
            run_a_plan(plan, wishes, manner)
        console.say(styled(f"{manner.next_time} goes on with them", "dim"))
    if manner.open_sheet:
        click.launch(str(report.root / "index.html"))
    raise click.exceptions.Exit(code)


def _ask(console: Console, report: Report, wishes: Wishes) -> bool:
    """Ask about the takes in doubt where somebody is there; whether there is something to go on with."""
    if not _somebody_is_there(console):
        console.say("Nobody is here to ask about them: they are held.")
        return False
    from flux2batch.commands.asking import ask_about_doubts

    return ask_about_doubts(console, report.root, wishes.state_folder)


def _somebody_is_there(console: Console) -> bool:
    return is_terminal(console.stderr) and os.isatty(0)


def _nothing_to_do(console: Console, run: Run) -> None:
    outlook = run.outlook
    there = f": {outlook.done:,} of {outlook.planned:,} are there" if outlook.planned else ""
    console.say(styled("✓ ", "green"), f"Nothing to do{there}.")


def _within_budget(plan: Plan, outlook: Outlook, *, up_to_budget: bool) -> None:
    """A plan that is dearer than what may be spent is refused before anything is sent."""
    if outlook.fits or (up_to_budget and outlook.fitting):
        return
    from flux2batch.commands.plan_ahead import too_dear
    from flux2batch.errors import InvalidInput

    raise InvalidInput([too_dear(plan, outlook)])


def _consent(console: Console, plan: Plan, outlook: Outlook, *, yes: bool, emulate: bool, emulated: bool) -> None:
    """Ask for the money and the uploads, or insist that a script has said yes."""
    if emulate or (not outlook.max_usd and not plan.totals.uploads):
        return  # there is nothing to consent to: nothing is spent, and nothing leaves this machine
    from flux2batch.planning.configuration import tightest_budget

    interactive = _somebody_is_there(console)
    bounded = tightest_budget(plan.configuration, plan.job.budget.max_usd) is not None
    if yes and not emulated and not interactive and outlook.max_usd > _ASKS_FOR_A_BUDGET and not bounded:
        raise _unagreed(
            plan,
            "above $10 a script needs a bound as well as --yes",
            help="set budget.max_usd in the job, --max-usd, or limits in your configuration",
        )
    if yes:
        return
    if not interactive:
        raise _unagreed(plan, "this would cost money, and nobody is here to ask", help="say --yes to consent")
    files = len(plan.totals.uploads)
    uploads = f" and upload {files} file{'s' if files != 1 else ''}" if files else ""
    if not click.confirm(f"Spend up to ${outlook.max_usd:,.2f}{uploads}?", default=False, err=True):
        raise Refused("Nothing was sent.")


def _unagreed(plan: Plan, message: str, *, help: str) -> Refused:
    from flux2batch.reading.problems import error

    return Refused.of([error("FB611", message, where=plan.job.document.whole, help=help)])
