"""The whole simulation: every seed for both services, and a share of them on the journal in a file.

python tests/torture/run_simulation.py [--seeds N] [--first N] [--processes 2]
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parent),
    str(Path(__file__).resolve().parents[1] / "engine"),
    str(Path(__file__).resolve().parents[2]),
]

from simulation import check, tell
from tally import Tally, say

_ON_DISK = 20  # every so many seeds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    began = time.monotonic()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    work = [(seed, service) for seed in seeds for service in ("bfl", "fal")]
    with multiprocessing.Pool(arguments.processes) as pool:
        outcomes = list(pool.imap_unordered(_one, work, chunksize=50))
    failures = [said for _, _, said in outcomes if said]
    for said in failures[:5]:
        print(said, file=sys.stderr)
    lifetimes = sum(one for one, _, _ in outcomes)
    posts = sum(one for _, one, _ in outcomes)
    seconds = time.monotonic() - began
    print(f"{len(outcomes):,} stories of 20 shots: {lifetimes:,} lifetimes, {posts:,} posts, {len(failures)} failures")
    return say(Tally(harness="simulation", cases=len(outcomes), other=len(failures), seconds=seconds))


def _one(work: tuple[int, str]) -> tuple[int, int, str]:
    seed, service = work
    try:
        if seed % _ON_DISK:
            story = tell(seed, service=service)
        else:
            with tempfile.TemporaryDirectory(prefix="simulated-") as folder:
                story = tell(seed, service=service, sqlite=Path(folder) / "journal.db")
        check(story)
    except Exception:
        return 0, 0, f"tell({seed}, service={service!r}):\n{traceback.format_exc()}"
    return story.lifetimes, sum(story.service.posts.values()), ""


if __name__ == "__main__":
    sys.exit(main())
