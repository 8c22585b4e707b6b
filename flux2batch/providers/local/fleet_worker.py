"""What runs on a machine of a fleet: one pipeline, behind methods that may be called from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flux2batch.providers.local.request import Drawer, Drawn, Request, Stopped


class FleetWorker:
    """Two threads enter it: one draws, the other asks how far it is or tells it to stop."""

    def __init__(self, make: Callable[[], Drawer]) -> None:
        self._drawer = make()
        self._progress = (0, 1)
        self._stopping = False

    def load(self, model: str) -> str:
        """Load a model; what a person wants to know of it."""
        return self._drawer.load(model)

    def draw(self, request: Request, *references: bytes) -> Drawn:
        """Draw one picture. The references came on a way of their own: once for this machine, not once a shot."""
        self._progress, self._stopping = (0, request.steps), False
        return self._drawer.draw(replace(request, references=references), self._on_step)

    def progress(self) -> tuple[int, int]:
        """Steps that are done, and all of them."""
        return self._progress

    def stop(self) -> None:
        """What is being drawn ends with its step."""
        self._stopping = True

    def _on_step(self, step: int, steps: int) -> None:
        if self._stopping:
            raise Stopped
        self._progress = (step, steps)
