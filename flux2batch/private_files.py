"""Make files and folders that only their owner may read: a journal holds prompts, links and what was paid."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_FOLDER, _FILE = 0o700, 0o600


def private_folder(path: Path) -> None:
    """The folder, made where there is none. One that is there keeps the rights that somebody gave it."""
    path.mkdir(parents=True, exist_ok=True, mode=_FOLDER)


def private_file(path: Path) -> None:
    """An empty file where there is none, made before a library makes it for everybody."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _FILE))
