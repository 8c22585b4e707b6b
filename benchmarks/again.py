"""Two runs of the benchmarks on one machine: which ratios came out the same, and how far apart the others are.

A ratio of a run is ours over another's in the same rounds, or what a script reckons as one (`×`). Its spread goes from
our best round over their worst to our worst over their best. Two runs agree on a ratio where their spreads meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from figures import OURS, Figure, short


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """What a run says of one ratio."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        middle, low, high = short(self.middle), short(self.low), short(self.high)
        return middle if low == high else f"{middle} [{low}–{high}]"

    def meets(self, other: Ratio) -> bool:
        """Whether the spreads have a value in common, as far as three digits tell."""
        return _printed(self.low) <= _printed(other.high) and _printed(other.low) <= _printed(self.high)

    def beside(self, other: Ratio) -> float:
        """How far the middles lie apart, as a part of the other's."""
        return abs(self.middle / other.middle - 1)


def again(before: Sequence[Figure], now: Sequence[Figure]) -> str:
    """Both runs beside one another, in Markdown; empty where they have no ratio in common."""
    earlier, later = _ratios(before), _ratios(now)
    names = [name for name in later if name in earlier]
    if not names:
        return ""
    apart = [name for name in names if not later[name].meets(earlier[name])]
    apart.sort(key=lambda name: -later[name].beside(earlier[name]))
    lines = [
        "## Twice on the same machine",
        "",
        f"Of {len(names)} ratios of this run, {len(names) - len(apart)} lie within the spread of the run before it."
        + (" The others, the furthest apart first:" if apart else ""),
        "",
    ]
    if apart:
        lines += ["| ratio | this run | the run before | apart |", "|---|---|---|---|"]
        lines += [
            f"| {name} | {later[name]} | {earlier[name]} | {later[name].beside(earlier[name]):.1%} |" for name in apart
        ]
    return "\n".join(lines) + "\n"


def _ratios(figures: Sequence[Figure]) -> Mapping[str, Ratio]:
    found: dict[str, Ratio] = {}
    for figure in figures:
        ours = figure.rounds.get(OURS)
        if not ours:
            continue
        if figure.unit.startswith("×"):
            found[figure.name] = Ratio(middle=median(ours), low=min(ours), high=max(ours))
        for who, theirs in figure.rounds.items():
            if who != OURS and min(theirs) > 0:
                found[f"{figure.name}, over {who}"] = Ratio(
                    middle=median(ours) / median(theirs), low=min(ours) / max(theirs), high=max(ours) / min(theirs)
                )
    return found


def _printed(value: float) -> float:
    return float(f"{value:.3g}")
