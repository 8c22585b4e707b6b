"""An open folder in which files are made and named, entered name by name, so that no symbolic link is followed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from flux2batch.durable import sync_folder
from flux2batch.planning.files import directories
from flux2batch.planning.files.directories import Directory

# O_BINARY exists on Windows alone, the others do not exist there.
_CREATE = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)

HAS_OPENAT = directories.HAS_OPENAT and {os.mkdir, os.rmdir, os.link, os.unlink, os.rename} <= os.supports_dir_fd

# What systems answer where there are no hard links: FAT, some file systems of networks, the root's too many.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})

# What systems answer of a folder that is not to be removed: it holds something, is a link or a file, is gone, is a
# mount point, or belongs to somebody else.
_STAYS = frozenset(
    {
        errno.ENOTEMPTY,
        errno.EEXIST,
        errno.ENOTDIR,
        errno.ENOENT,
        errno.ELOOP,
        errno.EBUSY,
        errno.EACCES,
        errno.EPERM,
    }
)


class Folder(Directory, Protocol):
    """A directory that can be changed. Everything raises OSError where the system says no."""

    def make(self, name: str) -> None: ...

    def create(self, name: str) -> int: ...

    def remove(self, name: str) -> None: ...

    def remove_empty(self, name: str) -> bool:
        """Remove a folder that holds nothing. False where it holds something, or is no folder, and stays."""
        ...

    def link(self, name: str, target: Folder, new: str) -> bool:
        """Give a file a second name, never one that is taken. False where this file system has no such thing."""
        ...

    def rename(self, name: str, target: Folder, new: str) -> None: ...

    def sync(self) -> None: ...

    def identity(self) -> tuple[int, int]:
        """Two open folders are one where this is equal, however they were spelt."""
        ...


def open_folder(path: Path) -> Folder:
    """The folder at a path that the user himself named: links on the way to it are his own."""
    if HAS_OPENAT:
        return ByDescriptor(os.open(path, os.O_RDONLY | os.O_DIRECTORY | getattr(os, "O_CLOEXEC", 0)))
    return ByPath(path.resolve(strict=True))


class ByDescriptor(directories.ByDescriptor):
    """Where the system has openat: a name is made in the open folder itself, never by a path."""

    def make(self, name: str) -> None:
        os.mkdir(name, dir_fd=self._descriptor)

    def create(self, name: str) -> int:
        return os.open(name, _CREATE, 0o666, dir_fd=self._descriptor)

    def remove(self, name: str) -> None:
        os.unlink(name, dir_fd=self._descriptor)

    def remove_empty(self, name: str) -> bool:
        return _removed(lambda: os.rmdir(name, dir_fd=self._descriptor))

    def link(self, name: str, target: Folder, new: str) -> bool:
        assert isinstance(target, ByDescriptor)
        here, there = self._descriptor, target._descriptor
        return _linked(lambda: os.link(name, new, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False))

    def rename(self, name: str, target: Folder, new: str) -> None:
        assert isinstance(target, ByDescriptor)
        os.rename(name, new, src_dir_fd=self._descriptor, dst_dir_fd=target._descriptor)

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def identity(self) -> tuple[int, int]:
        return _identity(os.fstat(self._descriptor))


class ByPath(directories.ByPath):
    """Where it has not (Windows): every folder was looked at before it was entered, and a link among them refused."""

    def make(self, name: str) -> None:
        (self._path / name).mkdir()

    def create(self, name: str) -> int:
        return os.open(self._path / name, _CREATE, 0o666)

    def remove(self, name: str) -> None:
        (self._path / name).unlink()

    def remove_empty(self, name: str) -> bool:
        return self.look(name) == "folder" and _removed((self._path / name).rmdir)

    def link(self, name: str, target: Folder, new: str) -> bool:
        assert isinstance(target, ByPath)
        there = target._path
        return _linked(lambda: (there / new).hardlink_to(self._path / name))

    def rename(self, name: str, target: Folder, new: str) -> None:
        assert isinstance(target, ByPath)
        (self._path / name).rename(target._path / new)

    def sync(self) -> None:
        with suppress(PermissionError):
            sync_folder(self._path)

    def identity(self) -> tuple[int, int]:
        return _identity(self._path.stat())


def _identity(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino


def _removed(remove: Callable[[], None]) -> bool:
    try:
        remove()
    except OSError as problem:
        if problem.errno in _STAYS:
            return False
        raise
    return True


def _linked(link: Callable[[], None]) -> bool:
    try:
        link()
    except OSError as problem:
        if problem.errno in _NO_LINKS:
            return False
        raise
    return True
