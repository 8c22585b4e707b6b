"""Make what was written survive a power loss: files, and the entries of the folders that hold them."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl

    # On macOS fsync leaves the data in the drive's own cache; this asks the drive as well.
    _FULL_FSYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
except ImportError:
    _FULL_FSYNC = None


def sync_file(descriptor: int) -> None:
    """Make the content of an open file durable."""
    if _FULL_FSYNC is not None:
        try:
            fcntl.fcntl(descriptor, _FULL_FSYNC)
            return
        except OSError:
            pass  # a file system that does not know it, of a network as a rule
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the folder's own entries durable. Windows has no such thing and does not need it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
