"""The one door through which pictures enter a run directory: whole and durable under their name, or not at all.

Rules that hold this file together:
- A path is checked again here, and every folder on it is entered from the one before, so no symbolic link is followed.
- A file is written under another name, `.NAME.N.part`, synced, and then *linked* to its own: linking, unlike renaming,
  cannot replace what is there. Where a file system has no links it is renamed after a look. The folders that hold the
  new entries are synced, and only then is the picture said to be placed.
- No picture is ever overwritten or deleted, whoever made it, and no folder that holds anything. The same picture at the
  same place is taken as done: a crash between the last step and the journal's leaves exactly that.
- What a file says and where it stands is answered with a value. What the machine cannot do is raised as MachineError
  with the name of the file: it ends the run.
- There is no state but what the folders say, so several threads may place, move and adopt at once. Only `tidy` is for
  before that: a folder that it removes may be one that another thread has just entered.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

from flux2batch.durable import sync_file
from flux2batch.pictures import paths
from flux2batch.pictures.checking import EXTENSIONS, MAX_BYTES, Flaw, check
from flux2batch.pictures.describing import without_description
from flux2batch.pictures.folders import Folder, open_folder
from flux2batch.pictures.parts import format_of
from flux2batch.pictures.troubles import machine_error

_PART = re.compile(r"\..+\.\d+\.part")
_PART_STEM_BYTES = 200
_DEEPEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A file that is whole, durable and at its place."""

    path: str  # relative to the run directory; its extension is what the bytes are, whatever was asked for
    sha256: str  # of what lies there
    size_bytes: int
    was_there: bool  # the same picture lay there already


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Nothing was changed, because of what stands at the path, or because the path is none to write to."""

    path: str
    kind: Literal["ours", "foreign", "folder", "link", "unsafe"]
    reason: str  # in words for people


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """What should be moved, read or adopted is gone, is not what the journal says, or is no whole picture."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Spot:
    folder: Folder
    name: str


class _Blocked(Exception):
    """Carries a conflict out of a walk; it never leaves this module."""

    def __init__(self, conflict: Conflict) -> None:
        self.conflict = conflict


class Gallery:
    """The pictures of one run directory. `known` tells the sha256 of the picture that the journal has at a path."""

    def __init__(self, root: Path, *, known: Callable[[str], str | None]) -> None:
        self._root = root
        self._known = known
        self._numbers = count()
        self._synced: set[tuple[str, ...]] = set()  # folders whose own entry is durable

    # What a run asks before it spends anything.

    def probe(self) -> None:
        """Write, name and remove a file as a picture would be. Raises MachineError where that does not work."""
        with self._doing("", needed=1):
            folder = open_folder(self._root)
            try:
                part = self._write_part(folder, "probe", b"\n")
                folder.sync()
                folder.remove(part)
            finally:
                folder.close()

    def in_the_way(self, path: str) -> Conflict | None:
        """What keeps a picture from being placed at this path, as things stand."""
        try:
            with self._doing(path), self._walk(path, make=False) as spot:
                there = None if spot is None else self._standing(spot, path, wanted="")
                assert not isinstance(there, Placed)
                return there
        except _Blocked as blocked:
            return blocked.conflict

    def sweep(self) -> tuple[str, ...]:
        """Remove what a killed run left half written, and say what that was."""
        removed: list[str] = []
        with self._doing(""):
            root = open_folder(self._root)
            try:
                _sweep(root, "", removed)
            finally:
                root.close()
        return tuple(removed)

    def tidy(self, left: Iterable[str]) -> None:
        """Remove the folders of these paths that are empty since their pictures were moved, and those around them."""
        folders: dict[tuple[str, ...], str] = {}
        for path in left:
            *names, picture = path.split("/")
            folders |= {tuple(names[:depth]): picture for depth in range(1, len(names) + 1)}
        for folder, picture in sorted(folders.items(), key=lambda item: len(item[0]), reverse=True):
            around = "/".join((*folder[:-1], picture))
            with self._doing(around), suppress(_Blocked), self._walk(around, make=False) as spot:
                if spot is not None and spot.folder.remove_empty(folder[-1]):
                    spot.folder.sync()
                    self._synced.discard(folder)

    def missing(self, path: str, *, sha256: str) -> str | None:
        """Why the picture of the journal is not at its path any more, or None where it is there unchanged."""
        content = self.read(path, sha256=sha256)
        return content.reason if isinstance(content, Unusable) else None

    # What a run does.

    def place(self, content: bytes, path: str) -> Placed | Conflict:
        """Save a picture that was checked. It lands under the extension of what it is."""
        kind = format_of(content)
        assert kind is not None, "BUG: only what `check` has passed is placed"
        path = paths.with_extension(path, EXTENSIONS[kind])
        try:
            with self._doing(path, needed=len(content)), self._walk(path, make=True) as spot:
                assert spot is not None
                return self._placed(content, spot, path)
        except _Blocked as blocked:
            return blocked.conflict

    def place_original(self, content: bytes, path: str) -> Placed | Conflict:
        """Keep a picture as it came that is trimmed for this path, beside those that came for it before."""
        kind = format_of(content)
        assert kind is not None, "BUG: only what `check` has passed is placed"
        return self.place(content, paths.original_path(paths.with_extension(path, EXTENSIONS[kind]), _digest(content)))

    def place_sidecar(self, content: bytes, picture: str) -> Placed | Conflict:
        """Lay a description beside the picture at this path, in the place of an older one."""
        path = paths.sidecar_path(picture)
        try:
            with self._doing(path, needed=len(content)), self._walk(path, make=True) as spot:
                assert spot is not None
                there = self._placed(content, spot, path)
                if isinstance(there, Placed) or not _is_description(spot):
                    return there
                part = self._write_part(spot.folder, spot.name, content)
                spot.folder.rename(part, spot.folder, spot.name)
                spot.folder.sync()
                return Placed(path=path, sha256=_digest(content), size_bytes=len(content), was_there=False)
        except _Blocked as blocked:
            return blocked.conflict

    def move(self, old: str, new: str, *, sha256: str) -> Placed | Conflict | Unusable:
        """Bring a picture to another path. Asked again after a crash in the middle, it finishes what it began."""
        new = paths.with_extension(new, paths.extension(old))
        try:
            with self._doing(new), self._walk(old, make=False) as source, self._walk(new, make=True) as target:
                assert target is not None
                content = _unchanged(source, old, sha256)
                there = self._standing(target, new, wanted=sha256)
                if isinstance(there, Conflict):
                    return there
                if isinstance(content, Unusable):
                    return there or content  # it was moved before, and the journal did not hear of it
                assert source is not None
                _carry(source, target, is_there=there is not None)
                return Placed(path=new, sha256=sha256, size_bytes=len(content), was_there=there is not None)
        except _Blocked as blocked:
            return blocked.conflict

    def adopt(self, source: Gallery, source_path: str, path: str, *, sha256: str) -> Placed | Conflict | Unusable:
        """Lay a picture of another run directory here as well: by a second name of the same file, else by a copy."""
        path = paths.with_extension(path, paths.extension(source_path))
        try:
            with self._doing(path), self._walk(path, make=True) as target:
                assert target is not None
                there = self._standing(target, path, wanted=sha256)
                if there is not None:
                    return there
                return self._adopted(source, source_path, target, path, sha256)
        except _Blocked as blocked:
            return blocked.conflict

    def read(self, path: str, *, sha256: str | None) -> bytes | Unusable:
        """A picture of this run directory, the one with this hash where one is given."""
        try:
            with self._walk(path, make=False) as spot:
                return _content(spot, path) if sha256 is None else _unchanged(spot, path, sha256)
        except _Blocked as blocked:
            return Unusable(path=path, reason=blocked.conflict.reason)
        except OSError as problem:
            return Unusable(path=path, reason=_cannot_be_read(problem))

    # How it is done.

    def _placed(self, content: bytes, spot: _Spot, path: str) -> Placed | Conflict:
        digest = _digest(content)
        there = self._standing(spot, path, wanted=digest)
        if isinstance(there, Conflict) and there.kind == "foreign":
            return _same_picture(content, spot, path) or there
        if there is not None:
            return there
        part = self._write_part(spot.folder, spot.name, content)
        return self._named(part, spot, path, digest, len(content))

    def _adopted(
        self, source: Gallery, source_path: str, target: _Spot, path: str, sha256: str
    ) -> Placed | Conflict | Unusable:
        part = self._part_name(target.name)
        try:
            with source._walk(source_path, make=False) as origin:
                content = _content(origin, source_path)
                if isinstance(content, Unusable):
                    return content
                assert origin is not None
                if not origin.folder.link(origin.name, target.folder, part):
                    part = self._write_part(target.folder, target.name, content)
        except _Blocked as blocked:
            return Unusable(path=source_path, reason=blocked.conflict.reason)
        except FileNotFoundError:
            return Unusable(path=source_path, reason="it is gone")

        # Read by its new name: what the old one leads to may have been exchanged in between.
        content = _unchanged(_Spot(target.folder, part), source_path, sha256)
        flaw = content if isinstance(content, Unusable) else _flaw(content, source_path, path)
        if isinstance(content, Unusable) or flaw is not None:
            target.folder.remove(part)
            assert flaw is not None
            return flaw
        _sync(_Spot(target.folder, part))
        return self._named(part, target, path, sha256, len(content))

    def _standing(self, spot: _Spot, path: str, *, wanted: str) -> Placed | Conflict | None:
        """What stands at a path: nothing, the very bytes that are wanted there, or what is in the way."""
        match spot.folder.look(spot.name):
            case "missing":
                return None
            case "folder":
                return Conflict(path=path, kind="folder", reason="a folder has this name")
            case "link":
                return Conflict(path=path, kind="link", reason="a symlink has this name, and none is followed")
            case "special":
                return Conflict(path=path, kind="foreign", reason="a pipe or a device has this name")
            case "file":
                pass
        known = self._known(path)
        content = _content(spot, path) if wanted or known else b""
        if isinstance(content, Unusable):
            return Conflict(path=path, kind="foreign", reason="a file of this name is there, and it cannot be read")
        digest = _digest(content)
        if digest == wanted:
            _sync(spot)
            spot.folder.sync()
            return Placed(path=path, sha256=digest, size_bytes=len(content), was_there=True)
        if digest == known:
            return Conflict(path=path, kind="ours", reason="the picture of another shot is there")
        return Conflict(path=path, kind="foreign", reason="a file is there that this run did not make")

    def _named(self, part: str, spot: _Spot, path: str, digest: str, size_bytes: int) -> Placed | Conflict:
        """Give what is whole its own name, and no other file that name's place."""
        try:
            if spot.folder.link(part, spot.folder, spot.name):
                spot.folder.sync()
                spot.folder.remove(part)
            elif spot.folder.look(spot.name) == "missing":
                spot.folder.rename(part, spot.folder, spot.name)
                spot.folder.sync()
            else:
                raise FileExistsError
        except FileExistsError:
            spot.folder.remove(part)
            there = self._standing(spot, path, wanted=digest)
            return there or Conflict(path=path, kind="foreign", reason="a file of this name came and went")
        except BaseException:
            with suppress(OSError):
                spot.folder.remove(part)
            raise
        return Placed(path=path, sha256=digest, size_bytes=size_bytes, was_there=False)

    def _part_name(self, name: str) -> str:
        # The number keeps two threads apart; the name is there for whoever finds the file.
        stem = name.encode()[:_PART_STEM_BYTES].decode(errors="ignore")
        return f".{stem}.{next(self._numbers)}.part"

    def _write_part(self, folder: Folder, name: str, content: bytes) -> str:
        part = self._part_name(name)
        while folder.look(part) != "missing":  # left by a run that was killed: `sweep` removes it
            part = self._part_name(name)
        descriptor = folder.create(part)
        try:
            try:
                _write(descriptor, content)
                sync_file(descriptor)
            finally:
                os.close(descriptor)
        except BaseException:
            with suppress(OSError):
                folder.remove(part)
            raise
        return part

    @contextmanager
    def _walk(self, path: str, *, make: bool) -> Iterator[_Spot | None]:
        """The folder that holds the last name of the path; None where there is none and none is to be made."""
        if reason := paths.unsafe(path):
            raise _Blocked(Conflict(path=path, kind="unsafe", reason=f"no picture may be written there: {reason}"))
        *names, last = path.split("/")
        here = open_folder(self._root)
        try:
            for depth, name in enumerate(names, start=1):
                if make:
                    self._ensure(here, tuple(names[:depth]))
                elif here.look(name) == "missing":
                    yield None
                    return
                inner = _enter(here, name, path)
                here.close()
                here = inner
            yield _Spot(here, last)
        finally:
            here.close()

    def _ensure(self, here: Folder, names: tuple[str, ...]) -> None:
        """A folder that is there and stays there. Another thread may be making it at this moment."""
        if names in self._synced and here.look(names[-1]) != "missing":
            return
        if here.look(names[-1]) == "missing":
            with suppress(FileExistsError):
                here.make(names[-1])
        here.sync()
        self._synced.add(names)

    @contextmanager
    def _doing(self, path: str, *, needed: int = 0) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise machine_error(problem, self._root, path, needed=needed) from problem


def _enter(here: Folder, name: str, path: str) -> Folder:
    kind = here.look(name)
    if kind == "folder":
        try:
            return here.enter(name)
        except NotADirectoryError:
            kind = here.look(name)  # exchanged at this very moment
        except OSError:
            kind = here.look(name)
            if kind == "folder":
                raise
    if kind == "link":
        raise _Blocked(Conflict(path=path, kind="link", reason=f"'{name}' is a symlink, and none is followed"))
    raise _Blocked(Conflict(path=path, kind="foreign", reason=f"'{name}' is not a folder"))


def _carry(source: _Spot, target: _Spot, *, is_there: bool) -> None:
    """Take a file from one name to another, where the other is free or is already the second name of the same bytes."""
    if is_there:
        _drop_second_name(source, target)
    elif source.folder.link(source.name, target.folder, target.name):
        target.folder.sync()
        source.folder.remove(source.name)
    else:
        source.folder.rename(source.name, target.folder, target.name)
    target.folder.sync()
    source.folder.sync()


def _drop_second_name(source: _Spot, target: _Spot) -> None:
    if source.folder.identity() != target.folder.identity():
        source.folder.remove(source.name)
        return
    # In one folder two names may be two spellings of one file, where capitals do not count: removing either would
    # remove the picture. What the folder itself lists tells.
    listed = {name for name, _ in source.folder.entries()} & {source.name, target.name}
    if listed == {source.name, target.name} and source.name != target.name:
        source.folder.remove(source.name)
    elif target.name not in listed:
        source.folder.rename(source.name, target.folder, target.name)


def _content(spot: _Spot | None, path: str) -> bytes | Unusable:
    kind = "missing" if spot is None else spot.folder.look(spot.name)
    if spot is None or kind == "missing":
        return Unusable(path=path, reason="it is gone")
    if kind != "file":
        return Unusable(path=path, reason="it is a symlink" if kind == "link" else "it is no file")
    try:
        descriptor = spot.folder.open(spot.name)
    except FileNotFoundError:
        return Unusable(path=path, reason="it is gone")
    except OSError as problem:
        return Unusable(path=path, reason=_cannot_be_read(problem))
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        size = os.fstat(descriptor).st_size
        if size > MAX_BYTES:
            return Unusable(path=path, reason=f"it is larger than {MAX_BYTES // 1_000_000} MB")
        try:
            content = file.read(size)
        except OSError as problem:
            return Unusable(path=path, reason=_cannot_be_read(problem))
    return content or b""


def _cannot_be_read(problem: OSError) -> str:
    return f"it cannot be read: {(problem.strerror or 'the system does not say why').lower()}"


def _unchanged(spot: _Spot | None, path: str, sha256: str) -> bytes | Unusable:
    content = _content(spot, path)
    if isinstance(content, Unusable) or _digest(content) == sha256:
        return content
    return Unusable(path=path, reason="it was changed since it was saved")


def _flaw(content: bytes, source_path: str, path: str) -> Unusable | None:
    """Why a picture of another run directory is not taken: its journal may have been written by anybody."""
    checked = check(content, asked_format="", asked_size=None)
    if isinstance(checked, Flaw):
        return Unusable(path=source_path, reason=checked.reason)
    if paths.with_extension(path, checked.extension) != path or len(checked.content) != len(content):
        return Unusable(path=source_path, reason="it is not only the picture that its name says")
    return None


def _same_picture(content: bytes, spot: _Spot, path: str) -> Placed | None:
    """The picture itself, with other words in it: placed by a run that died before it could say so, and was followed by
    one of a later version or with a price that it did not know."""
    there = _content(spot, path)
    if format_of(content) is None or isinstance(there, Unusable):
        return None
    if isinstance(check(there, asked_format="", asked_size=None), Flaw):
        return None
    if without_description(there) != without_description(content):
        return None
    _sync(spot)
    spot.folder.sync()
    return Placed(path=path, sha256=_digest(there), size_bytes=len(there), was_there=True)


def _is_description(spot: _Spot) -> bool:
    content = _content(spot, "")
    return isinstance(content, bytes) and content.startswith(b'{\n "flux2batch": ')


def _sync(spot: _Spot) -> None:
    descriptor = spot.folder.open(spot.name)
    try:
        with suppress(PermissionError):  # Windows syncs only what is open for writing
            sync_file(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _sweep(folder: Folder, prefix: str, removed: list[str], depth: int = 0) -> None:
    for name, kind in list(folder.entries()):
        path = f"{prefix}{name}"
        if kind in ("file", "link") and _PART.fullmatch(name):
            with suppress(FileNotFoundError):
                folder.remove(name)
                removed.append(path)
        elif kind == "folder" and depth < _DEEPEST and (not name.startswith(".") or not prefix):
            with suppress(NotADirectoryError, PermissionError):
                inner = folder.enter(name)
                try:
                    _sweep(inner, f"{path}/", removed, depth + 1)
                finally:
                    inner.close()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
