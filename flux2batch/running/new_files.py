"""Files of ours that are put in place whole: a page in the place of an older one, anything else where nothing is."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from flux2batch.errors import UsageError
from flux2batch.pictures.troubles import machine_error
from flux2batch.reporting.sheet_page import MARK

INDEX = "index.html"


def replace_page(target: Path, page: str) -> int:
    """Put the page in its place at once, and whole; its bytes. A file there that is no sheet is not replaced."""
    if target.name != INDEX and target.exists() and not _is_ours(target):
        raise UsageError(f"{target} is there already and is no contact sheet. Choose another name with -o.")
    content = page.encode()
    with _whole(target) as file:
        file.write(content)
    return len(content)


def _is_ours(target: Path) -> bool:
    try:
        with target.open("rb") as file:
            return MARK.encode() in file.read()
    except OSError:
        return False


@contextmanager
def new_file(target: Path) -> Iterator[IO[bytes]]:
    """A file that is whole or not there, and that never takes the place of another."""
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} is there already, and nothing is overwritten. Choose another name.")
    with _whole(target) as file:
        yield file


@contextmanager
def _whole(target: Path) -> Iterator[IO[bytes]]:
    """Write beside, then rename. What stands under the other name is removed, never written through: a link might."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            part.unlink()
        with part.open("xb") as file:
            yield file
        part.replace(target)
    except OSError as problem:
        with suppress(OSError):
            part.unlink()
        raise machine_error(problem, target.parent, target.name, needed=1) from problem
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the same pictures make the same file
_READABLE = 0o644 << 16


def pack(packed: zipfile.ZipFile, name: str, content: bytes, *, compressed: bool = False) -> None:
    """One file into a zip. Pictures are as small as they get."""
    entry = zipfile.ZipInfo(name, date_time=_ZIP_DATE)
    entry.external_attr = _READABLE
    packed.writestr(entry, content, zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED)
