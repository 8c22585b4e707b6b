"""fal's queue: its requests written, its answers read. Facts: docs/services.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

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
    error_types,
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
from flux2batch.providers.fal_signature import Keys
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

UnitPrice = Callable[[str, str], Money | None]
"""The price of one billable unit of a model at an endpoint, from the catalogue or the user's configuration."""

_PLATFORM = "https://api.fal.ai"
_KEYS = "https://rest.fal.ai"
_MODERATION = "content_policy_violation"


class Fal:
    """The provider `fal`."""

    name = "fal"

    def __init__(self, *, wire: Wire, entry: Callable[[str], Entry], unit_price: UnitPrice) -> None:
        self._wire = wire
        self._entry = entry
        self._unit_price = unit_price
        self._asked_prices: dict[str, Money | None] = {}
        self._keys = Keys(self._look_up_keys)
        self.origin = wire.rules.base_url.rstrip("/")

    def prepare(self, shot: Shot, pictures: Sequence[Picture]) -> Prepared:
        body = write_body(self._entry(shot.model), shot, pictures)
        return Prepared(model=shot.model, path=shot.endpoint, body=body, shot_id=shot.id)

    def connect(self, prepared: Prepared) -> Line | NotSent:
        return self._wire.connect(self.origin + prepared.path)

    def send(self, line: Line, prepared: Prepared) -> Submitted:
        assert isinstance(line, HttpLine)
        url, hook = self.origin + prepared.path, prepared.hook
        if hook is None:
            answer = self._wire.post(line, url, prepared.body)
        else:
            called = f"{url}?{urlencode({'fal_webhook': hook.url})}"
            answer = self._wire.post(line, called, prepared.body, hidden=hook.hidden)
        return read_submitted(answer, prepared, origin=self.origin)

    def poll(self, ticket: Ticket) -> Polled:
        status = read_status(self._wire.ask(ticket.poll_url))
        if not isinstance(status, Completed):
            return status
        return self._result(ticket, status)

    def collect(self, ticket: Ticket) -> Polled:
        return self._result(ticket, Completed(error=None, error_type=None, inference_s=None))

    def _result(self, ticket: Ticket, status: Completed) -> Polled:
        assert ticket.result_url is not None, "BUG: a fal ticket without a result URL"
        return read_result(self._wire.ask(ticket.result_url), status, unit_usd=self._unit_usd(ticket))

    def _unit_usd(self, ticket: Ticket) -> Money | None:
        """The price of a billable unit. Where the catalogue knows no unit (pro, flex, max) fal is asked, once."""
        known = self._unit_price(ticket.model, ticket.endpoint)
        if known is not None:
            return known
        if ticket.endpoint not in self._asked_prices:
            query = urlencode({"endpoint_id": ticket.endpoint.lstrip("/")})
            answer = self._wire.ask(f"{self._platform}/v1/models/pricing?{query}")
            self._asked_prices[ticket.endpoint] = read_unit_price(answer, ticket.endpoint)
        return self._asked_prices[ticket.endpoint]

    def fetch(self, url: str) -> Downloaded:
        return self._wire.fetch(url)

    def heed(self, call: Call, hook: Hook) -> Verdict:  # noqa: ARG002  # fal proves itself by a signature alone
        return self._keys.verify(call) or read_call(call)

    def _look_up_keys(self) -> bytes | None:
        origin = self.origin if self._wire.rules.on_loopback else _KEYS
        return self._wire.look_up(f"{origin}/.well-known/jwks.json")

    def close(self) -> None:
        self._wire.close()

    def balance(self) -> Money | None:
        """The account's credits in dollars. Only an admin key may see them."""
        answer = self._wire.ask(f"{self._platform}/v1/account/billing?expand=credits")
        if not isinstance(answer, HttpResponse) or answer.status != 200:
            return None
        credits = (parse_object(answer.body) or {}).get("credits")
        amount = money.amount_in(credits.get("current_balance") if isinstance(credits, dict) else credits)
        return None if amount is None else money.usd(amount)

    def find(self, prepared: Prepared, *, since: datetime) -> tuple[Ticket, ...]:
        """The requests that fal lists for this very input since then: the way to settle a lost answer."""
        query = urlencode(
            {
                "endpoint_id": prepared.path.lstrip("/"),
                "start": (since - timedelta(seconds=60)).astimezone(UTC).isoformat(timespec="seconds"),
                "limit": 100,
                "expand": "payloads",
            }
        )
        answer = self._wire.ask(f"{self._platform}/v1/models/requests/by-endpoint?{query}")
        if not isinstance(answer, HttpResponse) or answer.status != 200:
            return ()
        return read_listing(answer.body, prepared, origin=self.origin)

    @property
    def _platform(self) -> str:
        return self.origin if self._wire.rules.on_loopback else _PLATFORM


def write_body(entry: Entry, shot: Shot, pictures: Sequence[Picture]) -> bytes:
    """The JSON that is posted. References are a list of data URIs or URLs."""
    field = entry.references.sent_as
    assert isinstance(field, str), f"BUG: {entry.model} names its reference fields one by one"
    sent = [url_or_base64(picture, prefix=f"data:{picture.media_type};base64,") for picture in pictures]
    references = {field: sent} if sent else {}
    body: dict[str, Any] = {"prompt": shot.prompt, **references, **request_fields(entry, shot.params)}
    return json_body(body)


def read_call(call: Call) -> Verdict:
    """What a call says whose signature is fal's: fal calls once, when the request is over."""
    request_id = usable_id((parse_object(call.body) or {}).get("request_id"))
    if request_id is None or request_id != call.headers.get("x-fal-webhook-request-id"):
        return Forged(reason="the call names no request, or another one than was signed")
    return Named(task_id=request_id, is_over=True)


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
        case 401:
            return AccountRefused(status=401, kind="key", reason=reason)
        case 402:
            return AccountRefused(status=402, kind="credits", reason=reason)
        case 403:
            kind = "credits" if "balance" in reason.lower() else "forbidden"
            return AccountRefused(status=403, kind=kind, reason=reason)  # type: ignore[arg-type]  # one of two literals
    return refused_or_unclear(answer, reason, fields)


def _accepted(answer: HttpResponse, prepared: Prepared, *, origin: str) -> Submitted:
    body = parse_object(answer.body) or {}
    task_id = usable_id(body.get("request_id")) or usable_id(answer.headers.get("x-fal-request-id"))
    if task_id is None:
        return taken_without_id(answer)
    return Accepted(
        ticket=_ticket(
            task_id,
            prepared,
            base=_requests_url(origin, prepared.path, task_id),
            status_url=text_at(body, "status_url"),
            response_url=text_at(body, "response_url"),
            cancel_url=text_at(body, "cancel_url"),
        ),
        charge=None,
        evidence="answer",
    )


def _ticket(
    task_id: str,
    prepared: Prepared,
    *,
    base: str,
    status_url: str | None,
    response_url: str | None,
    cancel_url: str | None,
) -> Ticket:
    return Ticket(
        provider="fal",
        model=prepared.model,
        endpoint=prepared.path,
        task_id=task_id,
        poll_url=status_url or f"{base}/status",
        result_url=response_url or base,
        cancel_url=cancel_url or f"{base}/cancel",
    )


def _requests_url(origin: str, path: str, task_id: str) -> str:
    """Where fal keeps a request: by owner and application only, without the sub-path. Used where an answer was cut."""
    owner_and_app = "/".join(path.strip("/").split("/")[:2])
    return f"{origin}/{owner_and_app}/requests/{task_id}"


def ticket_for(task_id: str, *, model: str, endpoint: str, origin: str, poll_url: str | None) -> Ticket:
    """The ticket of a request that a person names."""
    named = Prepared(model=model, path=endpoint, body=b"", shot_id="")
    base = _requests_url(origin, endpoint, task_id)
    return _ticket(task_id, named, base=base, status_url=poll_url, response_url=None, cancel_url=None)


def _salvage(silence: NoAnswer, prepared: Prepared, *, origin: str) -> Submitted:
    """A cut answer may hold the whole id, and fal repeats it in a header that comes first."""
    found = salvaged(silence.partial, "request_id") or silence.headers.get("x-fal-request-id")
    task_id = usable_id(found) if silence.status == 200 else None
    if task_id is None:
        return silent(silence)
    return Accepted(
        ticket=_ticket(
            task_id,
            prepared,
            base=_requests_url(origin, prepared.path, task_id),
            status_url=salvaged(silence.partial, "status_url"),
            response_url=salvaged(silence.partial, "response_url"),
            cancel_url=salvaged(silence.partial, "cancel_url"),
        ),
        charge=None,
        evidence="salvaged from a cut answer",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The status says COMPLETED: the result is to be fetched. `error` is set where the status already tells of one."""

    error: str | None
    error_type: str | None
    inference_s: float | None


def read_status(answer: HttpResponse | NotSent | NoAnswer) -> Completed | Polled:
    """What the answer to a status request means."""
    if not isinstance(answer, HttpResponse):
        return no_poll(answer)
    wait_s = wait_of(answer.headers, now=utc_now())
    if answer.status in (401, 403):
        return AccountRefused(status=answer.status, kind="key", reason=detail_of(answer.body)[0])
    body = parse_object(answer.body)
    status = text_at(body, "status") if body else None
    if body is None or status is None:
        if answer.status == 404:
            return Vanished(reason=f"the service does not know the request: {detail_of(answer.body)[0]}")
        return poll_again(answer)
    match status:
        case "COMPLETED":
            metrics = body.get("metrics")
            seconds = money.amount_in(metrics.get("inference_time")) if isinstance(metrics, dict) else None
            error = body.get("error")
            return Completed(
                error=shown(error) if isinstance(error, str) and error else None,
                error_type=text_at(body, "error_type"),
                inference_s=None if seconds is None else float(seconds),
            )
        case "NOT_FOUND":
            return Vanished(reason="the service does not know the request")
        case _:
            position = body.get("queue_position")
            return StillWorking(
                status=shown(status),
                queue_position=whole_number(position),
                progress=None,
                wait_s=wait_s,
                known=status in ("IN_QUEUE", "IN_PROGRESS"),
            )


def read_result(answer: HttpResponse | NotSent | NoAnswer, completed: Completed, *, unit_usd: Money | None) -> Polled:
    """What the result of a completed request means. There is no FAILED: a failure is an error here or in the status."""
    if not isinstance(answer, HttpResponse):
        return no_poll(answer)
    charge = _charge(answer.headers, unit_usd)
    if answer.status == 200 and completed.error is None:
        return _rendered(answer, completed, charge)
    wait_s = wait_of(answer.headers, now=utc_now())
    reason, _ = detail_of(answer.body)
    if answer.status == 400 and "still in progress" in reason:
        return StillWorking(status="COMPLETED", queue_position=None, progress=None, wait_s=wait_s, known=True)
    if answer.status in (401, 403):
        return AccountRefused(status=answer.status, kind="key", reason=reason)
    if answer.status == 429 or (completed.error is None and not _is_final(answer)):
        return poll_again(answer)
    if answer.status == 404 and completed.error is None:
        return Vanished(reason=f"the result is gone: {reason}")
    return _failed(answer, completed, reason, charge)


def _is_final(answer: HttpResponse) -> bool:
    """Whether an error is the model's own word about the request, and not a gateway's bad moment."""
    if 400 <= answer.status < 500:
        return True
    body = parse_object(answer.body)
    return body is not None and ("error_type" in body or isinstance(body.get("detail"), list))


def _failed(answer: HttpResponse, completed: Completed, reason: str, charge: Charge | None) -> Polled:
    kinds = {*error_types(answer.body), completed.error_type}
    # Server errors are never billed; a refusal may be, where the model had begun to work.
    settled = charge or (NOT_BILLED if answer.status >= 500 else None)
    if _MODERATION in kinds:
        return Moderated(stage="content", reasons=(reason,), charge=settled)
    said = reason if answer.status != 200 and reason != "no reason given" else completed.error or reason
    return Failed(reason=said, charge=settled)


def _rendered(answer: HttpResponse, completed: Completed, charge: Charge | None) -> Polled:
    body = parse_object(answer.body)
    images = body.get("images") if body else None
    flags = body.get("has_nsfw_concepts") if body else None
    listed = [image for image in images if isinstance(image, dict)] if isinstance(images, list) else []
    nsfw = [flag is True for flag in flags] if isinstance(flags, list) else []
    frames = tuple(
        _frame(image, nsfw=position < len(nsfw) and nsfw[position])
        for position, image in enumerate(listed)
        if text_at(image, "url")
    )
    if body is None or not frames or len(frames) != len(listed):
        return poll_again(answer, "the request is completed, but its picture is missing")
    seed = body.get("seed")
    seconds = _inference_s(body) if completed.inference_s is None else completed.inference_s
    return Rendered(
        frames=frames,
        expires_at=None,
        seed=whole_number(seed),
        prompt=text_at(body, "prompt"),
        charge=charge,
        details={} if seconds is None else {"duration_s": seconds},
    )


def _inference_s(body: Mapping[str, Any]) -> float | None:
    timings = body.get("timings")
    seconds = money.amount_in(timings.get("inference")) if isinstance(timings, dict) else None
    return None if seconds is None else float(seconds)


def _frame(image: Mapping[str, Any], *, nsfw: bool) -> Frame:
    width, height = image.get("width"), image.get("height")
    return Frame(
        url=str(image["url"]),
        width=whole_number(width),
        height=whole_number(height),
        media_type=text_at(image, "content_type"),
        nsfw=nsfw,
    )


def _charge(headers: Mapping[str, str], unit_usd: Money | None) -> Charge | None:
    """What was billed: units from the header times the unit's price. Pixels never decide what was charged."""
    units = money.amount_in(headers.get("x-fal-billable-units"))
    if units is None or unit_usd is None:
        return None
    return Charge(
        usd=money.usd(units * unit_usd), source="billable-units", megapixels_in=None, megapixels_out=str(units)
    )


def read_unit_price(answer: HttpResponse | NotSent | NoAnswer, endpoint: str) -> Money | None:
    """What a unit of this endpoint costs, by fal's own list; None where it does not say so in dollars."""
    if not isinstance(answer, HttpResponse) or answer.status != 200:
        return None
    prices = (parse_object(answer.body) or {}).get("prices")
    for price in prices if isinstance(prices, list) else ():
        if isinstance(price, dict) and price.get("endpoint_id") == endpoint.lstrip("/"):
            amount = money.amount_in(price.get("unit_price"))
            return money.usd(amount) if amount is not None and price.get("currency", "USD") == "USD" else None
    return None


def read_listing(raw: bytes, prepared: Prepared, *, origin: str) -> tuple[Ticket, ...]:
    """The tickets of the listed requests whose input is exactly what was posted."""
    body = parse_object(raw)
    listed = body.get("items", body.get("requests")) if body else None
    if not isinstance(listed, list):
        return ()
    ours = parse_object(prepared.body)
    tickets = []
    for item in listed:
        task_id = usable_id(item.get("request_id")) if isinstance(item, dict) else None
        if task_id is not None and item.get("json_input") == ours:
            base = _requests_url(origin, prepared.path, task_id)
            tickets.append(_ticket(task_id, prepared, base=base, status_url=None, response_url=None, cancel_url=None))
    return tuple(tickets)
