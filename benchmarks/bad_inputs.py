"""Time and peak memory of `flux2batch validate` on inputs that are made to hurt.

python benchmarks/bad_inputs.py [--repeat 3]

Each line is a process of its own, start-up included; the least time of the repeats and the greatest memory are shown.
The hard stop of the tests is 5 s and 300 MB; the aim is 300 ms and 100 MB.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_HEAD = "flux2batch: 1\nmodel: bfl/flux-2-pro\n"


def _bomb() -> str:
    first = "l0: &l0 [x, x, x, x, x, x, x, x, x]\n"
    return first + "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))


def _long_job() -> str:
    head = 'prompt: "{{ subject.text }}, {{ light }}"\nsweep:\n  light: ["overcast light", "low golden sun"]\n'
    rows = (f'    - {{id: s{n}, text: "a red fox asleep in fresh snow, number {n}"}}\n' for n in range(194))
    return f"{_HEAD}{head}  subject:\n{''.join(rows)}"


# Made when it is their turn: on Linux a child's peak begins with the memory of the process that started it.
INPUTS: dict[str, Callable[[], str | bytes]] = {
    "a good job (specs/experiment.yaml)": lambda: (ROOT / "specs" / "experiment.yaml").read_bytes(),
    "a good job of 200 lines": _long_job,
    "50,000 nested brackets": lambda: _HEAD + "vars: " + "[" * 50_000,
    "50,000 nested braces": lambda: _HEAD + "vars: " + "{a: " * 50_000,
    "1,100 nested dashes": lambda: "- " * 1_100,
    "a line of 1 MB": lambda: _HEAD + "prompt: " + "a cat " * 166_000,
    "a quoted line of 1 MB": lambda: _HEAD + 'prompt: "' + "a cat " * 166_000 + '"\n',
    "a block of 1 MB in short lines": lambda: _HEAD + "prompt: |\n" + "  a cat\n" * 124_000,
    "1 MB of blank lines": lambda: "\n" * 1_000_000,
    "1 MB of comments": lambda: "# cat\n" * 166_000,
    "an alias bomb": _bomb,
    "60,000 items": lambda: _HEAD + "tags:\n" + "- a\n" * 60_000,
    "60,000 items in brackets": lambda: _HEAD + "tags: [" + "a, " * 60_000 + "]\n",
    "49,000 items": lambda: _HEAD + "tags:\n" + "- a\n" * 49_000,
    "30,000 mappings in brackets": lambda: _HEAD + "tags:\n" + "- {a: b}\n" * 30_000,
    "a number of 5,000 digits": lambda: _HEAD + "params: {seed: " + "9" * 5_000 + "}\n",
    "10,000 duplicate keys": lambda: _HEAD + "".join(f"k{n // 2}: 1\n" for n in range(20_000)),
    "10,000 unquoted templates": lambda: _HEAD + "".join(f"k{n}: {{{{ x }}}} y\n" for n in range(10_000)),
    "1 MB of zero-width spaces": lambda: _HEAD + "prompt: a" + "\u200b" * 330_000,
    "1 MB of quotes": lambda: _HEAD + "prompt: " + "'" * 990_000,
    "1 MB of open brackets and text": lambda: _HEAD + "prompt: " + "[a " * 330_000,
    "2 MB": lambda: b"# " + b"x" * 2_000_000,
    "1 MB of NUL": lambda: b"\0" * 1_000_000,
    "1 MB of Latin-1": lambda: b"prompt: " + b"caf\xe9 " * 198_000,
    "UTF-16": lambda: (_HEAD + "prompt: a cat\n").encode("utf-16"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores")
    print(f"{'input':<38} {'bytes':>9} {'exit':>4} {'ms':>7} {'MB':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for name, make in INPUTS.items():
            file = Path(folder) / "job.yaml"
            size = _write(file, make())
            runs = [_measure(file) for _ in range(repeat)]
            code, took, memory = runs[0][0], min(run[1] for run in runs), max(run[2] for run in runs)
            print(f"{name:<38} {size:>9,} {code:>4} {took * 1000:>7.0f} {memory:>6.0f}", flush=True)


def _write(file: Path, made: str | bytes) -> int:
    return file.write_bytes(made.encode() if isinstance(made, str) else made)


def _measure(file: Path) -> tuple[int, float, float]:
    """Exit code, seconds, and the peak of memory in megabytes."""
    command = [sys.executable, "-m", "flux2batch", "validate", str(file)]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return process.returncode, took, usage.ru_maxrss / unit


if __name__ == "__main__":
    main()
