"""fal as a whole: which door and path leads to which of its parts."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable
from dataclasses import replace
from urllib.parse import urlsplit

from flux2batch.emulator.fal import refusals
from flux2batch.emulator.fal.callbacks import Callbacks
from flux2batch.emulator.fal.platform import Platform
from flux2batch.emulator.fal.requests import Requests
from flux2batch.emulator.fal.rules import ENDPOINTS
from flux2batch.emulator.fal.storage import Storage
from flux2batch.emulator.fal.submits import Submits
from flux2batch.emulator.http import Request, Response, answer_json
from flux2batch.emulator.studio import Studio

_REQUEST = re.compile(
    r"/(?P<app>[^/]+/[^/]+)(?:/.*)?/requests/(?P<id>[^/]+)(?P<what>/status/stream|/status|/cancel|/response)?"
)
_HOSTS = {  # which door stands for which of fal's hosts, for requests that come through a proxy
    "queue.fal.run": "fal",
    "fal.run": "fal-run",
    "rest.fal.ai": "fal",
    "rest.alpha.fal.ai": "fal",
    "api.fal.ai": "fal",
}


class Fal:
    """Answers for the doors `fal` (queue, storage, prices), `fal-run` (at once) and `fal-media`."""

    def __init__(self, studio: Studio, *, key: str) -> None:
        self._key = key
        self._storage = Storage(studio)
        self._platform = Platform(studio.books)
        self._requests = Requests(studio, storage=self._storage)
        self._callbacks = Callbacks(studio, output=self._requests.output)
        self._submits = Submits(studio, storage=self._storage, requests=self._requests, callbacks=self._callbacks)

    def respond(self, request: Request) -> Response | Awaitable[Response] | None:
        """The answer, or None where this service knows nothing of the path."""
        request = _through_proxy(request)
        path = request.path.rstrip("/") or "/"
        if path == "/.well-known/jwks.json":
            return answer_json(200, self._callbacks.keys())
        if path.startswith("/files/b/"):
            return self._storage.file(request)
        if path == "/files/upload":
            return self._storage.upload(request)
        if path.startswith("/storage/"):
            return self._unknown_key(request, path) or self._storage.announce(request, path)
        if path.startswith(("/v1/models/", "/models/", "/v1/account/", "/account/")):
            return self._unknown_key(request, path) or self._platform.respond(request, path.removeprefix("/v1"))
        found = _REQUEST.fullmatch(path)
        if found is not None:
            return self._unknown_key(request, found["app"]) or self._requests.about(request, found)
        if path.startswith("/run/") and path[5:] in ENDPOINTS:  # where all doors are one
            return self._posted(replace(request, origin="fal-run"), path[5:])
        if path[1:] in ENDPOINTS:
            return self._posted(request, path[1:])
        if path.startswith("/fal-ai/") and request.method == "POST":
            return answer_json(404, {"detail": f"Path {path} not found"}, (("x-fal-billable-units", "0"),))
        return None

    def _posted(self, request: Request, endpoint_id: str) -> Response | Awaitable[Response]:
        if request.method != "POST":
            return answer_json(405, {"detail": "Method Not Allowed"}, (("Allow", "POST"),))
        return self._unknown_key(request, endpoint_id) or self._submits.submit(request, endpoint_id)

    def _unknown_key(self, request: Request, what: str) -> Response | None:
        told = request.headers.get("authorization", "")
        if hmac.compare_digest(told.encode(), f"Key {self._key}".encode()):
            return None
        return refusals.unknown_key(told, what)


def _through_proxy(request: Request) -> Request:
    """A request whose real target stands in `x-fal-target-url`, as fal's clients send it to a proxy of one's own."""
    target = request.headers.get("x-fal-target-url")
    if target is None:
        return request
    parts = urlsplit(target)
    door = _HOSTS.get(parts.hostname or "", request.origin)
    query = dict(item.partition("=")[::2] for item in parts.query.split("&") if item)
    return replace(request, origin=door, path=parts.path, query={**request.query, **query})
