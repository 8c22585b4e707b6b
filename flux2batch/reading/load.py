"""From a job file, or the same as Python data, to a Job: the way in for every command and for the Python interface."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flux2batch.reading.document import Document, document_of, read_document
from flux2batch.reading.files import read_file
from flux2batch.reading.job import Job, job_of
from flux2batch.reading.masking import masked, secrets_in
from flux2batch.reading.problems import Problem, error, has_errors, in_order
from flux2batch.reading.schema import check_shape

if TYPE_CHECKING:
    from flux2batch.reading.recovery import Recovered

MARK = "flux2batch.toml"
"""An empty file of this name makes its folder the job's folder for every job below it."""


def load_job(
    path: Path, *, allow_paths: Sequence[Path] = (), sets: Sequence[str] = (), name: str | None = None
) -> tuple[Job | None, tuple[Problem, ...]]:
    """The job in a file, with `--set` values in their places; None where there is an error.

    `name` is what messages call the file: as the user wrote it, unless told otherwise.
    """
    raw, problems = read_file(path, name=name or str(path))
    if raw is None:
        return None, problems
    return load_job_text(raw, path=path, allow_paths=allow_paths, sets=sets, name=name or str(path))


def load_sound_part(
    path: Path, *, allow_paths: Sequence[Path] = (), sets: Sequence[str] = ()
) -> tuple[Job | None, tuple[Problem, ...]]:
    """As `load_job`, but where there is an error the job is a partial one if anything of it is sound.

    A partial job (`job.lost` is set) serves to find what else is wrong. No plan can be made of it.
    """
    raw, problems = read_file(path, name=str(path))
    if raw is None:
        return None, problems
    return load_job_text(raw, path=path, allow_paths=allow_paths, sets=sets, name=str(path), even_in_part=True)


def load_job_text(
    raw: bytes,
    *,
    path: Path,
    allow_paths: Sequence[Path] = (),
    sets: Sequence[str] = (),
    name: str,
    even_in_part: bool = False,
) -> tuple[Job | None, tuple[Problem, ...]]:
    """The job in the bytes of a file that stands, or would stand, at `path`."""
    document, problems = read_document(raw, name=name)
    if document is None:
        return None, problems
    if _is_picks(document.data):
        message = "a file of picks from a contact sheet, not a job"
        help = "it goes with --picks, or into a job as data: {chosen: {picks: FILE}}"
        where = document.key_place(("picks",))
        return None, (error("FB206", message, where=where, steps=("picks",), help=help),)
    folder = path.absolute().parent.resolve()
    return _job(
        document,
        problems,
        file=folder / path.name,
        folder=folder,
        allow_paths=allow_paths,
        sets=sets,
        even_in_part=even_in_part,
    )


def load_job_data(
    data: Mapping[str, Any], *, folder: Path, allow_paths: Sequence[Path] = (), sets: Sequence[str] = ()
) -> tuple[Job | None, tuple[Problem, ...]]:
    """The job in Python data; its paths are relative to `folder`."""
    document = document_of(data)
    return _job(document, (), file=None, folder=folder.resolve(), allow_paths=allow_paths, sets=sets)


def _is_picks(data: object) -> bool:
    return isinstance(data, Mapping) and {"picks", "shots"} <= data.keys() and "flux2batch" not in data


def folder_of_the_job(folder: Path, *, home: Path | None = None) -> Path:
    """The job's folder: the nearest parent with the mark, or the file's own.

    Sought no higher than the root of the repository, and never in the home folder or above it: a mark there would
    hand every picture of a person to whoever wrote the job.
    """
    home = home or _home()
    for candidate in (folder, *folder.parents):
        if home is not None and (candidate == home or candidate in home.parents):
            break
        if _is_marked(candidate, folder):
            return candidate
        if (candidate / ".git").exists():
            break
    return folder


def _job(
    document: Document,
    problems: tuple[Problem, ...],
    *,
    file: Path | None,
    folder: Path,
    allow_paths: Sequence[Path],
    sets: Sequence[str],
    even_in_part: bool = False,
) -> tuple[Job | None, tuple[Problem, ...]]:
    patched, found = _patched(document, sets)
    problems = (*problems, *found)
    if patched is None:
        return None, _said(problems, document)
    problems = _said((*problems, *check_shape(patched)), patched)
    lost = None
    if has_errors(problems):
        recovered = _recovered(patched, problems) if even_in_part else None
        if recovered is None:
            return None, problems
        problems = _said((*problems, *recovered.further), patched)
        patched, lost = recovered.document, recovered.lost
    allowed = [allowed.absolute().resolve() for allowed in allow_paths]
    job = job_of(patched, file=file, folder=folder, root=folder_of_the_job(folder), allowed=allowed, lost=lost)
    return job, problems


def _recovered(document: Document, problems: Sequence[Problem]) -> Recovered | None:
    from flux2batch.reading.recovery import recover

    return recover(document, problems)


def _patched(document: Document, sets: Sequence[str]) -> tuple[Document | None, tuple[Problem, ...]]:
    if not sets:
        return document, ()
    from flux2batch.reading.patching import with_sets

    return with_sets(document, sets)


def _said(problems: Sequence[Problem], document: Document) -> tuple[Problem, ...]:
    return masked(in_order(problems), secrets_in(document))


def _is_marked(candidate: Path, folder: Path) -> bool:
    # A stranger's mark in a shared folder such as /tmp would widen what a job may read: only one's own counts.
    mark = candidate / MARK
    try:
        found = mark.stat(follow_symlinks=False)
        return stat.S_ISREG(found.st_mode) and found.st_uid in (folder.stat().st_uid, _user())
    except OSError:
        return False


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _home() -> Path | None:
    try:
        return Path.home().resolve()
    except (RuntimeError, OSError):
        return None
