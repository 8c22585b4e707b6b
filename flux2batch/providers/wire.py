"""HTTP as one service is spoken to: host rules and key at each use, deadlines, bounds, downloads without a key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes, urljoin

from flux2batch.engine.events import Downloaded, DownloadFailed, Fetched, LinkExpired, NotSent
from flux2batch.planning.files.folder import MAX_BYTES
from flux2batch.planning.references.urls import judge_url
from flux2batch.providers import transport
from flux2batch.providers.answers import excerpt, wait_of
from flux2batch.providers.clock import utc_now
from flux2batch.providers.hosts import Allowed, Forbidden, HostRules, judge
from flux2batch.providers.transport import HttpRequest, HttpResponse, Line, NoAnswer, Pool, Timeouts
from flux2batch.secret import Secret

_CONNECT_S = 10.0
_POLL = Timeouts(connect=_CONNECT_S, total=30.0)
_DOWNLOAD = Timeouts(connect=_CONNECT_S, total=120.0)
# A submit is never sent again, so it is given long to be answered: a late answer is worth more than a quick doubt.
_SUBMIT_TOTAL_S = 120.0
_SLOWEST_UPLOAD_BYTES_PER_S = 100_000
_MAX_REDIRECTS = 3
_IN_CIRCLES = "the picture's link leads in circles"

Answer = HttpResponse | NotSent | NoAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The key and the header that carries it."""

    header: str
    prefix: str
    key: Secret

    def headers(self) -> dict[str, str]:
        return {self.header: f"{self.prefix}{self.key.reveal()}"}


class Wire:
    """One service's connections. Safe to share between threads; keeps nothing but open connections."""

    def __init__(self, *, rules: HostRules, credentials: Credentials, proxy: str | None) -> None:
        self.rules = rules
        self._credentials = credentials
        self._proxy = None if rules.on_loopback else proxy
        self._polls = Pool(proxy=self._proxy, timeouts=_POLL)
        self._downloads = Pool(proxy=self._proxy, timeouts=_DOWNLOAD)

    def close(self) -> None:
        """Let go of all open connections."""
        self._polls.close()
        self._downloads.close()

    def connect(self, url: str) -> Line | NotSent:
        """A fresh line for a submit."""
        verdict = judge(url, purpose="api", rules=self.rules)
        if isinstance(verdict, Forbidden):
            return NotSent(reason=verdict.reason, offline=False)
        return transport.connect(url, timeout=_CONNECT_S, proxy=self._proxy)

    def post(self, line: Line, url: str, body: bytes, *, hidden: Sequence[str] = ()) -> Answer:
        """Send a submit on its line. Redirects are not followed: the key and the money would go with them.

        `hidden` are texts beside the key that no answer may bring back to where it is kept.
        """
        verdict = judge(url, purpose="api", rules=self.rules)
        if isinstance(verdict, Forbidden):
            line.close()
            return NotSent(reason=verdict.reason, offline=False)
        headers = {**self._headers(verdict), "Content-Type": "application/json"}
        total = _SUBMIT_TOTAL_S + len(body) / _SLOWEST_UPLOAD_BYTES_PER_S
        request = HttpRequest(method="POST", url=url, headers=headers, body=body)
        return self._without_secrets(transport.send(line, request, total=total), hidden)

    def ask(self, url: str) -> Answer:
        """GET from the API: a poll, a result, the balance. The key goes only to the service's own hosts."""
        verdict = judge(url, purpose="api", rules=self.rules)
        if isinstance(verdict, Forbidden):
            return NotSent(reason=verdict.reason, offline=False)
        return self._without_secrets(self._polls.get(url, headers=self._headers(verdict)), ())

    def look_up(self, url: str) -> bytes | None:
        """What is public, without the key: the keys with which a service signs its calls. None where it is not had."""
        verdict = judge(url, purpose="download", rules=self.rules)
        if isinstance(verdict, Forbidden):
            return None
        answer = self._polls.get(url, headers={"Accept": "application/json"}, public_only=verdict.public_only)
        return answer.body if isinstance(answer, HttpResponse) and answer.status == 200 else None

    def fetch(self, url: str) -> Downloaded:
        """The bytes of a picture, from wherever the service put them, without the key."""
        if url.startswith("data:"):
            return _inline(url)
        remark: str | None = None
        for _ in range(_MAX_REDIRECTS + 1):
            verdict = judge(url, purpose="download", rules=self.rules)
            if isinstance(verdict, Forbidden):
                return DownloadFailed(reason=verdict.reason, status=None, wait_s=None, offline=False)
            remark = remark or verdict.remark
            answer = self._downloads.get(
                url, headers={"Accept": "image/*"}, limit=transport.PICTURE_LIMIT, public_only=verdict.public_only
            )
            target = _redirect_of(answer)
            if target is None:
                return _downloaded(answer, remark)
            url = urljoin(url, target)
        return DownloadFailed(reason=_IN_CIRCLES, status=None, wait_s=None, offline=False)

    def _without_secrets(self, answer: Answer, hidden: Sequence[str]) -> Answer:
        """The answer as it may be kept and shown: a service that repeats the key in an error is not quoted."""
        for secret in (self._credentials.key.reveal(), *hidden):
            match answer:
                case HttpResponse(body=body, headers=headers):
                    answer = replace(answer, body=_hidden(body, secret), headers=_calm(headers, secret))
                case NoAnswer(partial=partial, headers=headers):
                    answer = replace(answer, partial=_hidden(partial, secret), headers=_calm(headers, secret))
        return answer

    def _headers(self, verdict: Allowed) -> Mapping[str, str]:
        common = {"Accept": "application/json"}
        return {**common, **self._credentials.headers()} if verdict.with_key else common


def _hidden(body: bytes, secret: str) -> bytes:
    return body.replace(secret.encode("utf-8"), b"****")


def _calm(headers: Mapping[str, str], secret: str) -> Mapping[str, str]:
    return {name: value.replace(secret, "****") for name, value in headers.items()}


def fetch_reference(url: str, *, proxy: str | None) -> Downloaded:
    """A reference that is a URL, looked at before it is handed on: no key, public addresses, every hop judged again."""
    pool = Pool(proxy=proxy, timeouts=_DOWNLOAD)
    try:
        for _ in range(_MAX_REDIRECTS + 1):
            fault = judge_url(url)
            if fault is not None:
                return DownloadFailed(reason=fault.message, status=None, wait_s=None, offline=False)
            answer = pool.get(url, headers={"Accept": "image/*"}, limit=MAX_BYTES, public_only=True)
            target = _redirect_of(answer)
            if target is None:
                return _downloaded(answer, None)
            url = urljoin(url, target)
    finally:
        pool.close()
    return DownloadFailed(reason=_IN_CIRCLES, status=None, wait_s=None, offline=False)


def _redirect_of(answer: Answer) -> str | None:
    if isinstance(answer, HttpResponse) and answer.status in (301, 302, 303, 307, 308):
        return answer.headers.get("location")
    return None


def _downloaded(answer: Answer, remark: str | None) -> Downloaded:
    match answer:
        case NotSent(reason=reason, offline=offline):
            return DownloadFailed(reason=reason, status=None, wait_s=None, offline=offline)
        case NoAnswer(reason=reason, status=status):
            return DownloadFailed(reason=reason, status=status, wait_s=None, offline=False)
        case HttpResponse(status=200, headers=headers, body=body):
            return Fetched(content=body, media_type=headers.get("content-type"), remark=remark)
        case HttpResponse(status=403 | 404 | 410 as status):
            return LinkExpired(reason=f"the link is no longer good ({status})")
        case HttpResponse(status=status, headers=headers, body=body):
            words = excerpt(body) or "no reason given"
            return DownloadFailed(
                reason=f"{status}: {words}", status=status, wait_s=wait_of(headers, now=utc_now()), offline=False
            )


def _inline(url: str) -> Downloaded:
    """A picture that stands in its own link: data:image/png;base64,…"""
    head, comma, payload = url.partition(",")
    if not comma:
        return DownloadFailed(reason="the inline picture cannot be read", status=None, wait_s=None, offline=False)
    kind = head.removeprefix("data:")
    try:
        content = base64.b64decode(payload, validate=True) if kind.endswith(";base64") else unquote_to_bytes(payload)
    except (binascii.Error, ValueError):
        return DownloadFailed(reason="the inline picture cannot be read", status=None, wait_s=None, offline=False)
    return Fetched(content=content, media_type=kind.partition(";")[0] or None, remark=None)
