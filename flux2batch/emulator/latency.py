"""How long a picture takes: fixed, or log-normal around a mean, per model, and the same again for the same draw."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_SPREAD = re.compile(rf"\s*({_NUMBER})\s*(?:(?:±|\+/?-)\s*({_NUMBER}))?\s*s?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Seconds by mean and standard deviation."""

    mean_s: float
    deviation_s: float

    def draw(self, rng: Random) -> float:
        """One duration. Log-normal, as waiting for a shared service is: never negative, with a long tail."""
        if not self.mean_s or not self.deviation_s:
            return self.mean_s
        variance = math.log(1 + (self.deviation_s / self.mean_s) ** 2)
        return rng.lognormvariate(math.log(self.mean_s) - variance / 2, math.sqrt(variance))


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Durations for every model; `speed` 10 is ten times as quick."""

    usual: Spread
    models: Mapping[str, Spread]
    speed: float

    def duration_s(self, model: str, *, draw: str) -> float:
        """How long this request takes; `draw` names it, so that chance is repeatable."""
        spread = self.models.get(model, self.usual)
        return spread.draw(Random(f"latency {draw}")) / self.speed


def parse_latency(text: str, *, speed: float = 1.0) -> Latency:
    """Read "4", "4±1" or "4±1,flux-2-max=9±2,flux-2-klein-4b=0.5"; raises ValueError with a plain reason."""
    if not speed > 0:
        raise ValueError(f"speed must be above 0, got {speed}")
    usual, models = Spread(mean_s=0.0, deviation_s=0.0), {}
    for part in text.split(","):
        model, equals, spread = part.rpartition("=")
        if equals:
            models[model.strip()] = _spread(spread)
        else:
            usual = _spread(spread)
    return Latency(usual=usual, models=models, speed=speed)


def _spread(text: str) -> Spread:
    found = _SPREAD.fullmatch(text)
    if found is None:
        raise ValueError(f"{text.strip()!r} is not a latency: write seconds, as in 4 or 4±1")
    return Spread(mean_s=float(found[1]), deviation_s=float(found[2] or 0))
