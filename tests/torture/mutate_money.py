"""Make small mistakes in the code that decides about money, one at a time, and see that a test notices each.

python tests/torture/mutate_money.py [--files policy.py …] [--sample N] [--seed N] [--processes 2] [--only NUMBER]

Without --sample every mutant of the named files is tried. A mutant that survives is a failure, unless docs/mutation.md
says why nothing can tell it from the code as it is. The checkout is never touched: each lane has a copy of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import pytest
from mutants import Mutant, mutants
from tally import Tally, say

_ROOT = Path(__file__).resolve().parents[2]
_EXPLAINED = _ROOT / "docs" / "mutation.md"
_COPIED = ("flux2batch", "schemas", "templates", "specs", "tests")
FILES = (
    "engine/lifecycle.py",
    "engine/policy.py",
    "engine/purse.py",
    "engine/executor.py",
    "engine/journal.py",
    *(f"engine/{path.name}" for path in sorted((_ROOT / "flux2batch" / "engine").glob("scheduler*.py"))),
)
# Most mutants die in the first of these, which take a second or two; whole runs by chance are for the rest.
_QUICK = (
    "tests/engine/test_life_bookkeeping.py",
    "tests/engine/test_lifecycle.py",
    "tests/engine/test_policy.py",
    "tests/engine/test_purse.py",
    "tests/engine/test_scheduler_promises.py",
    *(f"tests/engine/{path.name}" for path in sorted((_ROOT / "tests" / "engine").glob("test_executor_*.py"))),
)
_SLOW = tuple(
    f"tests/engine/{path.name}"
    for path in sorted((_ROOT / "tests" / "engine").glob("test_*.py"))
    if f"tests/engine/{path.name}" not in _QUICK and path.stem != "test_power_loss"
)
_SEEDS = "40"
_PATIENCE = 8  # times what the unchanged code takes


@dataclass(frozen=True, slots=True)
class Lane:
    """A copy of the checkout in which one mutant at a time is tried."""

    folder: Path

    @property
    def package(self) -> Path:
        return self.folder / "flux2batch"


def main() -> int:
    arguments = _arguments()
    began = time.monotonic()
    # In a table of Markdown a bar is escaped, also within code.
    explained = _EXPLAINED.read_text(encoding="utf-8").replace("\\|", "|") if _EXPLAINED.exists() else ""
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        lanes = [_lane(Path(name), number) for number in range(arguments.processes)]
        # From the copy: what is tried is what was copied, whoever edits the checkout meanwhile.
        chosen = _chosen(arguments, lanes[0].package)
        originals = {mutant.file: (lanes[0].package / mutant.file).read_text(encoding="utf-8") for mutant in chosen}
        before = time.monotonic()
        clean = _fork(lanes[0], None)
        clean.join(600)
        if clean.exitcode != 0:
            print((lanes[0].folder / "said").read_text(errors="replace")[-3000:])
            return say(
                Tally(harness="mutants", cases=0, seconds=time.monotonic() - began, other=1, note="red as it is")
            )
        limit_s = 10 + _PATIENCE * (time.monotonic() - before)
        print(f"seed {arguments.seed}: {len(chosen)} mutants; the code as it is passes; {limit_s:.0f} s for each")
        until = began + arguments.minutes * 60
        fates = _try_all(chosen, originals, lanes, limit_s, until)
    survivors = [mutant for mutant, fate in fates if fate == "survived"]
    unexplained = [mutant for mutant in survivors if f"`{mutant.name}`" not in explained]
    print(_table(fates, explained))
    for mutant in unexplained:
        print(f"SURVIVED flux2batch/{mutant.file}:{mutant.line} `{mutant.name}`")
    return say(
        Tally(
            harness="mutants of the money path",
            cases=len(fates),
            other=len(unexplained),
            seconds=time.monotonic() - began,
            note=f"{len(survivors) - len(unexplained)} equivalent, see docs/mutation.md",
        )
    )


def _chosen(arguments: argparse.Namespace, package: Path) -> list[Mutant]:
    wanted = [file for file in FILES if not arguments.files or Path(file).name in arguments.files]
    every = [mutant for file in wanted for mutant in mutants(package, file)]
    if arguments.only is not None:
        print(every[arguments.only].name)
        return [every[arguments.only]]
    if arguments.sample:
        every = sorted(
            random.Random(arguments.seed).sample(every, min(arguments.sample, len(every))),
            key=lambda one: (one.file, one.line),
        )
    return every


def _lane(home: Path, number: int) -> Lane:
    folder = home / f"lane-{number}"
    for part in _COPIED:
        shutil.copytree(_ROOT / part, folder / part, ignore=shutil.ignore_patterns("golden"))
    shutil.copy(_ROOT / "pyproject.toml", folder)
    return Lane(folder)


def _try_all(
    chosen: Sequence[Mutant], originals: Mapping[str, str], lanes: Sequence[Lane], limit_s: float, until: float
) -> list[tuple[Mutant, str]]:
    """Each mutant with its fate: killed, timed out (which is a kill), or survived."""
    fates: list[tuple[Mutant, str]] = []
    free, waiting = list(lanes), list(reversed(chosen))
    running: dict[int, tuple[BaseProcess, Lane, Mutant, float]] = {}
    while waiting or running:
        while free and waiting and time.monotonic() < until:
            lane, mutant = free.pop(), waiting.pop()
            process = _fork(lane, mutant)
            running[process.sentinel] = (process, lane, mutant, time.monotonic() + limit_s)
        if not running:
            print(f"the time is over: {len(waiting)} mutants were not tried")
            break
        wait(list(running), timeout=1.0)
        for sentinel, (process, lane, mutant, ends) in list(running.items()):
            late = time.monotonic() > ends
            if process.is_alive() and not late:
                continue
            fate = "timed out" if process.is_alive() else "survived" if process.exitcode == 0 else "killed"
            if process.is_alive():
                os.killpg(process.pid or 0, signal.SIGKILL)
            process.join()
            (lane.package / mutant.file).write_text(originals[mutant.file], encoding="utf-8")
            fates.append((mutant, fate))
            free.append(lane)
            del running[sentinel]
            if fate == "survived":
                print(f"  survived: flux2batch/{mutant.file}:{mutant.line} {mutant.name}", flush=True)
    return fates


def _fork(lane: Lane, mutant: Mutant | None) -> BaseProcess:
    if mutant is not None:
        (lane.package / mutant.file).write_text(mutant.source, encoding="utf-8")
    process = multiprocessing.get_context("fork").Process(target=_test, args=(lane.folder,))
    process.start()
    assert process.sentinel is not None
    return process


def _test(folder: Path) -> None:
    """In a process of its own: run the tests of the copy until one fails."""
    os.setsid()
    os.chdir(folder)
    with (folder / "said").open("wb") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    os.environ |= {
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "FLUX2BATCH_SIMULATED_SEEDS": _SEEDS,
    }
    sys.dont_write_bytecode = True
    sys.path[:] = [
        str(folder),
        *(entry for entry in sys.path if entry not in (str(_ROOT), str(_ROOT / "tests" / "torture"))),
    ]
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not torture and not online", f"--basetemp={folder}/tmp"]
    quick = os.fork()
    if quick == 0:
        os._exit(int(pytest.main([*options, *_QUICK])))
    if os.waitpid(quick, 0)[1] != 0:
        os._exit(1)
    os._exit(int(pytest.main([*options, *_SLOW, "tests/reporting/test_ledger.py"])))


def _table(fates: Sequence[tuple[Mutant, str]], explained: str) -> str:
    counts = Counter((mutant.file, fate) for mutant, fate in fates)
    known = Counter(mutant.file for mutant, fate in fates if fate == "survived" and f"`{mutant.name}`" in explained)
    rows = [f"{'file':<28}{'mutants':>9}{'killed':>8}{'timed out':>11}{'equivalent':>12}{'unexplained':>13}"]
    for file in dict.fromkeys(mutant.file for mutant, _ in fates):
        of = {fate: counts[file, fate] for fate in ("killed", "timed out", "survived")}
        rows.append(
            f"{file:<28}{sum(of.values()):>9}{of['killed']:>8}{of['timed out']:>11}{known[file]:>12}"
            f"{of['survived'] - known[file]:>13}"
        )
    return "\n".join(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", nargs="*", default=[], help="as in 'policy.py purse.py'; all of them unless given")
    parser.add_argument("--sample", type=int, default=0, help="try so many, drawn by the seed")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FLUX2BATCH_MUTANT_SEED", "1")))
    parser.add_argument("--minutes", type=float, default=120.0, help="begin none after this")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int, help="the mutant with this number in the order of the files")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
