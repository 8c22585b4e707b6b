"""How close a run comes to a client that loses no time, beside what people would use instead, on one loopback service.

    python benchmarks/engine.py [--quick] [--case NAME]… [--rounds N] [--without-peers] [--json FILE]

The service stands in a process of its own and answers after log-normal latencies (sigma 0.2) that are drawn
beforehand; the ideal is what those very latencies allow on so many slots. The makespan is the service's own: from the
first submit to the last download. CPU and memory are those of the client's processes from start to end: for us that is
planning, journal, checks, metadata, thumbnails, contact sheet and ledger too, for the others the pictures alone.

"bound" is the part beyond the ideal that no client can save in a long run which knows the distribution and looks so
many times a second: a picture that is ready and not yet seen keeps its slot.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from loopback.clients import CLIENTS, Seen, measure
from loopback.sample import best_by_polling, draw, ideal_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """So many shots at once, and what is wanted of them."""

    name: str
    protocol: str
    slots: int
    shots: int
    median_s: float
    polls_per_s: int  # at most
    goal: float  # of the makespan, over the ideal
    cpu_goal_s: float | None  # per 1,000 shots
    memory_goal_mb: int
    peers: tuple[str, ...]
    in_quick: bool


_BFL = ("requests", "httpx", "OpenTryOn")
_FAL = ("requests", "httpx", "fal-client")
CASES = (
    Case(
        name="24 at once, one wave",
        protocol="bfl",
        slots=24,
        shots=24,
        median_s=2.2,
        polls_per_s=20,
        goal=1.03,
        cpu_goal_s=None,  # mostly the start of the program
        memory_goal_mb=60,
        peers=_BFL,
        in_quick=True,
    ),
    Case(
        name="24 at once, ten waves",
        protocol="bfl",
        slots=24,
        shots=240,
        median_s=2.2,
        polls_per_s=20,
        goal=1.03,
        cpu_goal_s=12,
        memory_goal_mb=60,
        peers=_BFL,
        in_quick=False,
    ),
    Case(
        name="24 at once by fal's protocol, two waves",
        protocol="fal",
        slots=24,
        shots=48,
        median_s=2.2,
        polls_per_s=300,
        goal=1.03,
        cpu_goal_s=None,
        memory_goal_mb=60,
        peers=_FAL,
        in_quick=False,
    ),
    Case(
        name="256 at once",
        protocol="fal",
        slots=256,
        shots=1024,
        median_s=5.3,
        polls_per_s=300,
        goal=1.06,
        cpu_goal_s=8,
        memory_goal_mb=60,
        peers=_FAL,
        in_quick=True,
    ),
    Case(
        name="1,000 at once",
        protocol="fal",
        slots=1000,
        shots=2000,
        median_s=20.0,
        polls_per_s=300,
        goal=1.05,
        cpu_goal_s=8,
        memory_goal_mb=60,
        peers=_FAL,
        in_quick=False,
    ),
    Case(
        name="5,000 at once",
        protocol="fal",
        slots=5000,
        shots=5000,
        median_s=40.0,
        polls_per_s=300,
        goal=1.08,
        cpu_goal_s=None,
        memory_goal_mb=100,
        peers=("httpx",),
        in_quick=False,
    ),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two cases, at most two minutes")
    parser.add_argument("--case", action="append", default=[], help="only cases whose name begins so")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--json", type=Path, help="write all figures there, every round")
    options = parser.parse_args()

    figures: list[dict[str, object]] = []
    for case in CASES:
        if (options.quick and not case.in_quick) or not any(case.name.startswith(n) for n in options.case or [""]):
            continue
        clients = ["flux2batch"] if options.without_peers else ["flux2batch", *case.peers]
        if case.slots in (24, 256) and not options.quick:
            clients.append("flux2batch, forgetful")
        seen: dict[str, list[Seen]] = {client: [] for client in clients if CLIENTS[client].is_there()}
        for number in range(options.rounds):
            for client, rounds in seen.items():
                rounds.append(_once(case, client, seed=number))
        _show(case, seen)
        figures += _figures(case, seen)
        if options.json is not None:
            options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _once(case: Case, client: str, *, seed: int) -> Seen:
    return measure(
        CLIENTS[client],
        protocol=case.protocol,
        slots=case.slots,
        shots=case.shots,
        median_s=case.median_s,
        seed=seed,
    )


def _show(case: Case, seen: dict[str, list[Seen]]) -> None:
    perfect = _ideals(case, 1)[0]
    bound = best_by_polling(_allowed(case))
    print(
        f"\n{case.name}: {case.shots:,} shots, {case.median_s} s in the median, ideal {perfect:.1f} s;"
        f" goal {case.goal}, bound at {case.polls_per_s} polls a second {bound:.3f}"
    )
    print(f"  {'':<24}{'ratio':>7}{'CPU/1000':>10}{'MB':>6}{'polls':>8}{'/shot':>7}{'most/s':>8}{'whole':>8}")
    for client, rounds in seen.items():
        ratio = statistics.median(_ratios(case, rounds))
        one = rounds[len(rounds) // 2]
        print(
            f"  {client:<24}{ratio:>7.3f}{one.cpu_s / case.shots * 1000:>8.1f} s{one.memory_mb:>6.0f}{one.polls:>8}"
            f"{one.polls / case.shots:>7.1f}{one.most_polls_in_a_second:>8}{one.whole_s:>6.1f} s",
            flush=True,
        )


def _allowed(case: Case) -> float:
    """Polls for each picture, where all slots are full all the time."""
    return case.polls_per_s * case.median_s * 1.02 / case.slots


def _ideals(case: Case, rounds: int) -> list[float]:
    samples = (draw(case.shots, median_s=case.median_s, seed=seed) for seed in range(rounds))
    return [ideal_s(sample, slots=case.slots) for sample in samples]


def _ratios(case: Case, rounds: Sequence[Seen]) -> list[float]:
    return [one.makespan_s / ideal for one, ideal in zip(rounds, _ideals(case, len(rounds)), strict=True)]


def _figures(case: Case, seen: dict[str, list[Seen]]) -> list[dict[str, object]]:
    """One figure a quantity, as the page of results wants it, with every round."""

    def figure(what: str, unit: str, goal: float | None, value: dict[str, list[float]]) -> dict[str, object]:
        medians = {client: statistics.median(rounds) for client, rounds in value.items()}
        ours = medians.pop("flux2batch")
        return {
            "name": f"{case.name}: {what}",
            "ours": ours,
            "peers": medians,
            "goal": goal,
            "unit": unit,
            "rounds": value,
            "method": {key: told for key, told in asdict(case).items() if key not in ("name", "in_quick", "peers")},
        }

    ratios = {client: _ratios(case, rounds) for client, rounds in seen.items()}
    cpu = {client: [one.cpu_s / case.shots * 1000 for one in rounds] for client, rounds in seen.items()}
    memory = {client: [one.memory_mb for one in rounds] for client, rounds in seen.items()}
    polls = {client: [one.polls / case.shots for one in rounds] for client, rounds in seen.items()}
    busiest = {client: [float(one.most_polls_in_a_second) for one in rounds] for client, rounds in seen.items()}
    return [
        figure("makespan over the ideal", "ratio", case.goal, ratios),
        figure("client CPU per 1,000 shots", "s", case.cpu_goal_s, cpu),
        figure("peak memory", "MB", case.memory_goal_mb, memory),
        figure("polls a picture", "polls", None, polls),
        figure("polls in the busiest second", "polls", case.polls_per_s, busiest),
    ]


if __name__ == "__main__":
    sys.exit(main())
