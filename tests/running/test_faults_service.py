"""F37 to F84 as a whole run meets them: what the service does wrong, and what its books say afterwards."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from outside import Outside
from trial import until

from flux2batch.emulator.server import Emulator

Start = Callable[..., Outside]
BOATS_AT = {"bfl": "bfl/flux-2-pro", "fal": "fal/flux-2-pro"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A run of four boats at an emulator with these faults."""
    with ExitStack() as stack:

        def at(*faults: str, service: str = "bfl", **how: object) -> Outside:
            emulator = stack.enter_context(Emulator(latency="0.1", faults=list(faults), **how))
            outside = Outside(tmp_path, emulator=emulator)
            outside.write(outside.job.replace("name: boats", f"name: boats\nmodel: {BOATS_AT[service]}"))
            return outside

        yield at


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# What a run ends with: row, fault, service, exit code, last facts, tasks booked.
LINES = [
    ("f40", "drop-after-accept", "bfl", 5, {"Unanswered": 4}, 4),
    ("f40", "reset-after-accept", "fal", 5, {"Unanswered": 4}, 4),
    ("f42", "drop", "bfl", 5, {"Unanswered": 4}, 0),
    ("f44", "html-answer", "bfl", 5, {"Unanswered": 4}, 4),
    ("f44", "missing-id", "bfl", 5, {"Unanswered": 4}, 4),
    ("f44", "missing-id", "fal", 0, {"Saved": 4}, 4),
    ("f44", "odd-id=long", "bfl", 5, {"Unanswered": 4}, 4),
    ("f46", "429=1@1", "bfl", 0, {"Saved": 4}, 4),
    ("f46", "429=soon@1", "fal", 0, {"Saved": 4}, 4),
    ("f49", "422", "bfl", 1, {"Rejected": 4}, 0),
    ("f51", "redirect", "bfl", 5, {"Unanswered": 4}, 0),
    ("f52", "chunked-answer", "bfl", 0, {"Saved": 4}, 4),
    ("f52", "gzip-answer", "fal", 0, {"Saved": 4}, 4),
    ("f52", "early-hints", "bfl", 0, {"Saved": 4}, 4),
    ("f53", "slow-answer=0.002", "bfl", 0, {"Saved": 4}, 4),
    ("f56", "poll-503@1-2", "bfl", 0, {"Saved": 4}, 4),
    ("f56", "poll-drop@1", "fal", 0, {"Saved": 4}, 4),
    ("f56", "poll-html@1", "bfl", 0, {"Saved": 4}, 4),
    ("f57", "poll-404@1", "bfl", 0, {"Saved": 4}, 4),
    ("f59", "status=Frobnicating", "bfl", 0, {"Saved": 4}, 4),
    ("f61", "flip", "bfl", 0, {"Saved": 4}, 4),
    ("f62", "content-moderated", "bfl", 1, {"Moderated": 4}, 4),
    ("f62", "request-moderated", "bfl", 1, {"Moderated": 4}, 4),
    ("f63", "poll-deep@1", "bfl", 0, {"Saved": 4}, 4),
    ("f63", "poll-nan@1", "fal", 0, {"Saved": 4}, 4),
    ("f64", "truncated@1", "bfl", 0, {"Saved": 4}, 4),
    ("f65", "short@1", "fal", 0, {"Saved": 4}, 4),
    ("f65", "half-picture@1", "bfl", 0, {"Saved": 4}, 4),
    ("f66", "html-picture@1", "bfl", 0, {"Saved": 4}, 4),
    ("f67", "expired@1", "bfl", 0, {"Saved": 4}, 4),
    ("f67", "download-404@1", "fal", 0, {"Saved": 4}, 4),
    ("f68", "gzip-bomb@1", "bfl", 0, {"Saved": 4}, 4),
    ("f70", "wrong-size", "bfl", 0, {"Saved": 4}, 4),
    ("f70", "wrong-format", "bfl", 0, {"Saved": 4}, 4),
    ("f80", "cost=null", "bfl", 0, {"Saved": 4}, 4),
    ("f80", "cost=nan", "bfl", 5, {"Unanswered": 4}, 4),
    ("f80", "cost=negative", "bfl", 0, {"Saved": 4}, 4),
]


@pytest.mark.parametrize(
    ("row", "fault", "service", "code", "facts", "booked"), LINES, ids=["-".join(line[:3]) for line in LINES]
)
def test_a_run_ends_as(
    start: Start, row: str, fault: str, service: str, code: int, facts: dict[str, int], booked: int
) -> None:
    outside = start(fault, service=service)

    outside.run("-q", expect=code)
    assert dict(outside.last_facts()) == facts, row
    posts = outside.posts

    outside.run("-q", expect=code)

    assert outside.posts == posts, "a second run sent something again"
    assert sorted(outside.paid.values()) == [1] * booked
    assert len(outside.pictures()) == (facts.get("Saved", 0) if fault != "wrong-format" else 0)


def test_f37_offline_for_the_whole_run_leaves_every_shot_where_it_was(start: Start) -> None:
    outside = start()
    address = f"http://127.0.0.1:{closed_port()}"
    process = outside.start("-q", BFL_BASE_URL=address)
    # Patience is eight attempts over a minute: somebody stops it before, as a person would.
    until(lambda: outside.facts("NotSent"))
    process.terminate()
    _, said = process.communicate(timeout=60)

    assert process.returncode == 143, said
    assert set(outside.last_facts()) <= {"NotSent", "Intended", "Stalled"}
    assert outside.posts == 0
    outside.run("-q")
    assert sorted(outside.paid.values()) == [1, 1, 1, 1]


@pytest.mark.torture
def test_f37_offline_to_the_end_of_patience_is_exit_7_and_nothing_has_changed(start: Start) -> None:
    outside = start()
    said = outside.run("-q", expect=7, BFL_BASE_URL=f"http://127.0.0.1:{closed_port()}")

    assert "could not be reached" in said
    assert outside.posts == 0
    outside.run("-q")
    assert sorted(outside.paid.values()) == [1, 1, 1, 1]


@pytest.mark.parametrize("status", [401, 402, 403])
def test_f47_f48_an_account_that_is_refused_stops_all_submits(start: Start, status: int) -> None:
    outside = start(f"{status}")

    said = outside.run("-q", "--set", "run.concurrency=1", expect=6)

    assert outside.posts == 1
    assert "takes nothing from this account" in said
    assert outside.emulator is not None
    assert outside.emulator.bfl_api_key not in said


def test_f45_one_task_id_for_two_shots_holds_the_second_and_stops(start: Start) -> None:
    outside = start("duplicate-id@2")
    outside.change("seed: 1..2", "seed: 1..10")

    said = outside.run("-q", "--set", "run.concurrency=1", expect=5)

    assert max(outside.paid.values()) == 1
    assert "one task id to two shots" in said
    assert outside.last_facts()["Unanswered"] == 1


def test_f50_a_storm_of_5xx_is_left_alone_after_five(start: Start) -> None:
    outside = start("503-after-accept")
    outside.change("seed: 1..2", "seed: 1..10")
    process = outside.start("-q", "--set", "run.concurrency=1")

    until(lambda: outside.posts == 5)
    time.sleep(2)  # in which a sixth would have been sent several times over
    posts = outside.posts
    process.terminate()
    _, said = process.communicate(timeout=30)

    assert process.returncode == 143, said
    assert posts == outside.posts == 5
    assert outside.last_facts()["Unanswered"] == 5


def test_f58_polls_that_never_end_stall_and_the_next_run_goes_on(start: Start) -> None:
    outside = start("never-ends")
    outside.write(outside.job + "run: {timeout: 2s}\n")

    said = outside.run("-q", expect=5)

    assert outside.last_facts() == {"Stalled": 4}
    assert "still on their way" in said
    outside.run("-q", expect=5)
    assert sorted(outside.paid.values()) == [1, 1, 1, 1]


def test_f84_a_service_that_dies_in_the_middle_and_comes_back_is_asked_again(tmp_path: Path) -> None:
    books = tmp_path / "books.db"
    with Emulator(latency="3", books=books) as emulator:
        outside = Outside(tmp_path, emulator=emulator)
        process = outside.start("-q")
        until(lambda: emulator.books.counts()["tasks"] == 4)
        environ = outside.environ
    with Emulator(latency="0.1", books=books) as back:
        outside.emulator = back
        assert back.bfl_base_url == environ["BFL_BASE_URL"]
        _, said = process.communicate(timeout=50)

        assert process.returncode == 0, said
        assert sorted(outside.paid.values()) == [1, 1, 1, 1]
        assert len(outside.pictures()) == 4
