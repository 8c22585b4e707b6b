"""Write contact sheets to disk: beside a run, over several runs, in one file, or packed with the originals."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from flux2batch.engine.journal import Journal
from flux2batch.reporting.sheet_page import page_of
from flux2batch.running.new_files import INDEX, new_file, pack, replace_page
from flux2batch.running.recorded_run import RecordedRun, open_recorded
from flux2batch.running.sheet_drawing import EVERYTHING, Drawn, Layout, Selected, draw
from flux2batch.running.thumbnail_folder import FOLDER, ThumbnailFolder, as_uri, is_small

SEVERAL = "sheet.html"
_MOST_INLINE = 64_000_000
"""A single file above it takes the small thumbnails alone: browsers are slow with more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSheet:
    """A sheet that is on disk."""

    path: Path
    size_bytes: int  # of this one file
    thumbnail_bytes: int  # of the files beside it; 0 where they are inside
    cells: int
    pictures: int
    earlier_hidden: int
    small_only: bool  # a single file that would have been too large with the large thumbnails
    remarks: tuple[str, ...]


def write_sheet(
    roots: Path | Sequence[Path],
    *,
    target: Path | None = None,
    journal: Journal | None = None,
    selected: Selected = EVERYTHING,
    finished: bool = True,
    refresh_s: int | None = None,
) -> WrittenSheet:
    """Write the sheet of one or more run directories, with its thumbnails beside it.

    `journal` is that of the one run directory, where it is open already. Raises InvalidInput for an expression that is
    wrong, and MachineError where the disk or a journal says no.
    """
    many = _several(roots)
    target = target or default_target(many)
    with ExitStack() as stack:
        runs = [RecordedRun(many[0], journal)] if journal is not None else _opened(stack, many)
        for run in runs:
            run.look_again()
        drawn = draw(
            runs,
            Layout.beside(many, target.parent),
            folder=_thumbnails_beside(stack, target.parent),
            selected=selected,
            finished=finished,
            refresh_s=refresh_s,
        )
    size = replace_page(target, page_of(drawn.data))
    return written_sheet(drawn, target, size, thumbnail_bytes=drawn.thumbnails.size_of(drawn.names))


def write_single_file(roots: Path | Sequence[Path], *, target: Path, selected: Selected = EVERYTHING) -> WrittenSheet:
    """Write a sheet that needs nothing beside it: the thumbnails are inside, the originals are not."""
    many = _several(roots)
    with ExitStack() as stack:
        runs = _opened(stack, many)
        home = many[0]
        drawn = draw(
            runs, Layout.beside(many, target.parent), folder=_thumbnails_beside(stack, home), selected=selected
        )
    return put_inside(drawn, target)


def put_inside(drawn: Drawn, target: Path) -> WrittenSheet:
    """Write a sheet with its thumbnails inside."""
    small_only = drawn.thumbnails.size_of(drawn.names) > _MOST_INLINE
    names = [name for name in drawn.names if is_small(name) or not small_only]
    drawn.data["inline"] = {name: as_uri((drawn.thumbnails.path / name).read_bytes()) for name in names}
    size = replace_page(target, page_of(drawn.data))
    return written_sheet(drawn, target, size, small_only=small_only)


def write_zip(roots: Path | Sequence[Path], *, target: Path, selected: Selected = EVERYTHING) -> WrittenSheet:
    """Pack the sheet with its thumbnails and the originals that it shows. What is there already is not replaced."""
    many = _several(roots)
    with ExitStack() as stack:
        runs = _opened(stack, many)
        top = runs[0].name if len(runs) == 1 else target.stem
        drawn = draw(runs, Layout.packed(runs), folder=_thumbnails_beside(stack, many[0]), selected=selected)
    with new_file(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
        pack(packed, f"{top}/{INDEX}", page_of(drawn.data).encode(), compressed=True)
        for name in drawn.names:
            pack(packed, f"{top}/{FOLDER}/{name}", (drawn.thumbnails.path / name).read_bytes())
        for name, original in drawn.originals:
            pack(packed, f"{top}/{name}", original.read_bytes())
    return written_sheet(drawn, target, target.stat().st_size)


def default_target(roots: Sequence[Path]) -> Path:
    """Where a sheet goes unless told: into its run directory, and that of several into the folder they share."""
    if len(roots) == 1:
        return roots[0] / INDEX
    return Path(os.path.commonpath([root.resolve() for root in roots])) / SEVERAL


def _several(roots: Path | Sequence[Path]) -> list[Path]:
    many = [roots] if isinstance(roots, Path) else list(roots)
    once = {root.resolve(): root for root in many}
    return list(once.values())


def _opened(stack: ExitStack, roots: Sequence[Path]) -> list[RecordedRun]:
    return [stack.enter_context(open_recorded(root)) for root in roots]


def _thumbnails_beside(stack: ExitStack, folder: Path) -> ThumbnailFolder:
    thumbnails = ThumbnailFolder(folder)
    stack.callback(thumbnails.close, wait=False)
    return thumbnails


def written_sheet(
    drawn: Drawn, path: Path, size: int, *, thumbnail_bytes: int = 0, small_only: bool = False
) -> WrittenSheet:
    """What is to be said of a sheet that was written."""
    return WrittenSheet(
        path=path,
        size_bytes=size,
        thumbnail_bytes=thumbnail_bytes,
        cells=len(drawn.data["shots"]),
        pictures=drawn.pictures,
        earlier_hidden=drawn.data["earlier_hidden"],
        small_only=small_only,
        remarks=drawn.remarks,
    )
