"""A small HTTP/1.1 server on asyncio that can also misbehave on purpose, byte by byte.

Why not the standard library's own: one thread a connection stops being fun at thousands of them, and no ordinary
server can be told to cut an answer at its 37th byte, to reset a connection in the middle of a body or to drip.
What leaves the wire is chosen by the answer itself: see `Wire`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import sys
import time
import traceback
from collections.abc import Awaitable
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

from flux2batch.emulator.http import (
    Chunked,
    Cut,
    CutBody,
    Drip,
    Endless,
    HangUp,
    Late,
    Never,
    Raw,
    Request,
    Response,
    Site,
    Unbounded,
    Whole,
    answer_json,
)
from flux2batch.emulator.http_heads import BadRequest, Head, head_of, parse_head

MAX_HEAD = 64 * 1024
MAX_BODY = 256 * 1024 * 1024  # eight references of 20 MB, as base64, and room to spare
IDLE_S = 75.0


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


class _Connection(asyncio.Protocol):
    """One connection: requests are read and answered one after the other."""

    def __init__(self, origin: str, site: Site, peers: set[_Connection]) -> None:
        self._origin = origin
        self._site = site
        self._peers = peers
        self._buffer = bytearray()
        self._head: Head | None = None
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
        except BadRequest as bad:
            self._refuse(bad.status)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._searched = len(self._buffer)
            if len(self._buffer) > MAX_HEAD:
                raise BadRequest(431)
            return False
        if end > MAX_HEAD:
            raise BadRequest(431)
        self._searched = 0
        head = parse_head(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        if head.length is not None and head.length > MAX_BODY:
            raise BadRequest(413)
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
                raise BadRequest(400) from None
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
            raise BadRequest(413)
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

    async def _send(self, made: Response | Awaitable[Response], head: Head) -> None:
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
                self._write((head_of(made, keep_alive=False, length=len(made.body)) + made.body)[:size])
                self._end()
            case CutBody(size):
                self._write(head_of(made, keep_alive=False, length=len(made.body)) + made.body[:size])
                self._end()
            case Unbounded(size):
                self._write(head_of(made, keep_alive=False, length=None) + made.body[:size])
                self._end()
            case Chunked(size):
                self._write(head_of(made, keep_alive=head.keep_alive, length=None, chunked=True))
                for at in range(0, len(made.body), size):
                    await self._write_chunk(made.body[at : at + size])
                self._write(b"0\r\n\r\n")
            case Drip(size, pause_s):
                content = head_of(made, keep_alive=False, length=len(made.body)) + made.body
                for at in range(0, len(content), size):
                    self._write(content[at : at + size])
                    await asyncio.sleep(pause_s)
                self._end()
            case Endless(piece):
                self._write(head_of(made, keep_alive=False, length=None) + made.body)
                while self._transport is not None:
                    self._write(piece)
                    await self._flowing.wait()
                    await asyncio.sleep(0)

    def _send_whole(self, made: Response, head: Head) -> None:
        body = b"" if head.method == "HEAD" else made.body
        self._write(head_of(made, keep_alive=head.keep_alive, length=len(made.body)) + body)
        if not head.keep_alive:
            self._end()

    async def _send_stream(self, made: Response) -> None:
        assert made.stream is not None
        self._write(head_of(made, keep_alive=False, length=None, chunked=True))
        async for piece in made.stream:
            await self._write_chunk(piece)
        self._write(b"0\r\n\r\n")
        self._end()

    async def _write_chunk(self, piece: bytes) -> None:
        self._write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await self._flowing.wait()

    def _refuse(self, status: int) -> None:
        made = answer_json(status, {"detail": HTTPStatus(status).phrase})
        self._write(head_of(made, keep_alive=False, length=len(made.body)) + made.body)
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
