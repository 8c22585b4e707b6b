"""Whether fal itself sent a call: ED25519 over the request id, the user, the moment and the body's hash."""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
from collections.abc import Callable

from flux2batch.providers.answers import parse_object
from flux2batch.providers.calls import Call, Forged, Unverified

TOLERANCE_S = 300
_FRESH_S = 24 * 3600.0
_ASK_AGAIN_S = 60.0
_MOST_KEYS = 32
_HEADERS = tuple(f"x-fal-webhook-{name}" for name in ("request-id", "user-id", "timestamp", "signature"))


class Keys:
    """fal's public keys, fetched when they are first needed, and again when one is not among them."""

    def __init__(self, fetch: Callable[[], bytes | None]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._known: tuple[bytes, ...] = ()
        self._asked_s: float | None = None

    def verify(self, call: Call) -> Forged | Unverified | None:
        """What is wrong with the call's signature; None where it is fal's."""
        told = [call.headers.get(name, "") for name in _HEADERS]
        fault = _fault_of(*told, now_s=call.at_s)
        if fault is not None:
            return fault
        request_id, user_id, stamp, written = told
        message = "\n".join((request_id, user_id, stamp, hashlib.sha256(call.body).hexdigest())).encode()
        signature = bytes.fromhex(written)
        if _is_signed(message, signature, self._keys(call.at_s, older_than_s=_FRESH_S)):
            return None
        keys = self._keys(call.at_s, older_than_s=_ASK_AGAIN_S)
        if not keys:
            return Unverified(reason="fal's keys could not be fetched")
        return None if _is_signed(message, signature, keys) else Forged(reason="the signature is not fal's")

    def _keys(self, now_s: float, *, older_than_s: float) -> tuple[bytes, ...]:
        with self._lock:
            if self._asked_s is None or now_s - self._asked_s > older_than_s:
                self._asked_s = now_s
                found = self._fetch()
                # Keys that are known stay known while fal's list cannot be had.
                self._known = (read_keys(found) if found is not None else ()) or self._known
            return self._known


def _fault_of(request_id: str, user_id: str, stamp: str, written: str, *, now_s: float) -> Forged | None:
    if not (request_id and user_id and stamp and written):
        return Forged(reason="the signature's headers are not all there")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return Forged(reason="the signature names no moment")
    if abs(now_s - int(stamp)) > TOLERANCE_S:
        return Forged(reason="the signature is from another hour")
    if len(written) != 128 or not set(written) <= set("0123456789abcdef"):
        return Forged(reason="the signature is not one")
    return None


def _is_signed(message: bytes, signature: bytes, keys: tuple[bytes, ...]) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


def read_keys(jwks: bytes) -> tuple[bytes, ...]:
    """The ED25519 keys in a JWKS: 32 bytes each."""
    listed = (parse_object(jwks) or {}).get("keys")
    found = [_key(one) for one in listed[:_MOST_KEYS]] if isinstance(listed, list) else []
    return tuple(key for key in found if key is not None)


def _key(one: object) -> bytes | None:
    if not isinstance(one, dict) or one.get("kty", "OKP") != "OKP" or one.get("crv", "Ed25519") != "Ed25519":
        return None
    written = one.get("x")
    if not isinstance(written, str):
        return None
    try:
        key = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == 32 else None


def can_verify() -> bool:
    """Whether the library that knows ED25519 is there: it comes with the extra `webhooks`."""
    from importlib.util import find_spec

    return find_spec("cryptography") is not None
