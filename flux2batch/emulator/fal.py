"""fal's protocol: a queue that takes anything, runs two at a time and says what was wrong when it has run."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import urlsplit

from flux2batch.emulator import ed25519, fal_rules, http
from flux2batch.emulator.books import NANO, Task
from flux2batch.emulator.fal_rules import ENDPOINTS, PRESETS, Endpoint
from flux2batch.emulator.faults import Fault, Stage, first_of, named, parse_kept
from flux2batch.emulator.http import Request, Response, answer, answer_json
from flux2batch.emulator.references import MEGAPIXEL, Reference, Unreadable, is_url, read_base64, read_bytes, read_url
from flux2batch.emulator.studio import (
    NEVER,
    Asked,
    Studio,
    is_loopback,
    post,
    references_kept,
    retry_after,
    spoil,
    spoiled_poll,
)

_LARGE_BODY = 64 * 1024
_UNFETCHABLE = 8 * 1024 * 1024  # longer values of an input are not kept for the listing
_REQUEST = re.compile(
    r"/(?P<app>[^/]+/[^/]+)(?:/.*)?/requests/(?P<id>[^/]+)(?P<what>/status/stream|/status|/cancel|/response)?"
)
_FILE = re.compile(r"/files/b/([0-9a-f]{8})/([A-Za-z0-9_-]{21})\.(?:png|jpeg|webp)")
_UPLOAD = re.compile(r"/files/b/([0-9a-f]{64})_[^/]*")
_EXPANSION = (
    " Rendered with gentle light and close attention to texture.",
    " Composed calmly, with depth and clear light.",
)
_FLAGGED = "The content could not be processed because it contained material flagged by a content checker."
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
        self._studio = studio
        self._books = studio.books
        self._key = key
        self._user_id = str(uuid.UUID(bytes=hashlib.sha256(studio.salt).digest()[:16]))
        self._signing_seed = hashlib.sha256(b"webhook" + studio.salt).digest()
        self._tokens: dict[str, float] = {}  # short-lived upload tokens and their end
        self._last_id: str | None = None

    def respond(self, request: Request) -> Response | Awaitable[Response] | None:
        """The answer, or None where this service knows nothing of the path."""
        request = _through_proxy(request)
        path = request.path.rstrip("/") or "/"
        if path == "/.well-known/jwks.json":
            return answer_json(200, self._keys())
        if path.startswith("/files/b/"):
            return self._file(request)
        if path == "/files/upload":
            return self._upload(request)
        if path.startswith("/storage/"):
            return self._unknown_key(request, path) or self._storage(request, path)
        if path.startswith(("/v1/models/", "/models/", "/v1/account/", "/account/")):
            return self._unknown_key(request, path) or self._platform(request, path.removeprefix("/v1"))
        found = _REQUEST.fullmatch(path)
        if found is not None:
            return self._unknown_key(request, found["app"]) or self._about(request, found)
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
        return self._unknown_key(request, endpoint_id) or self._submit(request, endpoint_id)

    def _unknown_key(self, request: Request, what: str) -> Response | None:
        told = request.headers.get("authorization", "")
        if hmac.compare_digest(told.encode(), f"Key {self._key}".encode()):
            return None
        if not told:
            detail = f'Cannot access application "{what}". Authentication is required to access this application.'
        elif not re.fullmatch(r"Key [^:\s]+:[^:\s]+", told):
            detail = "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'."
        else:
            detail = "No user found for Key ID and Secret"
        return answer_json(401, {"detail": detail})

    # Submitting.

    def _submit(self, request: Request, endpoint_id: str) -> Response | Awaitable[Response]:
        if len(request.body) > _LARGE_BODY:
            return self._submit_large(request, endpoint_id)
        return self._finish_sync(request, self._take(request, endpoint_id, *self._read(request, endpoint_id)))

    async def _submit_large(self, request: Request, endpoint_id: str) -> Response:
        read: tuple[Any, Any, Any] = await self._studio.in_pool(self._read, request, endpoint_id)
        made = self._finish_sync(request, self._take(request, endpoint_id, *read))
        return made if isinstance(made, Response) else await made

    def _read(self, request: Request, endpoint_id: str) -> tuple[object, dict[str, Any], _Input]:
        """The slow part: the input, its fields, and its references or what is wrong with it."""
        endpoint = ENDPOINTS[endpoint_id]
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            return None, {}, answer_json(400, {"detail": "Invalid JSON body", "error_type": "bad_request"})
        values, complaints = fal_rules.check(endpoint, body)
        if complaints:
            return body, values, {"status": 422, "body": {"detail": complaints}}

        references = []
        for number, url in enumerate(values.get("image_urls") or ()):
            if endpoint.most_references is not None and number >= endpoint.most_references:
                break  # dropped without a word
            reference = self._reference(url)
            if isinstance(reference, Unreadable):
                return body, values, _bad_reference(number, reference)
            references.append(reference)
        if endpoint.edits and not references:
            message = "ensure this value has at least 1 items"
            told = {"loc": ["body", "image_urls"], "msg": message, "type": "value_error.list.min_items"}
            return body, values, {"status": 422, "body": {"detail": [told]}}
        return body, values, tuple(references)

    def _reference(self, url: str) -> Reference | Unreadable:
        if url.startswith("data:"):
            head, _, content = url.partition(",")
            if not head.endswith(";base64"):
                return Unreadable(reason="Failed to load the image", kind="load")
            return read_base64(content, self._books)
        if not is_url(url):
            return Unreadable(reason="Failed to download the file", kind="download")
        uploaded = _UPLOAD.fullmatch(urlsplit(url).path)
        if uploaded is not None and url.startswith(self._studio.urls["fal-media"]):
            kept = self._books.blob(uploaded[1], "file")
            if kept is None:
                return Unreadable(reason="Failed to download the file", kind="download")
            return read_bytes(kept[1], self._books)
        return read_url(url)

    def _take(
        self, request: Request, endpoint_id: str, body: object, values: dict[str, Any], read: _Input
    ) -> Response | tuple[Response, Task]:
        prompt = body.get("prompt") if isinstance(body, dict) else None
        try:
            asked = self._studio.ask(
                request,
                service="fal",
                model=endpoint_id,
                prompt=prompt if isinstance(prompt, str) else "",
                body=body,
                key_seen="fal",
                apart=(),
            )
        except ValueError as error:
            return answer_json(422, {"detail": f"[emulate …] in the prompt: {error}"})

        fault = first_of(asked.faults, Stage.REFUSE)
        if fault is not None:
            return self._studio.refusal(asked) or self._refuse(asked, fault)
        if isinstance(read, Response):
            self._studio.refused(asked, str(read.status))
            return read
        if self._books.balance("fal") <= 0:
            self._studio.refused(asked, "403")
            return answer_json(403, {"detail": _EXHAUSTED})
        longest = request.query.get("fal_max_queue_length", "")
        if longest.isdigit() and len(self._books.queued("fal", at=asked.at)) >= int(longest):
            self._studio.refused(asked, "429")
            return answer_json(429, {"detail": "Queue is full", "error_type": "queue_full"})
        if request.origin == "fal-run" and self._running(asked.at) >= self._studio.rules.concurrency:
            self._studio.refused(asked, "429")
            told = {"detail": "Concurrent requests limit reached", "error_type": "concurrent_requests_limit"}
            return answer_json(
                429, told, (("X-Fal-Error-Type", "concurrent_requests_limit"), ("X-Fal-Needs-Retry", "1"))
            )
        return self._accept(request, asked, body, values, read)

    def _refuse(self, asked: Asked, fault: Fault) -> Response:
        self._studio.refused(asked, f"fault {fault}")
        if fault.status == 422:
            told = {"loc": ["body", "prompt"], "msg": "refused on demand", "type": "value_error"}
            return answer_json(422, {"detail": [told]})
        details = {
            401: ("No user found for Key ID and Secret", None),
            402: (_EXHAUSTED, None),
            403: (_EXHAUSTED, None),
            429: ("Concurrent requests limit reached", "concurrent_requests_limit"),
            500: ("Internal server error", "internal_error"),
            502: ("Runner response was incomplete", "runner_incomplete_response"),
            503: ("Failed to schedule a runner", "runner_scheduling_failure"),
            504: ("Request timed out", "request_timeout"),
        }
        detail, kind = details.get(fault.status, ("Refused on demand", "bad_request"))
        told_kind = (("X-Fal-Error-Type", kind),) if kind else ()
        body = {"detail": detail} if kind is None else {"detail": detail, "error_type": kind}
        return answer_json(fault.status, body, (*told_kind, *retry_after(fault.argument)))

    def _running(self, at: float) -> int:
        return self._books.active("fal", at=at) - len(self._books.queued("fal", at=at))

    def _accept(
        self,
        request: Request,
        asked: Asked,
        body: object,
        values: dict[str, Any],
        read: Mapping[str, Any] | tuple[Reference, ...],
    ) -> tuple[Response, Task]:
        endpoint = ENDPOINTS[asked.model]
        references = read if isinstance(read, tuple) else ()
        refusal = self._runtime_refusal(asked, values, read)
        units = 0.0
        wish: dict[str, Any] = {"format": "png", "frames": 0, "sync_mode": False}
        if refusal is None:
            wish = _wish(asked, endpoint, values, references)
            units = fal_rules.billable_units(
                endpoint,
                output=wish["width"] * wish["height"] / MEGAPIXEL,
                frames=wish["frames"],
                references=[one.width * one.height / MEGAPIXEL for one in references],
            )
        wish |= {"units": units, "input": self._kept_input(body), "origin": request.origin}
        duration_s = 0.0 if isinstance(read, Mapping) else self._studio.duration_s(asked)
        task = self._studio.accept(
            asked,
            task_id=_uuid7(asked.at),
            wish=wish,
            started_at=self._next_start(asked.at),
            duration_s=duration_s,
            charge_nano=round(Decimal(repr(units)) * Decimal(repr(endpoint.unit_price)) * NANO),
            terms="free" if refusal else "ready",
            refusal=refusal,
        )
        now = time.time()
        told: dict[str, Any] = {"status": "IN_QUEUE", "request_id": task.id, **self._urls(task)}
        told["queue_position"] = self._books.queue_position(task, at=now) if task.started_at > now else 0
        order = ("status", "request_id", "response_url", "status_url", "cancel_url", "queue_position")
        told = {name: told[name] for name in order}
        made = answer_json(200, told, (("x-fal-request-id", task.id),))
        made = spoil(made, told, asked.faults, last_id=self._last_id, id_name="request_id")
        self._last_id = task.id

        hook = request.query.get("fal_webhook")
        if hook and is_loopback(hook) and not named(asked.faults, "webhook-none"):
            early = named(asked.faults, "webhook-early") is not None
            self._studio.errand(self._call_back(task, asked.faults, hook=hook, early=early))
            if early and isinstance(made.wire, http.Whole):
                made = replace(made, wire=http.Late(0.5))
        return made, task

    def _runtime_refusal(
        self, asked: Asked, values: dict[str, Any], read: Mapping[str, Any] | tuple[Reference, ...]
    ) -> dict[str, Any] | None:
        """What the runner will find wrong: it says so only as the result."""
        if isinstance(read, Mapping):
            return dict(read)
        if named(asked.faults, "request-moderated") or named(asked.faults, "content-moderated"):
            kind = "content_policy_violation"
            told = {
                "loc": ["body", "prompt"],
                "msg": _FLAGGED,
                "type": kind,
                "url": f"https://docs.fal.ai/errors/#{kind}",
                "input": values["prompt"],
            }
            return {"status": 422, "body": {"detail": [told]}}
        error = named(asked.faults, "error")
        if error is not None:
            status = int(error.argument) if error.argument.isdigit() else 500
            gateway = {500: "runner_server_error", 503: "runner_connection_error", 504: "startup_timeout"}.get(status)
            message = "Generation failed" if error.argument.isdigit() else error.argument
            return {"status": status, "body": {"detail": message, "error_type": gateway or "internal_error"}}
        if named(asked.faults, "failed"):
            return {"status": 500, "body": {"detail": "Internal Server Error"}}
        return None

    def _next_start(self, at: float) -> float:
        """When a runner is free: as many run at once as the account may."""
        busy = self._books.last_ready("fal", at=at, limit=self._studio.rules.concurrency)
        return at if len(busy) < self._studio.rules.concurrency else max(at, busy[-1])

    def _kept_input(self, body: object) -> object:
        """The input for the listing, with long texts (pictures as data URIs) laid aside once."""
        if isinstance(body, dict):
            return {name: self._kept_input(value) for name, value in body.items()}
        if isinstance(body, list):
            return [self._kept_input(value) for value in body]
        if isinstance(body, str) and len(body) > 4096:
            encoded = body.encode("utf-8", "surrogatepass")
            sha256 = hashlib.sha256(encoded).hexdigest()
            if len(encoded) <= _UNFETCHABLE:
                self._books.keep(sha256, "text", "", encoded)
            return {"$kept": sha256}
        return body

    def _full_input(self, kept: object) -> object:
        if isinstance(kept, dict):
            if set(kept) == {"$kept"}:
                blob = self._books.blob(kept["$kept"], "text")
                return "(too long to be kept)" if blob is None else blob[1].decode("utf-8", "surrogatepass")
            return {name: self._full_input(value) for name, value in kept.items()}
        return [self._full_input(value) for value in kept] if isinstance(kept, list) else kept

    def _finish_sync(self, request: Request, made: Response | tuple[Response, Task]) -> Response | Awaitable[Response]:
        if isinstance(made, Response):
            return made
        queued, task = made
        if request.origin != "fal-run":
            return queued
        if not isinstance(queued.wire, http.Whole | http.Late) or queued.status != 200:
            return queued
        return self._run(task)

    async def _run(self, task: Task) -> Response:
        """fal.run: the answer is the picture."""
        if task.ready_at >= NEVER:
            return replace(answer(200), wire=http.Never())
        await asyncio.sleep(max(0.0, task.ready_at - time.time()))
        return await self._result(task)

    # Asking about a request.

    def _urls(self, task: Task) -> dict[str, str]:
        app = "/".join(task.model.split("/")[:2])
        base = f"{self._studio.urls['fal']}/{app}/requests/{task.id}"
        return {"response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}

    def _about(self, request: Request, found: re.Match[str]) -> Response | Awaitable[Response]:
        task = self._books.task(found["id"])
        if task is None or not task.model.startswith(found["app"]):
            return answer_json(404, {"status": "NOT_FOUND"})
        if found["what"] == "/cancel":
            return self._cancel(task) if request.method in ("PUT", "POST") else _wrong_method("PUT")
        if request.method != "GET":
            return _wrong_method("GET")

        self._books.polled(task.id)
        faults = parse_kept(task.faults)
        vanish = named(faults, "vanish")
        if vanish and task.polls >= int(vanish.argument):
            return answer_json(404, {"status": "NOT_FOUND"})
        fault = first_of(faults, Stage.POLL, ordinal=task.polls + 1)
        if fault is not None:
            if fault.name == "poll-404":
                return answer_json(404, {"status": "NOT_FOUND"})
            return spoiled_poll(fault, self._status(request, task, faults))
        if found["what"] == "/status":
            return self._status(request, task, faults)
        if found["what"] == "/status/stream":
            return http.answer_events(self._events(request, task, faults))
        if time.time() < task.ready_at and task.cancelled_at is None:
            return answer_json(400, {"detail": "Request is still in progress"}, (("x-fal-request-id", task.id),))
        return self._result(task)

    def _status(self, request: Request, task: Task, faults: tuple[Fault, ...]) -> Response:
        told = self._state(task, faults, with_logs=request.query.get("logs", "").lower() in ("1", "true"))
        return answer_json(200 if told["status"] == "COMPLETED" else 202, told, (("x-fal-request-id", task.id),))

    def _state(self, task: Task, faults: tuple[Fault, ...], *, with_logs: bool) -> dict[str, Any]:
        now = time.time()
        urls = {"request_id": task.id, **self._urls(task)}
        done = task.cancelled_at is not None or now >= task.ready_at
        odd = named(faults, "status")
        if odd is not None and not done:
            return {"status": odd.argument, "logs": None, **urls}
        if not done and now < task.started_at:
            return {"status": "IN_QUEUE", "queue_position": self._books.queue_position(task, at=now), **urls}
        logs = [_log_line(task, "Painting…")] if with_logs else None
        if not done:
            return {"status": "IN_PROGRESS", "logs": logs, **urls}
        if task.cancelled_at is not None:
            told = {"error": "Request was cancelled", "error_type": "client_cancelled"}
            return {"status": "COMPLETED", "logs": logs, "metrics": {}, **told, **urls}
        if task.refusal is not None:
            error = {"error": _summary(task.refusal), "error_type": _kind(task.refusal)}
            return {"status": "COMPLETED", "logs": logs, "metrics": {}, **error, **urls}
        spent = round(task.ready_at - task.started_at, 6)
        return {"status": "COMPLETED", "logs": logs, "metrics": {"inference_time": spent}, **urls}

    async def _events(self, request: Request, task: Task, faults: tuple[Fault, ...]) -> AsyncIterator[bytes]:
        with_logs = request.query.get("logs", "").lower() in ("1", "true")
        last: dict[str, Any] | None = None
        while True:
            current = self._books.task(task.id) or task
            told = self._state(current, faults, with_logs=with_logs)
            if told != last:
                yield b"data: " + http.to_json(told) + b"\n\n"
            last = told
            if told["status"] == "COMPLETED":
                return
            await asyncio.sleep(0.1)  # the stream tells of changes, and nobody else does

    async def _result(self, task: Task) -> Response:
        faults = parse_kept(task.faults)
        units = named(faults, "units")
        told_units = _units(task.wish["units"]) if units is None else units.argument
        headers = [("x-fal-request-id", task.id), ("x-fal-served-from", str(uuid.UUID(task.token)))]
        if told_units != "none":
            headers.insert(1, ("x-fal-billable-units", told_units))
        if task.cancelled_at is not None:
            told = {"detail": "Request was cancelled", "error_type": "client_cancelled"}
            return answer_json(499, told, (*headers, ("X-Fal-Error-Type", "client_cancelled")))
        if task.refusal is not None:
            kind = task.refusal["body"].get("error_type")
            return answer_json(
                task.refusal["status"],
                task.refusal["body"],
                (*headers, *((("X-Fal-Error-Type", kind),) if kind else ())),
            )
        return answer_json(200, await self._output(task, faults), tuple(headers))

    async def _output(self, task: Task, faults: tuple[Fault, ...]) -> dict[str, Any]:
        wish = task.wish
        elsewhere = named(faults, "sample")
        images = []
        for frame in range(wish["frames"]):
            if wish["sync_mode"]:
                content = await self._studio.picture(task, frame)
                url = f"data:image/{wish['format']};base64,{base64.b64encode(content).decode()}"
            else:
                url = self._media(task, frame) if elsewhere is None else elsewhere.argument
            images.append(
                {
                    "url": url,
                    "width": wish["width"],
                    "height": wish["height"],
                    "content_type": f"image/{wish['format']}",
                }
            )
        if named(faults, "no-sample"):
            images = []
        if not ENDPOINTS[task.model].frames:
            return {"images": images, "seed": wish["seed"]}
        flagged = named(faults, "black") is not None
        return {
            "images": images,
            "timings": {"inference": round(task.ready_at - task.started_at, 6)},
            "seed": wish["seed"],
            "has_nsfw_concepts": [flagged] * len(images),
            "prompt": wish["final_prompt"],
        }

    def _cancel(self, task: Task) -> Response:
        now = time.time()
        if task.cancelled_at is not None or now >= task.ready_at:
            return answer_json(400, {"status": "ALREADY_COMPLETED"})
        if now < task.started_at:
            self._books.cancel(task, at=now)
            self._move_up(now)
        return answer_json(202, {"status": "CANCELLATION_REQUESTED"})

    def _move_up(self, now: float) -> None:
        """Those behind a cancelled request begin earlier."""
        waiting = self._books.queued("fal", at=now)
        ends = sorted(
            self._books.last_ready("fal", at=now, limit=len(waiting) + self._studio.rules.concurrency), reverse=True
        )
        running = sorted(ends)[: max(0, len(ends) - len(waiting))]
        free = (running + [now] * self._studio.rules.concurrency)[: self._studio.rules.concurrency]
        times = []
        for task in waiting:
            start = max(now, min(free))
            free[free.index(min(free))] = ready = start + (task.ready_at - task.started_at)
            times.append((task.id, start, ready))
        self._books.reschedule(times)

    # Files.

    def _media(self, task: Task, frame: int) -> str:
        name = _nanoid(f"{task.token} {frame}")
        return f"{self._studio.urls['fal-media']}/files/b/{task.token[:8]}/{name}.{task.wish['format']}"

    def _file(self, request: Request) -> Response | Awaitable[Response]:
        uploaded = _UPLOAD.fullmatch(request.path)
        if uploaded is not None:
            return self._uploaded(request, uploaded[1])
        pending = re.fullmatch(r"/files/b/(new-[0-9a-f]{32})_([^/]*)", request.path)
        if pending is not None:
            return self._pending(request, pending[1])
        found = _FILE.fullmatch(request.path)
        if found is None or request.method not in ("GET", "HEAD"):
            return answer_json(404, {"detail": "Not found"})
        for task in self._books.task_by_token(found[1]):
            for frame in range(task.wish["frames"]):
                if _nanoid(f"{task.token} {frame}") == found[2] and time.time() >= task.ready_at:
                    media = f"image/{task.wish['format']}"
                    headers = (("Content-Type", media), ("Access-Control-Allow-Origin", "*"))
                    return self._studio.deliver(task, frame, headers)
        return answer_json(404, {"detail": "Not found"})

    def _uploaded(self, request: Request, sha256: str) -> Response:
        kept = self._books.blob(sha256, "file")
        if request.method not in ("GET", "HEAD") or kept is None:
            return answer_json(404, {"detail": "Not found"})
        return answer(200, kept[1], kept[0], (("Access-Control-Allow-Origin", "*"),))

    def _storage(self, request: Request, path: str) -> Response:
        if request.method != "POST":
            return _wrong_method("POST")
        media = self._studio.urls["fal-media"]
        if path == "/storage/auth/token":
            token, ends = uuid.uuid4().hex, time.time() + 3600
            self._tokens = {known: end for known, end in self._tokens.items() if end > time.time()} | {token: ends}
            told = {"token": token, "token_type": "Bearer", "base_url": media, "expires_at": _iso(ends)}
            return answer_json(200, told)
        if path == "/storage/upload/initiate":
            try:
                name = re.sub(r"[^\w.-]", "_", str(json.loads(request.body).get("file_name", "file")))[-80:]
            except (ValueError, AttributeError):
                return answer_json(422, {"detail": [{"loc": ["body"], "msg": "field required", "type": "value_error"}]})
            place = f"{media}/files/b/new-{uuid.uuid4().hex}_{name}"
            signature = hmac.new(self._studio.salt, urlsplit(place).path.encode(), "sha256").hexdigest()
            return answer_json(200, {"upload_url": f"{place}?signature={signature}", "file_url": place})
        return answer_json(404, {"detail": "Not Found"})

    def _pending(self, request: Request, name: str) -> Response:
        """PUT what was announced, or GET what was put there."""
        if request.method in ("GET", "HEAD"):
            sha256 = self._books.fact(f"upload {name}", "")
            return self._uploaded(request, sha256) if sha256 else answer_json(404, {"detail": "Not found"})
        signature = hmac.new(self._studio.salt, request.path.encode(), "sha256").hexdigest()
        if request.method != "PUT" or not hmac.compare_digest(signature, request.query.get("signature", "")):
            return answer_json(403, {"detail": "Invalid signature"})
        self._books.remember(f"upload {name}", self._keep_file(request))
        return answer(200)

    def _upload(self, request: Request) -> Response:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if request.method != "POST":
            return _wrong_method("POST")
        if kind != "Bearer" or self._tokens.get(token, 0) < time.time():
            return answer_json(401, {"detail": "Invalid token"})
        name = re.sub(r"[^\w.-]", "_", request.headers.get("x-fal-file-name", "file"))[-80:]
        sha256 = self._keep_file(request)
        return answer_json(200, {"access_url": f"{self._studio.urls['fal-media']}/files/b/{sha256}_{name}"})

    def _keep_file(self, request: Request) -> str:
        sha256 = hashlib.sha256(request.body).hexdigest()
        media = request.headers.get("content-type", "application/octet-stream")
        self._books.keep(sha256, "file", media, request.body)
        return sha256

    # The platform: prices, bills, listings.

    def _platform(self, request: Request, path: str) -> Response:
        if path == "/models/pricing" and request.method == "GET":
            return self._prices(request)
        if path == "/models/pricing/estimate" and request.method == "POST":
            return self._estimate(request)
        if path == "/models/billing-events" and request.method == "GET":
            return self._bills(request)
        if path == "/models/requests/by-endpoint" and request.method == "GET":
            return self._listing(request)
        if path == "/account/billing" and request.method == "GET":
            return self._account(request)
        return answer_json(404, {"error": {"type": "not_found", "message": f"{request.method} {path} not found"}})

    def _prices(self, request: Request) -> Response:
        wanted = [name for name in request.query.get("endpoint_id", "").split(",") if name] or list(ENDPOINTS)
        prices = [
            {
                "endpoint_id": name,
                "unit_price": ENDPOINTS[name].unit_price,
                "unit": ENDPOINTS[name].unit,
                "currency": "USD",
            }
            for name in wanted
            if name in ENDPOINTS
        ]
        return answer_json(200, {"prices": prices, "next_cursor": None, "has_more": False})

    def _estimate(self, request: Request) -> Response:
        try:
            body = json.loads(request.body)
            total = sum(
                ENDPOINTS[name].unit_price * float(one["unit_quantity"]) for name, one in body["endpoints"].items()
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return answer_json(400, {"error": {"type": "validation_error", "message": "Invalid request"}})
        return answer_json(200, {"estimate_type": "unit_price", "total_cost": total, "currency": "USD"})

    def _bills(self, request: Request) -> Response:
        wanted = set(filter(None, request.query.get("request_id", "").split(",")))
        now = time.time()
        events = [
            {
                "request_id": task.id,
                "endpoint_id": task.model,
                "timestamp": _iso(task.ready_at),
                "output_units": task.wish["units"],
                "unit_price": ENDPOINTS[task.model].unit_price,
                "percent_discount": 0,
                "cost_subtotal": float(task.charged),
                "cost_discount": 0,
                "cost_total": float(task.charged),
                "cost_estimate_nano_usd": task.charge_nano,
            }
            for task in self._books.tasks("fal")
            if task.ready_at <= now and task.terms != "free" and task.cancelled_at is None
            if not wanted or task.id in wanted
        ]
        return answer_json(200, {"billing_events": events[: _limit(request)], "next_cursor": None, "has_more": False})

    def _account(self, request: Request) -> Response:
        """The account, and with `expand=credits` what is left on it."""
        told: dict[str, Any] = {"username": "emulated"}
        if "credits" in request.query.get("expand", ""):
            told["credits"] = {"current_balance": float(self._books.balance("fal")), "currency": "USD"}
        return answer_json(200, told)

    def _listing(self, request: Request) -> Response:
        """Ended requests, the newest first."""
        endpoint_id, now = request.query.get("endpoint_id", ""), time.time()
        start, end = _moment(request.query.get("start"), 0.0), _moment(request.query.get("end"), NEVER)
        ended = [
            task
            for task in self._books.tasks("fal")
            if task.model == endpoint_id and task.ready_at <= now and start <= task.accepted_at <= end
        ]
        ended.sort(key=lambda task: task.ready_at, reverse=True)
        cursor = request.query.get("cursor", "")
        first = int(cursor) if cursor.isdigit() else 0
        last = first + _limit(request)
        more = last < len(ended)
        payloads = "payloads" in request.query.get("expand", "")
        items = [self._listed(task, payloads=payloads) for task in ended[first:last]]
        return answer_json(200, {"items": items, "next_cursor": str(last) if more else None, "has_more": more})

    def _listed(self, task: Task, *, payloads: bool) -> dict[str, Any]:
        told = {
            "request_id": task.id,
            "endpoint_id": task.model,
            "sent_at": _iso(task.accepted_at),
            "started_at": _iso(task.started_at),
            "ended_at": _iso(task.ready_at),
            "status_code": 200 if task.refusal is None else task.refusal["status"],
            "duration": round(task.ready_at - task.started_at, 6),
        }
        if payloads:
            told["json_input"] = self._full_input(task.wish["input"])
        return told

    # Callbacks.

    def _keys(self) -> dict[str, Any]:
        public = base64.urlsafe_b64encode(ed25519.public_key(self._signing_seed)).decode().rstrip("=")
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": public}]}

    async def _call_back(self, task: Task, faults: tuple[Fault, ...], *, hook: str, early: bool) -> None:
        if not early:
            await asyncio.sleep(max(0.0, task.ready_at - time.time()))
        current = self._books.task(task.id)
        if current is not None and current.cancelled_at is not None:
            return
        told: dict[str, Any] = {"request_id": task.id, "gateway_request_id": task.id}
        if task.refusal is None:
            told |= {"status": "OK", "payload": await self._output(task, parse_kept(task.faults))}
        else:
            error = f"Invalid status code: {task.refusal['status']}"
            told |= {"status": "ERROR", "error": error, "payload": task.refusal["body"]}
        body = http.to_json(told)
        for _ in range(2 if named(faults, "webhook-twice") else 1):
            for pause_s in (1.0, 5.0, 30.0):
                status = await post(hook, body, await self._studio.in_pool(self._signatures, task.id, body))
                if status is not None and status < 300:
                    break
                await asyncio.sleep(pause_s / self._studio.latency.speed)

    def _signatures(self, request_id: str, body: bytes) -> dict[str, str]:
        stamp = str(int(time.time()))
        message = "\n".join((request_id, self._user_id, stamp, hashlib.sha256(body).hexdigest()))
        return {
            "X-Fal-Webhook-Request-Id": request_id,
            "X-Fal-Webhook-User-Id": self._user_id,
            "X-Fal-Webhook-Timestamp": stamp,
            "X-Fal-Webhook-Signature": ed25519.sign(self._signing_seed, message.encode()).hex(),
        }


_Input = Response | Mapping[str, Any] | tuple[Reference, ...]
_EXHAUSTED = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."


def _through_proxy(request: Request) -> Request:
    """A request whose real target stands in `x-fal-target-url`, as fal's clients send it to a proxy of one's own."""
    target = request.headers.get("x-fal-target-url")
    if target is None:
        return request
    parts = urlsplit(target)
    door = _HOSTS.get(parts.hostname or "", request.origin)
    query = dict(item.partition("=")[::2] for item in parts.query.split("&") if item)
    return replace(request, origin=door, path=parts.path, query={**request.query, **query})


def _wrong_method(allowed: str) -> Response:
    return answer_json(405, {"detail": "Method Not Allowed"}, (("Allow", allowed),))


def _bad_reference(number: int, reference: Unreadable) -> dict[str, Any]:
    kinds = {
        "load": ("image_load_error", "Failed to load the image. Please ensure the image file is valid."),
        "download": ("file_download_error", "Failed to download the file. Please check if the URL is accessible."),
        "large": ("image_too_large", "The image dimensions or size exceed what is allowed."),
        "small": ("image_too_small", "The image dimensions are smaller than the minimum."),
    }
    kind, message = kinds[reference.kind]
    told = {
        "loc": ["body", "image_urls", number],
        "msg": message,
        "type": kind,
        "url": f"https://docs.fal.ai/errors/#{kind}",
    }
    return {"status": 422, "body": {"detail": [told]}}


def _wish(
    asked: Asked, endpoint: Endpoint, values: dict[str, Any], references: tuple[Reference, ...]
) -> dict[str, Any]:
    width, height = _size(values["image_size"], references)
    seed = values["seed"] if values["seed"] is not None else uuid.uuid4().int % 2**32
    expanded = bool(values.get("enable_prompt_expansion"))
    return {
        "prompt": asked.prompt,
        "final_prompt": asked.prompt + (Random(seed).choice(_EXPANSION) if expanded else ""),
        "seed": seed,
        "width": width,
        "height": height,
        "guidance": values.get("guidance_scale"),
        "steps": values.get("num_inference_steps"),
        "most_steps": endpoint.steps[2] if endpoint.steps is not None else 1,
        "format": values["output_format"],
        "frames": values.get("num_images", 1),
        "references": references_kept(references),
        "notes": ["expanded"] if expanded else [],
        "sync_mode": values["sync_mode"],
    }


def _size(asked: object, references: tuple[Reference, ...]) -> tuple[int, int]:
    if isinstance(asked, tuple):
        wide, high = asked
    elif isinstance(asked, str) and asked in PRESETS:
        wide, high = PRESETS[asked]
    elif references:
        shrink = max(1.0, (references[0].width * references[0].height / (4 * MEGAPIXEL)) ** 0.5)
        wide, high = int(references[0].width / shrink), int(references[0].height / shrink)
    else:
        wide, high = PRESETS["square_hd"]
    return max(16, wide // 16 * 16), max(16, high // 16 * 16)


def _summary(refusal: Mapping[str, Any]) -> str:
    detail = refusal["body"].get("detail")
    return detail if isinstance(detail, str) else f"Invalid status code: {refusal['status']}"


def _kind(refusal: Mapping[str, Any]) -> str:
    detail = refusal["body"].get("detail")
    if isinstance(detail, list) and detail:
        return str(detail[0].get("type"))
    return str(refusal["body"].get("error_type", "internal_server_error"))


def _log_line(task: Task, message: str) -> dict[str, str]:
    return {"message": message, "level": "INFO", "source": "USER", "timestamp": _iso(task.started_at)}


def _units(units: float) -> str:
    return "0" if units == 0 else repr(units)


def _limit(request: Request) -> int:
    told = request.query.get("limit", "")
    return min(max(int(told), 1), 100) if told.isdigit() else 50


def _iso(moment: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1e6):06d}Z"


def _moment(text: str | None, otherwise: float) -> float:
    from datetime import UTC, datetime

    if not text:
        return otherwise
    try:
        read = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    except ValueError:
        return otherwise
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _nanoid(name: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).decode()[:21]


def _uuid7(at: float) -> str:
    """A UUID of version 7, as fal's request ids are: sorted by time."""
    number = uuid.uuid4().int
    number = (int(at * 1000) & (2**48 - 1)) << 80 | number & (2**80 - 1)
    number = number & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=number & ~(0x3 << 62) | 0x2 << 62))
