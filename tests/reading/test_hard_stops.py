"""Inputs that are made to hurt are answered by the real command, within 5 s and 300 MB."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))

from bad_inputs import INPUTS  # noqa: E402  # the same inputs whose figures the benchmark prints

HARD_STOP_S = 5
HARD_STOP_MB = 300

CASES = {
    "50,000 nested brackets": (3, "FB106"),
    "1,100 nested dashes": (3, "FB106"),
    "a line of 1 MB": (3, "FB210"),
    "a block of 1 MB in short lines": (3, "FB210"),
    "an alias bomb": (3, "FB105"),
    "60,000 items": (3, "FB105"),
    "30,000 mappings in brackets": (3, "FB105"),
    "a number of 5,000 digits": (3, "FB114"),
    "10,000 duplicate keys": (3, "FB113"),
    "1 MB of zero-width spaces": (3, "FB120"),
    "1 MB of quotes": (None, None),
    "1 MB of Latin-1": (3, "FB115"),
    "UTF-16": (3, "FB115"),
    "2 MB": (3, "FB104"),
}


@pytest.mark.parametrize("name", CASES)
def test_an_input_that_hurts_is_answered(name: str, tmp_path: Path) -> None:
    exit_code, code = CASES[name]
    made = INPUTS[name]()
    (tmp_path / "job.yaml").write_bytes(made.encode() if isinstance(made, str) else made)

    status, output, megabytes = _validate(tmp_path)

    assert status in ((0, 3) if exit_code is None else (exit_code,)), output[-400:]
    assert code is None or code in output
    assert "Traceback" not in output
    assert megabytes < HARD_STOP_MB


def _validate(folder: Path) -> tuple[int, str, float]:
    """Exit code, what it said in short form, and the peak of its memory."""
    command = [sys.executable, "-m", "flux2batch", "validate", "--format", "concise", "job.yaml"]
    said = folder / "said.txt"
    with said.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdout=file, stderr=file, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        stop = threading.Timer(HARD_STOP_S, process.kill)
        stop.start()
        _, status, usage = os.wait4(process.pid, 0)
        stop.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return process.returncode, said.read_text(encoding="utf-8", errors="replace"), usage.ru_maxrss / unit
