"""`flux2batch sheet`: the contact sheet of a run directory, or of several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flux2batch.commands.command import as_command
from flux2batch.commands.completing import Directory
from flux2batch.commands.console import Console, counted, this_console
from flux2batch.errors import UsageError

if TYPE_CHECKING:
    from flux2batch.running.sheet_drawing import Selected
    from flux2batch.running.sheets import WrittenSheet


@as_command(
    "sheet",
    summary="Write the contact sheet of a run, or of several.",
    examples=[
        ("flux2batch sheet --open", "Look at the newest run"),
        ("flux2batch sheet runs/draft runs/final", "Two runs side by side"),
        ("flux2batch sheet job.yaml --against main --open", "Old beside new, for every shot that changed since"),
        ("flux2batch sheet job.yaml --single-file -o study.html", "One file to send around"),
        ('flux2batch sheet job.yaml --only "guidance >= 3" --zip study.zip', "A part of it, with the originals"),
    ],
)
@click.argument("directories", metavar="[DIR]…", nargs=-1, type=Directory())
@click.option("--single-file", is_flag=True, help="One HTML with the thumbnails inside.")
@click.option(
    "--zip",
    "zipped",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Pack the sheet with the original pictures.",
)
@click.option("--against", metavar="REV|DIR", help="Old beside new: what changed since a git revision or another run.")
@click.option("--earlier", is_flag=True, help="Also the pictures that made way for others.")
@click.option("--only", metavar="EXPR", help='The shots for which this is true: "guidance >= 3".')
@click.option(
    "--picks",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The shots picked in a sheet, with their ratings.",
)
@click.option(
    "-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write the page there."
)
@click.option("--open", "opens", is_flag=True, help="Show it in the browser.")
def command(
    directories: tuple[Path, ...],
    single_file: bool,
    zipped: Path | None,
    against: str | None,
    earlier: bool,
    only: str | None,
    picks: Path | None,
    output: Path | None,
    opens: bool,
) -> None:
    """Write the contact sheet again from the journal and the pictures; nothing is sent.

    DIR may be a job file, meaning its run directory, or be left out, meaning the newest under runs/. With several
    the run becomes an axis, and the page goes into the folder that they share.

    With --against every changed shot of the run is shown twice, from pictures that are there already: in the run
    directory, its earlier/ among it, or in one beside it. The page is against-REV.html in the run directory.
    """
    if zipped is not None and (single_file or output is not None or opens):
        raise click.UsageError("--zip packs the whole sheet: it goes without --single-file, -o and --open")
    if against is not None and (zipped is not None or earlier or len(directories) > 1):
        raise click.UsageError("--against shows what changed in one run: it goes without --zip and --earlier")

    from flux2batch.commands.run_directories import run_directories
    from flux2batch.planning.tables.picks import read_picks
    from flux2batch.running.sheet_drawing import Selected
    from flux2batch.running.sheets import SEVERAL, default_target, write_sheet, write_single_file, write_zip

    console = this_console()
    roots = run_directories(directories)
    selected = Selected(earlier=earlier, only=only, picks=None if picks is None else read_picks(picks))
    if against is not None:
        _compare(console, roots[0], against, selected, output=output, single_file=single_file, opens=opens)
        return
    if zipped is not None:
        written = write_zip(roots, target=zipped, selected=selected)
    elif single_file:
        alone = roots[0] / f"{roots[0].resolve().name}.html" if len(roots) == 1 else default_target(roots)
        written = write_single_file(roots, target=output or alone.with_name(alone.name or SEVERAL), selected=selected)
    else:
        written = write_sheet(roots, target=output, selected=selected)
    _tell(console, written, packed=zipped is not None, single=single_file)
    if opens:
        _open(written.path)


def _compare(
    console: Console,
    root: Path,
    against: str,
    selected: Selected,
    *,
    output: Path | None,
    single_file: bool,
    opens: bool,
) -> None:
    from flux2batch.running.sheet_against import write_against

    written = write_against(root, against, target=output, selected=selected, single_file=single_file)
    difference = written.difference
    aside = [f"{len(difference.added):,} new", f"{len(difference.removed):,} gone", f"{difference.kept:,} as before"]
    if written.to_run is not None:
        shots = counted(written.to_run.shots, "shot")
        console.say(f"{shots} changed since {against}, but have no picture yet, so no sheet was written.")
        console.say(f"Run it first: {written.to_run.command}")
        return
    if written.sheet is None:
        console.say(f"No shot of {root} changed since {against}, so no sheet was written ({', '.join(aside)}).")
        return
    _tell(console, written.sheet, packed=False, single=single_file)
    console.say(f"{counted(len(difference.changed), 'shot')} changed since {against}; not shown: {', '.join(aside)}.")
    if opens:
        _open(written.sheet.path)


def _tell(console: Console, written: WrittenSheet, *, packed: bool, single: bool) -> None:
    console.print(str(written.path))
    beside = f", with {_size(written.thumbnail_bytes)} of thumbnails beside it" if written.thumbnail_bytes else ""
    waiting = written.cells - written.pictures
    others = f" ({written.cells:,} cells, {waiting:,} without a picture)" if waiting else ""
    console.say(f"{counted(written.pictures, 'picture')}{others} on a page of {_size(written.size_bytes)}{beside}")
    if packed:
        console.say("The originals and the thumbnails are packed with it.")
    if single and written.small_only:
        console.say("It holds the small thumbnails alone: with the large ones it would be too heavy for a browser.")
    if written.earlier_hidden:
        console.say(f"{counted(written.earlier_hidden, 'picture')} of earlier plans not shown: --earlier shows them.")
    for remark in written.remarks:
        console.say(remark)


def _size(number: int) -> str:
    return f"{number / 1e6:,.1f} MB" if number >= 100_000 else f"{max(1, round(number / 1000))} kB"


def _open(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        raise UsageError(f"No browser was found to open {path} with.")
