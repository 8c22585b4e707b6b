"""Make good job files bad in thousands of ways and see that each is answered in order.

python tests/torture/run_mutations.py [COUNT] [--seed N] [--processes 2] [--only NUMBER]
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from mutate_jobs import judge, mutation
from tally import Tally, say

_SLOW_S = 1.0


def main() -> int:
    arguments = _arguments()
    if arguments.only is not None:
        mutated = mutation(arguments.seed, arguments.only)
        sys.stdout.buffer.write(mutated.raw + b"\n")
        print(f"--- {mutated}: exit {judge(mutated)}")
        return 0
    began = time.perf_counter()
    exits: Counter[int] = Counter()
    failures = []
    work = [(arguments.seed, number) for number in range(arguments.count)]
    with multiprocessing.Pool(arguments.processes) as pool:
        for code, failure in pool.imap_unordered(_one, work, chunksize=50):
            if failure:
                failures.append(failure)
            else:
                exits[code] += 1
    for failure in failures[:20]:
        print(failure, file=sys.stderr)
    took = time.perf_counter() - began
    codes = ", ".join(f"exit {code}: {count:,}" for code, count in sorted(exits.items()))
    print(f"seed {arguments.seed}: {arguments.count:,} mutations in {took:.0f} s; {codes}; {len(failures)} failures")
    return say(Tally(harness="job files made bad", cases=arguments.count, tracebacks=len(failures), seconds=took))


def _one(work: tuple[int, int]) -> tuple[int, str | None]:
    seed, number = work
    began = time.perf_counter()
    try:
        code = judge(mutation(seed, number))
    except Exception:
        return -1, f"seed {seed}, mutation {number}:\n{traceback.format_exc()}"
    took = time.perf_counter() - began
    if took > _SLOW_S:
        print(f"seed {seed}, mutation {number}: took {took:.1f} s", file=sys.stderr)
    return code, None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int, help="one mutation: show its text and judge it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
