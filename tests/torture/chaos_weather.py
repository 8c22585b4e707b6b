"""Real runs in foul weather: every answer may be late, sliced, cut, reset, stalled, or followed by garbage.

python tests/torture/chaos_weather.py [--runs 40] [--seed N] [--processes 2] [--only NUMBER]

Each run goes through the proxy to the emulator until the weather clears, and once more when it has. Nothing is paid
twice, nothing that was paid is forgotten, and a shot is in doubt only where its own answer was spoilt.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from chaos_proxy import ChaosProxy, Exchange, Harm
from cut_answers import MODELS, UNPAID, add_up, is_whole
from tally import Tally, say

import flux2batch
from flux2batch.emulator.server import Emulator

SHOTS = 10


def ride_out(number: int, *, seed: int) -> tuple[Tally, str]:
    """One job of ten shots; what went wrong, in words."""
    began = time.monotonic()
    chance = random.Random(f"{seed}/{number}")
    model = MODELS[chance.choice(sorted(MODELS))]
    foul = chance.choice((0.1, 0.3, 0.5))
    calm = False

    def spoil(exchange: Exchange) -> Harm | None:
        if calm or chance.random() >= foul or exchange.path.startswith("/v1/credits"):
            return None
        at = chance.randint(0, len(exchange.answer))
        return chance.choice(
            (
                Harm("latency", s=0.2),
                Harm("slice", at=chance.choice((1, 7, 100)), s=0.0005),
                Harm("cut", at=at),
                Harm("reset", at=at),
                Harm("slow close", s=0.3),
                Harm("garbage", at=at),
                Harm("stall", at=at, s=0.3),
            )
        )

    with (
        tempfile.TemporaryDirectory(prefix="weather-") as name,
        Emulator(latency="0", active_limit=None, concurrency=40) as emulator,
        ChaosProxy(emulator, spoil) as proxy,
        proxy.in_use(Path(name) / "state"),
    ):
        job = {
            "flux2batch": 1,
            "name": "weather",
            "model": model,
            "prompt": "a storm",
            "params": {"size": "64x64"},
            "sweep": {"seed": list(range(SHOTS))},
            "run": {"concurrency": 3, "timeout": "20s"},
        }
        plan = flux2batch.plan(flux2batch.load(job, folder=Path(name)))
        flux2batch.run(plan, out=Path(name) / "run")
        calm = True
        last = flux2batch.run(plan, out=Path(name) / "run")
        shots = {shot.shot.params["seed"]: shot for shot in last}
        posted = Counter(int(json.loads(one.body)["seed"]) for one in proxy.posts())
        paid = Counter(int(task.wish["seed"]) for task in emulator.books.tasks(limit=1000))
        spoilt = {json.loads(one.body)["seed"] for one in proxy.posts() if one.harm}
        partial_ = sum(not is_whole(path) for one in shots.values() if one.state == "done" for path in one.images)
        halves = len(list(Path(name).rglob("*.part")))
    said = [f"exit {last.exit_code}"] if last.exit_code not in (0, 5) else []
    for seed_of, shot in shots.items():
        # A submit whose polling URL was cut off may stall: its id is kept, and the service's base does not know it.
        if shot.state != "done" and not (seed_of in spoilt and shot.state in ("unknown", "stalled")):
            said.append(f"shot {seed_of} is {shot.state}: {shot.reason}")
    tally = Tally(
        harness="weather",
        cases=1,
        duplicates=sum(count - 1 for count in (posted | paid).values() if count > 1),
        lost=sum(shots[number_of].state in UNPAID for number_of in paid),
        partial=partial_ + halves,
        other=len(said),
        seconds=time.monotonic() - began,
    )
    return tally, "" if tally.is_good else f"chaos_weather --seed {seed} --only {number}: {tally} {said}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int)
    arguments = parser.parse_args()
    began = time.monotonic()
    numbers = range(arguments.runs) if arguments.only is None else [arguments.only]
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        outcomes = list(pool.imap_unordered(partial(ride_out, seed=arguments.seed), numbers))
    for _, said in outcomes:
        if said:
            print(said)
    shots = SHOTS * len(outcomes)
    print(f"seed {arguments.seed}: {len(outcomes)} runs of {SHOTS} shots in foul weather")
    row = add_up("foul weather", [tally for tally, _ in outcomes], time.monotonic() - began)
    return say(Tally(**{name: getattr(row, name) for name in row.__slots__} | {"cases": shots}))


if __name__ == "__main__":
    sys.exit(main())
