"""`flux2batch merge`: join run directories of one job, such as the shards of several machines, into one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flux2batch.commands.command import as_command
from flux2batch.commands.completing import Directory
from flux2batch.commands.console import Console, Part, column, counted, styled, table, this_console

if TYPE_CHECKING:
    from flux2batch.running.merged_directory import Merged

SCHEMA_VERSION = 1


@as_command(
    "merge",
    summary="Join run directories of one job into one.",
    examples=[
        ("flux2batch merge shards/1 shards/2 shards/3 --to runs/boats", "The shards of three machines"),
        ("flux2batch run boats.yaml --out runs/boats", "Go on in what was joined"),
    ],
)
@click.argument("directories", metavar="DIR...", nargs=-1, required=True, type=Directory())
@click.option(
    "--to", "target", metavar="DIR", required=True, type=click.Path(file_okay=False, path_type=Path), help="A new one."
)
@click.option("--json", "as_json", is_flag=True, help="One line of counts.")
def command(directories: tuple[Path, ...], target: Path, as_json: bool) -> None:
    """Join run directories of one job into a new one: their pictures, their journals, their ledgers.

    Each must be at rest, with nothing on its way and nothing unknown. What two of them have must be the same picture.
    The directories stay as they are; their pictures get a second name, or a copy where the disk is another one. What
    was charged adds up, and the new one is a run directory like any other.
    """
    from datetime import UTC, datetime

    from platformdirs import user_state_path

    from flux2batch.commands.run_directories import run_directories
    from flux2batch.engine.run_directory import Memory
    from flux2batch.running.merged_directory import merge

    state = user_state_path("flux2batch", appauthor=False)
    memory = Memory(state / "run-directories.db", accept_rollback=False, fork=False)
    merged = merge(run_directories(directories), target, memory=memory, now=datetime.now(UTC))

    console = this_console()
    if as_json:
        console.print_json({"schema_version": SCHEMA_VERSION, **_as_data(merged)})
        return
    console.print_all(_lines(console, merged))


def _as_data(merged: Merged) -> dict[str, object]:
    from flux2batch.commands.run_shown import number

    return {
        "directory": str(merged.root),
        "shots": merged.shots,
        "done": merged.done,
        "in_several": merged.twice,
        "missing": merged.missing,
        "charged_usd": number(merged.charged_usd),
        "from": [
            {"directory": str(part.root), "done": part.done, "charged_usd": number(part.charged_usd)}
            for part in merged.parts
        ],
    }


def _lines(console: Console, merged: Merged) -> Iterator[Sequence[Part]]:
    from flux2batch.money import show

    columns = [column("from", shrinks=True), column("done", right=True), column("charged", right=True)]
    rows = [(str(part.root), f"{part.done:,}", show(part.charged_usd)) for part in merged.parts]
    yield from table(columns, rows, width=console.width)
    yield ()
    yield (
        styled("✓ ", "green"),
        styled(f"{merged.done:,} of {counted(merged.shots, 'shot')} done", "bold"),
        f", {show(merged.charged_usd)} charged, in ",
        styled(str(merged.root), "cyan"),
    )
    if merged.twice:
        yield (
            f"  {counted(merged.twice, 'shot')} stood in several of them, with the same picture or with one at most",
        )
    if merged.missing:
        yield (
            styled(f"  {counted(merged.missing, 'picture')} no longer where their journal has them", "yellow"),
            styled(f"  flux2batch retry {merged.root} --missing", "dim"),
        )
    if merged.sheet_trouble is not None:
        yield (styled(f"  The contact sheet could not be written: {merged.sheet_trouble}", "yellow"),)
