"""How long flux2batch takes to answer, over `python -c pass`: the median of interleaved runs, each a fresh process."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 15
# Without compiled modules beside the sources every start would compile them all.
_ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
AIMS_MS = {"--version": 150, "--help": 150, "validate, 200 lines": 300, "the same, --quick": 300}


def _job_of_200_lines(folder: Path) -> Path:
    values = "\n".join(f'    - {{id: v{n}, text: "the {n}th kind of light, low and golden"}}' for n in range(196))
    path = folder / "job.yaml"
    path.write_text(
        f'flux2batch: 1\nprompt: "a paper boat, {{{{ light.text }}}}"\nsweep:\n  light:\n{values}\n', encoding="utf-8"
    )
    return path


def _milliseconds(command: list[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False, env=_ENVIRON)
    spent = (time.perf_counter() - start) * 1000
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return spent


def main() -> None:
    """Measure and print; nothing is asserted."""
    python = [sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        job = _job_of_200_lines(Path(folder))
        commands = {
            "python -c pass": [*python, "-c", "pass"],
            "--version": [*python, "-m", "flux2batch", "--version"],
            "--help": [*python, "-m", "flux2batch", "--help"],
            "validate, 200 lines": [*python, "-m", "flux2batch", "validate", str(job)],
            "the same, --quick": [*python, "-m", "flux2batch", "validate", "--quick", str(job)],
        }
        spent: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                spent[name].append(_milliseconds(command))

    bare = statistics.median(spent.pop("python -c pass"))
    print(f"{'python -c pass':<22}{bare:7.0f} ms")
    for name, times in spent.items():
        whole = statistics.median(times)
        figure, against = (whole - bare, "more") if name.startswith("--") else (whole, "in all")
        print(f"{name:<22}{whole:7.0f} ms  {figure:5.0f} ms {against:<6}  aim: {AIMS_MS[name]} ms")


if __name__ == "__main__":
    main()
