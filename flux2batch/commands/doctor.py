"""`flux2batch doctor`: look over the machine, the keys and a run directory, and put a broken one right."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flux2batch.commands.command import as_command
from flux2batch.commands.completing import Directory
from flux2batch.commands.console import Console, Part, column, counted, styled, table, this_console
from flux2batch.errors import Refused

if TYPE_CHECKING:
    from flux2batch.running.checkup import Check

SCHEMA_VERSION = 1
_MARKS = {"good": ("✓", "green"), "note": ("●", "yellow"), "bad": ("✗", "red")}


@as_command(
    "doctor",
    summary="Check machine, keys and a run directory; mend one.",
    examples=[
        ("flux2batch doctor", "The machine and the keys; nothing is asked of anybody"),
        ("flux2batch doctor --online", "Are the hosts reached and the keys accepted? It costs nothing"),
        ("flux2batch doctor runs/final", "A run directory as well"),
        ("flux2batch doctor runs/final --recover", "Save what can be read of a damaged journal"),
    ],
)
@click.argument("directory", metavar="[DIR]", required=False, type=Directory())
@click.option("--online", is_flag=True, help="Also reach the hosts, show keys and clock to them; it costs nothing.")
@click.option("--recover", is_flag=True, help="Make a new journal of what can be read of a damaged one.")
@click.option("--accept-rollback", is_flag=True, help="DIR was restored from a backup on purpose.")
@click.option("--fork", is_flag=True, help="DIR is a copy that is to live on its own.")
@click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help="Read this config.toml.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def command(
    directory: Path | None,
    online: bool,
    recover: bool,
    accept_rollback: bool,
    fork: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Look over the machine and the keys, and with DIR a run directory: its journal, its lock, its books.

    DIR may be a job file, meaning its run directory. Nothing is changed without one of --recover, --accept-rollback
    and --fork, and nothing is ever spent. A damaged journal is kept aside; shots of which it can no longer be told
    whether they were sent become unknown, and are not sent again until you say so (see resolve).
    """
    mending = [
        flag
        for flag, given in (("--recover", recover), ("--accept-rollback", accept_rollback), ("--fork", fork))
        if given
    ]
    if len(mending) > 1:
        raise click.UsageError(f"{' and '.join(mending)} exclude one another")
    if mending and directory is None:
        raise click.UsageError(f"{mending[0]} needs the run directory: flux2batch doctor DIR {mending[0]}")

    from platformdirs import user_state_path

    from flux2batch.commands.run_directories import run_directory

    console = this_console()
    root = None if directory is None else run_directory(directory)
    state_folder = user_state_path("flux2batch", appauthor=False)
    if root is not None and recover:
        _recover(console, root, state_folder)
    if root is not None and accept_rollback:
        _accept_rollback(console, root, state_folder)
    if root is not None and fork:
        _fork(console, root, state_folder)
    checks = list(_checks(root, state_folder, config, online=online))
    _show(console, root, checks, as_json=as_json)

    from flux2batch.running.checkup import worst

    raise click.exceptions.Exit(worst(checks))


def _checks(root: Path | None, state_folder: Path, config: Path | None, *, online: bool) -> Iterator[Check]:
    from flux2batch.engine.run_directory import Memory
    from flux2batch.planning.configuration import load_configuration
    from flux2batch.running import checkup

    configuration = load_configuration(file=config)
    now = datetime.now(UTC)
    yield from checkup.look_over_machine(
        configuration, place=root or Path(), state_folder=state_folder, environ=os.environ, now=now
    )
    if online:
        yield from checkup.look_over_services(configuration, environ=os.environ, now=now)
    if root is not None:
        memory = Memory(state_folder / "run-directories.db", accept_rollback=False, fork=False)
        yield from checkup.look_over_directory(root, memory=memory)


def _show(console: Console, root: Path | None, checks: Sequence[Check], *, as_json: bool) -> None:
    if as_json:
        said = {
            "schema_version": SCHEMA_VERSION,
            "directory": None if root is None else str(root),
            "healthy": all(check.state != "bad" for check in checks),
            "checks": [
                {"name": check.name, "state": check.state, "says": check.says, "help": check.help} for check in checks
            ],
        }
        console.print_json(said)
        return
    columns = [column(""), column(""), column("", shrinks=True)]
    rows: list[tuple[Part, ...]] = []
    for check in checks:
        mark, style = _MARKS[check.state]
        rows.append((styled(mark, style), styled(check.name, "bold"), check.says))  # type: ignore[arg-type]  # a Style's word
        if check.help:
            rows.append(("", "", styled(check.help, "dim")))
    console.print_all(table(columns, rows, width=console.width))


def _recover(console: Console, root: Path, state_folder: Path) -> None:
    from flux2batch.engine.run_directory import Memory
    from flux2batch.running.recovering import recover

    memory = Memory(state_folder / "run-directories.db", accept_rollback=True, fork=False)
    done = recover(root, memory=memory, now=datetime.now(UTC))
    console.say(styled("✓ ", "green"), f"Saved {counted(done.events, 'event')} of {counted(done.shots, 'shot')}.")
    if done.unreadable:
        console.say(f"  {counted(done.unreadable, 'event')} could not be read, or could not have happened so.")
    if done.has_gaps:
        console.say("  Events are missing, and nobody can tell of which shots.")
    if done.doubted:
        console.say(
            styled(f"  {counted(done.doubted, 'shot')}", "yellow"),
            " may have been sent in what was lost: held as unknown until you settle them:",
        )
        console.say(f"    flux2batch resolve {root}")
    for path in done.aside:
        console.say(styled(f"  kept: {path}", "dim"))


def _accept_rollback(console: Console, root: Path, state_folder: Path) -> None:
    from flux2batch.running.overview import overview
    from flux2batch.running.settling import open_to_settle

    now = datetime.now(UTC)
    with open_to_settle(root, now=now, state_folder=state_folder, accept_rollback=True) as opened:
        waiting = overview(opened).counts.planned
        console.say(styled("✓ ", "green"), f"{root} is believed as it stands, with {opened.journal.last_seq:,} events.")
    if waiting:
        console.say(
            styled(f"  {counted(waiting, 'shot')}", "yellow"),
            " will be bought by the next run, though they may have been paid for since the backup was made.",
        )


def _fork(console: Console, root: Path, state_folder: Path) -> None:
    from flux2batch.engine.run_directory import Memory, look_into
    from flux2batch.running.recovering import make_independent
    from flux2batch.running.settling import open_to_settle

    memory = Memory(state_folder / "run-directories.db", accept_rollback=False, fork=True)
    with look_into(root) as seen:
        if memory.place_of(seen.journal.run_directory_id) == root.resolve():
            raise Refused(f"{root} is where it has always been: it is no copy, and needs no identity of its own.")
    now = datetime.now(UTC)
    with open_to_settle(root, now=now, state_folder=state_folder, fork=True) as opened:
        left = make_independent(opened, now=now)
    console.say(styled("✓ ", "green"), f"{root} is a run directory of its own now.")
    if left:
        console.say(
            f"  {counted(left, 'shot')} that the original was about to send {'is' if left == 1 else 'are'} its."
        )
