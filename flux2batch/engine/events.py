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
    model: str  # bfl/flux-2-pro
    endpoint: str  # with the model it says what a unit costs, where the service answers in units
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
    """The service took the request and gave an id: from here on it is paid for."""

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
    """Not ready yet."""

    status: str  # the service's own word
    queue_position: int | None
    progress: float | None
    wait_s: float | None  # Retry-After
    known: bool  # False: a status never heard of, or "Task not found" soon after the submit


NOT_FOUND = "not found"
"""The status under which "the service does not know the task" is counted while that may still mean "not yet"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The picture is ready, and its link is known."""

    frames: tuple[Frame, ...]
    expires_at: datetime | None
    seed: int | None
    prompt: str | None  # the final prompt, where the service tells
    charge: Charge | None
    details: Mapping[str, Any]  # timings and the like


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderated:
    """The service will not show it, and says why."""

    stage: Literal["request", "content"]
    reasons: tuple[str, ...]
    charge: Charge | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The service says that it failed."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedBack:
    """Whoever had taken it gives it back undrawn, and it costs nothing: it may be handed over again."""

    reason: str


Polled = StillWorking | Rendered | Moderated | Failed | Vanished | HandedBack | PollFailed | AccountRefused


# What a download can mean.


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The bytes of a picture."""

    content: bytes
    media_type: str | None
    remark: str | None  # worth saying: the picture came from a host that is not a known one


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkExpired:
    """The link is no longer good: polling again gives a fresh one."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadFailed:
    """The download broke off, or could not begin: free to repeat."""

    reason: str
    status: int | None
    wait_s: float | None
    offline: bool


Downloaded = Fetched | LinkExpired | DownloadFailed


# What a run itself records about a shot.


@dataclass(frozen=True, slots=True, kw_only=True)
class Intended:
    """A take begins: from here on its price is reserved. What ledger and sheet need to know of the shot goes along."""

    take: int  # from 1
    reserve: Money  # the most that it can cost
    estimate: Money  # the least
    model: str
    endpoint: str
    prompt: str
    params: Mapping[str, Any]
    references: tuple[str, ...]  # "name source digest", for people; never bytes
    coordinates: Mapping[str, tuple[str, str]]  # axis → (id, label)
    repeat: int
    paths: tuple[str, ...]  # where the frames go, relative to the run directory
    frames: int
    trim: tuple[int, int] | None  # `exact`: the picture is scaled and trimmed to this after it came


@dataclass(frozen=True, slots=True, kw_only=True)
class SendBegan:
    """The line is up and the first byte is about to leave: from here on silence means that it may be paid for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A frame is whole, durable and at its place."""

    frame: int  # from 0
    path: str  # relative to the run directory
    copies: tuple[str, ...]  # where it lies as well, for the equal shots that share it
    sha256: str
    size_bytes: int
    width: int
    height: int
    media_type: str
    original: str | None  # where the picture as it came is kept, when it was trimmed
    remark: str | None  # not what was asked for: another size or format


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalled:
    """Patience is spent for this run. The shot stays where it is; the next run looks at it first."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledUnsent:
    """A person (or a proof) says that an unknown take never reached the service."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resubmitted:
    """An unknown take is given up for another; what it may have cost stays in the books."""

    by: str
    number: int  # the how manieth resubmission of this shot


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned:
    """A person gives an unknown take up: its money is counted as spent, its picture as lost."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """The shot's picture was found in another run directory and laid here: it costs nothing."""

    source: str  # the run directory that it came from
    intended: Intended  # as this plan has the shot, at no price
    saved: tuple[Saved, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A done shot's picture was moved: its path changed, or another shot took it (to `earlier/`)."""

    saved: tuple[Saved, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A done shot's picture is no longer where it was put."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """A person asks for a shot again that had ended: it is planned once more."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """An intent that was never sent is taken back: the job no longer asks for the shot, and its reserve is free."""


ShotEvent = (
    Intended
    | Withdrawn
    | SendBegan
    | Accepted
    | Throttled
    | AccountRefused
    | Rejected
    | NotSent
    | Unanswered
    | StillWorking
    | Rendered
    | Moderated
    | Failed
    | Vanished
    | HandedBack
    | PollFailed
    | Saved
    | LinkExpired
    | DownloadFailed
    | Stalled
    | RuledUnsent
    | Resubmitted
    | Abandoned
    | Adopted
    | Moved
    | Missed
    | Retried
)


# What a run records about itself.


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegan:
    run: str  # an id of this process's run
    version: str
    command: str  # "run", "retry", "resolve"
    job_file: str | None
    job_name: str
    origins: Mapping[str, str]  # service → origin
    emulated: bool
    shots: int
    axes: Mapping[str, tuple[tuple[str, str], ...]]  # axis → (id, label) of its values, in order
    sheet: Mapping[str, Any]
    flags: tuple[tuple[str, str], ...] = ()  # (flag, value) of what was asked for otherwise than the job file says


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    run: str
    exit_code: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSeen:
    service: str
    usd: Money
    when: Literal["before", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped:
    seconds: float


RunEvent = RunBegan | RunEnded | BalanceSeen | ClockJumped
Event = ShotEvent | RunEvent
