"""The words between the scheduler and whoever does the work: what is to be done for a shot, and what can come of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from flux2batch.engine.events import ShotEvent, Ticket
from flux2batch.engine.lifecycle import Life
from flux2batch.planning.shot import ShotId


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, twice: `s` only ever goes forward and measures; `at` is for people and for the journal."""

    s: float
    at: datetime


# What is to be done.


@dataclass(frozen=True, slots=True)
class Open:
    """Prepare the request and connect."""

    shot: ShotId
    take: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send on the line that is up. `SendBegan` is durable."""

    shot: ShotId


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the line that is up: the run stops before anything was sent on it."""

    shot: ShotId


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask whether the picture is ready."""

    shot: ShotId
    ticket: Ticket
    called: bool  # the service has just said that it is


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch, check and place one frame."""

    shot: ShotId
    frame: int
    life: Life


Work = Open | Send | HangUp | Poll | Fetch


# What came of it, beside the events themselves.


@dataclass(frozen=True, slots=True)
class LineUp:
    """The request is ready and the connection stands."""


Outcome = ShotEvent | LineUp


class Told(NamedTuple):
    """What followed from an outcome: facts to record, and the shot's life after them."""

    facts: list[ShotEvent]
    life: Life
