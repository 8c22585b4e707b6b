"""Submits to fal: the input read, booked as a request, and put in the queue or run at once."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

from flux2batch.emulator import http
from flux2batch.emulator.books import NANO, Task
from flux2batch.emulator.fal import inputs, refusals, rules
from flux2batch.emulator.fal.callbacks import Callbacks
from flux2batch.emulator.fal.names import uuid7
from flux2batch.emulator.fal.refusals import EXHAUSTED
from flux2batch.emulator.fal.requests import Requests
from flux2batch.emulator.fal.rules import ENDPOINTS, PRESETS, Endpoint
from flux2batch.emulator.fal.storage import Storage
from flux2batch.emulator.faults import Stage, first_of, named
from flux2batch.emulator.http import Request, Response, answer_json
from flux2batch.emulator.references import MEGAPIXEL, Reference, Unreadable
from flux2batch.emulator.studio import Asked, Studio, is_loopback, references_kept, spoil

_LARGE_BODY = 64 * 1024
_EXPANSION = (
    " Rendered with gentle light and close attention to texture.",
    " Composed calmly, with depth and clear light.",
)
_Input = Response | Mapping[str, Any] | tuple[Reference, ...]  # refused at once, refused when run, or to be drawn


class Submits:
    """Takes what is posted to an endpoint."""

    def __init__(self, studio: Studio, *, storage: Storage, requests: Requests, callbacks: Callbacks) -> None:
        self._studio = studio
        self._books = studio.books
        self._storage = storage
        self._requests = requests
        self._callbacks = callbacks
        self._last_id: str | None = None

    def submit(self, request: Request, endpoint_id: str) -> Response | Awaitable[Response]:
        """The answer to a submit: of the queue at once, of fal.run when the picture is there."""
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
        values, complaints = rules.check(endpoint, body)
        if complaints:
            return body, values, {"status": 422, "body": {"detail": complaints}}

        references = []
        for number, url in enumerate(values.get("image_urls") or ()):
            if endpoint.most_references is not None and number >= endpoint.most_references:
                break  # dropped without a word
            reference = self._storage.reference(url)
            if isinstance(reference, Unreadable):
                return body, values, refusals.bad_reference(number, reference)
            references.append(reference)
        if endpoint.edits and not references:
            message = "ensure this value has at least 1 items"
            told = {"loc": ["body", "image_urls"], "msg": message, "type": "value_error.list.min_items"}
            return body, values, {"status": 422, "body": {"detail": [told]}}
        return body, values, tuple(references)

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
            refused = self._studio.refusal(asked)
            if refused is None:
                self._studio.refused(asked, f"fault {fault}")
            return refused or refusals.on_demand(fault)
        if isinstance(read, Response):
            self._studio.refused(asked, str(read.status))
            return read
        if self._books.balance("fal") <= 0:
            self._studio.refused(asked, "403")
            return answer_json(403, {"detail": EXHAUSTED})
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
        refusal = dict(read) if isinstance(read, Mapping) else refusals.at_run_time(asked, values["prompt"])
        units = 0.0
        wish: dict[str, Any] = {"format": "png", "frames": 0, "sync_mode": False}
        if refusal is None:
            wish = _wish(asked, endpoint, values, references)
            units = rules.billable_units(
                endpoint,
                output=wish["width"] * wish["height"] / MEGAPIXEL,
                frames=wish["frames"],
                references=[one.width * one.height / MEGAPIXEL for one in references],
            )
        wish |= {"units": units, "input": inputs.kept(body, self._books), "origin": request.origin}
        duration_s = 0.0 if isinstance(read, Mapping) else self._studio.duration_s(asked)
        task = self._studio.accept(
            asked,
            task_id=uuid7(asked.at),
            wish=wish,
            started_at=self._next_start(asked.at),
            duration_s=duration_s,
            charge_nano=round(Decimal(repr(units)) * Decimal(repr(endpoint.unit_price)) * NANO),
            terms="free" if refusal else "ready",
            refusal=refusal,
        )
        now = time.time()
        told: dict[str, Any] = {"status": "IN_QUEUE", "request_id": task.id, **self._requests.urls(task)}
        told["queue_position"] = self._books.queue_position(task, at=now) if task.started_at > now else 0
        order = ("status", "request_id", "response_url", "status_url", "cancel_url", "queue_position")
        told = {name: told[name] for name in order}
        made = answer_json(200, told, (("x-fal-request-id", task.id),))
        made = spoil(made, told, asked.faults, last_id=self._last_id, id_name="request_id")
        self._last_id = task.id

        hook = request.query.get("fal_webhook")
        if hook and is_loopback(hook) and not named(asked.faults, "webhook-none"):
            early = named(asked.faults, "webhook-early") is not None
            self._studio.errand(self._callbacks.call(task, asked.faults, hook=hook, early=early))
            if early and isinstance(made.wire, http.Whole):
                made = replace(made, wire=http.Late(0.5))
        return made, task

    def _next_start(self, at: float) -> float:
        """When a runner is free: as many run at once as the account may."""
        busy = self._books.last_ready("fal", at=at, limit=self._studio.rules.concurrency)
        return at if len(busy) < self._studio.rules.concurrency else max(at, busy[-1])

    def _finish_sync(self, request: Request, made: Response | tuple[Response, Task]) -> Response | Awaitable[Response]:
        if isinstance(made, Response):
            return made
        queued, task = made
        if request.origin != "fal-run":
            return queued
        if not isinstance(queued.wire, http.Whole | http.Late) or queued.status != 200:
            return queued
        return self._requests.run(task)


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
