"""The small pictures beside a page: which are there, and those that are not made in several threads."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flux2batch.errors import MachineError
from flux2batch.pictures.checking import Flaw
from flux2batch.pictures.thumbnails import EXTENSION, LARGE, MEDIA_TYPE, SMALL, thumbnails

FOLDER = ".sheet"
_SIZES = {"s": SMALL, "l": LARGE}
_MOST_THREADS = 4  # decoding and scaling leave Python; more threads than cores only wait for one another


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture whose thumbnails are wanted, under the name that its content gives them."""

    key: str
    source: Path


def small_name(key: str) -> str:
    """The file that a picture's small thumbnail is."""
    return f"{key}-s{EXTENSION}"


def as_uri(thumbnail: bytes) -> str:
    """A thumbnail for a page that has no file beside it."""
    return f"data:{MEDIA_TYPE};base64,{base64.b64encode(thumbnail).decode()}"


def is_small(name: str) -> bool:
    """Whether a file is one."""
    return name.endswith(small_name(""))


def names_of(key: str) -> tuple[str, ...]:
    """The files that a picture's thumbnails are."""
    return tuple(f"{key}-{size}{EXTENSION}" for size in _SIZES)


class ThumbnailFolder:
    """`.sheet/` beside a page. What was made once stays: a picture that moves keeps its thumbnails."""

    def __init__(self, beside: Path) -> None:
        self.path = beside / FOLDER
        self._there: set[str] = set()
        self._hopeless: set[str] = set()  # pictures that do not decode: not tried again by this process
        self._begun: dict[str, Future[None]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self.look()

    def look(self) -> None:
        """Look again what is there."""
        if self.path.is_symlink():
            raise MachineError(f"{self.path} is a symlink, and none is followed. Remove it, and try again.")
        try:
            with os.scandir(self.path) as found:
                self._there = {entry.name for entry in found if entry.is_file(follow_symlinks=False)}
        except FileNotFoundError:
            self._there = set()

    def has(self, key: str) -> bool:
        """Whether a picture's thumbnails are there."""
        return small_name(key) in self._there

    def has_file(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return name in self._there

    def size_of(self, names: Iterable[str]) -> int:
        """Bytes on disk."""
        return sum((self.path / name).stat().st_size for name in names if name in self._there)

    def begin(self, wanted: Wanted) -> None:
        """Make a picture's thumbnails soon, unless they are there. Any thread may ask; what fails is left out."""
        if self.has(wanted.key) or wanted.key in self._begun:
            return
        if self._pool is None:
            threads = min(_MOST_THREADS, os.cpu_count() or 1)
            self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="thumbnails")
        begun = self._begun[wanted.key] = self._pool.submit(self._make, wanted)
        # What is made is found in the folder: a run of a hundred thousand pictures must not remember each.
        begun.add_done_callback(lambda _: self._begun.pop(wanted.key, None))

    def make(self, all_wanted: Iterable[Wanted]) -> None:
        """Make what is missing, and wait for it."""
        missing = {one.key: one for one in all_wanted if not self.has(one.key) and one.key not in self._hopeless}
        for one in missing.values():
            self.begin(one)
        for key in missing:
            if begun := self._begun.pop(key, None):
                begun.result()
        self.look()

    def take_over(self, other: Path, keys: Iterable[str]) -> None:
        """Lay thumbnails here that another page has already."""
        if other == self.path or not other.is_dir() or other.is_symlink():
            return
        for name in (name for key in keys if not self.has(key) for name in names_of(key)):
            with suppress(OSError):
                self.path.mkdir(parents=True, exist_ok=True)
                if not (other / name).is_symlink():
                    _link_or_copy(other / name, self.path / name)
        self.look()

    def close(self, *, wait: bool) -> None:
        """No more are made; those that nobody began are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=wait, cancel_futures=True)
            self._pool = None
            self._begun.clear()

    def _make(self, wanted: Wanted) -> None:
        targets = {size: self.path / name for size, name in zip(_SIZES.values(), names_of(wanted.key), strict=True)}
        if isinstance(thumbnails(wanted.source, targets), Flaw):
            self._hopeless.add(wanted.key)
        else:
            self._there.update(names_of(wanted.key))


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except FileExistsError:
        return
    except OSError:
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        shutil.copyfile(source, part)
        part.replace(target)
