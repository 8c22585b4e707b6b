"""What services answer, read with suspicion: bounded JSON, waits, error texts, ids."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

_MAX_DEPTH = 64
_MAX_INT = 2**63
_SHOWN = 300  # characters of a service's own words
_READ = 100_000  # of what they are taken from: an echoed picture may stand before them
_EXCERPT = 512

SHORTEST_WAIT_S = 0.5
LONGEST_WAIT_S = 120.0


class _Unusable(ValueError):
    pass


def parse_json(body: bytes) -> Any:
    """The JSON value in the body, numbers with a point as Decimal; None where it is not JSON that can be trusted.

    Nesting beyond 64, NaN and infinities, integers beyond 64 bits and keys that appear twice are not.
    """
    if _depth_exceeds(body, _MAX_DEPTH):
        return None
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_int=_parse_int,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError, ArithmeticError):
        return None


def parse_object(body: bytes) -> Mapping[str, Any] | None:
    """The JSON object in the body, or None."""
    value = parse_json(body)
    return value if isinstance(value, dict) else None


def _depth_exceeds(body: bytes, limit: int) -> bool:
    """Whether brackets outside of strings nest deeper; json.loads would recurse first and ask later."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    depth = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', body):
        mark = token.group()
        if mark in (b"[", b"{"):
            depth += 1
            if depth > limit:
                return True
        elif mark in (b"]", b"}"):
            depth -= 1
    return False


def _parse_int(text: str) -> int:
    if len(text) > 20:
        raise _Unusable("an integer of absurd length")
    value = int(text)
    if not -_MAX_INT <= value < _MAX_INT:
        raise _Unusable("an integer beyond 64 bits")
    return value


def _refuse_constant(_name: str) -> Any:
    raise _Unusable("not a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Unusable("a key appears twice")
    return result


def text_at(value: Mapping[str, Any], key: str) -> str | None:
    """The non-empty text under the key, or None."""
    found = value.get(key)
    return found if isinstance(found, str) and found else None


def whole_number(value: object) -> int | None:
    """The integer, or None. `true` is none, though Python counts it as one: the journal could not be read again."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_ID = re.compile(r"[!-~]{1,200}")


def usable_id(value: object) -> str | None:
    """A task id that may be kept and shown: 1 to 200 visible ASCII characters."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def wait_of(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds that Retry-After asks for, kept between half a second and two minutes; None where it is not sane."""
    written = headers.get("retry-after", "").strip()
    if not written:
        return None
    try:
        seconds = float(written)
    except ValueError:
        then = _date(written)
        if then is None:
            return None
        # The service's own clock is asked first: a wrong clock here must not turn a short wait into a long one.
        seconds = (then - (_date(headers.get("date", "")) or now)).total_seconds()
    if math.isnan(seconds) or seconds < 0:
        return None
    return min(max(seconds, SHORTEST_WAIT_S), LONGEST_WAIT_S)


def _date(written: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(written)
    except (ValueError, TypeError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


_BASE64 = re.compile(r"(?:data:[a-z/+.-]+;base64,)?[A-Za-z0-9+/=_-]{120,}")
_SIGNED_QUERY = re.compile(r"(https?://[^\s\"'?]{1,2000})\?[^\s\"']*")


def shown(text: str) -> str:
    """A service's words, fit to be kept: without echoed pictures and signatures, on one line, of bearable length."""
    calm = _SIGNED_QUERY.sub(r"\1?…", _BASE64.sub("…", text[:_READ]))
    line = " ".join("".join(c if c.isprintable() else " " for c in calm).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def excerpt(body: bytes) -> str | None:
    """The beginning of an answer as evidence; None where nothing came."""
    return shown(body[:_EXCERPT].decode("utf-8", errors="replace")) or None if body else None


def detail_of(body: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The reason in an error answer and the fields it names: `detail` may be text, a list, absent, or not JSON at all.

    An `input` in a list entry is dropped: it may echo a whole picture.
    """
    value = parse_json(body)
    if not isinstance(value, dict):
        return excerpt(body) or "no reason given", ()
    detail = value.get("detail", value.get("error", value.get("message")))
    if isinstance(detail, str) and detail:
        return shown(detail), ()
    if not isinstance(detail, list):
        return "no reason given", ()
    entries = [entry for entry in detail[:50] if isinstance(entry, dict)]
    fields = tuple((_field(entry), shown(str(entry.get("msg", "")) or str(entry.get("type", "")))) for entry in entries)
    words = "; ".join(f"{name}: {message}" if name else message for name, message in fields)
    return shown(words) or "no reason given", tuple((name, message) for name, message in fields if name)


def _field(entry: Mapping[str, Any]) -> str:
    """The field's name in a `loc` such as ["body", "width"]."""
    loc = entry.get("loc")
    parts = [part for part in loc if isinstance(part, str)] if isinstance(loc, list) else []
    names = parts[1:] if parts[:1] == ["body"] else parts
    return shown(names[0]) if names else ""


def error_types(body: bytes) -> tuple[str, ...]:
    """The machine-readable kinds in an error answer: `error_type` and each `detail[].type`."""
    value = parse_object(body)
    if value is None:
        return ()
    kinds = [value.get("error_type")]
    detail = value.get("detail")
    if isinstance(detail, list):
        kinds += [entry.get("type") for entry in detail if isinstance(entry, dict)]
    return tuple(kind for kind in kinds if isinstance(kind, str))


def salvaged(partial: bytes, key: str) -> str | None:
    """A text value that arrived whole in a cut JSON answer: `"id":"…"` with its closing quote."""
    found = re.search(rb'"' + key.encode("ascii") + rb'"\s*:\s*"([^"\\]{1,2000})"', partial)
    return found.group(1).decode("utf-8", errors="replace") if found else None
