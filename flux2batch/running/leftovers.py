"""Remove what killed processes left half written beside the pages and originals of a run directory."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from flux2batch.engine.lock import process_lives

_PART = re.compile(r"\..+\.(\d+)(?:-\d+)?\.part")  # named for the process, and perhaps the thread, that writes it


def sweep_thumbnails(folder: Path) -> None:
    """Another process may draw a page of its own here: what belongs to one that lives is left to it."""
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            part = _PART.fullmatch(entry.name)
            if part and (int(part[1]) == os.getpid() or not process_lives(int(part[1]))):
                with suppress(OSError):
                    Path(entry.path).unlink()
