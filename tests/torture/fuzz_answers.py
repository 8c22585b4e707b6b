"""Answers of services made bad: submits, polls, results, listings, prices, balances; as values and over real HTTP."""

from __future__ import annotations

import contextlib
import json
import random
import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args

from mangle import mangled, mangled_json
from raw_server import RawServer, read_request

from flux2batch.engine import records
from flux2batch.engine.events import Accepted, Polled, Rejected, Submitted
from flux2batch.engine.lifecycle import TABLE, Life, Phase, advance, replay
from flux2batch.money import Money, usd
from flux2batch.planning.configuration import load_configuration
from flux2batch.providers import bfl, fal
from flux2batch.providers.answers import usable_id
from flux2batch.providers.contract import Prepared
from flux2batch.providers.registry import make
from flux2batch.providers.transport import HttpResponse, NoAnswer
from flux2batch.secret import Secret

_AT = datetime(2026, 11, 1, tzinfo=UTC)
_ID = "4c057b10-7efa-4c69-9ec8-cbbdfd56d918"
_HOST = "https://queue.fal.run/fal-ai/flux-2-pro/requests/" + _ID
_BODIES: Mapping[str, list[Any]] = {
    "bfl submit": [
        {"id": _ID, "polling_url": f"https://api.eu2.bfl.ai/v1/get_result?id={_ID}", "cost": 3.0, "input_mp": 0.0},
        {"detail": [{"loc": ["body", "width"], "msg": "too large", "type": "value_error"}]},
    ],
    "bfl poll": [
        {"id": _ID, "status": "Pending", "result": None, "progress": 0.5, "details": None},
        {
            "id": _ID,
            "status": "Ready",
            "result": {"sample": "https://d.bfl.ai/x.png?se=2026-11-01T00:10:00Z", "seed": 7},
        },
        {"id": _ID, "status": "Request Moderated", "details": {"Moderation Reasons": ["violence"]}, "result": None},
        {"id": _ID, "status": "Error", "details": {"error": "x"}, "result": None, "cost": 3.0},
    ],
    "fal submit": [
        {
            "status": "IN_QUEUE",
            "request_id": _ID,
            "status_url": f"{_HOST}/status",
            "response_url": _HOST,
            "queue_position": 1,
        },
        {"detail": "User is locked. Reason: Exhausted balance."},
    ],
    "fal status": [
        {"status": "IN_PROGRESS", "request_id": _ID, "queue_position": 3, "logs": None},
        {"status": "COMPLETED", "request_id": _ID, "metrics": {"inference_time": 2.5}, "error": "x", "error_type": "y"},
    ],
    "fal result": [
        {
            "images": [{"url": "https://v3.fal.media/x.png", "width": 64, "height": 64}],
            "seed": 7,
            "has_nsfw_concepts": [False],
        },
        {"detail": [{"loc": ["body"], "msg": "no", "type": "content_policy_violation", "url": "https://x"}]},
    ],
    "fal listing": [
        {"items": [{"request_id": _ID, "json_input": {"prompt": "x"}, "started_at": "2026-11-01T00:00:00Z"}]}
    ],
    "fal price": [
        {"prices": [{"endpoint_id": "fal-ai/flux-2-pro", "unit_price": 0.03, "unit": "image", "currency": "USD"}]}
    ],
    "balance": [{"credits": 12.5}, {"username": "x", "credits": {"current_balance": 5.0, "currency": "USD"}}],
}
_STATUSES = (200, 200, 200, 201, 202, 204, 301, 400, 401, 402, 403, 404, 409, 422, 425, 429, 500, 502, 503, 504, 599)
_HEADERS: tuple[Mapping[str, str], ...] = (
    {},
    {},
    *({"retry-after": text} for text in ("5", "-1", "1e400", "nan", "x", "Sun, 99 Nov 2026 00:00:00 GMT")),
    *({"x-fal-request-id": text} for text in (_ID, "\x00", "a" * 300)),
    *({"x-fal-billable-units": text} for text in ("1.0", "1e999", "-3", "1e30")),
    *({"location": text} for text in ("http://[", "https://evil.example/", "//")),
)
_BFL = Prepared(model="bfl/flux-2-pro", path="/v1/flux-2-pro", body=b'{"prompt":"x"}', shot_id="0" * 32)
_FAL = Prepared(model="fal/flux-2-pro", path="/fal-ai/flux-2-pro", body=b'{"prompt":"x"}', shot_id="0" * 32)
_OVER_HTTP = 20  # one of so many goes through sockets


def case(seed: int, number: int) -> tuple[str, HttpResponse | NoAnswer]:
    """What was asked, and what is answered."""
    chance = random.Random(f"{seed}/{number}")
    what = chance.choice(sorted(_BODIES))
    good = chance.choice(_BODIES[what])
    value = mangled_json(good, chance) if chance.random() < 0.6 else good
    body = json.dumps(value).encode("utf-8", "surrogatepass")
    if chance.random() < 0.5:
        body = mangled(body, chance, [json.dumps(one).encode() for bodies in _BODIES.values() for one in bodies])
    headers, status = chance.choice(_HEADERS), chance.choice(_STATUSES)
    if chance.random() < 0.15:
        return what, NoAnswer(
            reason="cut",
            request_complete=True,
            status=chance.choice((None, status)),
            headers=headers,
            partial=body,
            too_large=False,
        )
    return what, HttpResponse(status=status, headers=headers, body=body)


def judge(seed: int, number: int) -> str:
    """What the answer was taken for: something that the engine knows, the journal keeps and the books can bear."""
    what, answer = case(seed, number)
    if number % _OVER_HTTP == 0 and isinstance(answer, HttpResponse):
        return f"over HTTP: {_over_http(what, answer)}"
    outcome = _READ[what](answer)
    _judge_outcome(what, answer, outcome)
    return f"{what}: {type(outcome).__name__}"


def _judge_outcome(what: str, answer: HttpResponse | NoAnswer, outcome: object) -> None:
    if what in ("fal listing", "fal price", "balance"):
        return
    if isinstance(outcome, fal.Completed):
        return
    assert isinstance(outcome, get_args(Submitted if "submit" in what else Polled)), outcome
    if isinstance(outcome, Rejected):
        taken = isinstance(answer, NoAnswer) or answer.status < 400 or answer.status >= 500
        assert not taken, f"{answer} may have been paid for, and is taken for refused"
    if isinstance(outcome, Accepted):
        assert usable_id(outcome.ticket.task_id), outcome
    charge = getattr(outcome, "charge", None)
    assert charge is None or charge.usd >= 0, outcome
    kept = records.decode(*records.encode(outcome))  # type: ignore[arg-type]  # one of the events, as asserted above
    assert kept == outcome, f"the journal would keep {kept}"
    life = _life("submit" in what)
    if type(outcome) in TABLE[life.phase]:
        after = advance(life, outcome, at=_AT)  # type: ignore[arg-type]  # as above
        assert after.committed >= 0, after


@cache
def _life(sending: bool) -> Life:
    from test_lifecycle import accepted, intended

    from flux2batch.engine.events import SendBegan

    events = (intended(), SendBegan()) if sending else (intended(), SendBegan(), accepted())
    life = replay((_AT, event) for event in events)
    assert life.phase is (Phase.SENDING if sending else Phase.ACCEPTED)
    return life


def _listing(answer: HttpResponse | NoAnswer) -> object:
    return (
        fal.read_listing(answer.body, _FAL, origin="https://queue.fal.run") if isinstance(answer, HttpResponse) else ()
    )


def _price(answer: HttpResponse | NoAnswer) -> Money | None:
    return fal.read_unit_price(answer, "/fal-ai/flux-2-pro")


def _result(answer: HttpResponse | NoAnswer) -> object:
    completed = fal.Completed(error=None, error_type=None, inference_s=None)
    return fal.read_result(answer, completed, unit_usd=usd("0.03"))


_READ: Mapping[str, Callable[[Any], object]] = {
    "bfl submit": lambda answer: bfl.read_submitted(answer, _BFL, origin="https://api.bfl.ai"),
    "bfl poll": bfl.read_polled,
    "fal submit": lambda answer: fal.read_submitted(answer, _FAL, origin="https://queue.fal.run"),
    "fal status": fal.read_status,
    "fal result": _result,
    "fal listing": _listing,
    "fal price": _price,
    "balance": lambda _: None,
}


class _Teller:
    """A server that answers whatever it is given to, and the two providers that ask it."""

    def __init__(self) -> None:
        self.answer = b""
        self.server = RawServer(self._talk)
        key = {"bfl": "bfl_" + "0" * 32, "fal": "0" * 8 + ":" + "0" * 32}
        self.providers = {
            name: make(name, load_configuration(environ={}), base_url=self.server.url, key=Secret(key[name]))
            for name in ("bfl", "fal")
        }

    def _talk(self, connection: socket.socket, server: RawServer) -> None:
        read_request(connection, server)
        server.received.clear()
        connection.sendall(self.answer)


@cache
def _teller() -> _Teller:
    return _Teller()


def _over_http(what: str, answer: HttpResponse) -> str:
    """The answer as bytes on a socket, read by the provider itself."""
    teller = _teller()
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items()).encode("latin-1", "replace")
    start = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n" % (answer.status, len(answer.body))
    teller.answer = start + head + b"\r\n" + answer.body
    name = "bfl" if what.startswith("bfl") else "fal"
    provider = teller.providers[name]
    if what == "balance":
        amounts = [one.balance() for one in teller.providers.values()]
        assert all(amount is None or amount.is_finite() for amount in amounts), amounts
        return what
    prepared = _BFL if name == "bfl" else _FAL
    if "listing" in what:
        provider.find(prepared, since=_AT)
        return what
    line = provider.connect(prepared)
    with contextlib.suppress(AttributeError):  # NotSent: a socket that the system did not give
        outcome = provider.send(line, prepared)  # type: ignore[arg-type]  # as said
        _judge_outcome("submit", answer, outcome)
        return f"submit {type(outcome).__name__}"
    return "no line"
