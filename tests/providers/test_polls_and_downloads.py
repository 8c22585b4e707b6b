"""What an answer to a poll means, and what becomes of a download."""

from __future__ import annotations

import json
import socket
import time
import zlib
from contextlib import closing
from dataclasses import replace

import pytest
from raw_server import RawServer, answer, read_request, serving
from test_submit_faults import after_request

from flux2batch.engine.events import (
    AccountRefused,
    DownloadFailed,
    Failed,
    Fetched,
    LinkExpired,
    Moderated,
    PollFailed,
    Rendered,
    StillWorking,
    Vanished,
)
from flux2batch.money import usd
from flux2batch.providers import bfl, fal, transport
from flux2batch.providers.hosts import BFL
from flux2batch.providers.transport import HttpResponse, Pool, Timeouts
from flux2batch.providers.wire import Credentials, Wire
from flux2batch.secret import Secret

SAMPLE = "https://delivery-eu1.bfl.ai/results/a_sample.png?se=2026-12-17T21%3A39%3A00Z&sig=abc"


def six_keys(**changed: object) -> dict[str, object]:
    """BFL's poll body: always the same six keys."""
    keys: dict[str, object] = {"id": "1", "status": "Pending", "result": None, "progress": None, "details": None}
    return {**keys, "preview": None, **changed}


def response(status: int, body: object, **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=raw)


READY = six_keys(status="Ready", result={"start_time": 1.5, "prompt": "a finer boat", "seed": 42, "sample": SAMPLE})

BFL_POLLS = {
    "pending": (200, six_keys(), StillWorking),
    "reasoning": (200, six_keys(status="Reasoning"), StillWorking),
    "generating": (200, six_keys(status="Generating"), StillWorking),
    "a status never heard of": (200, six_keys(status="Frobnicating"), StillWorking),
    "ready": (200, READY, Rendered),
    "ready without a link": (200, six_keys(status="Ready", result={"seed": 1}), PollFailed),
    "ready without a result": (200, six_keys(status="Ready"), PollFailed),
    "request moderated": (200, six_keys(status="Request Moderated"), Moderated),
    "content moderated": (200, six_keys(status="Content Moderated"), Moderated),
    "error": (200, six_keys(status="Error"), Failed),
    "failed": (200, six_keys(status="Failed"), Failed),
    "not found": (404, six_keys(status="Task not found"), Vanished),
    "an unknown path": (404, {"detail": "Not Found"}, PollFailed),
    "500": (500, {"detail": "Internal Server Error"}, PollFailed),
    "an error that came as 503": (503, six_keys(status="Error"), Failed),
    "too many polls": (429, {"error": "Rate limit exceeded: 1200 per 1 minute"}, PollFailed),
    "html": (200, b"<html>gateway</html>", PollFailed),
    "nothing": (200, b"", PollFailed),
    "not a number": (200, b'{"status":"Ready","x":NaN}', PollFailed),
    "an endless number": (200, b'{"status":"Ready","x":' + b"9" * 5000 + b"}", PollFailed),
    "a key twice": (200, b'{"status":"Ready","status":"Error"}', PollFailed),
    "nested deeper than anyone means": (200, b'{"status":' + b"[" * 100_000, PollFailed),
    "a list": (200, b"[]", PollFailed),
}


@pytest.mark.parametrize("case", BFL_POLLS)
def test_an_answer_of_bfl_means(case: str):
    status, body, expected = BFL_POLLS[case]

    assert type(bfl.read_polled(response(status, body))) is expected


def test_a_finished_picture_of_bfl_tells_all_that_is_known():
    polled = bfl.read_polled(response(200, READY))

    assert isinstance(polled, Rendered)
    assert [frame.url for frame in polled.frames] == [SAMPLE]
    assert (polled.seed, polled.prompt) == (42, "a finer boat")
    assert polled.expires_at is not None
    assert polled.expires_at.isoformat() == "2026-12-17T21:39:00+00:00"


def test_moderation_of_bfl_gives_its_reasons_and_costs_nothing():
    details = {"Moderation Reasons": ["Protected Content", "Sexual Content"]}
    polled = bfl.read_polled(response(200, six_keys(status="Content Moderated", details=details)))

    assert isinstance(polled, Moderated)
    assert polled.reasons == ("Protected Content", "Sexual Content")
    assert polled.charge is not None
    assert polled.charge.usd == 0


def test_an_unknown_status_is_marked_as_one():
    known = bfl.read_polled(response(200, six_keys(status="Reasoning"), retry_after="1"))
    strange = bfl.read_polled(response(200, six_keys(status="Frobnicating")))

    assert isinstance(known, StillWorking)
    assert isinstance(strange, StillWorking)
    assert (known.known, strange.known) == (True, False)
    assert known.wait_s == 1.0


IMAGE = {"url": "https://v3b.fal.media/files/b/x.png", "width": 1024, "height": 768, "content_type": "image/png"}
DONE = {"images": [IMAGE], "seed": 7, "prompt": "a boat", "has_nsfw_concepts": [False], "timings": {"inference": 1.2}}
POLICY = {"detail": [{"loc": ["body", "prompt"], "msg": "flagged", "type": "content_policy_violation"}]}
ECHO = {
    "detail": [{"loc": ["body", "image_urls"], "msg": "bad picture", "input": "data:image/png;base64," + "A" * 9000}]
}
OK = {"status": "COMPLETED", "logs": None, "metrics": {"inference_time": 3.7}}

FAL_STATUSES = {
    "in the queue": (202, {"status": "IN_QUEUE", "queue_position": 3}, StillWorking),
    "in progress": (202, {"status": "IN_PROGRESS", "logs": []}, StillWorking),
    "a status never heard of": (202, {"status": "DREAMING"}, StillWorking),
    "completed": (200, OK, fal.Completed),
    "completed with an error": (200, {**OK, "error": "boom"}, fal.Completed),
    "unknown id": (404, {"status": "NOT_FOUND"}, Vanished),
    "unknown path": (404, {"detail": "Path /x not found"}, Vanished),
    "bad key": (401, {"detail": "No user found for Key ID and Secret"}, AccountRefused),
    "500": (500, {"detail": "x"}, PollFailed),
    "html": (502, b"<html>nginx</html>", PollFailed),
}


@pytest.mark.parametrize("case", FAL_STATUSES)
def test_a_status_of_fal_means(case: str):
    status, body, expected = FAL_STATUSES[case]

    assert type(fal.read_status(response(status, body))) is expected


FINE = fal.Completed(error=None, error_type=None, inference_s=3.7)
BROKEN = fal.Completed(error="boom", error_type="internal_server_error", inference_s=None)

FAL_RESULTS = {
    "a picture": (200, DONE, FINE, Rendered),
    "no picture": (200, {"images": []}, FINE, PollFailed),
    "a picture without a link": (200, {"images": [{"width": 5}]}, FINE, PollFailed),
    "too early": (400, {"detail": "Request is still in progress"}, FINE, StillWorking),
    "refused by the content checker": (422, POLICY, FINE, Moderated),
    "refused by the content checker, said in the status": (422, POLICY, BROKEN, Moderated),
    "invalid": (422, ECHO, FINE, Failed),
    "a server error of the model": (500, {"detail": [{"msg": "x", "type": "internal_server_error"}]}, BROKEN, Failed),
    "a bad moment of the gateway": (502, b"<html>nginx</html>", FINE, PollFailed),
    "too many": (429, {"detail": "slow"}, FINE, PollFailed),
    "gone": (404, {"detail": "not found"}, FINE, Failed),
    "cancelled": (499, {"detail": "x", "error_type": "client_cancelled"}, BROKEN, Failed),
    "locked": (403, {"detail": "User is locked."}, FINE, AccountRefused),
}


@pytest.mark.parametrize("case", FAL_RESULTS)
def test_a_result_of_fal_means(case: str):
    status, body, completed, expected = FAL_RESULTS[case]
    expected = Vanished if case == "gone" else expected

    assert type(fal.read_result(response(status, body), completed, unit_usd=None)) is expected


def test_the_cost_of_fal_is_units_times_the_price_of_one():
    headers = {"x_fal_billable_units": "8.439999999999998"}
    polled = fal.read_result(response(200, DONE, **headers), FINE, unit_usd=usd("0.012"))

    assert isinstance(polled, Rendered)
    assert polled.charge is not None
    assert str(polled.charge.usd) == "0.10128"


def test_a_black_frame_is_flagged_and_several_frames_keep_their_order():
    images = [{**IMAGE, "url": f"https://v3.fal.media/{n}.png"} for n in range(3)]
    body = {**DONE, "images": images, "has_nsfw_concepts": [False, True, False]}
    polled = fal.read_result(response(200, body), FINE, unit_usd=None)

    assert isinstance(polled, Rendered)
    assert [frame.nsfw for frame in polled.frames] == [False, True, False]
    assert [frame.url[-5] for frame in polled.frames] == ["0", "1", "2"]


def test_an_echoed_picture_never_reaches_a_message():
    polled = fal.read_result(response(422, ECHO), FINE, unit_usd=None)

    assert isinstance(polled, Failed)
    assert "AAAA" not in polled.reason
    assert "bad picture" in polled.reason


# Downloads.


def fetch(server: RawServer, path: str = "/a.png"):
    """One download as the provider makes it, on a base URL that stands on loopback."""
    rules = replace(BFL, base_url=server.url)
    credentials = Credentials(header="x-key", prefix="", key=Secret("canary-key"))
    with closing(Wire(rules=rules, credentials=credentials, proxy=None)) as wire:
        return wire.fetch(server.url + path)


PIXELS = b"\x89PNG" + bytes(5000)

DOWNLOADS = {
    "whole": (answer(200, PIXELS, "Content-Type: image/png\r\n"), Fetched),
    "cut short": (answer(200, PIXELS[:99], length=len(PIXELS)), DownloadFailed),
    "cut in its chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc", DownloadFailed),
    "expired": (answer(403, b"<Error>AuthenticationFailed</Error>"), LinkExpired),
    "gone": (answer(410, b""), LinkExpired),
    "not there": (answer(404, b""), LinkExpired),
    "busy": (answer(503, b"", "Retry-After: 7\r\n"), DownloadFailed),
    "in a strange encoding": (answer(200, b"x", "Content-Encoding: br\r\n"), DownloadFailed),
    "to another host": (answer(302, b"", "Location: http://169.254.169.254/latest\r\n"), DownloadFailed),
    "to a file": (answer(302, b"", "Location: file:///etc/passwd\r\n"), DownloadFailed),
    "in circles": (answer(302, b"", "Location: /a.png\r\n"), DownloadFailed),
}


@pytest.mark.parametrize("case", DOWNLOADS)
def test_a_download_that_comes(case: str):
    raw, expected = DOWNLOADS[case]
    with serving(after_request(raw)) as server:
        outcome = fetch(server)

    assert type(outcome) is expected
    assert not any(b"canary-key" in request for request in server.received)


def test_a_compressed_bomb_is_not_unpacked():
    bomb = zlib.compress(bytes(100_000_000))
    with serving(after_request(answer(200, bomb, "Content-Encoding: deflate\r\n"))) as server:
        outcome = fetch(server)

    assert isinstance(outcome, DownloadFailed)


def test_an_endless_download_ends_at_its_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "PICTURE_LIMIT", 1_000_000)

    def endless(connection: socket.socket, server: RawServer) -> None:
        read_request(connection, server)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.stopping.is_set():
            connection.sendall(bytes(65536))

    with serving(endless) as server:
        outcome = fetch(server)

    assert isinstance(outcome, DownloadFailed)
    assert "larger" in outcome.reason


def test_a_slow_answer_does_not_outlive_its_deadline():
    def drip(connection: socket.socket, server: RawServer) -> None:
        read_request(connection, server)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not server.stopping.is_set():
            connection.sendall(b"x")
            time.sleep(0.05)  # slower than the deadline, byte by byte

    with serving(drip) as server:
        began = time.monotonic()
        outcome = Pool(proxy=None, timeouts=Timeouts(connect=1, total=0.5)).get(server.url + "/", headers={})

    assert isinstance(outcome, transport.NoAnswer)
    assert time.monotonic() - began < 3


def test_an_inline_picture_is_a_picture():
    wire = Wire(rules=BFL, credentials=Credentials(header="x-key", prefix="", key=Secret("k")), proxy=None)
    inline = wire.fetch("data:image/png;base64,iVBORw0KGgo=")
    broken = wire.fetch("data:image/png;base64,…")

    assert isinstance(broken, DownloadFailed)
    assert isinstance(inline, Fetched)
    assert inline.content == b"\x89PNG\r\n\x1a\n"


def test_a_kept_connection_that_the_server_closed_is_replaced_unseen():
    def one_answer_each(connection: socket.socket, server: RawServer) -> None:
        read_request(connection, server)
        connection.sendall(answer(200, b"{}"))

    pool = Pool(proxy=None, timeouts=Timeouts(connect=1, total=1))
    with serving(one_answer_each) as server, closing(pool):
        answers = []
        for _ in range(3):
            answers.append(pool.get(server.url + "/", headers={}))
            time.sleep(0.1)  # the server's end of the last connection arrives

    assert all(isinstance(came, HttpResponse) for came in answers)


def test_a_connection_is_kept_for_the_next_request():
    connections = []

    def many_answers(connection: socket.socket, server: RawServer) -> None:
        connections.append(connection)
        while read_request(connection, server):
            connection.sendall(answer(200, b"{}"))

    pool = Pool(proxy=None, timeouts=Timeouts(connect=1, total=1))
    with serving(many_answers) as server, closing(pool):
        answers = [pool.get(server.url + "/", headers={}) for _ in range(5)]

    assert all(isinstance(came, HttpResponse) for came in answers)
    assert len(connections) == 1
