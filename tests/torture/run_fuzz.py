"""Give tables, pictures, answers and journals that were made bad on purpose, and see that each is answered in order.

python tests/torture/run_fuzz.py [KIND …] [--count 20000] [--seed N] [--processes 2] [--only NUMBER]

0 tracebacks, none works longer than 5 seconds, and no process needs 300 MB. `--only` gives one input again, by its
number, with all that it said.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from types import FrameType

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [
    str(_HERE),
    str(_HERE.parents[1]),
    str(_HERE.parent / "engine"),
    str(_HERE.parent / "providers"),
    str(_HERE.parent / "reporting"),
]

from tally import Tally, say

KINDS = ("tables", "pictures", "answers", "journals")
HANG_S = 5  # of work; a machine that is busy with other things makes nobody a hang
WAIT_S = 60
MOST_MB = 300


_TIMERS = ((signal.SIGPROF, signal.ITIMER_PROF, HANG_S), (signal.SIGALRM, signal.ITIMER_REAL, WAIT_S))


class Hang(Exception):
    """It took longer than anybody waits."""


def main() -> int:
    arguments = _arguments()
    codes = [_fuzz(kind, arguments) for kind in arguments.kinds or KINDS]
    return max(codes)


def _fuzz(kind: str, arguments: argparse.Namespace) -> int:
    if arguments.only is not None:
        print(
            f"{kind} {arguments.only}: {importlib.import_module(f'fuzz_{kind}').judge(arguments.seed, arguments.only)}"
        )
        return 0
    began = time.monotonic()
    work = [(kind, arguments.seed, number) for number in range(arguments.count)]
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        outcomes = list(pool.imap_unordered(one, work, chunksize=100))
    failures = [said for _, said, _ in outcomes if said]
    kinds = Counter(said.strip().rpartition("\n")[2][:160] for said in failures)
    for words, count in kinds.most_common(12):
        example = next(said for said in failures if words in said)
        print(f"{count} × {words}\n{example}")
    answers = Counter(answer for answer, _, _ in outcomes if answer)
    told = ", ".join(f"{answer}: {count:,}" for answer, count in answers.most_common(14))
    peak_mb = max(peak for _, _, peak in outcomes)
    print(f"seed {arguments.seed}: {len(outcomes):,} {kind} in {time.monotonic() - began:.0f} s, {peak_mb} MB; {told}")
    return say(
        Tally(
            harness=f"fuzzed {kind}",
            cases=len(outcomes),
            tracebacks=sum(not said.startswith("HANG") for said in failures),
            other=sum(said.startswith("HANG") for said in failures) + (peak_mb > MOST_MB),
            seconds=time.monotonic() - began,
            note=f"{peak_mb} MB at most",
        )
    )


def one(work: tuple[str, int, int]) -> tuple[str, str, int]:
    """How one input was answered, or what went wrong, and the most memory that this process has needed, in MB."""
    kind, seed, number = work
    judge = importlib.import_module(f"fuzz_{kind}").judge
    for name, timer, seconds in _TIMERS:
        signal.signal(name, _hang)
        signal.setitimer(timer, seconds)
    answer = said = ""
    try:
        answer = judge(seed, number)
    except Hang:
        said = f"HANG: {kind} --seed {seed} --only {number}\n{traceback.format_exc()[-1500:]}"
    except BaseException:
        said = f"{kind} --seed {seed} --only {number}\n{traceback.format_exc()[-3000:]}"
    finally:
        for _, timer, _ in _TIMERS:
            signal.setitimer(timer, 0)
    return answer, said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _hang(_number: int, _frame: FrameType | None) -> None:
    raise Hang


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int, help="one input: judge it alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
