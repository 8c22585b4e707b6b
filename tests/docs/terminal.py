"""A terminal of a hundred columns in which a page's script runs, with somebody who says yes."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_QUESTION = b"[y/N]: "
_HARD_STOP_S = 180  # a page takes seconds; a machine that is far slower than ours still gets through


def run_in_a_terminal(script: str, *, folder: Path, environ: Mapping[str, str]) -> tuple[int, str]:
    """The exit code of bash and all that was printed."""
    ours, theirs = pty.openpty()
    modes = termios.tcgetattr(theirs)
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    file = folder / ".page.sh"
    file.write_text(script, encoding="utf-8")
    process = subprocess.Popen(
        ["bash", file.name],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=dict(environ),
        start_new_session=True,
    )
    os.close(theirs)
    try:
        said = _listen(ours, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what the page left in the background
        process.wait()
        os.close(ours)
    return process.returncode, said.decode("utf-8", "replace").replace("\r\n", "\n")


def _listen(ours: int, process: subprocess.Popen[bytes]) -> bytes:
    said = b""
    until = time.monotonic() + _HARD_STOP_S
    while time.monotonic() < until:
        readable, _, _ = select.select([ours], [], [], 0.05)
        if not readable:
            if process.poll() is not None:
                return said
            continue
        try:
            said += os.read(ours, 65536)
        except OSError:  # everybody has left
            process.wait()
            return said
        if said.endswith(_QUESTION):
            os.write(ours, b"y\n")
    return said + b"\nhard stop\n"
