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

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from figures import OURS, Figure, keep, parser
from loopback.clients import CLIENTS, Seen, measure
from loopback.sample import SIGMA, best_by_polling, draw, ideal_s


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
    clients: tuple[str, ...]
    when: Literal["quick", "full"]
    rounds: int = 1


_BFL = (OURS, "requests", "httpx", "OpenTryOn")
_FAL = (OURS, "requests", "httpx", "fal-client")
CASES = (
    Case(
        name="24 shots, all at once",
        protocol="bfl",
        slots=24,
        shots=24,
        median_s=2.2,
        polls_per_s=20,
        goal=1.03,
        cpu_goal_s=None,  # mostly the start of the program
        memory_goal_mb=60,
        clients=(OURS, "requests"),
        when="quick",
    ),
    Case(
        name="24 at once",
        protocol="bfl",
        slots=24,
        shots=96,
        median_s=2.2,
        polls_per_s=20,
        goal=1.03,
        cpu_goal_s=12,
        memory_goal_mb=60,
        clients=_BFL,
        when="full",
        rounds=2,
    ),
    Case(
        name="256 shots, all at once",
        protocol="fal",
        slots=256,
        shots=256,
        median_s=5.3,
        polls_per_s=300,
        goal=1.06,
        cpu_goal_s=None,
        memory_goal_mb=60,
        clients=(OURS, "requests", "fal-client"),
        when="quick",
    ),
    Case(
        name="256 at once",
        protocol="fal",
        slots=256,
        shots=512,
        median_s=5.3,
        polls_per_s=300,
        goal=1.06,
        cpu_goal_s=8,
        memory_goal_mb=60,
        clients=(*_FAL, "flux2batch, no sheet", "flux2batch, no journal"),
        when="full",
        rounds=2,
    ),
    Case(
        name="1,000 at once",
        protocol="fal",
        slots=1000,
        shots=1000,
        median_s=20.0,
        polls_per_s=300,
        goal=1.05,
        cpu_goal_s=8,
        memory_goal_mb=60,
        clients=(OURS, "requests"),
        when="full",
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
        clients=(OURS,),
        when="full",
    ),
)


def main() -> None:
    """Measure and print."""
    asked = parser(__doc__, rounds=0)
    asked.add_argument("--case", action="append", default=[], help="only cases whose name begins so")
    asked.add_argument("--without-peers", action="store_true")
    options = asked.parse_args()

    figures: list[Figure] = []
    for case in CASES:
        if options.case and not case.name.startswith(tuple(options.case)):
            continue
        if not options.case and case.when != ("quick" if options.quick else "full"):
            continue
        clients = [client for client in case.clients if not options.without_peers or client.startswith(OURS)]
        seen: dict[str, list[Seen]] = {client: [] for client in clients if CLIENTS[client].is_there()}
        for number in range(options.rounds or case.rounds):
            for client, rounds in seen.items():
                rounds.append(_once(case, client, seed=number))
        _show(case, seen)
        figures += _figures(case, seen)
        keep(figures, options.json)


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


def _figures(case: Case, seen: dict[str, list[Seen]]) -> list[Figure]:
    """One figure a quantity, with every round."""
    bound = best_by_polling(_allowed(case))
    method = (
        f"{case.shots:,} shots by {case.protocol}'s protocol, {case.slots:,} at once, latencies log-normal around"
        f" {case.median_s:g} s (sigma {SIGMA:g}), at most {case.polls_per_s} polls a second for us"
    )

    def figure(what: str, unit: str, goal: float | None, value: Callable[[Seen], float], more: str = "") -> Figure:
        rounds = {client: [value(one) for one in rounds] for client, rounds in seen.items()}
        return Figure(name=f"{case.name}: {what}", unit=unit, rounds=rounds, goal=goal, method=f"{method}{more}")

    ideals = dict(zip((id(one) for rounds in seen.values() for one in rounds), _ideals_of(case, seen), strict=True))
    return [
        figure(
            "makespan",
            "× the ideal",
            case.goal,
            lambda one: one.makespan_s / ideals[id(one)],
            f"; so many polls cannot do better than {bound:.3f} in a long run, which counts where there are many waves",
        ),
        figure("client CPU", "s a 1,000 shots", case.cpu_goal_s, lambda one: one.cpu_s / case.shots * 1000),
        figure("peak memory", "MB", case.memory_goal_mb, lambda one: one.memory_mb),
        figure("polls", "a picture", None, lambda one: one.polls / case.shots),
        figure("polls in the busiest second", "", None, lambda one: float(one.most_polls_in_a_second)),
    ]


def _ideals_of(case: Case, seen: dict[str, list[Seen]]) -> list[float]:
    return [ideal for rounds in seen.values() for ideal in _ideals(case, len(rounds))]


if __name__ == "__main__":
    sys.exit(main())
