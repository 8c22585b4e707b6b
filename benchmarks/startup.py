"""How long flux2batch takes to answer, beside what checks YAML files otherwise.

    python benchmarks/startup.py [--quick] [--rounds N] [--json FILE]

Each figure is a fresh process, and the processes of a round take turns. The file of 200 lines is a job with a sweep of
196 values; check-jsonschema judges it by our schema, and yamllint as its own default rules say: neither makes shots,
renders templates or knows a price, as `validate` does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import OURS, Figure, parser, tell

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".bench" / "venv" / "bin"
# Without compiled modules beside the sources every start would compile them all.
_ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def job_of_200_lines(folder: Path) -> Path:
    """A plain job, as long as a long one of a person's."""
    values = "\n".join(f'    - {{id: v{n}, text: "the {n}th kind of light, low and golden"}}' for n in range(196))
    path = folder / "job.yaml"
    path.write_text(
        f'flux2batch: 1\nprompt: "a paper boat, {{{{ light.text }}}}"\nsweep:\n  light:\n{values}\n', encoding="utf-8"
    )
    return path


def milliseconds(command: list[str], *, codes: tuple[int, ...] = (0,)) -> float:
    """How long the command takes, which must end well."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False, env=_ENVIRON)
    spent = (time.perf_counter() - start) * 1000
    if done.returncode not in codes:
        raise SystemExit(f"{command}: {done.returncode}\n{done.stderr.decode()}")
    return spent


def main() -> None:
    """Measure and print; nothing is asserted."""
    options = parser(__doc__, rounds=15).parse_args()
    python = [sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        job = job_of_200_lines(Path(folder))
        commands = {
            "pass": [*python, "-c", "pass"],
            "--version": [*python, "-m", "flux2batch", "--version"],
            "--help": [*python, "-m", "flux2batch", "--help"],
            OURS: [*python, "-m", "flux2batch", "validate", str(job)],
            "--quick": [*python, "-m", "flux2batch", "validate", "--quick", str(job)],
        }
        if PEERS.exists():
            schema = ["--schemafile", str(ROOT / "schemas" / "job.schema.json")]
            commands["check-jsonschema"] = [str(PEERS / "check-jsonschema"), *schema, str(job)]
            commands["yamllint"] = [str(PEERS / "yamllint"), str(job)]
        spent: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(min(options.rounds, 5) if options.quick else options.rounds):
            for name, command in commands.items():
                spent[name].append(milliseconds(command, codes=(0, 1) if name == "yamllint" else (0,)))

    bare = spent.pop("pass")
    figures = [
        Figure(
            name=f"{name} over `python -c pass`",
            unit="ms",
            rounds={OURS: [whole - empty for whole, empty in zip(spent.pop(name), bare, strict=True)]},
            goal=150,
        )
        for name in ("--version", "--help")
    ]
    shape = Figure(name="the same, `--quick`: no shots", unit="ms", rounds={OURS: spent.pop("--quick")}, goal=300)
    whole = Figure(name="`validate` of 200 lines, start-up included", unit="ms", rounds=spent, goal=300)
    tell([*figures, whole, shape], options.json)


if __name__ == "__main__":
    main()
