"""What bfl and fal have in common: how a body is written, and which outcomes follow from HTTP alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from flux2batch import money
from flux2batch.engine.events import Charge, NotSent, PollFailed, Rejected, Unanswered
from flux2batch.planning.models.parameters import SERVICE_NAMES
from flux2batch.planning.references.picture import Picture
from flux2batch.providers.answers import detail_of, excerpt, shown, wait_of
from flux2batch.providers.clock import utc_now
from flux2batch.providers.transport import HttpResponse, NoAnswer

_DEFINITE_REFUSALS = (400, 404, 405, 411, 413, 415, 422)
NOT_BILLED = Charge(usd=money.ZERO, source="not-billed", megapixels_in=None, megapixels_out=None)


def json_body(fields: Mapping[str, Any]) -> bytes:
    """The fields as compact JSON; a Decimal becomes a JSON number."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=_number).encode("utf-8")


def _number(value: object) -> float:
    assert isinstance(value, Decimal), f"BUG: {type(value).__name__} in a request"
    return float(value)


def url_or_base64(picture: Picture, *, prefix: str) -> str:
    """A reference as it is sent: its URL as it stands, or its bytes in base64 behind the prefix."""
    if picture.url is not None:
        return picture.url
    assert picture.content is not None, "BUG: a picture without bytes and without a URL"
    return prefix + base64.b64encode(picture.content).decode("ascii")


def refused_or_unclear(answer: HttpResponse, reason: str, fields: Sequence[tuple[str, str]]) -> Rejected | Unanswered:
    """A submit that was not taken: a definite refusal only by a status that is one. Whatever is unclear may be paid."""
    if answer.status in _DEFINITE_REFUSALS:
        named = tuple((SERVICE_NAMES.get(field, field), message) for field, message in fields)
        return Rejected(status=answer.status, reason=reason, parameters=named)
    return Unanswered(
        reason=f"the service answered {answer.status}{_where_to(answer)}",
        status=answer.status,
        excerpt=excerpt(answer.body),
    )


def _where_to(answer: HttpResponse) -> str:
    try:
        host = urlsplit(answer.headers.get("location", "")).netloc
    except ValueError:  # no URL at all
        host = ""
    return f" and pointed to {shown(host)}" if host else ""


def taken_without_id(answer: HttpResponse) -> Unanswered:
    """A submit that was taken, and nothing to ask for it by."""
    reason = "the service took the request and gave no usable id"
    return Unanswered(reason=reason, status=answer.status, excerpt=excerpt(answer.body))


def silent(silence: NoAnswer) -> Unanswered:
    """A submit whose answer did not come, or not whole."""
    return Unanswered(reason=silence.reason, status=silence.status, excerpt=excerpt(silence.partial))


def no_poll(silence: NotSent | NoAnswer) -> PollFailed:
    """A poll without an answer. It is free, and asked again."""
    match silence:
        case NotSent(reason=reason, offline=offline):
            return PollFailed(reason=reason, status=None, wait_s=None, offline=offline)
        case NoAnswer(reason=reason, status=status):
            return PollFailed(reason=reason, status=status, wait_s=None, offline=False)


def poll_again(answer: HttpResponse, reason: str | None = None) -> PollFailed:
    """A poll whose answer says nothing that can be used: the reason is in its body unless one is given."""
    words = reason or f"{answer.status}: {detail_of(answer.body)[0]}"
    wait_s = wait_of(answer.headers, now=utc_now())
    return PollFailed(reason=words, status=answer.status, wait_s=wait_s, offline=False)
