"""One form of JSON for every value, so that equal values have equal digests on every machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from math import isfinite
from typing import Any

# Rules: keys in the order of their code points; nothing between tokens; text as it is, in UTF-8, never normalised;
# 5 = 5.0 = 5.00, written 5; other numbers as the shortest text that reads as the same double.

encode_text = json.JSONEncoder(ensure_ascii=False).encode
"""Text as it stands in canonical JSON, with its quotes."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_json(value: Any) -> bytes:
    """The value as canonical JSON."""
    # A text with half of a surrogate pair is no text, but a digest of it must not fail.
    return canonical_text(value).encode("utf-8", "surrogatepass")


def canonical_text(value: Any) -> str:
    """The same, before it is encoded."""
    return _ENCODER.encode(_plain(value))


def digest(tag: str, value: Any) -> str:
    """The SHA-256 of a value, in hexadecimal. The tag keeps digests that are made for different ends apart."""
    return sha256(tagged(tag) + canonical_json(value)).hexdigest()


def tagged(tag: str) -> bytes:
    """What every digest with this tag begins with."""
    return f"flux2batch/{tag}\0".encode()


def _plain(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            return str(value)
        case int():
            return int(value)
        case float() | Decimal():
            return _number(value)
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case Sequence():
            return [_plain(inner) for inner in value]
        case _:
            raise TypeError(f"BUG: {type(value).__name__} has no canonical form")


def _number(value: float | Decimal) -> int | float:
    if not isfinite(value):
        raise ValueError(f"BUG: {value} has no canonical form")
    return int(value) if value == int(value) else float(value)
