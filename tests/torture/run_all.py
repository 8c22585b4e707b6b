"""Run every harness, then the tests marked torture, and close with one table of what they counted.

python tests/torture/run_all.py [--only WORD] [--processes 2] [--list]

A harness is a script in this folder that takes `--processes` and says a TALLY line (see tally.py): one row, or several.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from compiled import compile_package
from tally import Tally, heard, table

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]


@dataclass(frozen=True, slots=True)
class Harness:
    """A script beside this one, with what it is told and the minutes after which it is stopped."""

    name: str
    minutes: int
    arguments: tuple[str, ...] = ()


HARNESSES = (
    Harness("run_simulation", 10),
    Harness("planted_bugs", 15),
    Harness("security_mutants", 15),
    Harness("stopped_runs", 12),
    Harness("sweep_syscalls", 30),
    Harness("run_mutations", 15),
    Harness("power_loss", 8),
    Harness("cut_answers", 15),
    Harness("chaos_weather", 8, ("--runs", "24")),
    Harness("run_fuzz", 20),
    Harness("mutate_money", 12, ("--sample", "60", "--minutes", "8")),
)
_PYTEST_MINUTES = 20


def main() -> int:
    arguments = _arguments()
    chosen = [one for one in HARNESSES if arguments.only in one.name]
    if arguments.list:
        print("\n".join(one.name for one in chosen))
        return 0
    began = time.monotonic()
    compile_package()
    tallies = [row for one in chosen for row in run(one, processes=arguments.processes)]
    if arguments.only in "pytest":
        tallies.append(_pytest(arguments.processes))
    minutes = (time.monotonic() - began) / 60
    print(f"\n{table(tallies)}\n{len(tallies)} rows in {minutes:.0f} minutes")
    return 0 if all(one.is_good for one in tallies) else 1


def run(harness: Harness, *, processes: int, folder: Path = _HERE) -> list[Tally]:
    """The rows of one harness. One that ends without a word about them has failed."""
    command = [
        sys.executable,
        str(folder / f"{harness.name}.py"),
        "--processes",
        str(processes),
        *harness.arguments,
    ]
    print(f"\ntorture: {harness.name}", flush=True)
    code, lines, seconds = _stream(command, harness.minutes * 60)
    tallies = [tally for line in lines if (tally := heard(line))]
    if not tallies or (code != 0 and all(one.is_good for one in tallies)):
        said = "was stopped" if code < 0 else f"ended with {code}"
        tallies.append(
            Tally(harness=harness.name, cases=0, seconds=seconds, other=1, note=f"{said}, and did not say why")
        )
    return tallies


def _pytest(processes: int) -> Tally:
    print("\ntorture: pytest -m torture", flush=True)
    command = [sys.executable, "-m", "pytest", "-n", str(processes), "-m", "torture", "-rfEs"]
    code, lines, seconds = _stream(command, _PYTEST_MINUTES * 60)
    counts = {
        word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error|skipped)", "\n".join(lines[-3:]))
    }
    bad = counts.get("failed", 0) + counts.get("error", 0)
    return Tally(
        harness="pytest -m torture",
        cases=counts.get("passed", 0) + bad,
        seconds=seconds,
        other=bad or int(code != 0),
        note=f"{counts['skipped']} skipped" if "skipped" in counts else "",
    )


def _stream(command: Sequence[str], limit_s: float) -> tuple[int, list[str], float]:
    """Run it in a group of its own, show what it prints as it prints it, and stop the group when its time is over."""
    began = time.monotonic()
    lines = []
    with subprocess.Popen(
        command,
        cwd=_ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        stop = threading.Timer(limit_s, os.killpg, (process.pid, signal.SIGKILL))
        stop.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                if heard(line) is None:
                    print(line, end="", flush=True)
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            stop.cancel()
    return code, lines, time.monotonic() - began


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="the harnesses whose name holds this word")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="name them, and end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
