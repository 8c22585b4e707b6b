"""`flux2batch export`: the chosen pictures in a folder or a zip, with a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from flux2batch.commands.command import as_command
from flux2batch.commands.completing import Directory
from flux2batch.commands.console import counted, this_console
from flux2batch.errors import UsageError
from flux2batch.pictures.description import Level


@as_command(
    "export",
    summary="Copy chosen pictures out, with a manifest.",
    examples=[
        ("flux2batch export job.yaml --picks picks.yaml --to chosen/", "What was picked in the sheet"),
        ("flux2batch export --to all/", "Every picture of the newest run"),
        ("flux2batch export runs/final --only \"locale == 'de'\" --zip de.zip", "A part of it, packed"),
    ],
)
@click.argument("directory", metavar="[DIR]", required=False, type=Directory())
@click.option("--to", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path), help="Copy them there.")
@click.option(
    "--zip",
    "zipped",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Pack them into this file.",
)
@click.option("--picks", metavar="FILE", type=click.Path(path_type=Path), help="The shots picked in a sheet.")
@click.option("--only", metavar="EXPR", help='The shots for which this is true: "guidance >= 3".')
@click.option(
    "--metadata",
    "level",
    type=click.Choice(get_args(Level)),
    default="minimal",
    show_default=True,
    help="What the copies say of their origin: all, shot and seed, or nothing.",
)
@click.option("--semicolons", is_flag=True, help="The manifest with ; and decimal commas: a German Excel opens it.")
def command(
    directory: Path | None,
    to: Path | None,
    zipped: Path | None,
    picks: Path | None,
    only: str | None,
    level: Level,
    semicolons: bool,
) -> None:
    """Copy the chosen pictures out of a run directory, with a manifest.csv: prompt, seed, size, cost, rating, note.

    DIR may be a job file, meaning its run directory, or be left out, meaning the newest under runs/. Nothing is
    overwritten, and the pictures in the run directory stay as they are.
    """
    if to is None and zipped is None:
        raise click.UsageError("say where to: --to FOLDER, or --zip FILE")

    from flux2batch.commands.run_directories import run_directory
    from flux2batch.planning.tables.picks import read_picks
    from flux2batch.reporting.csv_rows import form_of
    from flux2batch.running.exporting import MANIFEST, choose, export
    from flux2batch.running.recorded_run import open_recorded

    console = this_console()
    root = run_directory(directory)
    chosen_in = None if picks is None else read_picks(picks)
    with open_recorded(root) as run:
        choice = choose(run, only=only, picks=chosen_in)
        for path in choice.absent:
            console.say(f"missing: {path} is no longer in {root}")
        if choice.unknown:
            console.say(f"{counted(choice.unknown, 'pick')} of {picks} not found in {root}")
        if not choice.pictures:
            raise UsageError(f"No picture of {root} is asked for: nothing to export.")
        new = export(run, choice.pictures, to=to, zipped=zipped, level=level, form=form_of(semicolons=semicolons))
    for where in (to, zipped):
        if where is not None:
            console.print(str(where))
    gone = sum(chosen.shot.version > 0 for chosen in choice.pictures)
    if gone:
        took = "another has taken its place" if gone == 1 else "others have taken their places"
        console.say(f"{counted(gone, 'picture')} from before, under earlier/: {took} in the job since")
    same = "" if new else " (all of them were there already)"
    console.say(f"{counted(len(choice.pictures), 'picture')} and {MANIFEST}{same}")
