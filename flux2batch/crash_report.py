"""Write down what happened when flux2batch itself is at fault."""

from __future__ import annotations

import os
import platform
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from flux2batch import __version__
from flux2batch.private_files import private_folder
from flux2batch.redaction import redacted
from flux2batch.safe_text import safe


def write_crash_report(fault: BaseException, *, argv: Sequence[str], environ: Mapping[str, str]) -> Path | None:
    """The file with the traceback, which holds no secrets; None where none could be written."""
    report = safe(redacted(_report(fault, argv), environ))
    name = f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
    for folder in (_state_folder, lambda: Path(tempfile.gettempdir())):
        try:
            return _write(folder() / name, report)
        except (OSError, RuntimeError):
            continue
    return None


def _report(fault: BaseException, argv: Sequence[str]) -> str:
    return "\n".join(
        (
            f"flux2batch {__version__}",
            f"python {platform.python_version()} on {platform.platform()}",
            f"command: {' '.join(argv)}",
            "",
            "".join(traceback.format_exception(fault)),
        )
    )


def _state_folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("flux2batch", appauthor=False) / "crashes"


def _write(path: Path, text: str) -> Path:
    private_folder(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return path


def paragraph(fault: BaseException, report: Path | None) -> str:
    """What the user is told: one calm paragraph, no traceback."""
    said = f"error: this is a bug in flux2batch {__version__} ({type(fault).__name__}), not a mistake of yours.\n"
    if report is None:
        return f"{said}No report could be written to the state folder or to the temporary folder.\n"
    return f"{said}What happened is written in {report} (without keys); please send it along when you report this.\n"
