"""`flux2batch run`: turn a job into its pictures, once, at the price that the plan says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flux2batch.commands.checking_urls import check_urls_option, fetch_picture
from flux2batch.commands.command import as_command, format_option
from flux2batch.commands.options import choosing_flags, job_options, judging_flags, selection_options
from flux2batch.commands.running_a_plan import Manner, plan_of, run_a_plan, running_options, wishes_for
from flux2batch.errors import UsageError

if TYPE_CHECKING:
    from flux2batch.engine.policy import Unknowns
    from flux2batch.planning.sweep.shards import Shard
    from flux2batch.running.webhooks import Webhook


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
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="The run directory; default runs/NAME.")
@click.option(
    "--reuse",
    metavar="DIR",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Look for finished pictures there as well; repeatable.",
)
@click.option("--fresh", is_flag=True, help="Look for finished pictures nowhere but in the run directory.")
@click.option("--webhook", metavar="URL", help="Where services reach you when a picture is ready: they are asked less.")
@click.option(
    "--webhook-listen",
    metavar="HOST:PORT",
    help="Where this run hears such calls; this machine alone unless told otherwise. [127.0.0.1:8787]",
)
@running_options
@selection_options
@check_urls_option
@job_options
@format_option
def command(
    file: Path,
    emulate: bool,
    out: Path | None,
    reuse: tuple[Path, ...],
    fresh: bool,
    webhook: str | None,
    webhook_listen: str | None,
    yes: bool,
    max_usd: Decimal | None,
    up_to_budget: bool,
    on_unknown: Unknowns,
    moderated_ok: bool,
    open_sheet: bool,
    as_json: bool,
    quiet: bool,
    only: str | None,
    picks: Path | None,
    limit: int | None,
    sample: int | None,
    shard: Shard | None,
    check_urls: bool,
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
    del format
    from flux2batch.running.going_on import command_of
    from flux2batch.running.services import on_this_machine

    plan = plan_of(
        file,
        sets=sets,
        strict=strict,
        assume_price=assume_price,
        max_shots=max_shots,
        allow_paths=allow_paths,
        config=config,
        max_usd=max_usd,
        only=only,
        picks=picks,
        limit=limit,
        sample=sample,
        shard=shard,
        fetch=fetch_picture if check_urls else None,
    )
    emulated = emulate or on_this_machine(plan)
    flags = (
        *judging_flags(
            sets=sets, assume_price=assume_price, max_shots=max_shots, allow_paths=allow_paths, config=config
        ),
        *choosing_flags(only=only, picks=picks, limit=limit, sample=sample),
    )
    wishes = wishes_for(
        root=out
        if out is not None
        else plan.job.folder / "runs" / (f"{plan.run_name}.emulated" if emulated else plan.run_name),
        emulate=emulate,
        emulated=emulated,
        command="run",
        flags=flags,
        max_usd=max_usd,
        unknowns=on_unknown,
        fresh=fresh,
        reuse=reuse,
        moderated_ok=moderated_ok,
        webhook=_webhook(webhook, webhook_listen, emulated=emulated),
    )
    manner = Manner(
        yes=yes,
        up_to_budget=up_to_budget,
        as_json=as_json,
        quiet=quiet,
        open_sheet=open_sheet,
        next_time=command_of(
            str(file),
            emulated=emulate,
            out=None if out is None else str(out),
            flags=flags,
            shard=None if shard is None else str(shard),
        ),
    )
    run_a_plan(plan, wishes, manner)


def _webhook(url: str | None, listen: str | None, *, emulated: bool) -> Webhook | None:
    if url is None:
        if listen is not None:
            raise UsageError("--webhook-listen goes with --webhook URL: nobody would know where to call.")
        return None
    from flux2batch.running.webhooks import LISTEN, read_webhook

    return read_webhook(url, listen or LISTEN, emulated=emulated)
