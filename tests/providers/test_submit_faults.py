"""What a submit's fate is called, for every way in which a network or a service can spoil it."""

from __future__ import annotations

import select
import socket
import ssl
import subprocess
import threading
import time
import zlib
from pathlib import Path

import pytest
from raw_server import RawServer, answer, read_request, reset, serving

from flux2batch.engine.events import Accepted, AccountRefused, NotSent, Rejected, Throttled, Unanswered
from flux2batch.providers import transport
from flux2batch.providers.bfl import read_submitted
from flux2batch.providers.contract import Prepared
from flux2batch.providers.transport import HttpRequest, Line

BODY = b'{"prompt":"a boat"}'
ID = "4c057b10-7efa-4c69-9ec8-cbbdfd56d918"
TAKEN = b'{"id":"' + ID.encode() + b'","polling_url":"https://api.eu2.bfl.ai/v1/get_result?id=1","cost":3.0}'


def submit(url: str, *, body: bytes = BODY, total: float = 2.0, connect_timeout: float = 2.0):
    """One submit as the provider makes it, and what it is taken to mean."""
    line = transport.connect(url, timeout=connect_timeout)
    if isinstance(line, NotSent):
        return line
    assert isinstance(line, Line)
    request = HttpRequest(method="POST", url=f"{url}/v1/flux-2-pro", headers={"x-key": "k"}, body=body)
    prepared = Prepared(model="bfl/flux-2-pro", path="/v1/flux-2-pro", body=body, shot_id="0" * 32)
    came = transport.send(line, request, total=total)
    return read_submitted(came, prepared, origin=url)


def after_request(*pieces: bytes, pause: float = 0.0, ending: str = "fin"):
    """A script: read the whole request, send the pieces, end the connection."""

    def script(connection: socket.socket, server: RawServer) -> None:
        read_request(connection, server)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)  # the service is slow: that is the fault that is tried
        if ending == "rst":
            reset(connection)
        if ending == "hang":
            server.stopping.wait(10)

    return script


def reset_on_accept(connection: socket.socket, _server: RawServer) -> None:
    reset(connection)


def reset_in_body(connection: socket.socket, _server: RawServer) -> None:
    connection.recv(100_000)
    reset(connection)


def drip(connection: socket.socket, server: RawServer) -> None:
    read_request(connection, server)
    for byte in answer(200, TAKEN):
        connection.sendall(bytes([byte]))
        time.sleep(0.05)  # slower than the deadline, byte by byte


def test_a_name_that_does_not_resolve_was_never_sent():
    outcome = submit("http://no-such-host.invalid")

    assert isinstance(outcome, NotSent)
    assert outcome.offline


def test_a_refused_connection_was_never_sent():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    outcome = submit(f"http://127.0.0.1:{port}")

    assert isinstance(outcome, NotSent)


def test_a_connection_that_is_not_taken_in_time_was_never_sent():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))

        outcome = submit(f"http://127.0.0.1:{port}", connect_timeout=0.5)

        for filler in fillers:
            filler.close()
    assert isinstance(outcome, NotSent)


def test_tls_to_a_server_that_speaks_none_was_never_sent():
    with serving(after_request(b"HTTP/1.1 400 Bad\r\n\r\n")) as server:
        outcome = submit(f"https://127.0.0.1:{server.port}")

    assert isinstance(outcome, NotSent)


def test_a_certificate_that_nobody_signed_was_never_sent(tmp_path: Path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
        f" -keyout {key.name} -out {certificate.name}".split(),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("openssl is not installed")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    received = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as encrypted:
                received.append(encrypted.recv(1000))
        except (ssl.SSLError, OSError):
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        outcome = submit(f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(5)

    assert isinstance(outcome, NotSent)
    assert "certificate" in outcome.reason
    assert not any(received)


def test_a_reset_at_once_is_never_taken_for_a_refusal():
    with serving(reset_on_accept) as server:
        outcome = submit(server.url)

    assert isinstance(outcome, NotSent | Unanswered)


def test_a_reset_at_once_counts_as_unsent_only_where_no_byte_left():
    connected = threading.Event()

    def reset_when_connected(connection: socket.socket, _server: RawServer) -> None:
        connected.wait(10)
        reset(connection)

    with serving(reset_when_connected) as server:
        line = transport.connect(server.url, timeout=2)
        connected.set()
        assert isinstance(line, Line)
        # When the reset has arrived the first byte cannot leave.
        assert select.select([line._connection.sock], [], [], 10)[0]
        request = HttpRequest(method="POST", url=server.url, headers={}, body=BODY)
        outcome = transport.send(line, request, total=2)

    assert isinstance(outcome, NotSent)


UNKNOWN = {
    "reset in the middle of a large body": (reset_in_body, b"x" * 6_000_000),
    "reset after the body": (after_request(ending="rst"), BODY),
    "closed after the body": (after_request(), BODY),
    "no answer at all": (after_request(ending="hang"), BODY),
    "half a status line": (after_request(b"HTTP/1.1 20"), BODY),
    "garbage": (after_request(b"\x00\xff\x17garbage\r\n\r\n"), BODY),
    "cut before the id is whole": (after_request(answer(200, TAKEN[:20], length=len(TAKEN))), BODY),
    "200 and HTML": (after_request(answer(200, b"<html>Welcome to the hotel</html>")), BODY),
    "200 and nothing": (after_request(answer(200, b"")), BODY),
    "200 without an id": (after_request(answer(200, b'{"polling_url":"https://api.bfl.ai/x"}')), BODY),
    "an id that is a number": (after_request(answer(200, b'{"id":7}')), BODY),
    "an id of a megabyte": (after_request(answer(200, b'{"id":"' + b"a" * 900_000 + b'"}')), BODY),
    "an id with control characters": (after_request(answer(200, b'{"id":"a\\u0007b"}')), BODY),
    "an answer of 2 MB": (after_request(answer(200, b'{"x":"' + b"a" * 2_000_000 + b'"}')), BODY),
    "two ids": (after_request(answer(200, b'{"id":"a","id":"b"}')), BODY),
    "500": (after_request(answer(500, b'{"detail":"Internal Server Error"}')), BODY),
    "502 as HTML": (after_request(answer(502, b"<html>Bad Gateway</html>")), BODY),
    "503": (after_request(answer(503, b"")), BODY),
    "504": (after_request(answer(504, b"")), BODY),
    "408": (after_request(answer(408, b"")), BODY),
    "409": (after_request(answer(409, b"")), BODY),
    "302": (after_request(answer(302, b"", "Location: http://127.0.0.1:9/steal\r\n")), BODY),
    "307": (after_request(answer(307, b"", "Location: http://127.0.0.1:9/steal\r\n")), BODY),
    "headers of 70 kB": (after_request(answer(200, TAKEN, f"X-Long: {'a' * 70_000}\r\n")), BODY),
    "10,000 headers": (after_request(answer(200, TAKEN, "".join(f"X-{n}: 1\r\n" for n in range(10_000)))), BODY),
    "one byte at a time": (drip, BODY),
}


@pytest.mark.parametrize("fault", UNKNOWN)
def test_whatever_is_unclear_is_unknown_and_posted_once(fault: str):
    script, body = UNKNOWN[fault]
    with serving(script) as server:
        outcome = submit(server.url, body=body, total=1.0)

    assert isinstance(outcome, Unanswered)
    assert server.posts <= 1


@pytest.mark.parametrize("status", [400, 404, 405, 411, 413, 415, 422])
def test_a_definite_refusal_is_one(status: int):
    with serving(after_request(answer(status, b'{"detail":"no"}'))) as server:
        outcome = submit(server.url)

    assert isinstance(outcome, Rejected)
    assert outcome.reason == "no"


@pytest.mark.parametrize(("status", "kind"), [(401, "key"), (403, "key"), (402, "credits")])
def test_an_account_refusal_is_one(status: int, kind: str):
    with serving(after_request(answer(status, b'{"detail":"Not authenticated - Invalid Authentication"}'))) as server:
        outcome = submit(server.url)

    assert isinstance(outcome, AccountRefused)
    assert outcome.kind == kind


WAITS = {
    "5": 5.0,
    "0": 0.5,
    "1000000000": 120.0,
    "-3": None,
    "soon": None,
    "nan": None,
    "Wed, 21 Oct 2026 07:28:10 GMT": 10.0,  # against the answer's own Date
}


@pytest.mark.parametrize("written", WAITS)
def test_a_throttled_submit_says_how_long_to_wait(written: str):
    headers = f"Retry-After: {written}\r\nDate: Wed, 21 Oct 2026 07:28:00 GMT\r\n"
    with serving(after_request(answer(429, b'{"detail":"wait"}', headers))) as server:
        outcome = submit(server.url)

    assert isinstance(outcome, Throttled)
    assert outcome.wait_s == WAITS[written]


def test_every_cut_of_an_answer_is_unknown_or_holds_the_whole_id():
    whole = answer(200, TAKEN)
    salvaged = 0
    for cut in range(len(whole)):
        with serving(after_request(whole[:cut])) as server:
            outcome = submit(server.url)
        if isinstance(outcome, Accepted):
            salvaged += 1
            assert outcome.ticket.task_id == ID
            assert outcome.evidence == "salvaged from a cut answer"
        else:
            assert isinstance(outcome, Unanswered), f"cut at byte {cut}: {outcome}"

    assert salvaged == len(TAKEN) - (TAKEN.index(ID.encode()) + len(ID) + 1)


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(TAKEN), TAKEN)
ACCEPTED = {
    "plain": answer(200, TAKEN),
    "202": answer(202, TAKEN),
    "after interim answers": INTERIM + answer(200, TAKEN),
    "in chunks": CHUNKED,
    "compressed unasked": answer(200, zlib.compress(TAKEN), "Content-Encoding: deflate\r\n"),
    "up to the end of the connection": b"HTTP/1.1 200 OK\r\n\r\n" + TAKEN,
}


@pytest.mark.parametrize("form", ACCEPTED)
def test_an_accepted_submit_is_read_in_every_form(form: str):
    with serving(after_request(ACCEPTED[form])) as server:
        outcome = submit(server.url)

    assert isinstance(outcome, Accepted)
    assert outcome.ticket.task_id == ID
    assert outcome.charge is not None
    assert str(outcome.charge.usd) == "0.03"


@pytest.mark.parametrize("extra", ["", ',"webhook_url":"https://example.org/hook","status":"Pending"'])
def test_without_a_polling_url_the_task_is_polled_at_the_base(extra: str):
    """As BFL answers where a webhook was asked for."""
    taken = f'{{"id":"{ID}","cost":3.0,"input_mp":0.0,"output_mp":1.0{extra}}}'.encode()
    with serving(after_request(answer(200, taken))) as server:
        outcome = submit(server.url)

    assert isinstance(outcome, Accepted)
    assert outcome.ticket.poll_url == f"{server.url}/v1/get_result?id={ID}"
