"""Requests as the emulator reads them, answers as it gives them, and every way in which their bytes can leave."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, whole. Header names are lower case; of repeated ones the last counts."""

    origin: str  # which of the server's doors it came through
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


# How the bytes of an answer leave.


@dataclass(frozen=True, slots=True)
class Whole:
    """As every decent server does it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The first `size` bytes of the answer, head included, and then the end of the connection."""

    size: int


@dataclass(frozen=True, slots=True)
class CutBody:
    """The head with its promise of a length, `size` bytes of the body, and then the end."""

    size: int


@dataclass(frozen=True, slots=True)
class Drip:
    """`size` bytes, a pause, `size` bytes, a pause."""

    size: int
    pause_s: float


@dataclass(frozen=True, slots=True)
class Late:
    """The whole answer, after a while."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Never:
    """No answer, and the connection stays open until the other side gives up."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """No answer, and the connection ends: with FIN, or with RST."""

    reset: bool


@dataclass(frozen=True, slots=True)
class Raw:
    """These bytes, whatever they are, and then the end."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Endless:
    """A body without a length that never ends; the answer's own body comes first, then this piece for ever."""

    piece: bytes


@dataclass(frozen=True, slots=True)
class Chunked:
    """The body in chunks of `size`, without a length."""

    size: int


@dataclass(frozen=True, slots=True)
class Unbounded:
    """`size` bytes of the body without any length, ended only by the end of the connection."""

    size: int


Wire = Whole | Cut | CutBody | Drip | Late | Never | HangUp | Raw | Endless | Chunked | Unbounded
WHOLE = Whole()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer and the manner of its sending."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    wire: Wire
    before: bytes  # interim answers such as 103 Early Hints, as they go on the wire
    stream: AsyncIterator[bytes] | None  # for server-sent events; takes the place of body


def answer(status: int, body: bytes = b"", media_type: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """An ordinary answer."""
    told = (("Content-Type", media_type), *headers) if media_type else headers
    return Response(status=status, headers=told, body=body, wire=WHOLE, before=b"", stream=None)


def answer_json(status: int, value: object, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """An answer of compact JSON, as both services write it."""
    return answer(status, to_json(value), "application/json", headers)


def answer_events(events: AsyncIterator[bytes], headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """A stream of server-sent events."""
    told = (("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache"), *headers)
    return Response(status=200, headers=told, body=b"", wire=WHOLE, before=b"", stream=events)


def to_json(value: object) -> bytes:
    """Compact JSON in UTF-8; half a surrogate pair, which JSON can carry and UTF-8 cannot, stays escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


class Site(Protocol):
    """What the server asks of whatever answers."""

    def connected(self, origin: str) -> bool:
        """Whether to keep a connection that was just made; False resets it."""
        ...

    def began(self, origin: str, method: str, path: str, length: int) -> int | None:
        """Called when a head has arrived: after how many bytes of the body to reset the connection, or None."""
        ...

    def respond(self, request: Request) -> Response | Awaitable[Response]: ...
