"""Stop a run of sixty shots at fifty random moments, starting it again each time; let it end, and look at the books.

python tests/torture/stopped_runs.py [--stops 50] [--seed N] [--processes 2]

SIGKILL may leave in doubt what was being sent when it came, and nothing else. SIGTERM and Ctrl-C leave no doubt at all.
The moments are counted from the one at which the process drives the run: before, Python itself is starting.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from processes import PATIENCE_S, Case, Service, judge, service
from tally import Tally, say

_SHOTS = 60
_STORIES = tuple(
    (provider, number) for provider in ("bfl", "fal") for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
)


@dataclass(frozen=True, slots=True)
class Ended:
    """What one story came to."""

    tally: Tally
    said: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stopped-") as name:
        home = Path(name)
        with service(home, latency="0.5") as at:
            work = [(provider, number, arguments, at, home) for provider, number in _STORIES]
            with multiprocessing.Pool(arguments.processes) as pool:
                ended = pool.starmap(_story, work, chunksize=1)
    for one in ended:
        if not one.tally.is_good:
            print(f"--- {one.tally.harness}: seed {arguments.seed}\n{one.said[-3000:]}")
    return max(say(one.tally) for one in ended)


def _story(provider: str, number: signal.Signals, arguments: argparse.Namespace, at: Service, home: Path) -> Ended:
    began = time.monotonic()
    chance = random.Random(f"{arguments.seed}/{provider}/{number.name}")
    name = f"{provider}{number.name.lower()}"
    case = Case(home / name, at, provider, f"{name}x", shots=_SHOTS, concurrency=2)
    stops = sending = 0
    while stops < arguments.stops:
        case.said += _stop(case, number, after_s=chance.uniform(0.0, 2.0))
        stops += 1
        sending += case.phases()["sending"] if number is signal.SIGKILL else 0
    case.finish()
    verdict = judge(case, at.prompts())
    return Ended(
        Tally(
            harness=f"{provider}: {number.name} of a run of {_SHOTS} shots",
            cases=stops,
            duplicates=verdict.duplicates,
            lost=verdict.lost,
            partial=verdict.partial,
            tracebacks=verdict.tracebacks,
            other=verdict.unfinished + int(verdict.unknown > sending),
            seconds=time.monotonic() - began,
            note=f"{verdict.unknown} unknown; {sending} were being sent when it died",
        ),
        f"exits {case.exits} {verdict}\n{case.said}",
    )


def _stop(case: Case, number: signal.Signals, *, after_s: float) -> str:
    process = case.start()
    until = time.monotonic() + PATIENCE_S
    while process.poll() is None and not case.is_driven_by(process.pid) and time.monotonic() < until:
        time.sleep(0.01)  # between two looks: it is another process
    time.sleep(after_s)  # the random moment
    process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE_S)
    return str(out)


if __name__ == "__main__":
    sys.exit(main())
