"""A figure of a benchmark: what was measured, in every round, ours and others', and what is wanted of it."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

OURS = "flux2batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One quantity, by who was measured; `better` says whether a low or a high one is wanted."""

    name: str
    unit: str
    rounds: Mapping[str, Sequence[float]]
    goal: float | None = None
    better: Literal["low", "high"] = "low"
    method: str = ""

    def median(self, who: str = OURS) -> float:
        """The middle of all rounds."""
        return statistics.median(self.rounds[who])

    @property
    def is_met(self) -> bool | None:
        """Whether ours is as good as is wanted; None where nothing is."""
        if self.goal is None or OURS not in self.rounds:
            return None
        ours = self.median()
        return ours <= self.goal if self.better == "low" else ours >= self.goal

    def line(self) -> str:
        """As one line for a terminal."""
        told = ", ".join(f"{who} {spread(values)}" for who, values in self.rounds.items())
        sign = "≤" if self.better == "low" else "≥"
        return f"{self.name}: {told} {self.unit}" + (f" (goal {sign} {self.goal:g})" if self.goal is not None else "")


def spread(values: Sequence[float]) -> str:
    """The median, and the lowest and highest where they differ from it."""
    middle, low, high = (short(one) for one in (statistics.median(values), min(values), max(values)))
    return middle if low == high else f"{middle} [{low}–{high}]"


def short(value: float) -> str:
    """Three digits that say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def parser(doc: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="less of it")
    made.add_argument("--rounds", type=int, default=rounds)
    made.add_argument("--json", type=Path, help="write the figures there, every round")
    return made


def tell(figures: Sequence[Figure], path: Path | None) -> None:
    """Print the figures, and write them where that is asked for."""
    for figure in figures:
        print(figure.line(), flush=True)
    keep(figures, path)


def keep(figures: Sequence[Figure], path: Path | None) -> None:
    """Write them where that is asked for."""
    if path is not None:
        path.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> list[Figure]:
    """The figures of a file."""
    told: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return [Figure(**{name: one[name] for name in Figure.__dataclass_fields__ if name in one}) for one in told]
