"""What a worker is asked for, and what comes of it: values that may travel to another process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

OnStep = Callable[[int, int], None]
"""Told after each step how many are done, and of how many. It raises Stopped where the picture is not wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One picture to draw."""

    model: str
    prompt: str
    width: int
    height: int
    steps: int
    guidance: float | None  # None: the model takes none
    seed: int
    references: tuple[bytes, ...]  # encoded pictures; the first is "image 1"
    output_format: str  # png, jpeg or webp


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A finished picture."""

    content: bytes
    details: Mapping[str, Any]  # device, seconds, whether the prompt was encoded anew


class CannotDraw(Exception):
    """This picture cannot be drawn, for the reason given; the next one may well be."""


class Stopped(Exception):
    """The run ends: the picture is not wanted any more."""


class WorkerLost(Exception):
    """Whoever drew it is gone, and no other picture can be drawn there. This one may be drawn elsewhere."""


class Drawer(Protocol):
    """One device with what is loaded on it. It is used by one thread at a time."""

    name: str  # cuda:0
    loaded: str | None  # the model that is ready there

    def load(self, model: str) -> str: ...

    def draw(self, request: Request, on_step: OnStep) -> Drawn: ...

    def close(self) -> None: ...


Drawers = Callable[[], Sequence[Drawer]]
"""Look at the machine and say which devices draw. Slow: it imports the libraries."""


# Where a task is.


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nobody has begun it."""

    before: int  # how many stand before it


@dataclass(frozen=True, slots=True)
class Drawing:
    """A worker is at it."""

    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Finished:
    """Its picture waits to be taken."""

    request: Request
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Undrawn:
    """It cannot be drawn."""

    reason: str


@dataclass(frozen=True, slots=True)
class Returned:
    """It was stopped before it was drawn."""


State = Waiting | Drawing | Finished | Undrawn | Returned


class Workers(Protocol):
    """Whoever draws: threads of this process with a device each, or a fleet. Safe to call from any thread."""

    @property
    def at_once(self) -> int:
        """How many tasks should be in hand, so that no worker ever waits for the next."""
        ...

    def check(self, models: Sequence[str]) -> None:
        """Raise what can be told of the models without loading them."""
        ...

    def make_ready(self, models: Sequence[str]) -> Sequence[str]:
        """Load what is needed for the first picture; a line for people on each worker. Doing it again does nothing."""
        ...

    def hand_over(self, task: str, request: Request) -> None: ...

    def state(self, task: str) -> State | None:
        """Where the task is; None where nobody knows it."""
        ...

    def take(self, task: str) -> bytes | None:
        """The picture, which is forgotten here."""
        ...

    def stop(self) -> None:
        """Give back what is not drawn, at the next step."""
        ...

    def close(self) -> None: ...
