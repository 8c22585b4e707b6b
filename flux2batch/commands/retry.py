"""`flux2batch retry`: ask again for shots that ended without a picture, or whose picture was deleted by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flux2batch.commands.checking_urls import check_urls_option, fetch_picture
from flux2batch.commands.command import as_command, format_option
from flux2batch.commands.completing import Directory
from flux2batch.commands.console import counted, this_console
from flux2batch.commands.options import job_options, judging_flags
from flux2batch.commands.running_a_plan import Manner, plan_of, run_a_plan, running_options, wishes_for
from flux2batch.errors import Refused, UsageError

if TYPE_CHECKING:
    from flux2batch.engine.policy import Unknowns
    from flux2batch.planning.shot import ShotId
    from flux2batch.running.going_on import LastAsked

_STATES = ("failed", "moderated", "rejected", "lost")


@as_command(
    "retry",
    summary="Ask again for shots that ended without a picture.",
    examples=[
        ("flux2batch retry job.yaml", "All that failed, was moderated, rejected or lost"),
        ("flux2batch retry --state moderated --only \"subject == 'fox'\"", "Some of it, of the newest run"),
        ("flux2batch retry job.yaml --missing", "Buy again what was deleted by hand"),
    ],
)
@click.argument("directory", metavar="[DIR]", required=False, type=Directory())
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(_STATES),
    help="Only shots that ended so; repeatable. Default: all four.",
)
@click.option("--missing", is_flag=True, help="Shots whose picture was deleted by hand.")
@click.option("--only", metavar="EXPR", help='The shots for which this is true: "guidance >= 3".')
@click.option("--picks", metavar="FILE", type=click.Path(path_type=Path), help="The shots picked in a sheet.")
@running_options
@check_urls_option
@job_options
@format_option
def command(
    directory: Path | None,
    states: tuple[str, ...],
    missing: bool,
    only: str | None,
    picks: Path | None,
    yes: bool,
    max_usd: Decimal | None,
    up_to_budget: bool,
    on_unknown: Unknowns,
    moderated_ok: bool,
    open_sheet: bool,
    as_json: bool,
    quiet: bool,
    check_urls: bool,
    sets: tuple[str, ...],
    strict: bool,
    assume_price: Decimal | None,
    max_shots: int | None,
    allow_paths: tuple[Path, ...],
    config: Path | None,
    format: str,
) -> None:
    """Ask again for shots of a run directory that ended without a picture, by the job file that it was made for.

    DIR may be a job file, meaning its run directory, or be left out, meaning the newest under runs/. Nothing else is
    bought: not what was never begun, and not what is unknown (see resolve). It shows the price and asks, as run does,
    and what these shots have cost already counts against the job's budget. What was run on the emulator stays there.
    """
    del format
    from flux2batch.commands.run_directories import run_directory, shard_of
    from flux2batch.commands.who import this_person
    from flux2batch.running.again import Again
    from flux2batch.running.going_on import job_file_now
    from flux2batch.running.services import emulates_itself, on_this_machine

    console = this_console()
    root = run_directory(directory)
    wanted = states or (() if missing else _STATES)
    chosen, asked_for = _choose(root, wanted, missing=missing, only=only, picks=picks)
    if not chosen:
        console.say(f"Nothing to ask for again: no such shot in {root}.")
        return
    if asked_for.job_file is None:
        raise UsageError(f"{root} was made from Python: ask for its shots again there.")
    job_file = Path(job_file_now(asked_for.job_file, directory))
    plan = plan_of(
        job_file,
        sets=sets,
        strict=strict,
        assume_price=assume_price,
        max_shots=max_shots,
        allow_paths=allow_paths,
        config=config,
        max_usd=max_usd,
        shard=shard_of(root),
        fetch=fetch_picture if check_urls else None,
    )
    asked = chosen & {shot.id for shot in plan}
    if len(asked) < len(chosen):
        gone = counted(len(chosen) - len(asked), "shot")
        console.say(f"{gone} left out: {job_file} asks for other shots by now.")
    if not asked:
        raise Refused("Nothing is left to ask for again. If the shots came from a run with --set, pass it here too.")
    emulate = asked_for.emulated and emulates_itself(root)
    flags = judging_flags(
        sets=sets, assume_price=assume_price, max_shots=max_shots, allow_paths=allow_paths, config=config
    )
    wishes = wishes_for(
        root=root,
        emulate=emulate,
        emulated=emulate or on_this_machine(plan),
        command="retry",
        flags=flags,
        max_usd=max_usd,
        unknowns=on_unknown,
        fresh=False,
        reuse=(),
        moderated_ok=moderated_ok,
    )
    manner = Manner(
        yes=yes,
        up_to_budget=up_to_budget,
        as_json=as_json,
        quiet=quiet,
        open_sheet=open_sheet,
        next_time=replace(asked_for, job_file=str(job_file), emulated=emulate, flags=flags).command(),
    )
    run_a_plan(plan, wishes, manner, again=Again(shots=asked, by=f"retry, by {this_person()}"))


def _choose(
    root: Path, states: tuple[str, ...], *, missing: bool, only: str | None, picks: Path | None
) -> tuple[frozenset[ShotId], LastAsked]:
    """The shots that are meant, and what the run directory was last asked for."""
    from flux2batch.engine.lifecycle import Phase
    from flux2batch.engine.run_directory import look_into
    from flux2batch.planning.shot import ShotId
    from flux2batch.planning.tables.picks import read_picks
    from flux2batch.reporting.sheet_choice import choice_of
    from flux2batch.running.again import choose_again
    from flux2batch.running.going_on import last_asked
    from flux2batch.running.recorded_run import RecordedRun

    with look_into(root) as directory:
        asked_for = last_asked(root, directory.journal)
        run = RecordedRun(root, directory.journal)
        run.look_again()
        shots = [shot for shot in run.shots() if not shot.version]
        chooses = choice_of(shots, only=only, picks=None if picks is None else read_picks(picks))
        found = choose_again(
            shots,
            states=tuple(map(Phase, states)),
            missing=missing,
            present=run.pictures(),
            chooses=chooses,
        )
        chosen = frozenset(ShotId(shot.id) for shot in found)
    return chosen, asked_for
