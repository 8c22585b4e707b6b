"""One HTTP request over one connection, and exactly what became of it: never sent, unanswered, or answered.

It stands on urllib3's connections and not on `requests`, whose exceptions cannot tell "refused" from "the server read
everything and hung up", and which cannot connect first and send later.

Rules that hold this file together:
- nothing is tried twice (but a GET on a kept connection that the server had closed), nothing is followed, nothing is
  taken from the environment;
- a deadline is total: a server that drips one byte a second does not outlive it;
- the bytes of the request that left are counted, so "not one byte was sent" is a fact and not a guess;
- answers are bounded, and what came of a cut one is kept, because it may hold a task id.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import certifi
import urllib3.connection
import urllib3.exceptions
import urllib3.util

from flux2batch import __version__
from flux2batch.engine.events import NotSent
from flux2batch.providers.hosts import is_public_address

JSON_LIMIT = 1_000_000
PICTURE_LIMIT = 64_000_000
_CHUNK = 65_536
_USER_AGENT = f"flux2batch/{__version__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request in full. The key, where one goes along, is already among the headers."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None

    def __repr__(self) -> str:  # a key must not come to light in a traceback or a log
        return f"HttpRequest({self.method} {urlsplit(self.url)._replace(query='', fragment='').geturl()})"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """An answer that came whole. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """At least one byte left and no whole answer came back. What did come is kept."""

    reason: str
    request_complete: bool  # the last byte was handed over too
    status: int | None  # None where not even a status line came
    headers: Mapping[str, str]
    partial: bytes
    too_large: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. `total` runs from the first byte of the request to the last byte of the answer."""

    connect: float
    total: float


class Line:
    """A connection that is up and carries one request."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    @property
    def peer(self) -> str | None:
        """The address at the other end."""
        return self._connection.peer

    def close(self) -> None:
        self._connection.close()


# Sockets that keep a total deadline and count what they send.


class _Timed:
    """What a socket needs for a total deadline: before each wait, only the time that is left."""

    deadline: float | None = None
    sent_bytes: int = 0

    def _spend(self) -> None:
        if self.deadline is None:
            return
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        self.settimeout(left)  # type: ignore[attr-defined]  # of the socket that it is mixed into


class _TimedSocket(_Timed, socket.socket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._spend()
        return super().recv_into(*args, **kwargs)

    def sendall(self, data: Any, flags: int = 0) -> None:
        view = memoryview(data).cast("B")
        while view:
            self._spend()
            sent = super().send(view[:_CHUNK], flags)
            self.sent_bytes += sent
            view = view[sent:]


class _TimedTlsSocket(_Timed, ssl.SSLSocket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._spend()
        return super().recv_into(*args, **kwargs)

    def sendall(self, data: Any, flags: int = 0) -> None:
        view = memoryview(data).cast("B")
        while view:
            self._spend()
            sent = super().send(view[:_CHUNK], flags)
            self.sent_bytes += sent
            view = view[sent:]


@cache
def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certifi.where())
    context.sslsocket_class = _TimedTlsSocket
    return context


class _HeadLines:
    """The lines of an answer's head. One that the connection broke off in is none: it may hold half a task id."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.is_cut = False

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self.file.readline(limit)
        if len(line) < limit and not line.endswith(b"\n"):
            self.is_cut = True
            return b""
        return line

    def close(self) -> None:
        self.file.close()


class _PatientResponse(http.client.HTTPResponse):
    """Skips every interim answer (100, 103), where the standard library skips only 100; and knows a whole head from
    one that ended early, where the standard library takes the end of the connection for the end of the head."""

    is_cut = False

    def begin(self) -> None:
        whole: Any = self.fp
        lines = _HeadLines(whole)
        self.fp = lines  # type: ignore[assignment]  # only its lines are read here
        try:
            super().begin()
        finally:
            self.fp = whole
            self.is_cut = lines.is_cut

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # private, so the stubs leave it out
            if not 100 <= status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)


class _NotPublic(Exception):
    """The name led to an address that is not out in the world."""


class _Connection:
    """urllib3's connection to one origin, perhaps through a proxy, with our sockets in it."""

    def __init__(
        self, *, scheme: str, host: str, port: int, proxy: str | None, connect_timeout: float, public_only: bool
    ) -> None:
        through = urlsplit(proxy) if proxy else None
        near_host = through.hostname if through and through.hostname else host
        near_port = (through.port or 8080) if through else port
        if scheme == "https":
            self._http: urllib3.connection.HTTPConnection = urllib3.connection.HTTPSConnection(
                near_host, near_port, timeout=connect_timeout, ssl_context=_tls_context()
            )
        else:
            self._http = urllib3.connection.HTTPConnection(near_host, near_port, timeout=connect_timeout)
        self._http.response_class = _PatientResponse
        if through:
            self._http.set_tunnel(host, port, headers=_proxy_headers(through))
        self._through = through  # a proxy resolves names itself
        self._public_only = public_only
        self.peer: str | None = None

    def connect(self) -> None:
        original = self._http._new_conn

        def timed() -> socket.socket:
            plain = original()
            self.peer = plain.getpeername()[0]
            if not self.may_be_asked(public_only=self._public_only):
                plain.close()  # before a byte of TLS: whoever stands there is not even told the host's name
                raise _NotPublic
            timeout = plain.gettimeout()
            ours = _TimedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
            ours.settimeout(timeout)
            return ours

        self._http._new_conn = timed  # type: ignore[method-assign]  # this one connection alone
        self._http.connect()

    def may_be_asked(self, *, public_only: bool) -> bool:
        """Whether the address at the other end is one that may be asked: names can lead anywhere, also inside."""
        return not (public_only and self._through is None) or is_public_address(self.peer or "")

    @property
    def is_usable(self) -> bool:
        return self._http.sock is not None and self._http.is_connected

    @property
    def sock(self) -> _TimedSocket | _TimedTlsSocket:
        assert isinstance(self._http.sock, _TimedSocket | _TimedTlsSocket)
        return self._http.sock

    def close(self) -> None:
        self._http.close()

    def exchange(self, request: HttpRequest, *, total: float, limit: int) -> HttpResponse | NotSent | NoAnswer:
        """Send and read to the end, within `total` seconds and `limit` bytes."""
        sock = self.sock
        sock.deadline = time.monotonic() + total
        sock.sent_bytes = 0
        split = urlsplit(request.url)
        target = (split.path or "/") + (f"?{split.query}" if split.query else "")
        status: int | None = None
        headers: dict[str, str] = {}
        body = bytearray()
        complete = False
        try:
            raw = self._http
            raw.putrequest(request.method, target, skip_accept_encoding=True)
            for name, value in request.headers.items():
                raw.putheader(name, value)
            raw.putheader("User-Agent", _USER_AGENT)
            # A server that ignores this is read through a bounded decoder below.
            raw.putheader("Accept-Encoding", "identity")
            if request.body is not None:
                raw.putheader("Content-Length", str(len(request.body)))
            raw.endheaders(request.body)
            complete = True
            answer = http.client.HTTPConnection.getresponse(raw)
            status = answer.status
            headers = {name.lower(): value for name, value in answer.getheaders()}
            if isinstance(answer, _PatientResponse) and answer.is_cut:
                return _silence("the answer was cut short", complete, status, headers, body)
            promised = answer.length
            while chunk := answer.read1(_CHUNK):
                body += chunk
                if len(body) > limit:
                    return _silence(f"the answer is larger than {limit:,} bytes", complete, status, headers, body, True)
        except http.client.IncompleteRead as cut:
            body += cut.partial
            return _silence("the answer was cut short", complete, status, headers, body)
        except TimeoutError:
            if not sock.sent_bytes:
                return NotSent(reason="the connection took no bytes in time", offline=False)
            return _silence(f"no whole answer within {total:g} s", complete, status, headers, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not sock.sent_bytes:
                return NotSent(
                    reason=f"the connection was closed before a byte was sent: {_words(error)}", offline=False
                )
            return _silence(_words(error), complete, status, headers, body)
        answer.close()  # read to its end it is not yet closed, and the connection would take no further request
        if promised is not None and len(body) < promised:
            return _silence("the answer was cut short", complete, status, headers, body)
        plain = _decoded(bytes(body), headers.get("content-encoding", "identity"), limit)
        if plain is None:
            return _silence("the answer is compressed in a way that cannot be read", complete, status, headers, body)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return HttpResponse(status=status, headers=headers, body=plain)


def _silence(
    reason: str,
    complete: bool,
    status: int | None,
    headers: Mapping[str, str],
    body: bytearray,
    too_large: bool = False,
) -> NoAnswer:
    return NoAnswer(
        reason=reason,
        request_complete=complete,
        status=status,
        headers=headers,
        partial=bytes(body[:JSON_LIMIT]),
        too_large=too_large,
    )


def _decoded(body: bytes, encoding: str, limit: int) -> bytes | None:
    """The body without its content encoding; None where it is unknown, broken, or larger than the limit."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return None
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        plain = inflater.decompress(body, limit)
    except zlib.error:
        return None
    return None if inflater.unconsumed_tail or not inflater.eof else plain


def _words(error: BaseException) -> str:
    """What went wrong on the wire, in plain words and without anything that was sent."""
    if isinstance(error, ConnectionResetError):
        return "the service reset the connection"
    if isinstance(error, BrokenPipeError | http.client.RemoteDisconnected):
        return "the service closed the connection"
    if isinstance(error, http.client.BadStatusLine | http.client.LineTooLong | http.client.UnknownProtocol):
        return "the answer is not HTTP"
    if isinstance(error, ssl.SSLError):
        return f"the encrypted connection failed ({error.reason or 'TLS'})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__


_NOT_PUBLIC = NotSent(reason="the host's address is not a public one", offline=False)
_OFFLINE = (urllib3.exceptions.NameResolutionError, urllib3.exceptions.NewConnectionError)


def connect(url: str, *, timeout: float, proxy: str | None = None) -> Line | NotSent:
    """A fresh line to the URL's host, or why there is none. Nothing of any request has been sent."""
    connection = _connection_to(url, timeout=timeout, proxy=proxy, public_only=False)
    return connection if isinstance(connection, NotSent) else Line(connection)


def _connection_to(url: str, *, timeout: float, proxy: str | None, public_only: bool) -> _Connection | NotSent:
    split = urlsplit(url)
    assert split.hostname, "BUG: a URL without a host passed the host rules"
    port = split.port or (443 if split.scheme == "https" else 80)
    connection = _Connection(
        scheme=split.scheme,
        host=split.hostname,
        port=port,
        proxy=proxy,
        connect_timeout=timeout,
        public_only=public_only,
    )
    try:
        connection.connect()
    except _NotPublic:
        connection.close()
        return _NOT_PUBLIC
    except ssl.SSLCertVerificationError as error:
        connection.close()
        return NotSent(reason=_certificate_words(split.hostname, error), offline=False)
    except (urllib3.exceptions.HTTPError, OSError, http.client.HTTPException, UnicodeError) as error:
        connection.close()
        return NotSent(reason=_connect_words(split.hostname, port, error), offline=isinstance(error, _OFFLINE))
    return connection


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    return urllib3.util.make_headers(proxy_basic_auth=unquote(f"{proxy.username}:{proxy.password or ''}"))


def _certificate_words(host: str, error: ssl.SSLCertVerificationError) -> str:
    if "not yet valid" in error.verify_message or "expired" in error.verify_message:
        today = time.strftime("%Y-%m-%d")
        return f"the certificate of {host} is not valid today; this machine's clock says {today}"
    return f"the certificate of {host} cannot be trusted: {error.verify_message}"


def _connect_words(host: str, port: int, error: BaseException) -> str:
    if isinstance(error, urllib3.exceptions.NameResolutionError | UnicodeError):
        return f"the name {host} cannot be resolved"
    is_refused = isinstance(error, urllib3.exceptions.NewConnectionError)  # of which urllib3 says that it is a timeout
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError | TimeoutError) and not is_refused:
        return f"{host} did not take the connection in time"
    if isinstance(error, ssl.SSLError):
        return f"{host}:{port} does not speak TLS"
    cause = error.__cause__ or error.__context__ or error
    return f"no connection to {host}:{port}: {_words(cause)}"


def send(
    line: Line, request: HttpRequest, *, total: float, limit: int = JSON_LIMIT
) -> HttpResponse | NotSent | NoAnswer:
    """Send one request on a fresh line and read the answer; the line is closed afterwards."""
    try:
        headers = {**request.headers, "Connection": "close"}
        closing = HttpRequest(method=request.method, url=request.url, headers=headers, body=request.body)
        return line._connection.exchange(closing, total=total, limit=limit)
    finally:
        line.close()


def _was_closed(answer: HttpResponse | NotSent | NoAnswer) -> bool:
    """Whether not a byte of an answer came, as where the server closed an idle connection just before it was used."""
    return isinstance(answer, NotSent) or (isinstance(answer, NoAnswer) and answer.status is None)


class Pool:
    """Kept-alive connections for requests that are free to repeat. A connection is lent to one request at a time."""

    _MOST_IDLE = 32

    def __init__(self, *, proxy: str | None, timeouts: Timeouts) -> None:
        self._proxy = proxy
        self._timeouts = timeouts
        self._lock = threading.Lock()
        self._idle: list[tuple[str, _Connection]] = []  # the longest idle first
        self._closed = False

    def get(
        self, url: str, *, headers: Mapping[str, str], limit: int = JSON_LIMIT, public_only: bool = False
    ) -> HttpResponse | NotSent | NoAnswer:
        """GET the URL. A kept connection that turns out to be closed by the server is replaced unseen."""
        split = urlsplit(url)
        origin = f"{split.scheme}://{split.netloc}"
        request = HttpRequest(method="GET", url=url, headers=headers, body=None)
        kept = self._borrow(origin)
        if kept is not None and kept.may_be_asked(public_only=public_only):
            began = time.monotonic()
            answer = self._exchange(origin, kept, request, limit)
            if not _was_closed(answer) or time.monotonic() - began >= self._timeouts.total:
                return answer
        elif kept is not None:
            kept.close()
        fresh = _connection_to(url, timeout=self._timeouts.connect, proxy=self._proxy, public_only=public_only)
        if isinstance(fresh, NotSent):
            return fresh
        return self._exchange(origin, fresh, request, limit)

    def _exchange(
        self, origin: str, connection: _Connection, request: HttpRequest, limit: int
    ) -> HttpResponse | NotSent | NoAnswer:
        answer = connection.exchange(request, total=self._timeouts.total, limit=limit)
        self._give_back(origin, connection, reusable=isinstance(answer, HttpResponse))
        return answer

    def close(self) -> None:
        """Close what is idle now, and whatever comes back later."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _borrow(self, origin: str) -> _Connection | None:
        while True:
            with self._lock:
                at = next((n for n in reversed(range(len(self._idle))) if self._idle[n][0] == origin), None)
                if at is None:
                    return None
                _, connection = self._idle.pop(at)
            if connection.is_usable:
                return connection
            connection.close()

    def _give_back(self, origin: str, connection: _Connection, *, reusable: bool) -> None:
        surplus = connection
        if reusable and connection.is_usable:
            with self._lock:
                if not self._closed:
                    self._idle.append((origin, connection))
                    if len(self._idle) <= self._MOST_IDLE:
                        return
                    _, surplus = self._idle.pop(0)
        surplus.close()
