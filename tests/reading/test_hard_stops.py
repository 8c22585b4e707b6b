"""Inputs that are made to hurt are answered by the real command, within 5 s and 300 MB."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))

from bad_inputs import INPUTS

HARD_STOP_S = 5  # of a processor: other tests run beside this one
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


# The peak is read from inside: what the system says of a child counts what its parent held when it started it.
_COMMAND = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (%d, %d))
from flux2batch.__main__ import main
code = main(["validate", "--format", "concise", "job.yaml"])
status = Path("/proc/self/status")
Path("peak.txt").write_text(status.read_text().split("VmHWM:")[1].split()[0] if status.exists() else "0")
sys.exit(code)
""" % (HARD_STOP_S, HARD_STOP_S)  # noqa: UP031  # braces stand in the text


def _validate(folder: Path) -> tuple[int, str, float]:
    """Exit code, what it said in short form, and the peak of its memory where the system tells it."""
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60, check=False,
    )  # fmt: skip
    peak = folder / "peak.txt"
    assert peak.exists(), f"ended with {done.returncode} before its end: {done.stdout[-400:]!r}"
    return done.returncode, done.stdout.decode("utf-8", "replace"), int(peak.read_text(encoding="utf-8")) / 1024
