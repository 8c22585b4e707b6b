"""Read the bytes of a job file: one that is missing, no file, or too large is a problem and never a wait."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path

from flux2batch.reading.problems import Place, Problem, error
from flux2batch.reading.suggest import closest
from flux2batch.reading.yaml_text import MAX_BYTES, refuse_size

_MAX_NEIGHBOURS = 2000  # names of a folder that are looked at for "did you mean"
_JOB_ENDINGS = (".yaml", ".yml")


def read_file(path: Path, *, name: str) -> tuple[bytes | None, tuple[Problem, ...]]:
    """The bytes of a regular file of at most 1 MB; or None, and why not. `name` is the path as its user wrote it."""
    try:
        # Asked before it is opened, for opening some devices does something; and once more after, for it may change.
        refused = _refuse_kind(path.stat(), path, name)
        if refused:
            return None, (refused,)
        return _read(path, name)
    except (OSError, ValueError) as failure:
        return None, (_failed(path, name, failure),)


def _read(path: Path, name: str) -> tuple[bytes | None, tuple[Problem, ...]]:
    # A pipe without a writer would make the opening wait for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        refused = _refuse_kind(os.fstat(descriptor), path, name)
        if refused:
            return None, (refused,)
        raw = file.read(MAX_BYTES + 1)
    too_large = refuse_size(len(raw), name=name)
    return (None, (too_large,)) if too_large else (raw, ())


def _refuse_kind(found: os.stat_result, path: Path, name: str) -> Problem | None:
    mode = found.st_mode
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        return _unreadable(name, "it is a folder", _a_job_inside(path, name))
    kinds = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"))
    kind = next((kind for is_kind, kind in kinds if is_kind(mode)), "a device")
    return _unreadable(name, f"it is {kind}", "save the job into a file and name that")


def _failed(path: Path, name: str, failure: OSError | ValueError) -> Problem:
    if isinstance(failure, FileNotFoundError | NotADirectoryError):
        return _missing(path, name)
    if isinstance(failure, PermissionError):
        return _unreadable(name, "permission denied", f"give yourself the right to read it: chmod u+r {name}")
    if isinstance(failure, ValueError):
        return _unreadable(name, "its name holds a NUL character", None)
    return _unreadable(name, (failure.strerror or "the system refuses to read it").lower(), None)


def _missing(path: Path, name: str) -> Problem:
    folder = path.parent
    if not folder.is_dir():
        nearest = closest(folder.name, _names(folder.parent, folders=True))
        help = f"did you mean the folder '{nearest}'?" if nearest else None
        return error("FB001", f"no such folder '{folder}'", where=_whole(name), help=help)
    nearest = _near_file(path)
    shown = name[: len(name) - len(path.name)] if name.endswith(path.name) else ""
    help = f"did you mean '{shown}{nearest}'?" if nearest else "'flux2batch init' writes a first job"
    return error("FB001", f"no such file '{name}'", where=_whole(name), help=help)


def _near_file(path: Path) -> str | None:
    names = _names(path.parent, folders=False)
    jobs = [name for name in names if name.endswith(_JOB_ENDINGS)]
    # The name without its ending first: of 'job' and 'jobs.yml' a person means job.yaml, not jobs.py.
    by_stem = {Path(name).stem: name for name in reversed(jobs)}
    stem = closest(path.stem, by_stem)
    return by_stem[stem] if stem else closest(path.name, names)


def _names(folder: Path, *, folders: bool) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            some = list(islice(entries, _MAX_NEIGHBOURS))
        return sorted(entry.name for entry in some if entry.is_dir() == folders)
    except OSError:
        return []


def _a_job_inside(path: Path, name: str) -> str:
    jobs = [found for found in _names(path, folders=False) if found.endswith(_JOB_ENDINGS)]
    return f"did you mean '{name.rstrip('/')}/{jobs[0]}'?" if jobs else "name a file inside of it"


def _unreadable(name: str, why: str, help: str | None) -> Problem:
    return error("FB002", f"not a readable file: {why}", where=_whole(name), help=help)


def _whole(name: str) -> Place:
    return Place(file=name, line=1, column=1, end_line=1, end_column=1, line_text=None)
