"""S42, S43, S46, S47: what must never be shown, and what an answer or a prompt must never do."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import canary
import pytest
from raw_server import RawServer, answer, read_request, serving

from flux2batch.client import Client
from flux2batch.emulator.server import Emulator
from flux2batch.engine.events import DownloadFailed, LinkExpired, PollFailed, Ticket, Unanswered
from flux2batch.errors import AccountError, FluxError, InvalidInput
from flux2batch.planning.configuration import load_configuration
from flux2batch.planning.keys import Key
from flux2batch.providers import bfl, fal, registry
from flux2batch.providers.contract import Prepared, Provider
from flux2batch.providers.transport import HttpResponse, Pool, Timeouts
from flux2batch.providers.wire import Credentials
from flux2batch.secret import Secret

CANARY = canary.BFL
SIGNATURE = "c4n4rysignature"


# S42: the key.


def test_s42_a_secret_shows_four_characters_and_no_more():
    key = Key(provider="bfl", secret=Secret(CANARY), origin="environment")
    credentials = Credentials(header="x-key", prefix="", key=Secret(CANARY))
    shown = [repr(key), str(key.secret), f"{key.secret:>30}", f"{key.secret!r}", repr(credentials), repr(vars(Secret))]

    assert not any(CANARY in text for text in shown)
    assert str(key.secret) == "****n4ry"
    with pytest.raises(TypeError, match="never written down"):
        json.dumps(key.secret, default=lambda secret: secret.__reduce__())


@pytest.mark.parametrize(
    "fault", ["403", "402", "422", "500", "drop", "html", "redirect", "reset-in-body", "error", "content-moderated",
              "poll-html@1-9", "sample=https://nowhere.invalid/a.png", "polling-url=https://nowhere.invalid/x"],
)  # fmt: skip
def test_s42_no_fate_of_a_picture_shows_the_key(
    fault: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
):
    caplog.set_level(logging.DEBUG)
    told = io.StringIO()
    with Emulator(faults=[fault]) as emulator:
        key = emulator.bfl_api_key
        with Client("bfl/flux-2-pro", api_key=key, base_url=emulator.bfl_base_url, timeout=0.8) as client:
            print(client, vars(client), file=told)
            with pytest.raises(FluxError) as caught:
                client.generate("a paper boat", size="512x512")
    print(repr(caught.value), vars(caught.value), file=told)
    traceback.print_exception(caught.value, file=told)
    captured = capfd.readouterr()

    everything = told.getvalue() + caplog.text + captured.out + captured.err + _files(tmp_path)
    assert key not in everything


def test_s42_a_service_that_repeats_the_key_is_not_quoted():
    def repeating(connection: Any, server: RawServer) -> None:
        key = _header(read_request(connection, server), b"x-key")
        connection.sendall(answer(500, b'{"detail":"no user for ' + key + b'"}', f"X-Seen: {key.decode()}\r\n"))

    with serving(repeating) as server:
        provider = registry.make("bfl", load_configuration(environ={}), base_url=server.url, key=Secret(CANARY))
        prepared = Prepared(model="bfl/flux-2-pro", path="/v1/flux-2-pro", body=b"{}", shot_id="0" * 32)
        submitted = provider.send(provider.connect(prepared), prepared)
        polled = provider.poll(_ticket(server.url))
        provider.close()

    assert isinstance(submitted, Unanswered)
    assert isinstance(polled, PollFailed)
    assert "no user for ****" in polled.reason
    assert CANARY not in repr(submitted) + repr(polled)


def test_s42_a_program_that_fails_leaves_the_key_nowhere(tmp_path: Path):
    program = (
        "import sys, logging; logging.basicConfig(level=1); import flux2batch\n"
        "print(open('/proc/self/cmdline').read() if sys.platform == 'linux' else '')\n"
        "flux2batch.Client('bfl/flux-2-pro', base_url=sys.argv[1], timeout=0.5).generate('a boat')"
    )
    with Emulator(faults=["drop"]) as emulator:
        environ = {"BFL_API_KEY": emulator.bfl_api_key, "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        ran = subprocess.run(
            [sys.executable, "-X", "dev", "-c", program, emulator.bfl_base_url],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert "AnswerLost" in ran.stderr
    assert emulator.bfl_api_key not in ran.stdout + ran.stderr + _files(tmp_path)


def test_s42_a_broken_key_is_named_and_not_shown():
    for broken in (f"{CANARY}\n", f'"{CANARY}"', f"Bearer {CANARY}", f"{CANARY} x"):
        with pytest.raises(AccountError) as caught:
            Client("bfl/flux-2-pro", api_key=broken)

        assert CANARY not in str(caught.value)


# S43: signed links are as good as keys for ten minutes.


def test_s43_a_signature_is_in_no_reason():
    link = f"https://delivery-eu1.bfl.ai/a.png?sig={SIGNATURE}"
    told = json.dumps({"detail": f"cannot read {link}"}).encode()
    polled = [
        bfl.read_polled(HttpResponse(status=500, headers={}, body=told)),
        bfl.read_polled(HttpResponse(status=200, headers={}, body=f"<a href='{link}'>".encode())),
        fal.read_status(HttpResponse(status=500, headers={}, body=told)),
    ]

    assert all(isinstance(outcome, PollFailed) for outcome in polled)
    assert not any(SIGNATURE in repr(outcome) for outcome in polled)


@pytest.mark.parametrize("status", [302, 403, 404, 500, 503])
def test_s43_a_failed_download_does_not_show_its_link(status: int):
    def refuse(connection: Any, server: RawServer) -> None:
        read_request(connection, server)
        link = f"http://127.0.0.1:{server.port}/a.png?sig={SIGNATURE}"
        connection.sendall(answer(status, link.encode(), f"Location: http://127.0.0.1:1/?sig={SIGNATURE}\r\n"))

    with serving(refuse) as server:
        provider = registry.make("bfl", load_configuration(environ={}), base_url=server.url, key=Secret(CANARY))
        outcome = provider.fetch(f"{server.url}/a.png?sig={SIGNATURE}")
        provider.close()

    assert isinstance(outcome, DownloadFailed | LinkExpired)
    assert SIGNATURE not in repr(outcome)


def test_s43_an_error_of_the_client_does_not_show_the_link(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with (
        Emulator(faults=["expired"]) as emulator,
        Client("bfl/flux-2-pro", api_key=emulator.bfl_api_key, base_url=emulator.bfl_base_url, timeout=0.8) as client,
        pytest.raises(FluxError) as caught,
    ):
        client.generate("a boat", size="512x512")
    told = "".join(traceback.format_exception(caught.value)) + caplog.text

    assert "sig=" not in told


# S46: answers that are made to hurt.

BOMBS = {
    "50 MB": b'{"id":"' + b"a" * 50_000_000 + b'"}',
    "nested 100,000 deep": b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested 65 deep": b'{"id":"a","x":' + b"[" * 65 + b"]" * 65 + b"}",
    "a number of 5,000 digits": b'{"id":"a","x":' + b"9" * 5000 + b"}",
    "an integer of 65 bits": b'{"id":"a","x":18446744073709551616}',
    "not a number": b'{"id":"a","x":NaN}',
    "infinity": b'{"id":"a","x":-Infinity}',
    "a key twice": b'{"id":"a","id":"b"}',
    "an exponent of a billion": b'{"id":"a\\u0000","x":1e1000000000}',
    "half a character": b'{"id":"\\ud800"}',
    "no UTF-8": b'{"id":"\xff"}',
    "90,000 keys": b"{" + b",".join(b'"k%d":1' % n for n in range(90_000)) + b"}",
}


@pytest.fixture
def asking() -> Iterator[Callable[[bytes], tuple[Any, Any]]]:
    """What a submit and a poll make of these bytes as an answer."""
    made: list[Provider] = []

    def ask(body: bytes) -> tuple[Any, Any]:
        def script(connection: Any, server: RawServer) -> None:
            read_request(connection, server)
            connection.sendall(answer(200, body))

        with serving(script) as server:
            provider = registry.make("bfl", load_configuration(environ={}), base_url=server.url, key=Secret(CANARY))
            made.append(provider)
            prepared = Prepared(model="bfl/flux-2-pro", path="/v1/flux-2-pro", body=b"{}", shot_id="0" * 32)
            submitted = provider.send(provider.connect(prepared), prepared)
            return submitted, provider.poll(_ticket(server.url))

    yield ask
    for provider in made:
        provider.close()


@pytest.mark.parametrize("bomb", BOMBS)
def test_s46_an_answer_that_is_a_bomb_is_no_answer(bomb: str, asking: Callable[[bytes], tuple[Any, Any]]):
    began = time.monotonic()
    submitted, polled = asking(BOMBS[bomb])

    assert isinstance(submitted, Unanswered)
    assert isinstance(polled, PollFailed)
    assert len(repr(submitted)) < 2000
    assert time.monotonic() - began < 5


def test_s46_an_answer_that_is_too_long_is_none_however_good_it_looks(asking: Callable[[bytes], tuple[Any, Any]]):
    good = {"id": "1", "status": "Ready", "result": {"sample": "https://delivery-eu1.bfl.ai/a.png", "seed": 1}}

    _, short = asking(json.dumps(good).encode())
    _, long = asking(json.dumps({**good, "more": "a" * 1_500_000}).encode())

    assert not isinstance(short, PollFailed)
    assert isinstance(long, PollFailed)
    assert "larger than 1,000,000 bytes" in long.reason


# S47: line breaks where a header could be made of them.

BREAKS = ("a boat\r\nX-Evil: 1", "a boat\nX-Evil: 1", "a boat\r\n\r\nPOST /evil HTTP/1.1", "a boat\rX-Evil: 1",
          "a boat\u2028X-Evil: 1", "a boat\x00X-Evil: 1")  # fmt: skip


@pytest.mark.parametrize("prompt", BREAKS)
def test_s47_a_line_break_in_a_prompt_stays_in_the_body(prompt: str):
    def refuse(connection: Any, server: RawServer) -> None:
        read_request(connection, server)
        connection.sendall(answer(422, b'{"detail":"no"}'))

    with (
        serving(refuse) as server,
        Client("bfl/flux-2-pro", api_key=CANARY, base_url=server.url) as client,
        pytest.raises(FluxError),
    ):
        client.generate(prompt, size="512x512")
    [request] = server.received
    head, _, body = request.partition(b"\r\n\r\n")

    assert json.loads(body)["prompt"] == prompt
    names = {line.split(b":")[0].lower().decode() for line in head.split(b"\r\n")[1:]}
    assert names == {"host", "accept", "accept-encoding", "connection", "content-length", "content-type", "user-agent",
                     "x-key"}  # fmt: skip


@pytest.mark.parametrize(
    "given", [{"seed": "1\r\nX-Evil: 1"}, {"output_format": "png\r\nX-Evil: 1"}, {"size": "512x512\r\nX-Evil: 1"},
              {"X-Evil\r\n": 1}],
)  # fmt: skip
def test_s47_a_line_break_in_a_parameter_is_a_mistake(given: dict[str, Any]):
    with Emulator() as emulator:
        client = Client("bfl/flux-2-pro", api_key=emulator.bfl_api_key, base_url=emulator.bfl_base_url)
        with client, pytest.raises(InvalidInput):
            client.generate("a boat", **given)

        assert emulator.books.sightings() == {}


def test_s47_a_line_break_in_a_model_or_a_key_is_a_mistake():
    with pytest.raises(InvalidInput):
        Client("bfl/flux-2-pro\r\nX-Evil: 1", api_key=CANARY)
    with pytest.raises(AccountError):
        Client("bfl/flux-2-pro", api_key=f"{CANARY}\r\nX-Evil: 1")


@pytest.mark.parametrize("broken", ["/a\r\nX-Evil: 1", "/a b", "/\u00fc", "/\x00"])
def test_s47_a_line_break_in_a_url_of_an_answer_is_not_asked(broken: str):
    with serving(lambda connection, server: read_request(connection, server)) as server:
        provider = registry.make("bfl", load_configuration(environ={}), base_url=server.url, key=Secret(CANARY))
        polled = provider.poll(replace(_ticket(server.url), poll_url=server.url + broken))
        fetched = provider.fetch(server.url + broken)
        provider.close()

    assert isinstance(polled, PollFailed)
    assert isinstance(fetched, DownloadFailed)
    assert server.received == []


def test_s47_not_even_the_transport_itself_writes_a_broken_header():
    with serving(lambda connection, server: read_request(connection, server)) as server:
        pool = Pool(proxy=None, timeouts=Timeouts(connect=1, total=1))
        with warnings.catch_warnings():
            outcome = pool.get(server.url + "/", headers={"X-A": "1\r\nX-Evil: 1"})
        pool.close()

    assert not isinstance(outcome, HttpResponse)
    assert server.received == []


def _ticket(url: str) -> Ticket:
    return Ticket(
        provider="bfl",
        model="bfl/flux-2-pro",
        endpoint="/v1/flux-2-pro",
        task_id="1",
        poll_url=f"{url}/v1/get_result?id=1",
        result_url=None,
        cancel_url=None,
    )


def _header(request: bytes, name: bytes) -> bytes:
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return next(line.partition(b":")[2].strip() for line in lines if line.lower().startswith(name + b":"))


def _files(folder: Path) -> str:
    return "".join(file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file())
