"""The faults of a network and of a service, each made by bare sockets, with the exact outcome. Ids are rows of the fault matrix.

Rows or parts of rows that only a run can see, and that are tested with the engine: the pauses and bounds of F37, the
resend of F39 (there is none), F43 (there is no second wait: a submit is given two minutes for its answer), F45, the
shrinking window of F46, the breakers of F47, F48 and F50, F58, what follows on F57, F60 and F67, F61, the check of a
whole picture in F65, F66 and F70 (tests of pictures/), F71, F72 and F73.
"""

# ruff: noqa: E501  # the tables are read as tables

from __future__ import annotations

import gzip
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import pytest
from raw_server import RawServer, Script, answer, read_request, reset, serving

from flux2batch.engine.events import (
    Accepted,
    AccountRefused,
    DownloadFailed,
    Failed,
    Fetched,
    LinkExpired,
    Moderated,
    NotSent,
    Polled,
    PollFailed,
    Rejected,
    Rendered,
    StillWorking,
    Submitted,
    Throttled,
    Ticket,
    Unanswered,
    Vanished,
)
from flux2batch.planning.configuration import load_configuration
from flux2batch.providers import registry, transport, wire
from flux2batch.providers.contract import Prepared, Provider
from flux2batch.secret import Secret

SERVICES = ("bfl", "fal")
KEYS = {"bfl": "bfl_0123456789abcdef", "fal": "01234567-89ab:cdef0123456789"}
PATHS = {"bfl": "/v1/flux-2-pro", "fal": "/fal-ai/flux-2"}
ID = "4c057b10-7efa-4c69-9ec8-cbbdfd56d918"
TAKEN = {
    "bfl": json.dumps({"id": ID, "polling_url": "https://api.eu2.bfl.ai/v1/get_result?id=1", "cost": 3.0}).encode(),
    "fal": json.dumps({"request_id": ID, "status_url": "https://queue.fal.run/a/b/requests/1/status"}).encode(),
}


@dataclass(frozen=True, slots=True)
class At:
    """A provider that speaks to one address."""

    name: str
    url: str
    provider: Provider

    def submit(self, body: bytes = b'{"prompt":"a boat"}') -> Submitted:
        model = {"bfl": "bfl/flux-2-pro", "fal": "fal/flux-2"}[self.name]
        prepared = Prepared(model=model, path=PATHS[self.name], body=body, shot_id="0" * 32)
        line = self.provider.connect(prepared)
        return line if isinstance(line, NotSent) else self.provider.send(line, prepared)

    def poll(self) -> Polled:
        """The path says to the server which of fal's two questions is asked."""
        return self.provider.poll(
            Ticket(
                provider=self.name,
                model={"bfl": "bfl/flux-2-pro", "fal": "fal/flux-2"}[self.name],
                endpoint=PATHS[self.name],
                task_id=ID,
                poll_url=f"{self.url}/status",
                result_url=f"{self.url}/result",
                cancel_url=None,
            )
        )


@pytest.fixture
def at() -> Iterator[Callable[[str, str], At]]:
    """`at("bfl", url)`."""
    opened: list[Provider] = []

    def make(name: str, url: str) -> At:
        opened.append(registry.make(name, load_configuration(environ={}), base_url=url, key=Secret(KEYS[name])))
        return At(name, url, opened[-1])

    yield make
    for one in opened:
        one.close()


Open = Callable[[str, str], At]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes in life takes a second here."""
    monkeypatch.setattr(wire, "_SUBMIT_TOTAL_S", 1.0)
    monkeypatch.setattr(wire, "_POLL", transport.Timeouts(connect=1.0, total=1.0))
    monkeypatch.setattr(wire, "_DOWNLOAD", transport.Timeouts(connect=1.0, total=1.0))
    monkeypatch.setattr(wire, "_CONNECT_S", 1.0)


# Scripts.


def says(*pieces: bytes, ending: str = "fin") -> Script:
    """Read the whole request, say these pieces, and end with FIN, with RST, or not at all."""

    def script(connection: socket.socket, server: RawServer) -> None:
        read_request(connection, server)
        for piece in pieces:
            connection.sendall(piece)
        if ending == "rst":
            reset(connection)
        if ending == "never":
            server.stopping.wait(20)

    return script


def drips(pause_s: float) -> Script:
    """One byte of a good answer at a time."""

    def script(connection: socket.socket, server: RawServer) -> None:
        read_request(connection, server)
        for byte in answer(200, TAKEN["bfl"] + b" " * 500):
            connection.sendall(bytes([byte]))
            if server.stopping.wait(pause_s):
                return

    return script


def resets_at_once(connection: socket.socket, _server: RawServer) -> None:
    reset(connection)


def resets_in_body(connection: socket.socket, _server: RawServer) -> None:
    connection.recv(100_000)
    reset(connection)


def never(_connection: socket.socket, server: RawServer) -> None:
    server.stopping.wait(20)


# F37 to F55, and the fifteen faults: what a submit's end is called.


@pytest.mark.parametrize("service", SERVICES)
def test_f37_a_name_that_does_not_resolve_is_unsent_and_offline(at: Open, service: str):
    outcome = at(service, "https://nowhere.invalid").submit()

    assert isinstance(outcome, NotSent)
    assert outcome.offline
    assert outcome.reason == "the name nowhere.invalid cannot be resolved"


@pytest.mark.parametrize("service", SERVICES)
def test_f37_a_refused_connection_is_unsent(at: Open, service: str):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    outcome = at(service, f"http://127.0.0.1:{port}").submit()

    assert isinstance(outcome, NotSent)
    assert "refused" in outcome.reason


@pytest.mark.parametrize("service", SERVICES)
def test_f37_a_connection_that_is_not_taken_is_unsent(at: Open, service: str):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        outcome = at(service, f"http://127.0.0.1:{address[1]}").submit()
        for filler in fillers:
            filler.close()

    assert isinstance(outcome, NotSent)
    assert "did not take the connection in time" in outcome.reason


@pytest.mark.parametrize("service", SERVICES)
def test_f37_tls_that_is_none_is_unsent(at: Open, service: str):
    with serving(says(b"HTTP/1.1 400 Bad\r\n\r\n")) as server:
        outcome = at(service, f"https://127.0.0.1:{server.port}").submit()

    assert isinstance(outcome, NotSent)
    assert server.posts == 0


@pytest.mark.parametrize("service", SERVICES)
def test_f37_tls_that_is_never_answered_is_unsent(at: Open, service: str):
    with serving(never) as server:
        outcome = at(service, f"https://127.0.0.1:{server.port}").submit()

    assert isinstance(outcome, NotSent)


@pytest.mark.parametrize("valid", ["today", "in 2099"])
def test_f37_f55_a_certificate_that_cannot_be_trusted_is_unsent(
    at: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valid: str
):
    """Signed by nobody (F37), and trusted but of another time than this machine's clock says (F55)."""
    certificate, key = _certificate(tmp_path, begins="20990101000000Z" if valid == "in 2099" else "20200101000000Z")
    if valid == "in 2099":
        monkeypatch.setattr(certifi, "where", lambda: str(certificate))
    transport._tls_context.cache_clear()
    received: list[bytes] = []
    try:
        with _tls_server(certificate, key, received) as url:
            outcome = at("bfl", url).submit()
    finally:
        transport._tls_context.cache_clear()

    assert isinstance(outcome, NotSent)
    assert received == []
    says_why = "this machine's clock says" if valid == "in 2099" else "cannot be trusted"
    assert says_why in outcome.reason


SUBMITS: dict[str, tuple[Script, type | tuple[type, ...], dict[str, Any]]] = {
    # row and fault                              script                                            outcome      and of it
    "F38 reset on accept":                       (resets_at_once,                                  (NotSent, Unanswered), {}),
    "F39 reset in the middle of the body":       (resets_in_body,                                  Unanswered,  {"status": None}),
    "F40 reset after the body":                  (says(ending="rst"),                              Unanswered,  {"status": None}),
    "F40 closed after the body":                 (says(),                                          Unanswered,  {"status": None}),
    "F40 half a status line":                    (says(b"HTTP/1.1 20"),                            Unanswered,  {"status": None}),
    "F40 garbage":                               (says(b"\x00\xff\x17garbage\r\n\r\n"),            Unanswered,  {"status": None}),
    "F42 no answer":                             (says(ending="never"),                            Unanswered,  {"status": None}),
    "F42 a head and no more":                    (says(b"HTTP/1.1 200 OK\r\n", ending="never"),    Unanswered,  {}),
    "F44 200 and a page":                        (says(answer(200, b"<html>hotel</html>")),        Unanswered,  {"status": 200}),
    "F44 200 and nothing":                       (says(answer(200, b"")),                          Unanswered,  {"status": 200}),
    "F44 200 and no id":                         (says(answer(200, b'{"cost":3}')),                Unanswered,  {"status": 200}),
    "F44 an id that is a number":                (says(answer(200, b'{"id":7,"request_id":7}')),   Unanswered,  {"status": 200}),
    "F44 an id with a bell in it":               (says(answer(200, b'{"id":"a\\u0007","request_id":"a\\u0007"}')), Unanswered, {}),
    "F44 an id of a megabyte":                   (says(answer(200, b'{"id":"' + b"a" * 950_000 + b'"}')), Unanswered, {}),
    "F46 429 and 7 seconds":                     (says(answer(429, b"{}", "Retry-After: 7\r\n")),  Throttled,   {"wait_s": 7.0}),
    "F46 429 and a date":                        (says(answer(429, b"{}", "Retry-After: Wed, 21 Oct 2026 07:28:10 GMT\r\nDate: Wed, 21 Oct 2026 07:28:00 GMT\r\n")), Throttled, {"wait_s": 10.0}),
    "F46 429 and less than nothing":             (says(answer(429, b"{}", "Retry-After: -3\r\n")), Throttled,   {"wait_s": None}),
    "F46 429 and thirty years":                  (says(answer(429, b"{}", "Retry-After: 1000000000\r\n")), Throttled, {"wait_s": 120.0}),
    "F46 429 and soon":                          (says(answer(429, b"{}", "Retry-After: soon\r\n")), Throttled, {"wait_s": None}),
    "F47 402":                                   (says(answer(402, b'{"detail":"no credits"}')),   AccountRefused, {"kind": "credits"}),
    "F48 401":                                   (says(answer(401, b'{"detail":"who?"}')),         AccountRefused, {"kind": "key"}),
    "F49 422":                                   (says(answer(422, b'{"detail":[{"loc":["body","seed"],"msg":"no"}]}')), Rejected, {"parameters": (("seed", "no"),)}),
    "F49 400":                                   (says(answer(400, b'{"detail":"no"}')),           Rejected,    {"reason": "no"}),
    "F49 404":                                   (says(answer(404, b"")),                          Rejected,    {"status": 404}),
    "F49 405":                                   (says(answer(405, b"")),                          Rejected,    {"status": 405}),
    "F49 411":                                   (says(answer(411, b"")),                          Rejected,    {"status": 411}),
    "F49 413":                                   (says(answer(413, b"")),                          Rejected,    {"status": 413}),
    "F49 415":                                   (says(answer(415, b"")),                          Rejected,    {"status": 415}),
    "F50 408":                                   (says(answer(408, b"")),                          Unanswered,  {"status": 408}),
    "F50 409":                                   (says(answer(409, b"")),                          Unanswered,  {"status": 409}),
    "F50 425":                                   (says(answer(425, b"")),                          Unanswered,  {"status": 425}),
    "F50 500":                                   (says(answer(500, b'{"detail":"x"}')),            Unanswered,  {"status": 500}),
    "F50 502":                                   (says(answer(502, b"<html>nginx</html>")),        Unanswered,  {"status": 502}),
    "F50 503":                                   (says(answer(503, b"")),                          Unanswered,  {"status": 503}),
    "F50 504":                                   (says(answer(504, b"")),                          Unanswered,  {"status": 504}),
    "F51 301":                                   (says(answer(301, b"", "Location: https://elsewhere.test/x\r\n")), Unanswered, {"reason": "the service answered 301 and pointed to elsewhere.test"}),
    "F51 307":                                   (says(answer(307, b"", "Location: https://elsewhere.test/x\r\n")), Unanswered, {"status": 307}),
    "F52 headers of 70 kB":                      (says(answer(200, TAKEN["bfl"], f"X: {'a' * 70_000}\r\n")), Unanswered, {}),
    "F52 10,000 headers":                        (says(answer(200, TAKEN["bfl"], "".join(f"X-{n}: 1\r\n" for n in range(10_000)))), Unanswered, {}),
    "F52 a compression never heard of":          (says(answer(200, TAKEN["bfl"], "Content-Encoding: zz\r\n")), (Unanswered, Accepted), {}),
    "F53 a byte at a time":                      (drips(0.05),                                     (Unanswered, Accepted), {}),
}  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("row", SUBMITS)
def test_a_submit_ends_as(at: Open, row: str, service: str):
    script, expected, of_it = SUBMITS[row]
    with serving(script) as server:
        outcome = at(service, server.url).submit(b"x" * 3_000_000 if row.startswith("F39") else b"{}")

    assert isinstance(outcome, expected), outcome
    assert {name: getattr(outcome, name) for name in of_it} == of_it
    assert server.posts <= 1, "nothing is ever sent twice"


@pytest.mark.parametrize("service", SERVICES)
def test_f41_every_cut_of_an_answer_is_unknown_or_holds_the_whole_id(at: Open, service: str):
    whole = answer(200, TAKEN[service])
    complete_at = whole.index(ID.encode()) + len(ID) + 1
    outcomes = {}
    for cut in range(0, len(whole), 3):
        with serving(says(whole[:cut])) as server:
            outcomes[cut] = at(service, server.url).submit()

    assert all(isinstance(outcome, Unanswered) for cut, outcome in outcomes.items() if cut < complete_at)
    assert all(
        isinstance(outcome, Accepted) and outcome.ticket.task_id == ID
        for cut, outcome in outcomes.items()
        if cut >= complete_at
    )


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "form",
    ["F52 100 and 103 first", "F52 in chunks", "F52 gzip", "F52 up to the end of the connection", "F52 202"],
)
def test_a_good_answer_is_read_in_every_form(at: Open, service: str, form: str):
    taken = TAKEN[service]
    forms = {
        "F52 100 and 103 first": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        + answer(200, taken),
        "F52 in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (taken[:9], taken[9:]))
        + b"0\r\n\r\n",
        "F52 gzip": answer(200, gzip.compress(taken), "Content-Encoding: gzip\r\n"),
        "F52 up to the end of the connection": b"HTTP/1.1 200 OK\r\n\r\n" + taken,
        "F52 202": answer(202, taken),
    }
    with serving(says(forms[form])) as server:
        outcome = at(service, server.url).submit()

    assert isinstance(outcome, Accepted)
    assert (outcome.ticket.task_id, outcome.evidence) == (ID, "answer")


def test_f44_what_came_is_kept_as_evidence_and_made_safe_to_show(at: Open):
    with serving(says(answer(200, b"<html>\x1b[2JWelcome " + b"x" * 2000))) as server:
        outcome = at("bfl", server.url).submit()

    assert isinstance(outcome, Unanswered)
    assert outcome.excerpt is not None
    assert outcome.excerpt.startswith("<html> [2JWelcome")
    assert len(outcome.excerpt) <= 512


def test_f54_proxies_and_netrc_of_the_environment_are_ignored(
    at: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving(says(answer(200, TAKEN["fal"]))) as server, serving(never) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        outcome = at("fal", server.url).submit()

    assert isinstance(outcome, Accepted)
    assert f"Authorization: Key {KEYS['fal']}".encode() in server.received[0]
    assert proxy.received == []


def test_f54_a_proxy_of_the_users_own_is_used_with_its_password():
    with serving(says(b"HTTP/1.1 502 No\r\n\r\n")) as proxy:
        url = proxy.url.replace("http://", "http://me:p%40ss@")
        line = transport.connect("https://api.bfl.ai/v1/flux-2-pro", timeout=2, proxy=url)

    assert isinstance(line, NotSent), "a proxy that refuses has passed nothing on"
    assert proxy.received[0].startswith(b"CONNECT api.bfl.ai:443 HTTP/1.")
    assert b"proxy-authorization: basic bwu6cebzcw==" in proxy.received[0].lower()


# F56 to F63: what a poll's end is called.


def polled(status: int, body: object, *, result: tuple[int, object] | None = None) -> Script:
    """Answers a poll. fal is asked twice: for the status, and for the result if that says COMPLETED."""

    def script(connection: socket.socket, server: RawServer) -> None:
        while request := read_request(connection, server):
            code, content = (status, body) if b"/status" in request[:60] or result is None else result
            connection.sendall(answer(code, content if isinstance(content, bytes) else json.dumps(content).encode()))

    return script


def bfl_says(status: str, code: int = 200, **more: object) -> tuple[int, dict[str, object]]:
    keys = {"id": ID, "status": status, "result": None, "progress": None, "details": None, "preview": None}
    return code, {**keys, **more}


COMPLETED = (200, {"status": "COMPLETED", "logs": None, "metrics": {}})
POLLS: dict[str, tuple[str, tuple[int, object], tuple[int, object] | None, type, dict[str, Any]]] = {
    "F56 500":                        ("bfl", (500, {"detail": "x"}), None,                     PollFailed, {"status": 500}),
    "F56 a page":                     ("bfl", (200, b"<html></html>"), None,                    PollFailed, {"status": 200}),
    "F56 500 of fal":                 ("fal", (500, b"nginx"), None,                            PollFailed, {"status": 500}),
    "F56 502 on fal's result":        ("fal", COMPLETED, (502, b"<html>nginx</html>"),          PollFailed, {"status": 502}),
    "F57 not found":                  ("bfl", bfl_says("Task not found", 404), None,            Vanished,   {}),
    "F57 not found at fal":           ("fal", (404, {"status": "NOT_FOUND"}), None,             Vanished,   {}),
    "F58 pending":                    ("bfl", bfl_says("Pending"), None,                        StillWorking, {"known": True}),
    "F58 in the queue":               ("fal", (202, {"status": "IN_QUEUE", "queue_position": 7}), None, StillWorking, {"queue_position": 7}),
    "F58 in progress":                ("fal", (202, {"status": "IN_PROGRESS", "logs": []}), None, StillWorking, {"known": True}),
    "F58 too early":                  ("fal", COMPLETED, (400, {"detail": "Request is still in progress"}), StillWorking, {"known": True}),
    "F59 never heard of":             ("bfl", bfl_says("Frobnicating"), None,                   StillWorking, {"status": "Frobnicating", "known": False}),
    "F59 never heard of at fal":      ("fal", (202, {"status": "DREAMING"}), None,              StillWorking, {"status": "DREAMING", "known": False}),
    "F60 ready without a link":       ("bfl", bfl_says("Ready", result={"seed": 1}), None,      PollFailed, {"reason": "the picture is ready, but its link is missing"}),
    "F60 done without a picture":     ("fal", COMPLETED, (200, {"images": [], "seed": 1}),      PollFailed, {}),
    "F60 on a host never heard of":   ("bfl", bfl_says("Ready", result={"sample": "https://x.test/a.png"}), None, Rendered, {}),
    "F62 request moderated":          ("bfl", bfl_says("Request Moderated", details={"Moderation Reasons": ["A"]}), None, Moderated, {"stage": "request", "reasons": ("A",)}),
    "F62 content moderated":          ("bfl", bfl_says("Content Moderated"), None,              Moderated,  {"stage": "content", "reasons": ()}),
    "F62 flagged at fal":             ("fal", COMPLETED, (422, {"detail": [{"msg": "flagged", "type": "content_policy_violation"}]}), Moderated, {}),
    "F62 error":                      ("bfl", bfl_says("Error", details={"error": "out"}), None, Failed,    {"reason": "error: out"}),
    "F62 error with 503":             ("bfl", bfl_says("Error", 503), None,                     Failed,     {}),
    "F63 50 MB":                      ("bfl", (200, b'{"status":"' + b"a" * 50_000_000 + b'"}'), None, PollFailed, {}),
    "F63 nested 100,000 deep":        ("bfl", (200, b'{"status":' + b"[" * 100_000), None,      PollFailed, {}),
    "F63 not a number":               ("bfl", (200, b'{"status":"Ready","x":NaN}'), None,       PollFailed, {}),
    "F63 5,000 digits":               ("bfl", (200, b'{"status":"Ready","x":' + b"9" * 5000 + b"}"), None, PollFailed, {}),
    "F63 a key twice":                ("bfl", (200, b'{"status":"Ready","status":"Error"}'), None, PollFailed, {}),
}  # fmt: skip


@pytest.mark.parametrize("row", POLLS)
def test_a_poll_ends_as(at: Open, row: str):
    service, (status, body), result, expected, of_it = POLLS[row]
    with serving(polled(status, body, result=result)) as server:
        outcome = at(service, server.url).poll()

    assert type(outcome) is expected, outcome
    assert {name: getattr(outcome, name) for name in of_it} == of_it


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "row", ["F56 reset", "F56 closed", "F56 no answer", "F56 cut", "F56 a byte at a time", "F56 not there"]
)
def test_a_poll_without_an_answer_is_asked_again(at: Open, service: str, row: str):
    scripts: dict[str, Script] = {
        "F56 reset": says(ending="rst"),
        "F56 closed": says(),
        "F56 no answer": says(ending="never"),
        "F56 cut": says(answer(200, b'{"status":"Rea', length=500)),
        "F56 a byte at a time": drips(0.05),
        "F56 not there": never,
    }
    with serving(scripts[row]) as server:
        url = server.url
        if row == "F56 not there":
            server.close()
        outcome = at(service, url).poll()

    assert isinstance(outcome, PollFailed)


def test_f61_a_status_that_goes_back_is_read_as_it_stands(at: Open):
    """Providers remember nothing: which of two words is believed is the engine's to decide."""
    told = iter([bfl_says("Ready", result={"sample": "https://x.test/a.png"}), bfl_says("Pending")])

    def script(connection: socket.socket, server: RawServer) -> None:
        while read_request(connection, server):
            code, body = next(told)
            connection.sendall(answer(code, json.dumps(body).encode()))

    with serving(script) as server:
        here = at("bfl", server.url)
        outcomes = [here.poll(), here.poll()]

    assert [type(outcome) for outcome in outcomes] == [Rendered, StillWorking]


# F64 to F70: what a download's end is called.

PIXELS = b"\x89PNG\r\n\x1a\n" + bytes(5000)
DOWNLOADS: dict[str, tuple[Script, type, dict[str, Any]]] = {
    "F64 cut off":                    (says(answer(200, PIXELS[:99], length=len(PIXELS))),  DownloadFailed, {"status": 200}),
    "F64 reset":                      (says(answer(200, PIXELS[:99], length=len(PIXELS)), ending="rst"), DownloadFailed, {}),
    "F65 cut off in its chunks":      (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc"), DownloadFailed, {}),
    "F65 no length and an early end": (says(b"HTTP/1.1 200 OK\r\n\r\n" + PIXELS[:99]),      Fetched,     {"content": PIXELS[:99]}),
    "F66 a page":                     (says(answer(200, b"<html></html>", "Content-Type: text/html\r\n")), Fetched, {"media_type": "text/html"}),
    "F67 403":                        (says(answer(403, b"<Error/>")),                      LinkExpired, {}),
    "F67 404":                        (says(answer(404, b"")),                              LinkExpired, {}),
    "F67 410":                        (says(answer(410, b"")),                              LinkExpired, {}),
    "F68 70 MB":                      (says(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 70_000_000), DownloadFailed, {"reason": "the answer is larger than 64,000,000 bytes"}),
    "F68 a gzip bomb":                (says(answer(200, gzip.compress(bytes(80_000_000), 1), "Content-Encoding: gzip\r\n")), DownloadFailed, {}),
    "F68 a byte at a time":           (drips(0.05),                                         DownloadFailed, {}),
    "F69 in circles":                 (says(answer(302, b"", "Location: /a.png\r\n")),      DownloadFailed, {"reason": "the picture's link leads in circles"}),
    "F69 to a file":                  (says(answer(302, b"", "Location: file:///etc/passwd\r\n")), DownloadFailed, {}),
    "F69 to an address inside":       (says(answer(302, b"", "Location: http://169.254.169.254/\r\n")), DownloadFailed, {}),
    "F69 to nowhere":                 (says(answer(302, b"", "Location: \r\n")),            DownloadFailed, {}),
    "F70 another format":             (says(answer(200, PIXELS, "Content-Type: image/jpeg\r\n")), Fetched, {"content": PIXELS}),
}  # fmt: skip


@pytest.mark.parametrize("row", DOWNLOADS)
def test_a_download_ends_as(at: Open, row: str, monkeypatch: pytest.MonkeyPatch):
    script, expected, of_it = DOWNLOADS[row]
    if "MB" in row or "bomb" in row:  # so many bytes take their time on a busy machine
        monkeypatch.setattr(wire, "_DOWNLOAD", transport.Timeouts(connect=5.0, total=30.0))
    with serving(script) as server:
        outcome = at("bfl", server.url).provider.fetch(f"{server.url}/a.png")

    assert type(outcome) is expected, outcome
    assert {name: getattr(outcome, name) for name in of_it} == of_it
    assert not any(KEYS["bfl"].encode() in request for request in server.received)
    assert all(b"accept-encoding: identity" in request.lower() for request in server.received)


def _certificate(folder: Path, *, begins: str) -> tuple[Path, Path]:
    """A certificate of its own for 127.0.0.1 that begins when told."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, and this needs a certificate of another time")
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=own\n[own]\nnew_certs_dir=.\ndatabase=index.txt\nserial=serial\ndefault_md=sha256\n"
        "policy=any\ncopy_extensions=copy\n[any]\ncommonName=supplied\n"
    )
    make = "openssl req -new -newkey rsa:2048 -nodes -keyout key.pem -out ask.csr -subj /CN=127.0.0.1 -addext"
    sign = "openssl ca -batch -selfsign -config ca.cnf -keyfile key.pem -in ask.csr -out cert.pem -notext -startdate"
    for command in (
        [*make.split(), "subjectAltName=IP:127.0.0.1"],
        [*sign.split(), begins, "-enddate", "21000101000000Z"],
    ):
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return folder / "cert.pem", folder / "key.pem"


class _tls_server:
    """A server that takes one encrypted connection and keeps what it is sent."""

    def __init__(self, certificate: Path, key: Path, received: list[bytes]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._received = received
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._serve, daemon=True).start()
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_exc: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
            with connection, self._context.wrap_socket(connection, server_side=True) as encrypted:
                self._received.append(encrypted.recv(1000))
        except OSError:
            pass
