"""A disk that forgets: records what is written, synced and named, and says what a power loss leaves of it.

Rules that hold this file together, none kinder than POSIX:
- what is written to a file is durable when that file was synced after it; until then any 512-byte sector of it may be
  there or not, in any order;
- a name is durable when its folder was synced after it was given; syncing a file says nothing about its name;
- of changes to a folder that were not synced any may be there and any not; a rename happens as a whole or not at all.
"""

from __future__ import annotations

import os
import random
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

_SECTOR = 512
Keeps = Literal["only what was synced", "any sectors", "the first of it", "all of it"]
KEEPS: tuple[Keeps, ...] = ("only what was synced", "any sectors", "the first of it", "all of it")


@dataclass(frozen=True, slots=True)
class Op:
    """One thing that happened. `node` is a file or folder by our own number."""

    kind: Literal["write", "cut", "sync", "name", "drop", "rename", "mark"]
    node: int
    name: str = ""
    other: int = 0  # name: what gets the name; rename: the target folder
    new: str = ""
    at: int = 0
    data: bytes = b""
    is_folder: bool = False  # name: what gets it
    mark: object = None


@dataclass
class Disk:
    """The record of one folder, which is durable and empty when it begins."""

    root: Path
    ops: list[Op] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()  # held over a change and its record: the system gives inodes away again at once
        self._nodes: dict[int, int] = {}  # inode → our number
        self._count = 0
        self._folders = {self._known(self.root.stat().st_ino)}

    # What is recorded.

    def mark(self, what: object) -> None:
        """Something happened in the world: whoever reads the record wants to know that it was before a loss."""
        self._add(Op("mark", 0, mark=what))

    def has_folder(self, inode: int) -> bool:
        """Whether this is one of the folders that are recorded. A file that is gone may have left its inode to any."""
        return self._nodes.get(inode) in self._folders

    def made(self, folder_inode: int, name: str, inode: int, *, is_folder: bool = False) -> None:
        """A new file or folder has got its name."""
        with self.lock:
            if self.has_folder(folder_inode):
                self._nodes.pop(inode, None)
                node = self._known(inode)
                self._folders |= {node} if is_folder else set()
                self._add(Op("name", self._nodes[folder_inode], name, other=node, is_folder=is_folder))

    def written(self, inode: int, at: int, data: bytes) -> None:
        if inode in self._nodes:
            self._add(Op("write", self._nodes[inode], at=at, data=bytes(data)))

    def cut(self, inode: int, size: int) -> None:
        if inode in self._nodes:
            self._add(Op("cut", self._nodes[inode], at=size))

    def synced(self, inode: int) -> None:
        if inode in self._nodes:
            self._add(Op("sync", self._nodes[inode]))

    def linked(self, folder_inode: int, name: str, inode: int) -> None:
        if self.has_folder(folder_inode):
            self._add(Op("name", self._nodes[folder_inode], name, other=self._known(inode)))

    def dropped(self, folder_inode: int, name: str) -> None:
        if self.has_folder(folder_inode):
            self._add(Op("drop", self._nodes[folder_inode], name))

    def renamed(self, folder_inode: int, name: str, target_inode: int, new: str) -> None:
        if self.has_folder(folder_inode) and self.has_folder(target_inode):
            self._add(Op("rename", self._nodes[folder_inode], name, other=self._nodes[target_inode], new=new))

    def knows(self, inode: int) -> bool:
        return inode in self._nodes

    def _known(self, inode: int) -> int:
        with self.lock:
            if inode not in self._nodes:
                self._nodes[inode] = self._count
                self._count += 1
            return self._nodes[inode]

    def _add(self, op: Op) -> None:
        with self.lock:
            self.ops.append(op)


# What is left.


@dataclass
class _File:
    content: bytearray = field(default_factory=bytearray)
    pending: list[Op] = field(default_factory=list)


@dataclass
class _Folder:
    names: dict[str, int] = field(default_factory=dict)
    pending: list[Op] = field(default_factory=list)


def after_power_loss(disk: Disk, upto: int, keeps: Keeps, chance: random.Random) -> dict[str, bytes | None]:
    """Every path with its content, None for a folder, when the power failed after so many operations."""
    files: dict[int, _File] = {}
    folders: dict[int, _Folder] = {0: _Folder()}
    for op in disk.ops[:upto]:
        match op.kind:
            case "write" | "cut":
                files.setdefault(op.node, _File()).pending.append(op)
            case "name" | "drop":
                folders[op.node].pending.append(op)
                if op.is_folder:
                    folders[op.other] = _Folder()
            case "rename":
                for node in {op.node, op.other}:
                    folders[node].pending.append(op)
            case "sync" if op.node in folders:
                _settle(folders, folders[op.node].pending[:])
            case "sync":
                file = files.setdefault(op.node, _File())
                _write(file, file.pending)
                file.pending.clear()
    for file in files.values():
        _write(file, _kept(file.pending, keeps, chance))
    for node in sorted(folders):
        _settle(folders, _some(folders[node].pending, keeps, chance))
    return dict(_tree(0, "", files, folders))


def _some(pending: list[Op], keeps: Keeps, chance: random.Random) -> list[Op]:
    match keeps:
        case "only what was synced":
            return []
        case "all of it":
            return list(pending)
        case "the first of it":
            return pending[: chance.randint(0, len(pending))]
        case "any sectors":
            return [op for op in pending if chance.random() < 0.5]


def _kept(pending: list[Op], keeps: Keeps, chance: random.Random) -> list[Op]:
    if keeps != "any sectors":
        return _some(pending, keeps, chance)
    sectors = []
    for op in pending:
        if op.kind == "cut":
            sectors.append(op)
            continue
        start = 0
        while start < len(op.data):
            end = start + _SECTOR - (op.at + start) % _SECTOR
            sectors.append(Op("write", op.node, at=op.at + start, data=op.data[start:end]))
            start = end
    return _some(sectors, keeps, chance)


def _write(file: _File, ops: list[Op]) -> None:
    for op in ops:
        if op.kind == "cut":
            del file.content[op.at :]
            file.content.extend(bytes(max(0, op.at - len(file.content))))
        else:
            file.content.extend(bytes(max(0, op.at - len(file.content))))
            file.content[op.at : op.at + len(op.data)] = op.data


def _settle(folders: dict[int, _Folder], ops: list[Op]) -> None:
    """These changes are on the disk. A rename between two folders happens in both at once."""
    for op in ops:
        here = folders[op.node]
        match op.kind:
            case "name":
                here.names[op.name] = op.other
            case "drop":
                here.names.pop(op.name, None)
            case "rename" if op.name in here.names:
                folders[op.other].names[op.new] = here.names.pop(op.name)
        for of in {op.node, op.other} if op.kind == "rename" else {op.node}:
            if op in folders[of].pending:
                folders[of].pending.remove(op)


def _tree(
    node: int, path: str, files: dict[int, _File], folders: dict[int, _Folder]
) -> Iterator[tuple[str, bytes | None]]:
    for name, inner in sorted(folders[node].names.items()):
        if inner in folders:
            yield f"{path}{name}", None
            yield from _tree(inner, f"{path}{name}/", files, folders)
        else:
            yield f"{path}{name}", bytes(files.get(inner, _File()).content)


def lay_out(left: dict[str, bytes | None], target: Path) -> None:
    """Write what is left into an empty folder."""
    target.mkdir(parents=True)
    for path, content in left.items():
        if content is None:
            (target / path).mkdir(parents=True, exist_ok=True)
        else:
            (target / path).write_bytes(content)


# Watching the calls of Python's own code.


@contextmanager
def watching(disk: Disk) -> Iterator[None]:
    """Record what is done through `os` inside the folder, by whatever thread, while this lasts."""
    real = {name: getattr(os, name) for name in ("open", "write", "fsync", "link", "rename", "replace", "unlink")}
    real |= {name: getattr(os, name) for name in ("remove", "mkdir", "rmdir")}
    watch = _Watch(disk, real)
    ours = {
        name: _alone(disk, getattr(watch, name)) if name in _CHANGES_NAMES else getattr(watch, name) for name in real
    }
    for name, function in ours.items():
        setattr(os, name, function)
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)


_CHANGES_NAMES = ("open", "link", "rename", "replace", "unlink", "remove", "mkdir", "rmdir")


def _alone(disk: Disk, function: Callable[..., Any]) -> Callable[..., Any]:
    def alone(*arguments: Any, **more: Any) -> Any:
        with disk.lock:
            return function(*arguments, **more)

    return alone


class _Watch:
    """The functions of `os` that change a disk, each of which tells the record and does what it always did."""

    def __init__(self, disk: Disk, real: dict[str, Callable[..., Any]]) -> None:
        self._disk = disk
        self._real = real

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        makes = bool(flags & os.O_CREAT) and not self._is_there(path, dir_fd)
        descriptor: int = self._real["open"](path, flags, mode, dir_fd=dir_fd)
        if makes:
            self._disk.made(*self._named(path, dir_fd), os.fstat(descriptor).st_ino)
        return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        state = os.fstat(descriptor)
        if stat.S_ISREG(state.st_mode) and self._disk.knows(state.st_ino):
            self._disk.written(state.st_ino, os.lseek(descriptor, 0, os.SEEK_CUR), bytes(data))
        written: int = self._real["write"](descriptor, data)
        return written

    def fsync(self, descriptor: int) -> None:
        self._real["fsync"](descriptor)
        self._disk.synced(os.fstat(descriptor).st_ino)

    def link(self, source: Any, target: Any, *, src_dir_fd: Any = None, dst_dir_fd: Any = None, **more: Any) -> None:
        self._real["link"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, **more)
        inode = os.stat(target, dir_fd=dst_dir_fd, follow_symlinks=False).st_ino
        self._disk.linked(*self._named(target, dst_dir_fd), inode)

    def rename(self, source: Any, target: Any, *, src_dir_fd: Any = None, dst_dir_fd: Any = None) -> None:
        self._adopt(source, src_dir_fd)
        self._disk.renamed(*self._named(source, src_dir_fd), *self._named(target, dst_dir_fd))
        self._real["rename"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def replace(self, source: Any, target: Any, *, src_dir_fd: Any = None, dst_dir_fd: Any = None) -> None:
        self._adopt(source, src_dir_fd)
        self._disk.renamed(*self._named(source, src_dir_fd), *self._named(target, dst_dir_fd))
        self._real["replace"](source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._disk.dropped(*self._named(path, dir_fd))
        self._real["unlink"](path, dir_fd=dir_fd)

    remove = unlink

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._real["rmdir"](path, dir_fd=dir_fd)
        self._disk.dropped(*self._named(path, dir_fd))

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        self._real["mkdir"](path, mode, dir_fd=dir_fd)
        self._disk.made(*self._named(path, dir_fd), os.stat(path, dir_fd=dir_fd).st_ino, is_folder=True)

    def _named(self, path: Any, dir_fd: int | None) -> tuple[int, str]:
        """The folder's inode, and the last name."""
        text = os.fsdecode(path)
        head, name = os.path.split(text)  # noqa: PTH206, RUF100  # a Path would call the very functions that are watched
        if dir_fd is not None and not head:
            return os.fstat(dir_fd).st_ino, name
        try:
            return os.stat(head or ".", dir_fd=dir_fd).st_ino, name
        except OSError:
            return 0, name

    def _is_there(self, path: Any, dir_fd: int | None) -> bool:
        try:
            os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
        except OSError:
            return False
        return True

    def _adopt(self, path: Any, dir_fd: int | None) -> None:
        """A file that was written behind our back, by `open`: all of it is unsynced."""
        try:
            inode = os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_ino
        except OSError:
            return
        folder, name = self._named(path, dir_fd)
        if self._disk.knows(inode) or not self._disk.has_folder(folder) or dir_fd is not None:
            return
        with open(path, "rb") as file:  # noqa: PTH123  # as above
            content = file.read()
        self._disk.made(folder, name, inode)
        self._disk.written(inode, 0, content)
