"""The one door to files of the job's folder: nothing outside is opened, no link is followed, sizes are bounded.

- A path is relative to the job file. It is first put together as text, `..` included; what then lies outside the job's
  folder (and outside every folder that the user allowed) is refused before the disk is asked anything.
- From there every name is looked up in the directory that was opened before it, so that no symbolic link, old or
  swapped in a moment ago, leads out.
- What cannot be opened is answered with a `FileFault`, never raised. The caller knows the place and makes it a problem.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from flux2batch.planning.files import globs
from flux2batch.planning.files.directories import Directory, directory, is_file
from flux2batch.reading.job import Job

MAX_BYTES = 20_000_000
"""Nothing larger is read unless the caller says so: it is what the services take as a picture, and much for a table."""

MAX_MATCHES = 500
"""Of one glob."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFault:
    """Why a file, or what stands in the place of one, cannot be used. It becomes a problem where its place is known."""

    code: str
    message: str
    help: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFile:
    """A file that was opened and read once, in whole."""

    path: str  # as one would write it in the job: relative to the job file, with "/"
    absolute: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spot:
    """A place inside one of the open bases, as names to be entered one by one."""

    base: Path
    parts: tuple[str, ...]
    shown: str


class _Refusal(Exception):
    """Carries a fault out of the walk; it never leaves this module."""

    def __init__(self, fault: FileFault) -> None:
        self.fault = fault


class JobFolder:
    """A job's folder, and the further folders that the user allowed.

    `folder` is where the job file lies, to which paths are relative; it is the root or lies below it. Nothing is kept
    open between two calls.
    """

    def __init__(self, root: Path, allowed: tuple[Path, ...] = (), *, folder: Path | None = None) -> None:
        self.root = Path(os.path.realpath(root))
        self.folder = Path(os.path.realpath(folder or root))
        self.allowed = tuple(Path(os.path.realpath(path)) for path in allowed)

    @classmethod
    def of(cls, job: Job) -> JobFolder:
        """The folder of a job."""
        return cls(job.root, job.allowed, folder=job.folder)

    def open(self, path: str, *, max_bytes: int = MAX_BYTES) -> OpenFile | FileFault:
        """The file at a path of the job, read in whole."""
        try:
            return _opened(self._locate(path), max_bytes)
        except _Refusal as refusal:
            return refusal.fault

    def reopen(self, absolute: str) -> OpenFile | FileFault:
        """A file that was opened before, by the absolute path that was answered then. It is looked at as if new."""
        where = Path(os.path.normpath(absolute))
        base = next((base for base in (self.root, *self.allowed) if where.is_relative_to(base)), None)
        if base is None:
            return FileFault(code="FB702", message=f"'{absolute}' is outside the job's folder {self.root}", help=None)
        try:
            return _opened(_Spot(base=base, parts=where.relative_to(base).parts, shown=absolute), MAX_BYTES)
        except _Refusal as refusal:
            return refusal.fault

    def glob(self, pattern: str, max: int | None = None) -> tuple[str, ...] | FileFault:
        """The files that match, in the order of their names, the first `max` of them; none is a fault.

        `*`, `?` and `[…]` stay within a name, `**` is any number of folders; upper and lower case differ everywhere,
        and what begins with a dot is matched only by a dot.
        """
        try:
            spot = self._locate(pattern)
            found = self._match(spot, pattern)
        except _Refusal as refusal:
            return refusal.fault
        return found[:max]

    def _match(self, spot: _Spot, pattern: str) -> tuple[str, ...]:
        search = globs.search(directory(spot.base), spot.parts)
        if search.links:
            _refuse_link(self._shown(spot.base, search.links[0], like=pattern))
        if search.gave_up:
            _refuse(
                "FB403",
                f"'{pattern}' looks through more than {globs.MAX_VISITED:,} files",
                "name the folder: 'refs/*.png' rather than '**/*.png'",
            )
        if not search.files:
            _refuse("FB402", f"nothing matches '{pattern}'", self._other_spelling(spot, pattern))
        if len(search.files) > MAX_MATCHES:
            _refuse(
                "FB403",
                f"{len(search.files)} files match '{pattern}', and at most {MAX_MATCHES} may",
                "make the pattern narrower",
            )
        return tuple(self._shown(spot.base, parts, like=pattern) for parts in search.files)

    def _other_spelling(self, spot: _Spot, pattern: str) -> str | None:
        """What the pattern would match if case did not matter, said as a pattern that does match."""
        loose = globs.search(directory(spot.base), spot.parts, ignore_case=True).files
        if not loose:
            return None
        for suffix in dict.fromkeys(Path(parts[-1]).suffix for parts in loose):
            other = re.sub(r"\.[^./]*$", suffix, pattern)
            matching = globs.search(directory(spot.base), self._locate(other).parts).files
            if matching:
                return f"{len(matching)} match '{other}'"
        return f"{len(loose)} match where upper and lower case do not matter, such as " + repr(
            self._shown(spot.base, loose[0], like=pattern)
        )

    def _locate(self, path: str) -> _Spot:
        _refuse_what_is_no_path(path)
        where = Path(os.path.normpath(self.folder / path))
        absolute = Path(path).is_absolute()

        for base in self.allowed if absolute else (self.root, *self.allowed):
            if where.is_relative_to(base):
                parts = where.relative_to(base).parts
                return _Spot(base=base, parts=parts, shown=self._shown(base, parts, like=path))

        if absolute and where.is_relative_to(self.root):
            written = _slashes(os.path.relpath(where, self.folder))
            _refuse("FB702", f"'{path}' is an absolute path", f"write it from the job file: {written}")
        raise _Refusal(
            FileFault(
                code="FB702",
                message=f"'{path}' is outside the job's folder {self.root}",
                help=f"move it into that folder, or allow its own: --allow-path {where.parent}",
            )
        )

    def _shown(self, base: Path, parts: tuple[str, ...], *, like: str) -> str:
        where = base.joinpath(*parts)
        return _slashes(str(where) if Path(like).is_absolute() else os.path.relpath(where, self.folder))


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _refuse_what_is_no_path(path: str) -> None:
    if not path.strip():
        _refuse("FB401", "the path is empty", None)
    if _CONTROL.search(path):
        _refuse("FB702", f"the path {path!r} holds a control character", "write the path without it")
    if path.lower().startswith("file:"):
        _refuse("FB702", f"'{path}' is a file URL", "write a path from the job file, such as refs/a.png")
    if _SCHEME.match(path):
        _refuse("FB702", f"'{path}' is a URL, not a file of the job's folder", "write a path from the job file")
    if path.startswith("~"):
        _refuse("FB702", f"'{path}' begins with '~', a home folder", "copy the file into the job's folder")
    if _DRIVE.match(path) or path.startswith(("\\\\", "//")):
        _refuse("FB702", f"'{path}' names a drive or a server", "copy the file into the job's folder")
    if "\\" in path:
        _refuse("FB702", f"'{path}' holds a backslash", f"write {path.replace(chr(92), '/')}")
    if os.name == "nt" and _means_something_else_on_windows(path):
        _refuse("FB702", f"'{path}' is no file name on Windows", "rename the file")


_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def _means_something_else_on_windows(path: str) -> bool:
    """Devices, streams of a file, and names whose last dot or space the system drops."""
    names = [name for name in path.split("/") if name not in ("", ".", "..")]
    return any(":" in name or name != name.rstrip(". ") or name.split(".")[0].lower() in _DEVICES for name in names)


def _opened(spot: _Spot, max_bytes: int) -> OpenFile:
    with _walk(spot) as parent:
        content = _read(parent, spot, max_bytes)
    return OpenFile(path=spot.shown, absolute=str(spot.base.joinpath(*spot.parts)), content=content)


@contextmanager
def _walk(spot: _Spot) -> Iterator[Directory]:
    """The directory that holds the last name, reached through open directories alone."""
    here = directory(spot.base)
    try:
        for depth, name in enumerate(spot.parts[:-1]):
            _refuse_unless_folder(here, spot, depth)
            inner = _enter(here, name, spot)
            here.close()
            here = inner
        yield here
    finally:
        here.close()


def _enter(here: Directory, name: str, spot: _Spot) -> Directory:
    try:
        return here.enter(name)
    except OSError as problem:
        _refuse_unreadable(spot.shown, problem)


def _refuse_unless_folder(here: Directory, spot: _Spot, depth: int) -> None:
    match here.look(spot.parts[depth]):
        case "folder":
            return
        case "link":
            _refuse_link(_upto(spot, depth))
        case "missing":
            _refuse_missing(here, spot, depth)
        case "file" | "special":
            _refuse("FB401", f"no such file '{spot.shown}'", f"'{_upto(spot, depth)}' is not a folder")


def _read(parent: Directory, spot: _Spot, max_bytes: int) -> bytes:
    if not spot.parts:
        _refuse_folder(spot.shown)
    name = spot.parts[-1]
    match parent.look(name):
        case "file":
            pass
        case "link":
            _refuse_link(spot.shown)
        case "missing":
            _refuse_missing(parent, spot, len(spot.parts) - 1)
        case "folder":
            _refuse_folder(spot.shown)
        case "special":
            _refuse_special(spot.shown)

    try:
        descriptor = parent.open(name)
    except OSError as problem:
        # It was a file a moment ago: whatever stands there now (a link, as a rule) is not read.
        if parent.look(name) == "link":
            _refuse_link(spot.shown)
        _refuse_unreadable(spot.shown, problem)
    return _content(descriptor, spot, max_bytes)


def _content(descriptor: int, spot: _Spot, max_bytes: int) -> bytes:
    with os.fdopen(descriptor, "rb", buffering=0):
        if not is_file(descriptor):
            _refuse_special(spot.shown)
        size = os.fstat(descriptor).st_size
        if size > max_bytes:
            _refuse_large(spot.shown, size, max_bytes)
        try:
            content = _read_at_most(descriptor, max_bytes + 1, expected=size)
        except OSError as problem:
            _refuse_unreadable(spot.shown, problem)
        if len(content) > max_bytes:
            _refuse_large(spot.shown, len(content), max_bytes)
        return content


def _read_at_most(descriptor: int, limit: int, *, expected: int) -> bytes:
    """The content up to the limit: in one piece as a rule, and still whole while another program appends to it."""
    pieces: list[bytes] = []
    left = limit
    ask = expected + 1
    while left and (piece := os.read(descriptor, min(ask, left))):
        pieces.append(piece)
        left -= len(piece)
        ask = 65536
    return b"".join(pieces) if len(pieces) != 1 else pieces[0]


def _refuse(code: str, message: str, help: str | None) -> NoReturn:
    raise _Refusal(FileFault(code=code, message=message, help=help))


def _refuse_link(shown: str) -> NoReturn:
    _refuse("FB702", f"'{shown}' is a symlink, and none is followed", "put a copy of the file in its place")


def _refuse_folder(shown: str) -> NoReturn:
    _refuse("FB404", f"'{shown}' is a folder", f"did you mean '{shown.rstrip('/')}/*'?")


def _refuse_special(shown: str) -> NoReturn:
    _refuse("FB404", f"'{shown}' is a pipe or a device, not a file", "name a file")


def _refuse_unreadable(shown: str, problem: OSError) -> NoReturn:
    reason = problem.strerror or "it changed while it was opened"
    _refuse("FB412", f"'{shown}' cannot be read: {reason.lower()}", None)


def _refuse_large(shown: str, size: int, limit: int) -> NoReturn:
    _refuse("FB407", f"'{shown}' is {in_megabytes(size)}, and at most {in_megabytes(limit)} are read", None)


def _refuse_missing(here: Directory, spot: _Spot, depth: int) -> NoReturn:
    near = _nearest(here, spot.parts[depth])
    if near is None:
        _refuse("FB401", f"no such file '{spot.shown}'", None)
    upto = _upto(spot, depth)
    before = upto[: len(upto) - len(spot.parts[depth])]
    after = "".join(f"/{name}" for name in spot.parts[depth + 1 :])
    _refuse("FB401", f"no such file '{spot.shown}'", f"did you mean '{before}{near}{after}'?")


_MANY_NEIGHBOURS = 5_000  # comparing a name with more of them would be slow, and the nearest one chance


def _nearest(here: Directory, name: str) -> str | None:
    from flux2batch.reading.suggest import closest

    neighbours: list[str] = []
    try:
        for neighbour, _ in here.entries():
            neighbours.append(neighbour)
            if len(neighbours) > _MANY_NEIGHBOURS:
                return None
    except OSError:
        return None
    # Stems are compared: with ".png" on both sides any two short names would look alike.
    wanted = Path(name)
    stems = {Path(neighbour).stem: neighbour for neighbour in sorted(neighbours)}
    same_kind = {Path(one).stem: one for one in sorted(neighbours) if Path(one).suffix == wanted.suffix}
    if stem := closest(wanted.stem, same_kind):
        return same_kind[stem]
    stem = closest(wanted.stem, stems)
    return stems[stem] if stem else None


def _upto(spot: _Spot, depth: int) -> str:
    """The shown path as far as this name."""
    tail = sum(len(name) + 1 for name in spot.parts[depth + 1 :])
    return spot.shown[: len(spot.shown) - tail] if tail else spot.shown


def _slashes(path: str) -> str:
    return path.replace(os.sep, "/")


def in_megabytes(size: int) -> str:
    """A number of bytes as people say it."""
    if size < 1_000_000:
        return f"{size:,} bytes" if size < 10_000 else f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.1f} MB".replace(".0 MB", " MB")
