"""A drawer that draws next to nothing, for what is to be measured around it; importable by the workers of a fleet."""

from __future__ import annotations

import io

from PIL import Image

from flux2batch.providers.local.request import Drawn, OnStep, Request


class Trivial:
    """A plain square in a colour that the seed decides."""

    name = "trivial"

    def __init__(self) -> None:
        self.loaded: str | None = None

    def load(self, model: str) -> str:
        self.loaded = model
        return f"{model} is not needed"

    def draw(self, request: Request, on_step: OnStep) -> Drawn:
        on_step(request.steps, request.steps)
        sink = io.BytesIO()
        colour = (request.seed % 256, request.seed // 256 % 256, len(request.references))
        Image.new("RGB", (request.width, request.height), colour).save(sink, "PNG")
        return Drawn(content=sink.getvalue(), details={})

    def close(self) -> None:
        self.loaded = None
