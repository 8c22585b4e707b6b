"""What BFL's and fal's calls prove, and what they do not."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flux2batch.providers import bfl, fal
from flux2batch.providers.calls import Call, Forged, Named, Unverified
from flux2batch.providers.contract import Hook
from flux2batch.providers.fal_signature import Keys, read_keys
from flux2batch.secret import Secret

NOW_S = 1_780_000_000.0
HOOK = Hook(url="https://public.example/hook/x", seal=Secret("e" * 32), secret=Secret("c" * 64))


# BFL: the secret comes back verbatim.


def bfl_call(body: Any, secret: str | None = "c" * 64) -> Call:
    headers = {} if secret is None else {"x-webhook-secret": secret}
    return Call(headers=headers, body=body if isinstance(body, bytes) else json.dumps(body).encode(), at_s=NOW_S)


@pytest.mark.parametrize(
    ("body", "is_over"),
    [
        ({"id": "t", "status": "Ready", "result": {"sample": "https://x"}}, True),
        ({"task_id": "t", "status": "SUCCESS", "result": {}}, True),
        ({"id": "t", "status": "Content Moderated"}, True),
        ({"id": "t", "status": "Error"}, True),
        ({"id": "t", "status": "Frobnicated"}, True),
        ({"id": "t", "status": "Pending"}, False),
        ({"id": "t", "status": "Generating"}, False),
    ],
)
def test_bfl_names_a_task_in_the_newer_and_the_older_shape(body: dict[str, Any], is_over: bool) -> None:
    assert bfl.read_call(bfl_call(body), HOOK) == Named(task_id="t", is_over=is_over)


@pytest.mark.parametrize(
    ("body", "secret"),
    [
        ({"id": "t", "status": "Ready"}, None),
        ({"id": "t", "status": "Ready"}, ""),
        ({"id": "t", "status": "Ready"}, "d" * 64),
        ({"id": "t", "status": "Ready"}, "C" * 64),
        ({"id": "t", "status": "Ready"}, "c" * 64 + ", " + "c" * 64),
        ({"id": "t", "status": "Ready"}, "\udcff\x00é"),
        ({"status": "Ready"}, "c" * 64),
        ({"id": "t"}, "c" * 64),
        ({"id": 7, "status": "Ready"}, "c" * 64),
        ({"id": "t\r\nx", "status": "Ready"}, "c" * 64),
        ({"id": "t" * 300, "status": "Ready"}, "c" * 64),
        (["t"], "c" * 64),
        (b"", "c" * 64),
        (b"\xff", "c" * 64),
        (b"[" * 100_000, "c" * 64),
        (b'{"id":"t","id":"u","status":"Ready"}', "c" * 64),
    ],
)
def test_bfl_is_not_believed_without_its_secret_or_without_a_task(body: Any, secret: str | None) -> None:
    assert isinstance(bfl.read_call(bfl_call(body, secret), HOOK), Forged)


def test_bfl_is_told_where_to_call_beside_what_is_asked_for() -> None:
    told = json.loads(bfl.with_webhook(b'{"prompt":"a boat","seed":1}', HOOK))

    assert told == {
        "prompt": "a boat",
        "seed": 1,
        "webhook_url": "https://public.example/hook/x",
        "webhook_secret": "c" * 64,
    }


# fal: an ED25519 signature over request id, user, moment and the body's hash.


class Signer:
    """fal, as far as a call is concerned: its key, its list of keys, and how often that was asked for."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.asked = 0
        self.reachable = True

    @property
    def jwk(self) -> dict[str, str]:
        raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(raw).decode().rstrip("=")}

    def fetch(self) -> bytes | None:
        self.asked += 1
        return json.dumps({"keys": [{"kty": "RSA"}, {"x": "?"}, self.jwk]}).encode() if self.reachable else None

    def call(self, *, request_id: str = "r", stamp: str = "", at_s: float = NOW_S, body: bytes | None = None) -> Call:
        body = json.dumps({"request_id": "r", "status": "OK", "payload": {}}).encode() if body is None else body
        stamp = stamp or str(int(at_s))
        message = "\n".join((request_id, "user", stamp, hashlib.sha256(body).hexdigest())).encode()
        headers = {
            "x-fal-webhook-request-id": request_id,
            "x-fal-webhook-user-id": "user",
            "x-fal-webhook-timestamp": stamp,
            "x-fal-webhook-signature": self.private.sign(message).hex(),
        }
        return Call(headers=headers, body=body, at_s=at_s)


def changed(call: Call, *, at_s: float | None = None, body: bytes | None = None, **headers: str) -> Call:
    renamed = {f"x-fal-webhook-{name.replace('_', '-')}": value for name, value in headers.items()}
    return Call(
        headers={**call.headers, **renamed},
        body=call.body if body is None else body,
        at_s=call.at_s if at_s is None else at_s,
    )


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def keys(signer: Signer) -> Keys:
    return Keys(signer.fetch)


@pytest.mark.parametrize("late_s", [-300, 0, 300])
def test_what_fal_signed_in_the_last_five_minutes_is_fals(signer: Signer, keys: Keys, late_s: float) -> None:
    call = changed(signer.call(), at_s=NOW_S + late_s)

    assert keys.verify(call) is None
    assert fal.read_call(call) == Named(task_id="r", is_over=True)


@pytest.mark.parametrize(
    "change",
    [
        {"at_s": NOW_S + 301},
        {"at_s": NOW_S - 301},
        {"body": b'{"request_id":"r","status":"OK","payload":{"images":[]}}'},
        {"body": b""},
        {"request_id": "s"},
        {"user_id": "another"},
        {"timestamp": str(int(NOW_S) + 1)},
        {"timestamp": ""},
        {"timestamp": "soon"},
        {"timestamp": "9" * 400},
        {"signature": ""},
        {"signature": "00" * 64},
        {"signature": "0" * 127},
        {"signature": "zz" * 64},
        {"signature": "A" * 128},
        {"signature": "é" * 128},
    ],
    ids=lambda change: "-".join(change),
)
def test_what_was_changed_after_signing_is_forged(signer: Signer, keys: Keys, change: dict[str, Any]) -> None:
    assert isinstance(keys.verify(changed(signer.call(), **change)), Forged)


def test_what_another_key_signed_is_forged(signer: Signer, keys: Keys) -> None:
    assert isinstance(keys.verify(Signer().call()), Forged)
    assert keys.verify(signer.call()) is None


@pytest.mark.parametrize("body", [b"", b"[]", b'{"request_id":"s"}', b'{"request_id":7}', b"[" * 100_000])
def test_a_signed_call_that_names_no_request_or_another_one_is_forged(signer: Signer, keys: Keys, body: bytes) -> None:
    call = signer.call(body=body)

    assert keys.verify(call) is None
    assert isinstance(fal.read_call(call), Forged)


def test_keys_are_asked_for_once_a_day(signer: Signer, keys: Keys) -> None:
    for hour in range(24):
        assert keys.verify(signer.call(at_s=NOW_S + 3600 * hour)) is None
    assert signer.asked == 1

    keys.verify(signer.call(at_s=NOW_S + 24 * 3600 + 1))

    assert signer.asked == 2


def test_a_new_key_of_fals_is_found_within_a_minute_and_a_flood_of_forgeries_asks_once_a_minute(
    signer: Signer, keys: Keys
) -> None:
    assert keys.verify(signer.call()) is None
    forger = Signer()
    for s in range(60):
        assert isinstance(keys.verify(forger.call(at_s=NOW_S + s)), Forged)
    assert signer.asked == 1

    signer.private = Ed25519PrivateKey.generate()

    assert keys.verify(signer.call(at_s=NOW_S + 61)) is None
    assert signer.asked == 2


def test_while_fals_keys_cannot_be_had_nobody_is_believed_and_fal_is_to_call_again(signer: Signer, keys: Keys) -> None:
    signer.reachable = False
    assert isinstance(keys.verify(signer.call()), Unverified)

    signer.reachable = True

    assert keys.verify(signer.call(at_s=NOW_S + 61)) is None


def test_keys_that_are_known_stay_known_while_fals_list_cannot_be_had(signer: Signer, keys: Keys) -> None:
    assert keys.verify(signer.call()) is None
    signer.reachable = False

    assert keys.verify(signer.call(at_s=NOW_S + 2 * 24 * 3600)) is None


@pytest.mark.parametrize("jwks", [b"", b"{}", b'{"keys":{}}', b'{"keys":[1,null,{"x":"AA"},{"x":7}]}', b"<html>"])
def test_a_list_without_keys_has_none(jwks: bytes) -> None:
    assert read_keys(jwks) == ()
