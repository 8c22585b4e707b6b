"""Make the folders of a run directory, and take them back where it turns out that nothing is to be run."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from flux2batch.durable import sync_folder
from flux2batch.errors import Refused
from flux2batch.private_files import private_folder


class NewFolders:
    """What a process has made on the way to a run directory. Raises OSError where the system says no."""

    def __init__(self, inner: Path) -> None:
        self._inner = inner
        self._made = [folder for folder in (inner, *inner.parents) if not os.path.lexists(folder)]

    def make(self) -> None:
        """The run directory and its inner folder, for their owner alone; a power loss leaves them where they are.

        The journal's own folder is synced when it is made, and that says nothing of the folders around it.
        """
        private_folder(self._inner.parent)
        private_folder(self._inner)
        for folder in self._made:
            sync_folder(folder.parent)
        if self._inner not in self._made:
            # Whoever made it may have died before this. A folder that may not be read is left to its owner.
            for parent in (self._inner.parent, self._inner.parent.parent):
                with suppress(OSError):
                    sync_folder(parent)

    def keep(self) -> None:
        """Something was recorded: nothing is taken back."""
        self._made = []

    def empty(self) -> None:
        """Take back what was put into an inner folder that this process made. Its lock must still be held."""
        if self._inner in self._made:
            shutil.rmtree(self._inner, ignore_errors=True)

    def take_back(self) -> None:
        """Remove what was made and is empty, when the lock is let go: nothing tells any more that a run was refused."""
        lock = self._inner / "lock"
        if os.name == "nt" and self._inner in self._made:
            # There a file that is open cannot be removed, so nobody else's lock is taken away here.
            with suppress(OSError):
                lock.unlink()
        for folder in self._made:
            with suppress(OSError):
                folder.rmdir()


def refuse_links(inner: Path) -> None:
    """A run directory may come from anybody: nothing in its inner folder is written through a symbolic link."""
    for place in (inner, *sorted(inner.iterdir())):
        if place.is_symlink():
            raise Refused(
                f"{place} is a symbolic link, and a run writes through none: what it leads to could be any file of"
                " yours. Remove it, or choose another folder with --out."
            )
