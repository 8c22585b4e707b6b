"""Make one run directory of several: beside its place, under a name that nobody takes for it, then there at once."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flux2batch import __version__
from flux2batch.durable import sync_folder
from flux2batch.engine.events import RunBegan, RunEnded
from flux2batch.engine.journal import Entry, Journal
from flux2batch.engine.lifecycle import Phase
from flux2batch.engine.lock import DirectoryLock, Locked
from flux2batch.engine.new_directory import refuse_links
from flux2batch.engine.run_directory import INNER, Memory, RunDirectory, is_run_directory, journal_of, look_into
from flux2batch.errors import MachineError, Refused, UsageError
from flux2batch.money import ZERO, Money
from flux2batch.pictures import paths
from flux2batch.pictures.checking import Checked, check
from flux2batch.pictures.placing import Conflict, Gallery, Placed
from flux2batch.private_files import private_folder
from flux2batch.running.housekeeping import replace_file
from flux2batch.running.merging import (
    MERGED_FROM,
    Part,
    Rows,
    Told,
    joined_rows,
    refuse_shared_places,
    refuse_what_cannot_be_joined,
    retold,
    stories,
)
from flux2batch.running.recorded_run import PLAN
from flux2batch.running.run import write_ledger
from flux2batch.running.sheets import write_sheet

_UNFINISHED = "merging.db"
_MOST_SIDECAR_BYTES = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What one of the directories has brought."""

    root: Path
    done: int
    charged_usd: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What became of a merge."""

    root: Path
    parts: tuple[Joined, ...]
    shots: int
    done: int
    twice: int  # shots that more than one directory knew
    missing: int  # pictures that were no longer where their journal has them
    charged_usd: Money
    sheet_trouble: str | None


def merge(roots: Sequence[Path], target: Path, *, memory: Memory, now: datetime) -> Merged:
    """Join run directories into a new one, and change none of them.

    Raises UsageError, Refused and MachineError, each with what to do; then there is no new one.
    """
    _refuse_target(target)
    with ExitStack() as stack:
        parts = [stack.enter_context(_at_rest(root, now)) for root in roots]
        refuse_what_cannot_be_joined(parts)
        told = list(stories(parts, at=now))
        refuse_shared_places(told)
        with _staging(target, now) as staging:
            missing = _lay_pictures(told, staging)
            _write_books(staging, parts, told, now)
            _put_there(staging, target)
    with look_into(target) as directory:
        memory.remember(directory.journal, target)
    return Merged(
        root=target,
        parts=tuple(_brought(part) for part in parts),
        shots=len(told),
        done=sum(one.phase is Phase.DONE for one in told),
        twice=sum(len(one.owners) > 1 for one in told),
        missing=missing,
        charged_usd=Money(sum((one.charged for one in told), start=ZERO)),
        sheet_trouble=_draw_sheet(target),
    )


def _refuse_target(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise UsageError(f"{target} is there already, and is no folder. Choose another --to.")
    if is_run_directory(target):
        raise Refused(f"{target} is a run directory already: a merge makes a new one. Choose another --to.")
    if target.is_dir() and any(target.iterdir()):
        raise Refused(f"{target} is not empty: a merge puts nothing between the files of others. Choose another --to.")


@contextmanager
def _at_rest(root: Path, now: datetime) -> Iterator[Part]:
    """A run directory that nobody drives while it is read."""
    if not is_run_directory(root):
        raise UsageError(f"{root} is not a run directory: there is no journal in it.")
    refuse_links(root / INNER)
    with DirectoryLock(root / INNER, now=now), closing(Journal.open(journal_of(root), driving=False)) as journal:
        yield Part.of(root, journal)


def _brought(part: Part) -> Joined:
    ended = part.standing.ended.values()
    charged = sum((one.charged for one in ended), start=ZERO)
    charged = sum((life.charged for life in part.standing.open.values()), start=charged)
    return Joined(root=part.root, done=sum(one.phase is Phase.DONE for one in ended), charged_usd=Money(charged))


# The place beside.


@contextmanager
def _staging(target: Path, now: datetime) -> Iterator[Path]:
    """A folder that becomes the target. What a killed merge has left is swept away; what a living one has is not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name}.merging-"
    for leftover in target.parent.glob(f"{prefix}*"):
        with suppress(Locked, OSError):
            with DirectoryLock(leftover / INNER, now=now):
                pass
            shutil.rmtree(leftover)
    staging = target.parent / f"{prefix}{secrets.token_hex(4)}"
    private_folder(staging)
    private_folder(staging / INNER)
    try:
        with DirectoryLock(staging / INNER, now=now):
            yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _put_there(staging: Path, target: Path) -> None:
    """From one moment to the next the merged directory is there, whole."""
    inner = staging / INNER
    (inner / _UNFINISHED).rename(journal_of(staging))
    (inner / "driver.json").unlink(missing_ok=True)  # it says who drives this folder, under the name it has as yet
    sync_folder(inner)
    sync_folder(staging)
    with suppress(FileNotFoundError):
        target.rmdir()  # it is empty: it was looked at before, and is looked at again by this
    staging.rename(target)
    sync_folder(target.parent)


# Pictures.


def _lay_pictures(told: Sequence[Told], staging: Path) -> int:
    """Give every picture of a done shot its second name, or a copy; how many are no longer there."""
    gallery, originals = Gallery(staging, known=_nothing_known), _originals(staging)
    private_folder(staging / INNER / "originals")
    missing = 0
    for one in told:
        if one.phase is not Phase.DONE:
            continue
        theirs, their_originals = Gallery(one.home.root, known=_nothing_known), _originals(one.home.root)
        for saved in one.saved:
            for path in (saved.path, *saved.copies):
                missing += not _laid(gallery, theirs, path, sha256=saved.sha256, root=one.home.root)
            if saved.original is not None:
                _lay_original(originals, their_originals, saved.original)
        for path in one.paths:
            _lay_sidecar(gallery, one.home.root, path)
    return missing


def _originals(root: Path) -> Gallery:
    return Gallery(root / INNER / "originals", known=_nothing_known)


def _laid(gallery: Gallery, theirs: Gallery, path: str, *, sha256: str, root: Path) -> bool:
    """Whether the picture was there to be laid."""
    if paths.unsafe(path) is None and not os.path.lexists(root / path):
        return False
    placed = gallery.adopt(theirs, path, path, sha256=sha256)
    if isinstance(placed, Placed):
        return True
    if isinstance(placed, Conflict):
        raise Refused(f"{path} of {root} cannot be laid: {placed.reason}.")
    raise Refused(
        f"{root / path} is not the picture that the journal has: {placed.reason}. Put it back, or move it away and"
        " merge without it."
    )


def _lay_original(ours: Gallery, theirs: Gallery, path: str) -> None:
    """The picture as it came, before it was trimmed. It is there to be cut anew, and its loss loses no picture."""
    content = theirs.read(path, sha256=None)
    checked = check(content, asked_format="", asked_size=None) if isinstance(content, bytes) else None
    if isinstance(checked, Checked):
        ours.place(checked.content, path)


def _lay_sidecar(gallery: Gallery, root: Path, path: str) -> None:
    """The description that may lie beside a picture."""
    if paths.unsafe(path) is not None:
        return
    file = root / paths.sidecar_path(path)
    with suppress(OSError):
        if file.is_file() and not file.is_symlink() and file.stat().st_size <= _MOST_SIDECAR_BYTES:
            gallery.place_sidecar(file.read_bytes(), path)


# Books.


def _write_books(staging: Path, parts: Sequence[Part], told: Sequence[Told], now: datetime) -> None:
    """The journal, under a name that is not yet a journal's, and what is drawn from it."""
    rows = joined_rows(parts)
    replace_file(staging / PLAN, iter(rows.lines))
    with closing(Journal.create(staging / INNER / _UNFINISHED, run_directory_id=secrets.token_hex(8))) as journal:
        for key, value in _meta(parts).items():
            journal.set_meta(key, value)
        journal.restore(_entries(parts, told, rows, now))
        journal.write_snapshot()
        write_ledger(RunDirectory(root=staging, journal=journal))


def _meta(parts: Sequence[Part]) -> dict[str, str]:
    files = [file for part in parts if (file := part.journal.meta("job_file"))]
    here = [file for file in files if Path(file).is_file()]
    known = {
        "kind": parts[0].journal.meta("kind"),
        "job_name": parts[0].journal.meta("job_name"),
        "job_file": next(iter([*here, *files]), None),
        MERGED_FROM: json.dumps(sorted(set().union(*(part.contains for part in parts)))),
    }
    return {key: value for key, value in known.items() if value is not None}


def _entries(parts: Sequence[Part], told: Sequence[Told], rows: Rows, now: datetime) -> Iterator[Entry]:
    """Everything that happened: the runs of each part, the shots, and that they were joined."""
    for part in parts:
        yield from part.journal.run_entries()
    for one in told:
        yield from retold(one, at=now)
    last, run = parts[-1].began[-1:], secrets.token_hex(4)
    began = RunBegan(
        run=run,
        version=__version__,
        command="merge",
        job_file=_meta(parts).get("job_file"),
        job_name=parts[0].journal.meta("job_name") or "",
        origins={},
        emulated=parts[0].journal.meta("kind") == "emulated",
        shots=len(rows.lines),
        axes=rows.axes,
        sheet=dict(last[0].sheet) if last else {},
        flags=last[0].flags if last else (),
    )
    yield Entry(seq=0, at=now, shot=None, event=began)
    yield Entry(seq=0, at=now, shot=None, event=RunEnded(run=run, exit_code=0, reason=None))


def _draw_sheet(target: Path) -> str | None:
    """The sheet can be drawn again at any time: what hinders it hinders nothing else."""
    try:
        write_sheet(target)
    except MachineError as error:
        return str(error)
    return None


def _nothing_known(_path: str) -> str | None:
    return None
