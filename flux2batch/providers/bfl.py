"""Black Forest Labs: its requests written, its answers read. Facts: docs/services.md."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from flux2batch import money
from flux2batch.engine.events import (
    Accepted,
    AccountRefused,
    Charge,
    Downloaded,
    Failed,
    Frame,
    Moderated,
    NotSent,
    Polled,
    Rendered,
    StillWorking,
    Submitted,
    Throttled,
    Ticket,
    Vanished,
)
from flux2batch.money import Money
from flux2batch.planning.models.catalogue import Entry
from flux2batch.planning.models.parameters import request_fields
from flux2batch.planning.shot import Shot
from flux2batch.providers.answers import (
    detail_of,
    parse_object,
    salvaged,
    shown,
    text_at,
    usable_id,
    wait_of,
    whole_number,
)
from flux2batch.providers.calls import Call, Forged, Named, Verdict
from flux2batch.providers.clock import utc_now
from flux2batch.providers.contract import Hook, Line, Picture, Prepared
from flux2batch.providers.outcomes import (
    NOT_BILLED,
    json_body,
    no_poll,
    poll_again,
    refused_or_unclear,
    silent,
    taken_without_id,
    url_or_base64,
)
from flux2batch.providers.transport import HttpResponse, NoAnswer
from flux2batch.providers.transport import Line as HttpLine
from flux2batch.providers.wire import Wire

# Pending is BFL's only word for "in progress" in its schema; the others were seen in its documents or in third-party
# code. A word that is in neither list is taken for "not yet", and said.
_WORKING = ("Pending", "Reasoning", "Generating", "Queued", "Processing")


class Bfl:
    """The provider `bfl`."""

    name = "bfl"

    def __init__(self, *, wire: Wire, entry: Callable[[str], Entry]) -> None:
        self._wire = wire
        self._entry = entry
        self.origin = wire.rules.base_url.rstrip("/")

    def prepare(self, shot: Shot, pictures: Sequence[Picture]) -> Prepared:
        entry = self._entry(shot.model)
        return Prepared(model=shot.model, path=shot.endpoint, body=write_body(entry, shot, pictures), shot_id=shot.id)

    def connect(self, prepared: Prepared) -> Line | NotSent:
        return self._wire.connect(self.origin + prepared.path)

    def send(self, line: Line, prepared: Prepared) -> Submitted:
        assert isinstance(line, HttpLine)
        url, hook = self.origin + prepared.path, prepared.hook
        if hook is None:
            answer = self._wire.post(line, url, prepared.body)
        else:
            answer = self._wire.post(line, url, with_webhook(prepared.body, hook), hidden=hook.hidden)
        return read_submitted(answer, prepared, origin=self.origin)

    def poll(self, ticket: Ticket) -> Polled:
        return read_polled(self._wire.ask(ticket.poll_url))

    def fetch(self, url: str) -> Downloaded:
        return self._wire.fetch(url)

    def collect(self, ticket: Ticket) -> Polled:
        return self.poll(ticket)  # state and result are one answer

    def heed(self, call: Call, hook: Hook) -> Verdict:
        return read_call(call, hook)

    def close(self) -> None:
        self._wire.close()

    def balance(self) -> Money | None:
        """The organisation's credits in dollars, where the key may see them."""
        answer = self._wire.ask(f"{self.origin}/v1/credits")
        if not isinstance(answer, HttpResponse) or answer.status != 200:
            return None
        credits = money.amount_in((parse_object(answer.body) or {}).get("credits"))
        return None if credits is None else money.credits(credits)

    def key_refused(self) -> str | None:
        """Why the service refuses the key, if it does: polls are answered without one, the balance is not."""
        answer = self._wire.ask(f"{self.origin}/v1/credits")
        if not isinstance(answer, HttpResponse) or answer.status not in (401, 403, 422):
            return None
        return f"{answer.status}: {detail_of(answer.body)[0]}"

    def find(self, prepared: Prepared, *, since: datetime) -> tuple[Ticket, ...]:  # noqa: ARG002  # BFL lists nothing
        """BFL has no listing of tasks: a lost answer is settled by a person."""
        return ()


def write_body(entry: Entry, shot: Shot, pictures: Sequence[Picture]) -> bytes:
    """The JSON that is posted. References are raw base64, without a data: prefix, or URLs as they stand."""
    fields = entry.references.sent_as
    references = {field: url_or_base64(picture, prefix="") for field, picture in zip(fields, pictures, strict=False)}
    body: dict[str, Any] = {"prompt": shot.prompt, **references, **request_fields(entry, shot.params)}
    return json_body(body)


def with_webhook(body: bytes, hook: Hook) -> bytes:
    """The same request, with where to call. The pictures in it may be large: it is not read and written again."""
    fields = json_body({"webhook_url": hook.url, "webhook_secret": hook.secret.reveal()})
    return body[:-1] + b"," + fields[1:]


def read_call(call: Call, hook: Hook) -> Verdict:
    """What a call says. BFL gives the secret back as it got it; that is all that proves who calls."""
    told = call.headers.get("x-webhook-secret", "")
    if not hmac.compare_digest(told.encode("utf-8", "replace"), hook.secret.reveal().encode()):
        return Forged(reason="the secret is another one")
    body = parse_object(call.body) or {}
    task_id = usable_id(body.get("id")) or usable_id(body.get("task_id"))
    status = text_at(body, "status")
    if task_id is None or status is None:
        return Forged(reason="the call names no task")
    return Named(task_id=task_id, is_over=status not in _WORKING)


def read_submitted(answer: HttpResponse | NotSent | NoAnswer, prepared: Prepared, *, origin: str) -> Submitted:
    """What the answer to a submit means. Only a definite refusal is one; whatever is unclear may have been paid for."""
    if isinstance(answer, NotSent):
        return answer
    if isinstance(answer, NoAnswer):
        return _salvage(answer, prepared, origin=origin)
    if 200 <= answer.status < 300:
        return _accepted(answer, prepared, origin=origin)
    reason, fields = detail_of(answer.body)
    match answer.status:
        case 429:
            return Throttled(wait_s=wait_of(answer.headers, now=utc_now()), reason=reason)
        case 401 | 403:
            return AccountRefused(status=answer.status, kind="key", reason=reason)
        case 402:
            return AccountRefused(status=402, kind="credits", reason=reason)
        case 422 if reason == "Invalid API key format":
            return AccountRefused(status=422, kind="key", reason=reason)
    return refused_or_unclear(answer, reason, fields)


def _accepted(answer: HttpResponse, prepared: Prepared, *, origin: str) -> Submitted:
    body = parse_object(answer.body)
    task_id = usable_id(body.get("id")) if body else None
    if body is None or task_id is None:
        return taken_without_id(answer)
    return Accepted(
        ticket=_ticket(task_id, text_at(body, "polling_url"), prepared, origin=origin),
        charge=_charge(body),
        evidence="answer",
    )


def _ticket(task_id: str, polling_url: str | None, prepared: Prepared, *, origin: str) -> Ticket:
    # With a webhook there is no polling_url in the answer, and BFL's own client builds it like this.
    built = f"{origin}/v1/get_result?id={quote(task_id, safe='')}"
    return Ticket(
        provider="bfl",
        model=prepared.model,
        endpoint=prepared.path,
        task_id=task_id,
        poll_url=polling_url or built,
        result_url=None,
        cancel_url=None,
    )


def ticket_for(task_id: str, *, model: str, endpoint: str, origin: str, poll_url: str | None) -> Ticket:
    """The ticket of a task that a person names. BFL polls at a region's host, so its polling URL is worth having."""
    named = Prepared(model=model, path=endpoint, body=b"", shot_id="")
    return _ticket(task_id, poll_url, named, origin=origin)


def _charge(body: Mapping[str, Any]) -> Charge | None:
    credits = money.amount_in(body.get("cost"))
    if credits is None:
        return None
    return Charge(
        usd=money.credits(credits),
        source="cost",
        megapixels_in=_figure(body.get("input_mp")),
        megapixels_out=_figure(body.get("output_mp")),
    )


def _figure(value: object) -> str | None:
    amount = money.amount_in(value)
    return None if amount is None else str(amount)


def _salvage(silence: NoAnswer, prepared: Prepared, *, origin: str) -> Submitted:
    """A cut answer may hold the whole id all the same: then the take is accepted, and only the wait is lost."""
    task_id = usable_id(salvaged(silence.partial, "id")) if silence.status == 200 else None
    if task_id is None:
        return silent(silence)
    # Of a URL that was cut off its host is the part that matters: the base does not know what a region keeps.
    region = _HOST_OF_POLLS.search(silence.partial)
    home = region.group(1).decode("ascii") if region else origin
    return Accepted(
        ticket=_ticket(task_id, salvaged(silence.partial, "polling_url"), prepared, origin=home),
        charge=None,
        evidence="salvaged from a cut answer",
    )


_HOST_OF_POLLS = re.compile(rb'"polling_url"\s*:\s*"(https?://[A-Za-z0-9.:-]{1,300})/')


def read_polled(answer: HttpResponse | NotSent | NoAnswer) -> Polled:
    """What the answer to a poll means. Whatever cannot be read is asked again."""
    return _read_poll_body(answer) if isinstance(answer, HttpResponse) else no_poll(answer)


def _read_poll_body(answer: HttpResponse) -> Polled:
    body = parse_object(answer.body)
    status = text_at(body, "status") if body else None
    if body is None or status is None:
        return poll_again(answer)
    match status:
        case "Ready":
            return _rendered(body, answer)
        # BFL's help pages of June 2026 say that neither is billed; the balance before and after a run checks it.
        case "Request Moderated":
            return Moderated(stage="request", reasons=_reasons(body), charge=NOT_BILLED)
        case "Content Moderated":
            return Moderated(stage="content", reasons=_reasons(body), charge=NOT_BILLED)
        case "Error" | "Failed":
            return Failed(reason=_failure(body), charge=NOT_BILLED)
        case "Task not found":
            return Vanished(reason="the service does not know the task")
        case _:
            progress = money.amount_in(body.get("progress"))
            return StillWorking(
                status=shown(status),
                queue_position=None,
                progress=None if progress is None else min(float(progress), 1.0),
                wait_s=wait_of(answer.headers, now=utc_now()),
                known=status in _WORKING,
            )


def _rendered(body: Mapping[str, Any], answer: HttpResponse) -> Polled:
    result = body.get("result")
    sample = text_at(result, "sample") if isinstance(result, dict) else None
    if sample is None or not isinstance(result, dict):
        # It is paid for: ask again until there is a link, and stall in the end rather than give it up.
        return poll_again(answer, "the picture is ready, but its link is missing")
    seed = result.get("seed")
    duration = money.amount_in(result.get("duration"))
    return Rendered(
        frames=(Frame(url=sample, width=None, height=None, media_type=None, nsfw=False),),
        expires_at=expiry_of(sample),
        seed=whole_number(seed),
        prompt=text_at(result, "prompt"),
        charge=_charge(body),
        details={} if duration is None else {"duration_s": float(duration)},
    )


_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def expiry_of(url: str) -> datetime | None:
    """When a signed link stops working, by the `se` that it carries."""
    stamps = parse_qs(urlsplit(url).query).get("se", [""])
    if not _STAMP.fullmatch(stamps[0]):
        return None
    try:
        return datetime.strptime(stamps[0], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _reasons(body: Mapping[str, Any]) -> tuple[str, ...]:
    details = body.get("details")
    reasons = details.get("Moderation Reasons") if isinstance(details, dict) else None
    return tuple(shown(reason) for reason in reasons if isinstance(reason, str)) if isinstance(reasons, list) else ()


def _failure(body: Mapping[str, Any]) -> str:
    details = body.get("details")
    if isinstance(details, str) and details:
        return shown(details)
    if isinstance(details, dict) and details:
        return shown("; ".join(f"{key}: {value}" for key, value in details.items()))
    return "the service failed and gave no reason"
