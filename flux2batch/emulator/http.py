"""A small HTTP/1.1 server on asyncio that can also misbehave on purpose, byte by byte.

Why not the standard library's own: one thread a connection stops being fun at thousands of them, and no ordinary
server can be told to cut an answer at its 37th byte, to reset a connection in the middle of a body or to drip.
What leaves the wire is chosen by the answer itself: see `Wire`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

MAX_HEAD = 64 * 1024
MAX_BODY = 256 * 1024 * 1024  # eight references of 20 MB, as base64, and room to spare
IDLE_S = 75.0


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


class Server:
    """Doors on which one site is served, in one event loop."""

    def __init__(self, site: Site, *, tls: ssl.SSLContext | None = None) -> None:
        self._site = site
        self._tls = tls
        self._doors: list[asyncio.Server] = []
        self._sweeper: asyncio.Task[None] | None = None
        self.connections: set[_Connection] = set()

    async def open(self, origin: str, sock: socket.socket) -> None:
        """Serve `origin` on a bound socket."""
        loop = asyncio.get_running_loop()
        door = await loop.create_server(
            lambda: _Connection(origin, self._site, self.connections), sock=sock, backlog=4096, ssl=self._tls
        )
        self._doors.append(door)
        if self._sweeper is None:
            self._sweeper = loop.create_task(self._sweep())

    async def close(self) -> None:
        """Shut every door and drop every connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        for door in self._doors:
            door.close()
        working = [connection.working for connection in self.connections if connection.working is not None]
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.gather(*working, return_exceptions=True)
        await asyncio.sleep(0)  # one turn, in which the transports close their sockets

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(IDLE_S / 5)
            oldest = time.monotonic() - IDLE_S
            for connection in tuple(self.connections):
                if connection.working is None and connection.last_heard < oldest:
                    connection.abort()


@dataclass(slots=True)
class _Head:
    method: str
    target: str
    headers: dict[str, str]
    length: int | None  # None: chunked
    reset_after: int | None
    keep_alive: bool


class _BadRequest(Exception):
    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class _Connection(asyncio.Protocol):
    """One connection: requests are read and answered one after the other."""

    def __init__(self, origin: str, site: Site, peers: set[_Connection]) -> None:
        self._origin = origin
        self._site = site
        self._peers = peers
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._searched = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._transport: asyncio.Transport | None = None
        self.working: asyncio.Task[None] | None = None
        self.last_heard = time.monotonic()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peers.add(self)
        if not self._site.connected(self._origin):
            self._reset()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._peers.discard(self)
        self._transport = None
        self._buffer.clear()
        self._flowing.set()
        if self.working is not None:
            self.working.cancel()

    def eof_received(self) -> bool:
        return self.working is not None  # someone who half-closes still gets an answer

    def pause_writing(self) -> None:
        self._flowing.clear()

    def resume_writing(self) -> None:
        self._flowing.set()

    def data_received(self, data: bytes) -> None:
        self.last_heard = time.monotonic()
        self._buffer += data
        if self.working is None:
            self._advance()
        elif len(self._buffer) > MAX_HEAD and self._transport is not None:
            self._transport.pause_reading()  # pipelined requests wait in the kernel

    # Reading.

    def _advance(self) -> None:
        try:
            while self.working is None and self._transport is not None:
                if self._head is None and not self._read_head():
                    return
                body = self._read_body()
                if body is None:
                    return
                self._serve(body)
        except _BadRequest as bad:
            self._refuse(bad.status)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._searched = len(self._buffer)
            if len(self._buffer) > MAX_HEAD:
                raise _BadRequest(431)
            return False
        if end > MAX_HEAD:
            raise _BadRequest(431)
        self._searched = 0
        head = _parse_head(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        if head.length is not None and head.length > MAX_BODY:
            raise _BadRequest(413)
        head.reset_after = self._site.began(
            self._origin, head.method, head.target.partition("?")[0], -1 if head.length is None else head.length
        )
        if head.headers.get("expect", "").lower() == "100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._head = head
        return True

    def _read_body(self) -> bytes | None:
        head = self._head
        assert head is not None
        if head.reset_after is not None and len(self._buffer) >= head.reset_after:
            self._reset()
            return None
        if head.length is None:
            return self._read_chunks()
        if len(self._buffer) < head.length:
            return None
        body = bytes(self._buffer[: head.length])
        del self._buffer[: head.length]
        return body

    def _read_chunks(self) -> bytes | None:
        """All chunks at once when the last has come; clients of these services hardly ever send them."""
        parts: list[bytes] = []
        at = 0
        while True:
            line_end = self._buffer.find(b"\r\n", at)
            if line_end < 0:
                break
            try:
                size = int(bytes(self._buffer[at:line_end]).partition(b";")[0], 16)
            except ValueError:
                raise _BadRequest(400) from None
            if size == 0:
                end = line_end + 2 if self._buffer[line_end + 2 : line_end + 4] == b"\r\n" else -1
                if end < 0:
                    trailer = self._buffer.find(b"\r\n\r\n", line_end)
                    if trailer < 0:
                        break
                    end = trailer + 2
                del self._buffer[: end + 2]
                return b"".join(parts)
            parts.append(bytes(self._buffer[line_end + 2 : line_end + 2 + size]))
            at = line_end + 2 + size + 2
        if len(self._buffer) > MAX_BODY:
            raise _BadRequest(413)
        return None

    # Answering.

    def _serve(self, body: bytes) -> None:
        head, self._head = self._head, None
        assert head is not None
        path, _, query = head.target.partition("?")
        request = Request(
            origin=self._origin,
            method=head.method,
            path=unquote(path),
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers=head.headers,
            body=body,
        )
        try:
            made = self._site.respond(request)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            made = answer_json(500, {"detail": "Internal Server Error"})
        if isinstance(made, Response) and isinstance(made.wire, Whole) and made.stream is None:
            self._send_whole(made, head)
            return
        self.working = asyncio.get_running_loop().create_task(self._send(made, head))
        self.working.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self.working = None
        self.last_heard = time.monotonic()
        if task.cancelled():
            return
        if task.exception() is not None:
            traceback.print_exception(task.exception(), file=sys.stderr)
            self.abort()
            return
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._advance()

    async def _send(self, made: Response | Awaitable[Response], head: _Head) -> None:
        if not isinstance(made, Response):
            try:
                made = await made
            except Exception:
                traceback.print_exc(file=sys.stderr)
                made = answer_json(500, {"detail": "Internal Server Error"})
        if made.stream is not None:
            await self._send_stream(made)
            return
        match made.wire:
            case Whole():
                self._send_whole(made, head)
            case Late(delay_s):
                await asyncio.sleep(delay_s)
                self._send_whole(made, head)
            case Never():
                await asyncio.Event().wait()
            case HangUp(reset):
                self._reset() if reset else self._end()
            case Raw(content):
                self._write(content)
                self._end()
            case Cut(size):
                self._write((_head_of(made, keep_alive=False, length=len(made.body)) + made.body)[:size])
                self._end()
            case CutBody(size):
                self._write(_head_of(made, keep_alive=False, length=len(made.body)) + made.body[:size])
                self._end()
            case Unbounded(size):
                self._write(_head_of(made, keep_alive=False, length=None) + made.body[:size])
                self._end()
            case Chunked(size):
                self._write(_head_of(made, keep_alive=head.keep_alive, length=None, chunked=True))
                for at in range(0, len(made.body), size):
                    await self._write_chunk(made.body[at : at + size])
                self._write(b"0\r\n\r\n")
            case Drip(size, pause_s):
                content = _head_of(made, keep_alive=False, length=len(made.body)) + made.body
                for at in range(0, len(content), size):
                    self._write(content[at : at + size])
                    await asyncio.sleep(pause_s)
                self._end()
            case Endless(piece):
                self._write(_head_of(made, keep_alive=False, length=None) + made.body)
                while self._transport is not None:
                    self._write(piece)
                    await self._flowing.wait()
                    await asyncio.sleep(0)

    def _send_whole(self, made: Response, head: _Head) -> None:
        body = b"" if head.method == "HEAD" else made.body
        self._write(_head_of(made, keep_alive=head.keep_alive, length=len(made.body)) + body)
        if not head.keep_alive:
            self._end()

    async def _send_stream(self, made: Response) -> None:
        assert made.stream is not None
        self._write(_head_of(made, keep_alive=False, length=None, chunked=True))
        async for piece in made.stream:
            await self._write_chunk(piece)
        self._write(b"0\r\n\r\n")
        self._end()

    async def _write_chunk(self, piece: bytes) -> None:
        self._write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await self._flowing.wait()

    def _refuse(self, status: int) -> None:
        made = answer_json(status, {"detail": HTTPStatus(status).phrase})
        self._write(_head_of(made, keep_alive=False, length=len(made.body)) + made.body)
        self._end()

    def _write(self, content: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(content)

    def _end(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _reset(self) -> None:
        """RST instead of FIN: what a crashed process or an angry middlebox sends."""
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _parse_head(head: bytes) -> _Head:
    try:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
    except ValueError:
        raise _BadRequest(400) from None
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise _BadRequest(505)

    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise _BadRequest(400)
        headers[name.lower()] = value.strip()

    connection = headers.get("connection", "").lower()
    keep_alive = connection != "close" if version == "HTTP/1.1" else connection == "keep-alive"
    return _Head(
        method=method,
        target=_local(target),
        headers=headers,
        length=_body_length(headers),
        reset_after=None,
        keep_alive=keep_alive,
    )


def _body_length(headers: Mapping[str, str]) -> int | None:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return None
    told = headers.get("content-length", "0")
    if not told.isascii() or not told.isdigit():
        raise _BadRequest(400)
    return int(told)


def _local(target: str) -> str:
    """The path of a request target, also of one in absolute form (RFC 9112 §3.2.2), as proxies are sent."""
    if target.startswith(("http://", "https://")):
        return "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
    return target


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Client Closed Request" if status == 499 else "Unknown"
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode()


def _head_of(made: Response, *, keep_alive: bool, length: int | None, chunked: bool = False) -> bytes:
    lines = [made.before, _status_line(made.status), _date(int(time.time()))]
    lines += [f"{name}: {value}\r\n".encode("utf-8", "replace") for name, value in made.headers]
    if chunked:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    elif length is not None:
        lines.append(b"Content-Length: %d\r\n" % length)
    if not keep_alive:
        lines.append(b"Connection: close\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


def read_json(body: bytes) -> Any:
    """The value of a JSON body; raises ValueError for what is not one."""
    return json.loads(body)
