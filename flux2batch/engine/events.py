"""The facts of a shot's life: what a provider can answer, and what a run itself records. Nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from flux2batch.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a service gave for an accepted take: everything needed to fetch its picture, in any later process."""

    provider: str
    task_id: str
    poll_url: str  # polling_url, status_url: as given, never built by hand where the service gives one
    result_url: str | None  # fal's response_url
    cancel_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a service says that it charged, or why there is no such figure."""

    usd: Money
    source: Literal["cost", "billable-units", "not-billed", "estimate", "free"]
    megapixels_in: str | None  # as the service said
    megapixels_out: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One finished picture as the service announces it."""

    url: str  # may be a data: URI
    width: int | None
    height: int | None
    media_type: str | None
    nsfw: bool  # flagged by the service; its picture is black


# What a submit can mean.


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    ticket: Ticket
    charge: Charge | None  # None: not known yet
    evidence: str  # "answer", "salvaged from a cut answer", "webhook", "listing", "by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """Refused for now (429): it was not taken and may be sent again."""

    wait_s: float | None  # as the service asked, capped; None: it did not say
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRefused:
    """401, 402 or 403: no further submit makes sense until a person acts."""

    status: int
    kind: Literal["key", "credits", "forbidden"]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A definite refusal of this request. `parameters` are neutral names to point at in the job, with the reason."""

    status: int
    reason: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Provably never reached the service: free to repeat."""

    reason: str
    offline: bool  # the network itself seems to be away


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """Sent, and nobody knows whether it was taken: never repeated by itself."""

    reason: str
    status: int | None
    excerpt: str | None  # the first bytes of what came back, made safe to show


Submitted = Accepted | Throttled | AccountRefused | Rejected | NotSent | Unanswered


# What a poll can mean.


@dataclass(frozen=True, slots=True, kw_only=True)
class StillWorking:
    status: str  # the service's own word
    queue_position: int | None
    progress: float | None
    wait_s: float | None  # Retry-After
    known: bool  # False: a status never heard of, or "Task not found" soon after the submit


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    frames: tuple[Frame, ...]
    expires_at: datetime | None
    seed: int | None
    prompt: str | None  # the final prompt, where the service tells
    charge: Charge | None
    details: Mapping[str, Any]  # timings and the like


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderated:
    stage: Literal["request", "content"]
    reasons: tuple[str, ...]
    charge: Charge | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    reason: str
    charge: Charge | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanished:
    """The service says that it does not know the task. Soon after a submit that is "not yet"; policy judges."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollFailed:
    """No usable answer to a poll: free to repeat."""

    reason: str
    status: int | None
    wait_s: float | None
    offline: bool


Polled = StillWorking | Rendered | Moderated | Failed | Vanished | PollFailed | AccountRefused


# What a download can mean.


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    content: bytes
    media_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkExpired:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadFailed:
    reason: str
    status: int | None
    wait_s: float | None
    offline: bool


Downloaded = Fetched | LinkExpired | DownloadFailed
