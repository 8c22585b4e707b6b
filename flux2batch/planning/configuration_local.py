"""How pictures are drawn on one's own machines: which weights, on which devices, sparing what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DTYPES = ("auto", "bfloat16", "float16", "float32")
OFFLOADS = ("none", "model", "sequential")
QUANTISED = ("none", "fp8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """[service.local] and the flags of `run` that stand in for it."""

    weights: Mapping[str, Path]  # model → folder in diffusers' layout
    any_weights: Path | None  # --local-weights DIR: of whichever local model the job asks for
    device: str  # auto; or cpu, mps, cuda (all), cuda:0,cuda:2
    dtype: str
    offload: str
    quantise: str
    fleet: str | None  # local, local:4, auto, or the address of a Ray cluster

    def folder_of(self, model: str) -> Path | None:
        """The folder that is named for a model; None where none is."""
        return self.any_weights or self.weights.get(model)


LOCAL_DEFAULTS = Local(
    weights={}, any_weights=None, device="auto", dtype="auto", offload="none", quantise="none", fleet=None
)
