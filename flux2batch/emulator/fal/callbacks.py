"""fal's callbacks: the result posted to where the submit said, signed with a key that anyone may look up."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from flux2batch.emulator import ed25519, http
from flux2batch.emulator.books import Task
from flux2batch.emulator.faults import Fault, named, parse_kept
from flux2batch.emulator.studio import Studio, post

_Output = Callable[[Task, tuple[Fault, ...]], Awaitable[dict[str, Any]]]


class Callbacks:
    """Calls whoever asked to be called."""

    def __init__(self, studio: Studio, *, output: _Output) -> None:
        self._studio = studio
        self._books = studio.books
        self._output = output
        self._user_id = str(uuid.UUID(bytes=hashlib.sha256(studio.salt).digest()[:16]))
        self._signing_seed = hashlib.sha256(b"webhook" + studio.salt).digest()

    def keys(self) -> dict[str, Any]:
        """The JWKS against which a call is checked."""
        public = base64.urlsafe_b64encode(ed25519.public_key(self._signing_seed)).decode().rstrip("=")
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": public}]}

    async def call(self, task: Task, faults: tuple[Fault, ...], *, hook: str, early: bool) -> None:
        """Post the result when it is there, again and again until it is taken."""
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
