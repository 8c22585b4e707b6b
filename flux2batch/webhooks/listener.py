"""A server that hears calls and nothing else: bounded in bytes, in time and in connections.

Whoever can reach the address can talk to it, so it reads what it must and no more: a head of 16 kB, a body of 1 MB,
five seconds for all of it, twenty connections at once. The others wait in the system's queue.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

from flux2batch.errors import MachineError

MOST_HEAD = 16 * 1024
MOST_BODY = 1024 * 1024
MOST_S = 5.0
MOST_CONNECTIONS = 20
_BACKLOG = 512
_LOOK_UP_S = 0.2  # how often an idle listener looks whether it is to close
_FAREWELL_S = 0.5
_FAREWELL_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One POST, whole. Header names are lower case; values of a repeated one are joined, as HTTP has it."""

    path: str
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[[Heard], HTTPStatus]


class _Refused(Exception):
    """This is not a request that is heard out."""

    def __init__(self, status: HTTPStatus) -> None:
        self.status = status
        super().__init__(status)


class Listener:
    """Hears calls on one address from `__enter__` to `__exit__`, each in a thread of its own."""

    def __init__(self, host: str, port: int, *, answer: Answer, most_s: float = MOST_S) -> None:
        self._host = host
        self._port = port
        self._answer = answer
        self._most_s = most_s
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Raises MachineError where nobody can listen there."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((self._host, self._port))
            self._socket.listen(_BACKLOG)
        except OSError as error:
            self._socket.close()
            raise MachineError(
                f"Nobody can listen on {self._host}:{self._port}: {(error.strerror or str(error)).lower()}."
                " Choose another --webhook-listen."
            ) from error
        self._socket.settimeout(_LOOK_UP_S)
        self._port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._take, name="webhooks", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()

    @property
    def port(self) -> int:
        """Where it listens, also where the system chose."""
        return self._port

    def _take(self) -> None:
        while not self._closing.is_set():
            if not self._places.acquire(timeout=_LOOK_UP_S):
                continue
            try:
                connection, _ = self._socket.accept()
            except OSError:
                # Nobody came yet, or somebody left again before we looked, or there is no handle left for a while.
                self._places.release()
                continue
            threading.Thread(target=self._serve, args=(connection,), name="webhook", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._respond(connection)
        except OSError:
            pass  # whoever called has left
        finally:
            self._places.release()

    def _respond(self, connection: socket.socket) -> None:
        reader = _Reader(connection, until_s=time.monotonic() + self._most_s)
        try:
            status = self._answer(_read(reader))
        except _Refused as refused:
            status = refused.status
        except TimeoutError:
            status = HTTPStatus.REQUEST_TIMEOUT
        connection.settimeout(self._most_s)
        connection.sendall(
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        _say_farewell(connection)


class _Reader:
    """The bytes of one connection, until its time is over."""

    def __init__(self, connection: socket.socket, *, until_s: float) -> None:
        self._connection = connection
        self._until_s = until_s
        self._kept = b""

    def until(self, mark: bytes, *, most: int) -> bytes:
        """All up to the mark, which is passed over."""
        while mark not in self._kept:
            if len(self._kept) > most:
                raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            self._kept += self._more()
        found, _, self._kept = self._kept.partition(mark)
        if len(found) > most:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        return found

    def exactly(self, size: int) -> bytes:
        """So many bytes."""
        parts, missing = [self._kept[:size]], size - len(self._kept)
        self._kept = self._kept[size:]
        while missing > 0:
            piece = self._more()
            parts.append(piece[:missing])
            self._kept = piece[missing:]
            missing -= len(piece)
        return b"".join(parts)

    def interim(self) -> None:
        """Say that the body may come."""
        self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _more(self) -> bytes:
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        piece = self._connection.recv(65536)
        if not piece:
            raise _Refused(HTTPStatus.BAD_REQUEST)
        return piece


def _read(reader: _Reader) -> Heard:
    head = reader.until(b"\r\n\r\n", most=MOST_HEAD).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, _, rest = first.partition(" ")
    path, _, version = rest.partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or not path.startswith("/"):
        raise _Refused(HTTPStatus.BAD_REQUEST)
    if method != "POST":
        raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED)
    headers = _headers(lines)
    if headers.get("expect", "").lower() == "100-continue":
        reader.interim()
    return Heard(path=path, headers=headers, body=_body(reader, headers))


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise _Refused(HTTPStatus.BAD_REQUEST)
        known = headers.get(name.lower())
        headers[name.lower()] = value.strip() if known is None else f"{known}, {value.strip()}"
    return headers


def _body(reader: _Reader, headers: Mapping[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
            raise _Refused(HTTPStatus.BAD_REQUEST)
        return _chunks(reader)
    told = headers.get("content-length", "")
    if not (told.isascii() and told.isdigit()):
        raise _Refused(HTTPStatus.LENGTH_REQUIRED if not told else HTTPStatus.BAD_REQUEST)
    if len(told) > len(str(MOST_BODY)) or int(told) > MOST_BODY:
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return reader.exactly(int(told))


def _chunks(reader: _Reader) -> bytes:
    """A body in chunks, as a proxy in between may send it."""
    parts: list[bytes] = []
    while True:
        written = reader.until(b"\r\n", most=64).partition(b";")[0].strip()
        try:
            size = int(written, 16) if len(written) <= 8 else MOST_BODY + 1
        except ValueError:
            raise _Refused(HTTPStatus.BAD_REQUEST) from None
        if size < 0:
            raise _Refused(HTTPStatus.BAD_REQUEST)
        if size + sum(map(len, parts)) > MOST_BODY:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if size == 0:
            return b"".join(parts)  # trailers say nothing that we want to hear
        parts.append(reader.exactly(size))
        if reader.exactly(2) != b"\r\n":
            raise _Refused(HTTPStatus.BAD_REQUEST)


def _say_farewell(connection: socket.socket) -> None:
    """Let the caller read the answer: closing on bytes that were not read would tear it away."""
    ends_s, left = time.monotonic() + _FAREWELL_S, _FAREWELL_BYTES
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while left > 0 and (left_s := ends_s - time.monotonic()) > 0:
            connection.settimeout(left_s)
            piece = connection.recv(65536)
            if not piece:
                return
            left -= len(piece)
