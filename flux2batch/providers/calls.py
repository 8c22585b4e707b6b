"""What may be made of a service's call: that it is about a take, or that it is not to be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from flux2batch.engine.events import Polled, Ticket
from flux2batch.providers.contract import Hook


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One POST to the address of a take. Header names are lower case."""

    headers: Mapping[str, str]
    body: bytes
    at_s: float  # by the clock of this machine, in seconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The service says that this is its task. Nothing else in a call is ever believed."""

    task_id: str
    is_over: bool  # the task is done, in one way or another: worth a look


@dataclass(frozen=True, slots=True, kw_only=True)
class Forged:
    """It does not come from the service, or cannot be told from one that does not."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified:
    """Nobody can say yet: the service is to call again."""

    reason: str


Verdict = Named | Forged | Unverified


@runtime_checkable
class CallsBack(Protocol):
    """A provider whose service calls when a picture is ready."""

    def heed(self, call: Call, hook: Hook) -> Verdict:
        """Whether the service itself sent this to the take's address."""
        ...

    def collect(self, ticket: Ticket) -> Polled:
        """Ask for the result of a task that is over, as a call has said; what it said is not believed."""
        ...
