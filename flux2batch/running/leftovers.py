"""Remove what killed processes left half written beside the thumbnails of a run directory."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

_PART = re.compile(r"\..+\.\d+(?:-\d+)?\.part")  # named for the process, and perhaps the thread, that wrote it


def sweep_thumbnails(folder: Path) -> None:
    """Whoever draws a page here at this very moment writes its thumbnail once more: it cannot be told whether the
    process of that number is the one that wrote the file."""
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            if _PART.fullmatch(entry.name):
                with suppress(OSError):
                    Path(entry.path).unlink()
