"""Every fault does on the wire what its name says, and the books know whether a task was made."""

from __future__ import annotations

import gzip
import io
import time
from typing import Any

import pytest
import requests
from PIL import Image
from receiving import picture

from flux2batch.emulator.faults import KINDS, Script, Stage, parse_fault


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


# fault → what a raw socket sees of the answer to a submit, and how many tasks were made
SUBMITS: list[tuple[str, Any, int]] = [
    ("reset-on-connect", lambda seen: seen in (b"RESET", b""), 0),
    ("reset-in-body", lambda seen: seen == b"RESET", 0),
    ("drop", lambda seen: seen == b"", 0),
    ("stall", lambda seen: seen == b"SILENCE", 0),
    ("html", lambda seen: seen.startswith(b"HTTP/1.1 200 ") and b"<html>" in body_of(seen), 0),
    ("empty", lambda seen: seen.startswith(b"HTTP/1.1 200 ") and body_of(seen) == b"", 0),
    ("redirect=http://127.0.0.1:9/x", lambda seen: b"\r\nLocation: http://127.0.0.1:9/x\r\n" in seen, 0),
    ("429=7", lambda seen: seen.startswith(b"HTTP/1.1 429 ") and b"\r\nRetry-After: 7\r\n" in seen, 0),
    ("429=date", lambda seen: b" GMT\r\n" in seen.partition(b"\r\nRetry-After: ")[2][:40], 0),
    ("429=-3", lambda seen: b"\r\nRetry-After: -3\r\n" in seen, 0),
    ("429=1000000000", lambda seen: b"\r\nRetry-After: 1000000000\r\n" in seen, 0),
    ("429=soon", lambda seen: b"\r\nRetry-After: soon\r\n" in seen, 0),
    ("429", lambda seen: b"Retry-After" not in seen and b'{"detail":"' in seen, 0),
    ("402", lambda seen: seen.startswith(b"HTTP/1.1 402 ") and b'{"detail":"Insufficient credits"}' in seen, 0),
    ("403", lambda seen: b"Not authenticated - Invalid Authentication" in seen, 0),
    ("422", lambda seen: seen.startswith(b"HTTP/1.1 422 ") and b'"loc":["body","prompt"]' in seen, 0),
    ("500", lambda seen: seen.startswith(b"HTTP/1.1 500 "), 0),
    ("503-after-accept", lambda seen: seen.startswith(b"HTTP/1.1 503 "), 1),
    ("drop-after-accept", lambda seen: seen == b"", 1),
    ("reset-after-accept", lambda seen: seen == b"RESET", 1),
    ("stall-after-accept", lambda seen: seen == b"SILENCE", 1),
    ("stall-after-accept=0.3", lambda seen: seen.startswith(b"HTTP/1.1 200 "), 1),
    ("slow-answer=0.05", lambda seen: seen.startswith(b"HTTP/1") and len(seen) < 40, 1),
    ("cut-answer=37", lambda seen: len(seen) == 37, 1),
    ("cut-answer=0", lambda seen: seen == b"", 1),
    ("cut-body=20", lambda seen: len(body_of(seen)) == 20 and b"Content-Length: 1" in seen, 1),
    ("garbage-answer=HTTP/1.", lambda seen: seen == b"HTTP/1.", 1),
    ("html-answer", lambda seen: b"<html>" in body_of(seen), 1),
    ("chunked-answer=7", lambda seen: b"Transfer-Encoding: chunked" in seen and body_of(seen).startswith(b"7\r\n"), 1),
    ("gzip-answer", lambda seen: b'"polling_url"' in gzip.decompress(body_of(seen)), 1),
    ("early-hints", lambda seen: seen.startswith(b"HTTP/1.1 103 ") and b"\r\n\r\nHTTP/1.1 200 " in seen, 1),
    ("many-headers=500", lambda seen: seen.count(b"\r\nX-Filler-") == 500, 1),
    ("huge-header=70000", lambda seen: b"X-Filler: " + b"x" * 70000 in seen, 1),
    ("missing-id", lambda seen: b'"id"' not in seen and b"polling_url" in seen, 1),
    ("odd-id=number", lambda seen: b'"id":42,' in seen, 1),
    ("odd-id=long", lambda seen: len(body_of(seen)) > 1_000_000, 1),
    ("odd-id=control", lambda seen: b"a\\r\\nb\\u001b[31m\\u0000" in seen, 1),
    ("cost=null", lambda seen: b'"cost":null' in seen, 1),
    ("cost=negative", lambda seen: b'"cost":-3.0' in seen, 1),
    ("cost=string", lambda seen: b'"cost":"3 credits"' in seen, 1),
    ("cost=nan", lambda seen: b'"cost":NaN' in seen, 1),
    ("cost=missing", lambda seen: b'"cost"' not in seen and b'"id"' in seen, 1),
    ("polling-url=https://evil.test/", lambda seen: b'"polling_url":"https://evil.test/"' in seen, 1),
    ("polling-url=missing", lambda seen: b"polling_url" not in seen and b'"id"' in seen, 1),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "looks", "tasks"), SUBMITS, ids=[row[0] for row in SUBMITS])
def test_a_submit_suffers_its_fault(visit: Any, fault: str, looks: Any, tasks: int) -> None:
    visitor = visit(faults=[fault])

    seen = visitor.raw_submit(wait_s=1.0)

    assert looks(seen), seen[:400]
    assert len(visitor.emulator.books.tasks()) == tasks


def test_the_answer_can_be_cut_at_every_byte(visit: Any) -> None:
    visitor = visit(active_limit=None)
    whole = len(visitor.raw_submit())

    for size in range(0, whole, 23):
        assert len(visitor.raw_submit(prompt=f"[emulate cut-answer={size}]")) == size


def test_a_duplicate_id_is_that_of_the_task_before(visit: Any) -> None:
    visitor = visit(faults=["duplicate-id@2"])

    first, second = visitor.bfl(seed=1).json(), visitor.bfl(seed=2).json()

    assert first["id"] == second["id"]
    assert len({task.id for task in visitor.emulator.books.tasks()}) == 2


# fault → the states that polls see, in order and without repetitions
STATES: list[tuple[str, list[Any]]] = [
    ("request-moderated", [("Request Moderated", {"Moderation Reasons": ["Sexual Content"]})]),
    ("content-moderated", [("Content Moderated", {"Moderation Reasons": ["Protected Content"]})]),
    ("content-moderated=none", [("Content Moderated", None)]),
    ("error", [("Error", {"error": "Generation failed"})]),
    ("error=none", [("Error", None)]),
    ("failed", [("Failed", None)]),
]


@pytest.mark.parametrize(("fault", "states"), STATES, ids=[row[0] for row in STATES])
def test_a_task_ends_as_its_fault_says_and_costs_nothing(visit: Any, fault: str, states: list[Any]) -> None:
    visitor = visit(faults=[fault])

    told = visitor.ready(visitor.bfl().json()["polling_url"])

    assert [(told["status"], told["details"])] == states
    assert told["result"] is None
    assert visitor.emulator.books.charged == 0


def statuses(visitor: Any, url: str, polls: int) -> list[Any]:
    return [visitor.get(url).json()["status"] for _ in range(polls)]


def test_tasks_are_found_late_lost_flipped_or_at_work_for_ever(visit: Any) -> None:
    visitor = visit()
    url = lambda prompt: visitor.bfl(prompt=prompt).json()["polling_url"]

    assert statuses(visitor, url("[emulate poll-404@1-2]"), 3) == ["Task not found"] * 2 + ["Ready"]
    assert statuses(visitor, url("[emulate vanish=2]"), 3) == ["Ready"] * 2 + ["Task not found"]
    assert statuses(visitor, url("[emulate flip]"), 3) == ["Ready", "Pending", "Ready"]
    assert statuses(visitor, url("[emulate never-ends]"), 3) == ["Pending"] * 3


def test_a_task_can_reason_generate_and_frobnicate(visit: Any) -> None:
    visitor = visit(latency="0.6")
    url = visitor.bfl(prompt="[emulate reasoning]").json()["polling_url"]
    odd = visitor.bfl(prompt="[emulate status=Frobnicating]").json()["polling_url"]
    assert visitor.get(odd).json()["status"] == "Frobnicating"

    seen = [visitor.get(url).json()["status"]]
    while seen[-1] != "Ready":
        status = visitor.get(url).json()["status"]
        seen += [status] if status != seen[-1] else []
        time.sleep(0.02)  # between two looks

    assert seen == ["Pending", "Reasoning", "Generating", "Ready"]


POLLS: list[tuple[str, Any]] = [
    ("poll-503@1", lambda answer: answer.status_code == 503),
    ("poll-html@1", lambda answer: b"<html>" in answer.content),
    ("poll-nan@1", lambda answer: b'"progress":NaN' in answer.content),
    ("poll-deep=5000@1", lambda answer: b"[" * 5000 in answer.content),
    ("poll-huge=2000000@1", lambda answer: len(answer.content) > 2_000_000),
    ("poll-duplicate-keys@1", lambda answer: answer.content.count(b'"status"') == 2),
]


@pytest.mark.parametrize(("fault", "looks"), POLLS, ids=[row[0] for row in POLLS])
def test_the_first_poll_suffers_its_fault_and_the_second_does_not(visit: Any, fault: str, looks: Any) -> None:
    visitor = visit(faults=[fault])
    url = visitor.bfl().json()["polling_url"]

    assert looks(visitor.get(url))
    assert visitor.get(url).json()["status"] == "Ready"


@pytest.mark.parametrize("fault", ["poll-drop@1", "poll-cut=30@1", "poll-stall@1"])
def test_a_poll_can_end_without_an_answer(visit: Any, fault: str) -> None:
    visitor = visit(faults=[fault])
    url = visitor.bfl().json()["polling_url"]

    with pytest.raises(requests.RequestException):
        requests.get(url, timeout=0.5)
    assert visitor.get(url).json()["status"] == "Ready"


def is_picture(content: bytes) -> bool:
    try:
        Image.open(io.BytesIO(content)).load()
    except OSError:
        return False
    return True


DOWNLOADS: list[tuple[str, Any]] = [
    ("expired@1", lambda answer: answer.status_code == 403 and b"AuthenticationFailed" in answer.content),
    ("download-404@1", lambda answer: answer.status_code == 404),
    ("half-picture@1", lambda answer: answer.status_code == 200 and not is_picture(answer.content)),
    ("short@1", lambda answer: "Content-Length" not in answer.headers and not is_picture(answer.content)),
    ("html-picture@1", lambda answer: answer.headers["Content-Type"] == "text/html"),
    ("redirect-picture=http://127.0.0.1:9/@1", lambda answer: answer.headers["Location"] == "http://127.0.0.1:9/"),
]


@pytest.mark.parametrize(("fault", "looks"), DOWNLOADS, ids=[row[0] for row in DOWNLOADS])
def test_the_first_download_suffers_its_fault_and_the_second_does_not(visit: Any, fault: str, looks: Any) -> None:
    visitor = visit(faults=[fault])
    sample = visitor.ready(visitor.bfl().json()["polling_url"])["result"]["sample"]

    assert looks(visitor.get(sample))
    assert is_picture(visitor.get(sample).content)


def test_a_corrupt_picture_has_its_length_and_one_other_byte(visit: Any) -> None:
    visitor = visit(faults=["corrupt@1"])
    sample = visitor.ready(visitor.bfl().json()["polling_url"])["result"]["sample"]

    wrong, right = visitor.get(sample).content, visitor.get(sample).content

    assert len(wrong) == len(right)
    assert sum(one != other for one, other in zip(wrong, right, strict=True)) == 1


def raw_get(visitor: Any, url: str, **what: Any) -> bytes:
    path = "/" + url.split("/", 3)[3]
    return visitor.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), door="bfl-delivery", **what)


def test_a_picture_can_be_truncated_endless_slow_or_silent(visit: Any) -> None:
    visitor = visit()
    sample = lambda fault: visitor.ready(visitor.bfl(prompt=f"[emulate {fault}]").json()["polling_url"])["result"][
        "sample"
    ]

    truncated = raw_get(visitor, sample("truncated=0.5"))
    promised = int(truncated.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    assert len(body_of(truncated)) == promised // 2
    assert len(raw_get(visitor, sample("endless"))) > 3_000_000
    assert 0 < len(raw_get(visitor, sample("slow-picture=5"), wait_s=0.5)) < 1500
    assert raw_get(visitor, sample("stall-picture"), wait_s=0.5) == b"SILENCE"


def test_a_picture_can_be_black_of_another_size_or_of_another_format(visit: Any) -> None:
    visitor = visit()

    def made(fault: str) -> Image.Image:
        told = visitor.ready(visitor.bfl(prompt=f"[emulate {fault}]").json()["polling_url"])
        return Image.open(io.BytesIO(visitor.get(told["result"]["sample"]).content))

    assert made("black").convert("L").getextrema() == (0, 0)
    assert made("wrong-size").size == (64, 64)
    assert made("wrong-format").format == "PNG"


def test_ready_can_come_without_an_address_or_with_a_strange_one(visit: Any) -> None:
    visitor = visit()
    result = lambda fault: visitor.ready(visitor.bfl(prompt=f"[emulate {fault}]").json()["polling_url"])["result"]

    assert "sample" not in result("no-sample")
    assert result("sample=http://169.254.169.254/x")["sample"] == "http://169.254.169.254/x"


def test_fal_suffers_faults_in_its_own_shapes(visit: Any) -> None:
    visitor = visit()
    refused = visitor.fal(prompt="[emulate 503]")
    assert (refused.status_code, refused.json()["error_type"]) == (503, "runner_scheduling_failure")
    assert refused.headers["X-Fal-Error-Type"] == "runner_scheduling_failure"
    assert visitor.fal(prompt="[emulate 403]").json()["detail"].startswith("User is locked")

    def result(fault: str) -> Any:
        task = visitor.fal(prompt=f"[emulate {fault}]").json()
        return visitor.get(task["response_url"], headers=visitor.fal_headers)

    black = result("black").json()
    assert black["has_nsfw_concepts"] == [True]
    content = visitor.get(black["images"][0]["url"]).content
    assert Image.open(io.BytesIO(content)).convert("L").getextrema() == (0, 0)
    assert "x-fal-billable-units" not in result("units=none").headers
    assert (result("error=504").status_code, result("error=504").json()["error_type"]) == (504, "startup_timeout")


def test_a_fault_strikes_the_submits_it_is_meant_for(visit: Any) -> None:
    counted = visit(faults=["429@2-3"])
    assert [counted.bfl(seed=seed).status_code for seed in range(5)] == [200, 429, 429, 200, 200]

    told = visit(faults=["500~fox", "fal.503", "402~flux-2-max"])
    assert told.bfl(prompt="a fox").status_code == 500
    assert told.bfl(prompt="a cat").status_code == 200
    assert told.bfl("flux-2-max", prompt="a cat").status_code == 402
    assert told.fal(prompt="a cat").status_code == 503

    marked = visit()
    assert [marked.bfl(prompt="[emulate 429@1-2]").status_code for _ in range(3)] == [429, 429, 200]


def test_chance_is_drawn_from_seed_and_request_and_not_from_their_order() -> None:
    def struck(order: range) -> set[int]:
        script = Script([parse_fault("429:0.3")], seed=5)
        told = {"service": "bfl", "model": "m", "prompt": "", "ordinal": 1}
        return {number for number in order if script.at_submit(request_sha256=str(number), **told)}

    assert struck(range(500)) == struck(range(499, -1, -1))
    assert 0.2 < len(struck(range(500))) / 500 < 0.4


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("drop-after-acept", "did you mean 'drop-after-accept'"),
        ("429:2", "from 0 to 1"),
        ("cut-answer=x", "takes a number"),
        ("777", "there is no fault '777'"),
        ("", "is not a fault"),
    ],
)
def test_a_fault_that_does_not_exist_is_named(visit: Any, written: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_fault(written)
    answer = visit().bfl(prompt=f"a fox [emulate {written}]")
    assert (answer.status_code, reason in answer.json()["detail"]) == (422, True)


def test_every_fault_survives_the_books() -> None:
    for name in KINDS:
        fault = parse_fault(name)
        if fault.stage is not Stage.WIRE:
            assert parse_fault(str(fault)) == fault


def test_large_bodies_and_references_pass_unharmed(visit: Any) -> None:
    visitor = visit()

    assert visitor.bfl(prompt="x" * 300_000).status_code == 200
    assert visitor.bfl(input_image=picture(2000, 2000)).status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"505"),
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * 70000 + b"\r\n\r\n", b"431"),
        (b"POST /v1/flux-2-pro HTTP/1.1\r\nContent-Length: -4\r\n\r\n", b"400"),
        (b"POST /v1/flux-2-pro HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", b"413"),
        (b"GET /v1/credits HTTP/1.0\r\n\r\n", b"403"),
        (b"GET http://x/v1/credits HTTP/1.1\r\nConnection: close\r\n\r\n", b"403"),
        (b"HEAD /v1/credits HTTP/1.1\r\nConnection: close\r\n\r\n", b"405"),
    ],
)
def test_the_server_answers_what_it_cannot_read(visit: Any, sent: bytes, status: bytes) -> None:
    assert visit().raw(sent).split(b" ", 2)[1] == status


def test_chunked_bodies_expectations_and_pipelined_requests_are_understood(visit: Any) -> None:
    visitor = visit()
    head = f"POST /v1/flux-2-pro HTTP/1.1\r\nHost: x\r\nx-key: {visitor.emulator.bfl_api_key}\r\n".encode()
    chunks = b'5\r\n{"pro\r\n9\r\nmpt":"x"}\r\n0\r\n\r\n'

    chunked = visitor.raw(head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks)
    expecting = head + b'Expect: 100-continue\r\nConnection: close\r\nContent-Length: 14\r\n\r\n{"prompt":"x"}'
    get = b"GET /v1/credits HTTP/1.1\r\n\r\n"

    assert chunked.startswith(b"HTTP/1.1 200 ")
    assert visitor.raw(expecting).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
    assert visitor.raw(get * 5, wait_s=0.5).count(b"HTTP/1.1 403 ") == 5
