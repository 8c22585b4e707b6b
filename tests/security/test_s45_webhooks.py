"""S45: whoever calls a run's webhook without being the service, and what the service itself may say there.

Thirty-two calls that are forged, replayed, oversized, slow, double or about something else, to a run that waits for
its pictures: not a fact, not a poll, not a byte of difference.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from platformdirs import user_state_path

from flux2batch.emulator import ed25519
from flux2batch.emulator.server import Emulator
from flux2batch.engine.events import Accepted
from flux2batch.engine.journal import Journal
from flux2batch.engine.run_directory import journal_of
from flux2batch.planning.configuration import load_configuration
from flux2batch.planning.shot import ShotId
from flux2batch.providers import registry
from flux2batch.providers.contract import Hook
from flux2batch.running.webhooks import Calls
from flux2batch.secret import Secret
from flux2batch.webhooks.listener import Listener
from flux2batch.webhooks.seals import Address, Seals, key_in

BFL_SHOT, FAL_SHOT = ShotId("b" * 32), ShotId("f" * 32)
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Target:
    """A run that listens: one take of each service, what the services call them, and fal's key for signing."""

    port: int
    seals: Seals
    bfl: Address
    fal: Address
    bfl_task: str
    fal_task: str
    signing_seed: bytes

    def hook(self, address: Address) -> Hook:
        return self.seals.hook(address)

    def path(self, address: Address) -> str:
        return "/" + self.hook(address).url.split("/", 3)[3]

    # What the services themselves would send.

    def by_bfl(self, *, address: Address | None = None, task: str | None = None, **headers: str) -> bytes:
        address = address or self.bfl
        body = json.dumps({"id": task or self.bfl_task, "status": "Ready", "result": {"sample": self.trap}})
        secret = {"X-Webhook-Secret": self.hook(address).secret.reveal(), **headers}
        return post(self.path(address), body.encode(), **secret)

    def by_fal(
        self,
        *,
        address: Address | None = None,
        task: str | None = None,
        late_s: int = 0,
        body_after: bytes | None = None,
        seed: bytes | None = None,
        signed_task: str | None = None,
    ) -> bytes:
        task = task or self.fal_task
        body = json.dumps({"request_id": task, "status": "OK", "payload": {"images": [{"url": self.trap}]}}).encode()
        stamp, signed = str(int(time.time()) - late_s), signed_task or task
        message = "\n".join((signed, "user", stamp, hashlib.sha256(body).hexdigest())).encode()
        headers = {
            "X-Fal-Webhook-Request-Id": signed,
            "X-Fal-Webhook-User-Id": "user",
            "X-Fal-Webhook-Timestamp": stamp,
            "X-Fal-Webhook-Signature": ed25519.sign(seed or self.signing_seed, message).hex(),
        }
        return post(self.path(address or self.fal), body if body_after is None else body_after, **headers)

    @property
    def trap(self) -> str:
        """Where a call says that the picture lies. Nobody ever goes there."""
        return f"http://127.0.0.1:{self.port}/trap"


def post(path: str, body: bytes, **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: here", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def renamed(call: bytes, old: str, new: str) -> bytes:
    assert old.encode() in call
    return call.replace(old.encode(), new.encode())


def seal_of(target: Target, address: Address) -> str:
    return target.hook(address).seal.reveal()


def strange(target: Target) -> Target:
    """The same takes under the key of another run directory."""
    return replace(target, seals=Seals(b"k" * 32, run_directory_id="here", base_url="http://127.0.0.1/hook"))


def second(address: Address) -> Address:
    return replace(address, take=2)


def with_body(target: Target, body: bytes) -> bytes:
    secret = {"X-Webhook-Secret": target.hook(target.bfl).secret.reveal()}
    return post(target.path(target.bfl), body, **secret)


# Each with the answer that it gets. 200 is for what the service itself says of a task that is not this take's.
CASES: dict[str, tuple[int, Callable[[Target], bytes]]] = {
    "01 a look around": (405, lambda t: renamed(t.by_bfl(), "POST /", "GET /")),
    "02 another method": (405, lambda t: renamed(t.by_bfl(), "POST /", "PUT /")),
    "03 no path": (404, lambda t: renamed(t.by_bfl(), t.path(t.bfl), "/")),
    "04 no seal": (404, lambda t: renamed(t.by_bfl(), f"-{seal_of(t, t.bfl)}", "")),
    "05 a guessed seal": (404, lambda t: renamed(t.by_bfl(), seal_of(t, t.bfl), "0" * 32)),
    "06 the seal of another run": (404, lambda t: strange(t).by_bfl()),
    "07 the seal of another take": (404, lambda t: renamed(t.by_bfl(), f"{t.bfl.shot}-1-", f"{t.bfl.shot}-2-")),
    "08 the seal of another service": (404, lambda t: renamed(t.by_bfl(), "/bfl-", "/fal-")),
    "09 without the secret": (403, lambda t: renamed(t.by_bfl(), "X-Webhook-Secret", "X-Secret")),
    "10 a guessed secret": (403, lambda t: t.by_bfl(**{"X-Webhook-Secret": "0" * 64})),
    "11 the secret of another take": (
        403,
        lambda t: t.by_bfl(**{"X-Webhook-Secret": t.hook(second(t.bfl)).secret.reveal()}),
    ),
    "12 the seal for a secret": (403, lambda t: t.by_bfl(**{"X-Webhook-Secret": seal_of(t, t.bfl)})),
    "13 the secret and another": (403, lambda t: t.by_bfl(**{"x-webhook-secret": "0" * 64})),
    "14 not JSON": (403, lambda t: with_body(t, b"id=1")),
    "15 a JSON bomb": (403, lambda t: with_body(t, b"[" * 100_000)),
    "16 no task": (403, lambda t: with_body(t, b'{"status":"Ready"}')),
    "17 a megabyte too much": (413, lambda t: with_body(t, b"x" * (2 * MEGABYTE))),
    "18 an endless head": (431, lambda t: t.by_bfl(**{"X-Long": "x" * 100_000})),
    "19 two lengths": (400, lambda t: t.by_bfl(**{"Content-Length": "1"})),
    "20 a head that never ends": (408, lambda t: t.by_bfl().partition(b"\r\n\r\n")[0]),
    "21 a body that never ends": (408, lambda t: t.by_bfl()[:-1]),
    "22 fal without a signature": (403, lambda t: renamed(t.by_fal(), "X-Fal-Webhook-Signature", "X-Signature")),
    "23 signed by somebody else": (403, lambda t: t.by_fal(seed=b"s" * 32)),
    "24 replayed after five minutes": (403, lambda t: t.by_fal(late_s=310)),
    "25 signed in the future": (403, lambda t: t.by_fal(late_s=-310)),
    "26 changed after it was signed": (403, lambda t: t.by_fal(body_after=b'{"request_id":"' + b"t" * 36 + b'"}')),
    "27 signed for another request": (403, lambda t: t.by_fal(signed_task="another")),
    "28 fal's word at BFL's address": (403, lambda t: t.by_fal(address=t.bfl)),
    "29 BFL's word about a foreign task": (200, lambda t: t.by_bfl(task="foreign")),
    "30 BFL's word about another shot's task": (200, lambda t: t.by_bfl(task=t.fal_task)),
    "31 BFL's word about a take that was not made": (200, lambda t: t.by_bfl(address=second(t.bfl))),
    "32 fal's word about a foreign task": (200, lambda t: t.by_fal(task="foreign")),
}  # fmt: skip


def answer_to(target: Target, call: bytes) -> int:
    with socket.create_connection(("127.0.0.1", target.port), timeout=30) as connection:
        connection.sendall(call)
        said = b""
        while piece := connection.recv(4096):
            said += piece
    return int(said.split(b" ")[1])


def signing_seed(emulator: Emulator) -> bytes:
    return hashlib.sha256(b"webhook" + bytes.fromhex(emulator.books.fact("salt", ""))).digest()


# One by one, at a listener with the real services behind it.


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def calls(emulator: Emulator, tmp_path: Path) -> Iterator[Calls]:
    configuration = load_configuration(environ={})
    services = {
        "bfl": registry.make("bfl", configuration, base_url=emulator.bfl_base_url, key=Secret(emulator.bfl_api_key)),
        "fal": registry.make("fal", configuration, base_url=emulator.fal_base_url, key=Secret(emulator.fal_key)),
    }
    seals = Seals(key_in(tmp_path), run_directory_id="here", base_url="http://127.0.0.1/hook")
    yield Calls(seals=seals, providers=services)
    for service in services.values():
        service.close()


@pytest.fixture
def target(calls: Calls, emulator: Emulator, tmp_path: Path) -> Iterator[Target]:
    with Listener("127.0.0.1", 0, answer=calls.answer, most_s=1.0) as listener:
        yield Target(
            port=listener.port,
            seals=Seals(key_in(tmp_path), run_directory_id="here", base_url="http://127.0.0.1/hook"),
            bfl=Address(service="bfl", shot=BFL_SHOT, take=1),
            fal=Address(service="fal", shot=FAL_SHOT, take=1),
            bfl_task="b" * 36,
            fal_task="f" * 36,
            signing_seed=signing_seed(emulator),
        )


def test_s45_the_services_themselves_are_heard(target: Target, calls: Calls) -> None:
    assert answer_to(target, target.by_bfl()) == 200
    assert answer_to(target, target.by_fal()) == 200

    assert [(call.shot, call.take, call.task_id) for call in calls.heard()] == [
        (BFL_SHOT, 1, target.bfl_task),
        (FAL_SHOT, 1, target.fal_task),
    ]


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case][0] != 200])
def test_s45_nobody_else_is(target: Target, calls: Calls, case: str) -> None:
    status, call = CASES[case]

    assert answer_to(target, call(target)) == status

    assert calls.heard() == []


# All at once, at a run.


JOB = """\
flux2batch: 1
name: boats
prompt: a paper boat
params: {size: 512x512}
sweep: {model: [bfl/flux-2-pro, fal/flux-2], seed: [1]}
"""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A run in a process of its own that has submitted its two shots and waits to be called."""

    root: Path
    emulator: Emulator
    process: subprocess.Popen[bytes]
    target: Target

    def facts(self) -> Counter[str]:
        with closing(Journal.open(journal_of(self.root), driving=False)) as journal:
            return Counter(type(entry.event).__name__ for entry in journal.entries() if entry.shot is not None)

    def polls(self) -> list[int]:
        return [task.polls for task in self.emulator.books.tasks()]


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Waiting]:
    """`request.param` are the emulator's faults."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    (tmp_path / "boats.yaml").write_text(JOB, encoding="utf-8")
    with Emulator(latency="2", faults=request.param, concurrency=40) as emulator:
        monkeypatch.setenv("BFL_API_KEY", emulator.bfl_api_key)
        monkeypatch.setenv("FAL_KEY", emulator.fal_key)
        flags = ["--webhook", f"http://127.0.0.1:{port}/hook", "--webhook-listen", f"127.0.0.1:{port}"]
        process = subprocess.Popen(
            [sys.executable, "-m", "flux2batch", "run", "boats.yaml", "--yes", "-q", *flags],
            cwd=tmp_path,
            env={**os.environ, "BFL_BASE_URL": emulator.bfl_base_url, "FAL_BASE_URL": emulator.fal_base_url},
        )
        try:
            root = tmp_path / "runs" / "boats.emulated"
            tickets = {one.ticket.provider: (shot, one.ticket.task_id) for shot, one in submitted(root, process)}
            yield Waiting(
                root=root,
                emulator=emulator,
                process=process,
                target=Target(
                    port=port,
                    seals=Seals(
                        key_in(user_state_path("flux2batch", appauthor=False)),
                        run_directory_id=id_of(root),
                        base_url=flags[1],
                    ),
                    bfl=Address(service="bfl", shot=tickets["bfl"][0], take=1),
                    fal=Address(service="fal", shot=tickets["fal"][0], take=1),
                    bfl_task=tickets["bfl"][1],
                    fal_task=tickets["fal"][1],
                    signing_seed=signing_seed(emulator),
                ),
            )
        finally:
            process.kill()
            process.wait()


def id_of(root: Path) -> str:
    with closing(Journal.open(journal_of(root), driving=False)) as journal:
        return journal.run_directory_id


def submitted(root: Path, process: subprocess.Popen[bytes]) -> list[tuple[ShotId, Accepted]]:
    """The two submits, once both are accepted."""
    while True:
        assert process.poll() is None, "the run ended before it had submitted"
        if journal_of(root).exists():
            with closing(Journal.open(journal_of(root), driving=False)) as journal:
                found = [(e.shot, e.event) for e in journal.entries() if isinstance(e.event, Accepted) and e.shot]
            if len(found) == 2:
                return found
        time.sleep(0.05)  # between two looks: what is waited for happens in another process


@pytest.mark.parametrize("waiting", [["never-ends"]], indirect=True)
def test_s45_thirty_two_calls_change_nothing_in_a_run(waiting: Waiting) -> None:
    before, answers = waiting.facts(), dict.fromkeys(CASES, 0)

    def send(case: str) -> None:
        answers[case] = answer_to(waiting.target, CASES[case][1](waiting.target))

    threads = [threading.Thread(target=send, args=(case,)) for case in CASES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == {case: status for case, (status, _) in CASES.items()}
    assert waiting.facts() == before
    assert waiting.polls() == [0, 0]
    assert waiting.emulator.books.counts()["submits"] == 2
    assert not [path for path in waiting.root.rglob("*") if b"/trap" in (path.read_bytes() if path.is_file() else b"")]


@pytest.mark.parametrize("waiting", [[]], indirect=True)
def test_s45_true_calls_too_early_and_again_and_again_cost_a_few_looks_and_nothing_else(waiting: Waiting) -> None:
    before = waiting.facts()

    answers = set()
    with suppress(ConnectionError):  # the run may be over before the last of them
        for _ in range(25):
            answers.add(answer_to(waiting.target, waiting.target.by_bfl()))
            answers.add(answer_to(waiting.target, waiting.target.by_fal()))

    assert answers == {200}
    assert waiting.process.wait(timeout=60) == 0
    assert waiting.facts() == before + Counter(Rendered=2, Saved=2)
    assert all(polls < 20 for polls in waiting.polls())
    assert waiting.emulator.books.counts()["submits"] == 2
