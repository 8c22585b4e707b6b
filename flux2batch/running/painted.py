"""A stand-in for the workers of local models: `--emulate` paints where weights would draw."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from flux2batch.emulator.painter import Card, Wish, paint
from flux2batch.planning.models.catalogue import Entry
from flux2batch.providers.local.request import Drawn, OnStep, Request


class Painter:
    """One "device" that needs neither weights nor libraries. The same request gives the same bytes."""

    name = "painter"

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self.loaded: str | None = None

    def load(self, model: str) -> str:
        """Nothing is loaded."""
        self.loaded = model
        return f"{model} is painted by the emulator: no weights, no device"

    def draw(self, request: Request, on_step: OnStep) -> Drawn:
        """Paint it, after as many "steps" as were asked for."""
        for step in range(request.steps):
            on_step(step + 1, request.steps)
        wish = Wish(
            model=request.model,
            prompt=request.prompt,
            seed=request.seed,
            width=request.width,
            height=request.height,
            guidance=request.guidance,
            steps=request.steps,
            most_steps=int(self._entries[request.model].parameters["steps"].default),
            caption=f"seed {request.seed}, {request.steps} steps",
            frame=0,
            cards=tuple(
                Card(sha256=hashlib.sha256(content).hexdigest(), thumbnail=None, label=f"image {number}")
                for number, content in enumerate(request.references, start=1)
            ),
        )
        return Drawn(content=paint(wish, request.output_format), details={"device": self.name})

    def close(self) -> None:
        """Nothing is held."""
        self.loaded = None
