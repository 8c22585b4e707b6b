"""Two keys that nobody but the services' own hosts may ever see, and how they are looked for."""

from __future__ import annotations

import base64
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

BFL = "bfl_c4n4ryc4n4ryc4n4ry"
FAL = "c4n4ry00-0000-4000-8000-000000000000:c4n4ryc4n4ry"

_HOME_OF_KEYS = ".env"  # the one file that a key may lie in, because a person has put it there
_LARGEST = 100_000_000  # what is larger was made by a test itself: a hole in a file, as a rule
_NEEDLES = tuple(
    needle
    for key in (BFL, FAL)
    for needle in (key.rpartition("_" if key is BFL else ":")[2].encode(), base64.b64encode(key.encode()).rstrip(b"="))
)


class CanarySeen(AssertionError):
    """A key was found where none may be."""


def is_in(text: str | bytes) -> bool:
    """Whether a key can be read in it, as it stands or as base64."""
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return any(needle in raw for needle in _NEEDLES)


def refuse(text: str | bytes, where: str) -> None:
    """Fail where a key can be read."""
    if is_in(text):
        raise CanarySeen(f"a key was seen in {where}")


def refuse_files(folders: Iterable[Path]) -> None:
    """Fail where a key lies in a file below these folders, inside of a zip, or in the name of either."""
    seen = [name for folder in folders for name, content in _files(folder) if is_in(content) or is_in(name)]
    if seen:
        raise CanarySeen(f"a key was seen in {', '.join(seen)}")


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for inside, _, names in os.walk(folder):
        for name in names:
            path = Path(inside, name)
            state = path.lstat()
            if stat.S_ISREG(state.st_mode) and 0 < state.st_size < _LARGEST and name != _HOME_OF_KEYS:
                content = path.read_bytes()
                yield str(path.relative_to(folder)), content
                yield from _packed(name, content)


def _packed(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if not content.startswith(b"PK"):
        return
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(BytesIO(content)) as packed:
        for entry in packed.namelist():
            yield f"{name}:{entry}", packed.read(entry)
