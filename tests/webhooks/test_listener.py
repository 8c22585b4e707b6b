"""The server that hears calls, spoken to over real sockets, politely and otherwise."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus

import pytest

from flux2batch.errors import MachineError
from flux2batch.webhooks.listener import MOST_BODY, MOST_CONNECTIONS, MOST_HEAD, Heard, Listener


class Ear:
    """Answers 200, and remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def __call__(self, heard: Heard) -> HTTPStatus:
        self.heard.append(heard)
        return HTTPStatus.OK


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def port(ear: Ear) -> Iterator[int]:
    with Listener("127.0.0.1", 0, answer=ear) as listener:
        yield listener.port


@pytest.fixture
def hasty(ear: Ear) -> Iterator[int]:
    """A listener that waits for nobody longer than half a second."""
    with Listener("127.0.0.1", 0, answer=ear, most_s=0.5) as listener:
        yield listener.port


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def status_of(connection: socket.socket) -> int:
    answer = b""
    while piece := connection.recv(4096):
        answer += piece
    last = answer.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    return int(last.split(b" ", 2)[1]) if last else 0


def said(port: int, *parts: bytes) -> int:
    with connected(port) as connection:
        for part in parts:
            connection.sendall(part)
        return status_of(connection)


def post(body: bytes, *headers: str, path: str = "/hook/x", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: here", f"Content-Length: {size}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_a_call_is_heard_whole(port: int, ear: Ear) -> None:
    assert said(port, post(b'{"id":1}', "X-Webhook-Secret: s", path="/a/b?c=d")) == 200

    (heard,) = ear.heard
    assert heard.path == "/a/b?c=d"
    assert heard.headers["x-webhook-secret"] == "s"
    assert heard.body == b'{"id":1}'


def test_a_call_that_comes_in_pieces_is_heard_whole(port: int, ear: Ear) -> None:
    message = post(b"hello")

    with connected(port) as connection:
        for position in range(len(message)):
            connection.sendall(message[position : position + 1])
        assert status_of(connection) == 200

    assert ear.heard[0].body == b"hello"


def test_a_body_in_chunks_is_heard_whole(port: int, ear: Ear) -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert said(port, head, b"5\r\nhel", b"lo\r\n6;x=y\r\n world\r\n0\r\n\r\n") == 200

    assert ear.heard[0].body == b"hello world"


def test_whoever_asks_before_sending_a_body_is_told_to_go_on(port: int, ear: Ear) -> None:
    message = post(b"hello", "Expect: 100-continue")

    with connected(port) as connection:
        connection.sendall(message[:-5])
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(message[-5:])
        assert status_of(connection) == 200

    assert ear.heard[0].body == b"hello"


def test_a_megabyte_is_heard_and_a_byte_more_is_not(port: int, ear: Ear) -> None:
    assert said(port, post(b"x" * MOST_BODY)) == 200
    assert said(port, post(b"x" * (MOST_BODY + 1))) == 413

    assert [len(heard.body) for heard in ear.heard] == [MOST_BODY]


REFUSED = [
    (b"GET / HTTP/1.1\r\n\r\n", 405),
    (b"PUT / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
    (b"POST / HTTP/2\r\n\r\n", 400),
    (b"POST http://elsewhere/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\n\r\n", 411),
    (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
    (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", 413),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    (b"POST / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nX: " + b"y" * MOST_HEAD + b"\r\n\r\n", 431),
    (b"x" * (3 * MOST_HEAD), 431),
]


@pytest.mark.parametrize(("message", "status"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_call_is_refused(port: int, ear: Ear, message: bytes, status: int) -> None:
    assert said(port, message) == status

    assert ear.heard == []


def test_whoever_dawdles_is_left(hasty: int, ear: Ear) -> None:
    with connected(hasty) as silent, connected(hasty) as slow:
        slow.sendall(post(b"hello")[:-1])

        assert status_of(silent) == 408
        assert status_of(slow) == 408

    assert ear.heard == []


def test_a_byte_now_and_then_buys_no_time(hasty: int, ear: Ear) -> None:
    began = time.monotonic()

    with connected(hasty) as dripping:
        dripping.sendall(post(b"", length=1000))
        status, drip = 0, threading.Event()

        def drops() -> None:
            try:
                while not drip.wait(0.1):
                    dripping.sendall(b"x")
            except OSError:
                pass  # it was left

        thread = threading.Thread(target=drops)
        thread.start()
        status = status_of(dripping)
        drip.set()
        thread.join()

    assert status == 408
    assert time.monotonic() - began < 15  # a hard stop: at a byte each tenth of a second it would take a hundred
    assert ear.heard == []


def test_many_that_dawdle_keep_nobody_out_for_good(hasty: int, ear: Ear) -> None:
    with ExitStack() as stack:
        for _ in range(2 * MOST_CONNECTIONS):
            stack.enter_context(connected(hasty))

        assert said(hasty, post(b"hello")) == 200

    assert len(ear.heard) == 1


def test_whoever_leaves_in_the_middle_is_no_trouble(port: int) -> None:
    for cut in (0, 10, 60):
        with connected(port) as connection:
            connection.sendall(post(b"hello")[:cut])

    assert said(port, post(b"hello")) == 200


def test_an_address_that_is_taken_is_said_before_anything_else(port: int) -> None:
    with pytest.raises(MachineError, match=f"listen on 127.0.0.1:{port}"), Listener("127.0.0.1", port, answer=Ear()):
        pass


def test_nobody_is_heard_after_the_end(ear: Ear) -> None:
    with Listener("127.0.0.1", 0, answer=ear) as listener:
        port = listener.port

    with pytest.raises(OSError, match=r"refused|reset"):
        said(port, post(b"hello"))
