"""What fal says of a request that it took: its status, its result, its cancellation."""

from __future__ import annotations

import asyncio
import base64
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from typing import Any

from flux2batch.emulator import http
from flux2batch.emulator.books import Task
from flux2batch.emulator.fal.names import iso
from flux2batch.emulator.fal.refusals import kind, summary, wrong_method
from flux2batch.emulator.fal.rules import ENDPOINTS
from flux2batch.emulator.fal.storage import Storage
from flux2batch.emulator.faults import Fault, Stage, first_of, named, parse_kept
from flux2batch.emulator.http import Request, Response, answer, answer_json
from flux2batch.emulator.studio import NEVER, Studio, spoiled_poll


class Requests:
    """The requests of the queue, from being taken to their result."""

    def __init__(self, studio: Studio, *, storage: Storage) -> None:
        self._studio = studio
        self._books = studio.books
        self._storage = storage

    def urls(self, task: Task) -> dict[str, str]:
        """Where to ask about it, and where to cancel it."""
        app = "/".join(task.model.split("/")[:2])
        base = f"{self._studio.urls['fal']}/{app}/requests/{task.id}"
        return {"response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}

    def about(self, request: Request, found: re.Match[str]) -> Response | Awaitable[Response]:
        """The answer to whatever is asked about one request."""
        task = self._books.task(found["id"])
        if task is None or not task.model.startswith(found["app"]):
            return answer_json(404, {"status": "NOT_FOUND"})
        if found["what"] == "/cancel":
            return self._cancel(task) if request.method in ("PUT", "POST") else wrong_method("PUT")
        if request.method != "GET":
            return wrong_method("GET")

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
        urls = {"request_id": task.id, **self.urls(task)}
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
            error = {"error": summary(task.refusal), "error_type": kind(task.refusal)}
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

    async def run(self, task: Task) -> Response:
        """fal.run: the answer is the picture."""
        if task.ready_at >= NEVER:
            return replace(answer(200), wire=http.Never())
        await asyncio.sleep(max(0.0, task.ready_at - time.time()))
        return await self._result(task)

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
            error_type = task.refusal["body"].get("error_type")
            return answer_json(
                task.refusal["status"],
                task.refusal["body"],
                (*headers, *((("X-Fal-Error-Type", error_type),) if error_type else ())),
            )
        return answer_json(200, await self.output(task, faults), tuple(headers))

    async def output(self, task: Task, faults: tuple[Fault, ...]) -> dict[str, Any]:
        """The result of a request that went well."""
        wish = task.wish
        elsewhere = named(faults, "sample")
        images = []
        for frame in range(wish["frames"]):
            if wish["sync_mode"]:
                content = await self._studio.picture(task, frame)
                url = f"data:image/{wish['format']};base64,{base64.b64encode(content).decode()}"
            else:
                url = self._storage.media_url(task, frame) if elsewhere is None else elsewhere.argument
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


def _log_line(task: Task, message: str) -> dict[str, str]:
    return {"message": message, "level": "INFO", "source": "USER", "timestamp": iso(task.started_at)}


def _units(units: float) -> str:
    return "0" if units == 0 else repr(units)
