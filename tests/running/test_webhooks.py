"""Whole runs that are called when a picture is ready: few polls, no second payment, nothing told to anyone.

Each job asks both services for the same pictures, so that one run tries both ways of calling.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from outside import Outside
from platformdirs import user_state_path
from trial import until

from flux2batch.cli import run
from flux2batch.emulator.server import Emulator
from flux2batch.errors import UsageError
from flux2batch.running.webhooks import Webhook, read_webhook
from flux2batch.webhooks.seals import Address, Seals, key_in

Start = Callable[..., "Called"]
BOTH = """\
flux2batch: 1
name: boats
prompt: "a paper boat on a {{ colour }} sea"
params: {size: 512x512}
run: {timeout: 15m}
sweep: {model: [bfl/flux-2-pro, fal/flux-2], colour: [blue, red], seed: 1..1}
"""


class Called(Outside):
    """A run at an emulator of its own, in this process where it is not to be killed."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        code = run(["run", str(self.file), "--yes", *arguments])
        out, said = self.capsys.readouterr()
        assert code == expect, out + said
        return " ".join((out + said).split())

    def polls(self, service: str) -> list[int]:
        """How often each task was asked about, its result included."""
        assert self.emulator is not None
        return [task.polls for task in self.emulator.books.tasks(service)]

    def evidence(self, what: str) -> int:
        """How many submits were accepted by this evidence."""
        found = f"json_extract(payload, '$.evidence') = '{what}'"
        return int(self.ask_journal(f"SELECT COUNT(*) FROM events WHERE kind = 'Accepted' AND {found}")[0][0])

    @property
    def bought_once(self) -> bool:
        """Whether the service booked every request, and none twice."""
        return len(self.paid) == self.posts and set(self.paid.values()) == {1}


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Start]:
    """A job of four boats at an emulator that calls where it is told to."""
    with ExitStack() as stack:

        def at(*faults: str, latency: str = "0.2", speed: float = 1.0) -> Called:
            emulator = stack.enter_context(Emulator(faults=list(faults), latency=latency, speed=speed, concurrency=40))
            called = Called(tmp_path, BOTH, emulator=emulator)
            called.capsys = capsys
            for name, value in called.environ.items():
                monkeypatch.setenv(name, value)
            return called

        yield at


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def hooks(port: int | None = None, *, listen: int | None = None) -> list[str]:
    """The flags for this port, or for one that is free by now."""
    port = port or free_port()
    return ["--webhook", f"http://127.0.0.1:{port}/hook", "--webhook-listen", f"127.0.0.1:{listen or port}"]


@pytest.mark.parametrize("shots", [20, pytest.param(200, marks=pytest.mark.torture)])
def test_shots_are_fetched_when_they_are_called_about_and_hardly_asked_about(start: Start, shots: int) -> None:
    called = start()
    called.change("1..1", f"1..{shots // 4}")

    called("-q", *hooks())

    each = shots // 2
    assert len(called.pictures()) == shots
    assert called.bought_once
    for service in ("bfl", "fal"):
        # A call is a hint: the result of each shot is asked for, once.
        assert sum(called.polls(service)) - each < each / 5


def test_a_submit_whose_answer_was_dropped_is_settled_by_its_call_and_not_paid_again(start: Start) -> None:
    called = start("bfl.drop-after-accept@2", "fal.reset-after-accept@1")

    called("-q", "--on-unknown", "resubmit:3", *hooks())

    assert len(called.pictures()) == 4
    assert called.bought_once
    assert (called.evidence("webhook"), called.evidence("answer")) == (2, 2)
    assert called.facts("Resubmitted") == 0


def test_an_answer_without_an_id_is_settled_by_its_call(start: Start) -> None:
    called = start("missing-id@1", "html-answer@2", "500-after-accept@3", "cut-answer=30@4")
    called.change("[bfl/flux-2-pro, fal/flux-2]", "[bfl/flux-2-pro, bfl/flux-2-max]")

    called("-q", *hooks())

    assert len(called.pictures()) == 4
    assert called.bought_once
    assert called.evidence("webhook") == 4


def test_a_run_that_is_killed_while_it_sends_learns_from_the_call_in_its_next_life(start: Start) -> None:
    called = start("stall-after-accept", latency="4")
    port = free_port()
    process = called.start("-q", *hooks(port, listen=free_port()))  # which hears nothing of it
    until(lambda: called.facts("SendBegan") == 4 and called.posts == 4)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    called("-q", *hooks(port))

    assert len(called.pictures()) == 4
    assert called.bought_once
    assert called.evidence("webhook") == 4


def test_a_run_without_webhooks_goes_on_with_what_one_with_them_left(start: Start) -> None:
    called = start(latency="2")
    process = called.start("-q", *hooks())
    until(lambda: called.facts("Accepted") == 4)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    called("-q")

    assert len(called.pictures()) == 4
    assert called.bought_once


@pytest.mark.parametrize("fault", ["webhook-success", "webhook-twice", "webhook-early"])
def test_calls_of_the_older_shape_twice_or_too_early_are_no_trouble(start: Start, fault: str) -> None:
    called = start(fault)

    called("-q", *hooks())

    assert len(called.pictures()) == 4
    assert called.bought_once
    assert called.evidence("answer") == 4
    if fault != "webhook-early":  # after which a look finds nothing yet
        assert called.polls("bfl") + called.polls("fal") == [1, 1, 1, 1]


def test_where_no_call_comes_the_shots_are_asked_about_and_it_is_said(start: Start) -> None:
    called = start("webhook-none")
    called.change("15m", "4s")

    said = called(*hooks())

    assert "4 of 4 shots done" in said
    assert "No call came" in said
    assert called.bought_once


def test_a_call_about_a_shot_that_came_to_nothing_ends_it_as_a_poll_would(start: Start) -> None:
    called = start("content-moderated~blue", "error=422~red")

    called("-q", *hooks(), expect=1)

    assert dict(called.last_facts()) == {"Moderated": 2, "Failed": 2}
    assert called.polls("bfl") + called.polls("fal") == [1, 1, 1, 1]


def test_addresses_and_secrets_stand_in_no_file_and_no_output(start: Start) -> None:
    # BFL repeats the address in its answer; without an id that is kept as evidence.
    called = start("bfl.missing-id@1", "bfl.422@2", "fal.500-after-accept@1", "fal.slow-answer=0.001@2")
    flags = hooks()

    said = called(*flags, expect=1)

    ((id,),) = called.ask_journal("SELECT value FROM meta WHERE key = 'run_directory'")
    key = key_in(user_state_path("flux2batch", appauthor=False))
    seals = Seals(key, run_directory_id=id, base_url=flags[1])
    shots = called.ask_journal(
        "SELECT DISTINCT shot, json_extract(payload, '$.model') FROM events WHERE kind = 'Intended'"
    )
    addresses = [Address(service=model.partition("/")[0], shot=shot, take=1) for shot, model in shots]
    hidden = [text for address in addresses for text in seals.hook(address).hidden]
    assert len(hidden) == 8
    excerpts = called.ask_journal("SELECT payload FROM events WHERE kind = 'Unanswered' AND payload LIKE '%webhook%'")
    assert len(excerpts) == 1
    hidden += [key.hex(), *(text[:20] for text in hidden)]
    for path in filter(Path.is_file, called.folder.rglob("*")):
        content = path.read_bytes()
        assert not [text for text in hidden if text.encode() in content], path
    assert not [text for text in hidden if text in said]


# The flags.


def test_an_address_that_cannot_work_is_said_before_anything_is_sent(start: Start) -> None:
    called = start()

    said = called("--webhook", "https://public.example/hook", expect=2)
    assert "calls nobody but this machine" in said

    said = called("--webhook-listen", "127.0.0.1:1", expect=2)
    assert "goes with --webhook URL" in said

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Nobody can listen on 127.0.0.1:{port}" in called(*hooks(port), expect=7)
    assert called.posts == 0


@pytest.mark.parametrize(
    ("url", "listen", "emulated", "says"),
    [
        ("ftp://public.example/x", "127.0.0.1:1", False, "wants the address"),
        ("hook", "127.0.0.1:1", False, "wants the address"),
        ("https://public.example:99999/x", "127.0.0.1:1", False, "wants the address"),
        ("https://public.example/x\r\nHost: y", "127.0.0.1:1", False, "wants the address"),
        ("https://public.example/x?y=z", "127.0.0.1:1", False, "wants a plain address"),
        ("https://public.example/x#y", "127.0.0.1:1", False, "wants a plain address"),
        ("https://me:it@public.example/x", "127.0.0.1:1", False, "wants a plain address"),
        ("https://public.example/" + "x" * 2000, "127.0.0.1:1", False, "wants a plain address"),
        ("http://public.example/x", "127.0.0.1:1", False, "wants https"),
        ("http://127.0.0.1:1/x", "127.0.0.1:1", False, "No service can call"),
        ("https://public.example/x", "127.0.0.1:1", True, "calls nobody but this machine"),
        ("https://public.example/x", "8787", False, "and a port"),
        ("https://public.example/x", "127.0.0.1:http", False, "and a port"),
        ("https://public.example/x", "127.0.0.1:65536", False, "and a port"),
        ("https://public.example/x", ":1", False, "and a port"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str, listen: str, emulated: bool, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_webhook(url, listen, emulated=emulated)


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("127.0.0.1:8787", "127.0.0.1", 8787), ("0.0.0.0:0", "0.0.0.0", 0), ("[::1]:80", "::1", 80)],
)
def test_an_address_that_works_is_taken_as_it_stands(listen: str, host: str, port: int) -> None:
    url = "https://public.example/hook"

    assert read_webhook(url, listen, emulated=False) == Webhook(url=url, host=host, port=port)
