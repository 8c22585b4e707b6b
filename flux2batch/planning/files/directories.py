"""One open directory at a time, entered name by name, so that no symbolic link is ever followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol, Self

Kind = Literal["file", "folder", "link", "special", "missing"]

# O_NONBLOCK: opening a pipe must not wait for its writer. O_NOCTTY: opening a terminal must not adopt it.
# O_BINARY exists on Windows alone, the others do not exist there.
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_READ_FILE = _READ | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_READ_FOLDER = _READ | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)

HAS_OPENAT = {os.open, os.stat} <= os.supports_dir_fd and os.scandir in os.supports_fd and hasattr(os, "O_NOFOLLOW")


class Directory(Protocol):
    """A directory that stays the same one while it is open. What it holds may change: every step looks again."""

    def look(self, name: str) -> Kind: ...

    def entries(self) -> Iterator[tuple[str, Kind]]: ...

    def enter(self, name: str) -> Self: ...

    def open(self, name: str) -> int: ...

    def close(self) -> None: ...


def directory(path: Path) -> Directory:
    """The directory at a path that the user himself named: links on the way to it are his own."""
    if HAS_OPENAT:
        return ByDescriptor(os.open(path, _READ | os.O_DIRECTORY))
    return ByPath(path)


class ByDescriptor:
    """Where the system has openat: a name is looked up in the open directory itself, never by a path."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def look(self, name: str) -> Kind:
        try:
            return _kind(os.stat(name, dir_fd=self._descriptor, follow_symlinks=False))
        except OSError as refused:
            return _missing(refused)

    def entries(self) -> Iterator[tuple[str, Kind]]:
        with os.scandir(self._descriptor) as found:
            for entry in found:
                yield entry.name, _kind_of(entry)

    def enter(self, name: str) -> Self:
        return type(self)(os.open(name, _READ_FOLDER, dir_fd=self._descriptor))

    def open(self, name: str) -> int:
        return os.open(name, _READ_FILE, dir_fd=self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class ByPath:
    """Where it has not (Windows): look first, open, and refuse unless what was opened is what was looked at."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def look(self, name: str) -> Kind:
        try:
            return _kind((self._path / name).lstat())
        except OSError as refused:
            return _missing(refused)

    def entries(self) -> Iterator[tuple[str, Kind]]:
        with os.scandir(self._path) as found:
            for entry in found:
                yield entry.name, self.look(entry.name)

    def enter(self, name: str) -> Self:
        if self.look(name) != "folder":
            raise NotADirectoryError(name)
        return type(self)(self._path / name)

    def open(self, name: str) -> int:
        path = self._path / name
        before = path.lstat()
        if _kind(before) != "file":
            raise OSError(f"{name} is not a file")
        descriptor = os.open(path, _READ_FILE)
        after = os.fstat(descriptor)
        # A link that was put in place in between, here or at a folder above, leads to another file.
        if (before.st_dev, before.st_ino) != (after.st_dev, after.st_ino) or path.resolve() != path:
            os.close(descriptor)
            raise OSError(f"{name} changed while it was opened")
        return descriptor

    def close(self) -> None: ...


def is_file(descriptor: int) -> bool:
    """Whether what was opened is a regular file, asked of the open descriptor, where nobody can swap it."""
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _missing(refused: OSError) -> Kind:
    """What no file can be called is not there; what may not be looked at is another matter, and raised."""
    if refused.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return "missing"
    raise refused


def _kind(state: os.stat_result) -> Kind:
    # Junctions and other reparse points of Windows lead elsewhere as links do.
    reparse = getattr(state, "st_file_attributes", 0) & getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0)
    if stat.S_ISLNK(state.st_mode) or reparse:
        return "link"
    if stat.S_ISDIR(state.st_mode):
        return "folder"
    return "file" if stat.S_ISREG(state.st_mode) else "special"


def _kind_of(entry: os.DirEntry[str]) -> Kind:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "special"
