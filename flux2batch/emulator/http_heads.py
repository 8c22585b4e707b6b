"""The heads of requests and answers, as they stand on the wire."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from flux2batch.emulator.http import Response


@dataclass(slots=True)
class Head:
    """What came before a body."""

    method: str
    target: str
    headers: dict[str, str]
    length: int | None  # None: chunked
    reset_after: int | None
    keep_alive: bool


class BadRequest(Exception):
    """This is not HTTP as we take it; `status` says why."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


def parse_head(head: bytes) -> Head:
    """The head that these bytes are, without the empty line; raises BadRequest."""
    try:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
    except ValueError:
        raise BadRequest(400) from None
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(505)

    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400)
        headers[name.lower()] = value.strip()

    connection = headers.get("connection", "").lower()
    keep_alive = connection != "close" if version == "HTTP/1.1" else connection == "keep-alive"
    return Head(
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
        raise BadRequest(400)
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


def head_of(made: Response, *, keep_alive: bool, length: int | None, chunked: bool = False) -> bytes:
    """The head of an answer, with its empty line."""
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
