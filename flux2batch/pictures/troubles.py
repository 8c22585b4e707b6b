"""Say in plain words what a disk refuses, with the file and the remedy."""

from __future__ import annotations

import errno
import shutil
from contextlib import suppress
from pathlib import Path

from flux2batch.errors import MachineError
from flux2batch.planning.files.folder import in_megabytes
from flux2batch.safe_text import safe_line

_AGAIN = "then run the same command again"

_REASONS: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", f"Make room there, {_AGAIN}."),
    errno.EFBIG: ("no file may be that large here", f"Raise the limit on the size of files, {_AGAIN}."),
    errno.EROFS: ("the disk is read-only", "Choose another folder with --out."),
    errno.EACCES: ("permission is denied", "Choose another folder with --out, or ask who owns this one."),
    errno.EPERM: ("permission is denied", "Choose another folder with --out, or ask who owns this one."),
    errno.EIO: ("the disk reports an error", "Look after the disk before anything else."),
    errno.ENAMETOOLONG: ("the name is too long for this disk", "Shorten output.path in the job."),
    errno.ENOENT: ("its folder is gone", "It was removed or renamed while it was in use."),
    errno.ENOTDIR: ("its folder is gone", "It was removed or renamed while it was in use."),
    errno.EMFILE: ("too many files are open", f"Raise the limit on open files (ulimit -n), {_AGAIN}."),
    errno.ENFILE: ("too many files are open", f"Close other programs, {_AGAIN}."),
}
with suppress(AttributeError):  # Windows has no quotas of this kind
    _REASONS[errno.EDQUOT] = ("your share of this disk is used up", f"Make room there, {_AGAIN}.")

_NO_ROOM = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
# What can meet any file at any moment, and is never the fault of who opens it.
_ANYWHERE = _NO_ROOM | {errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}


def machine_error(problem: OSError, root: Path, path: str, *, needed: int) -> MachineError:
    """What ended the work on a file of the run directory; `path` is relative to it, or empty for the folder itself."""
    plain = (problem.strerror or "the system does not say why").lower()
    reason, remedy = _REASONS.get(problem.errno or 0, (plain, "See to it, " + _AGAIN + "."))
    if problem.errno in _NO_ROOM:
        reason += _room(root, needed)
    where = safe_line(str(root / path) if path else str(root))
    return MachineError(f"{where} cannot be written: {reason}. {remedy}")


def unforeseen(problem: OSError) -> MachineError | None:
    """What a machine refused where nobody was prepared for it; None where that is our own mistake."""
    if problem.errno is None or problem.errno not in _ANYWHERE:
        return None
    reason, remedy = _REASONS[problem.errno]
    where = f"{safe_line(str(problem.filename))} cannot be used: " if problem.filename else ""
    return MachineError(f"{where}{reason}. {remedy}")


def _room(root: Path, needed: int) -> str:
    with suppress(OSError):
        return f" ({in_megabytes(needed)} needed, {in_megabytes(shutil.disk_usage(root).free)} free)"
    return ""
