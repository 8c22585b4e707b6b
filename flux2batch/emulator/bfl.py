"""BFL's protocol: submits on one origin, polls on another, signed pictures on a third."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import Awaitable
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import quote

from flux2batch.emulator import bfl_rules, http
from flux2batch.emulator.bfl_rules import ENDPOINTS, Endpoint
from flux2batch.emulator.books import NANO, Task
from flux2batch.emulator.faults import Fault, Stage, first_of, named, parse_kept
from flux2batch.emulator.http import Request, Response, answer_json
from flux2batch.emulator.references import MEGAPIXEL, Reference, Unreadable, is_url, read_base64, read_url
from flux2batch.emulator.studio import (
    Asked,
    Studio,
    expired_link,
    is_loopback,
    post,
    references_kept,
    retry_after,
    spoil,
    spoiled_poll,
)

CENT_NANO = NANO // 100
_APART = ("webhook_url", "webhook_secret")  # say how an answer travels, not which picture is wanted
_LARGE_BODY = 64 * 1024
_NOT_FOUND = {"detail": "Not Found"}
_SUBMIT_HEADERS = (
    ("Accept-Ranges", "bytes"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("X-Cache", "CONFIG_NOCACHE"),
)
_WELL_FORMED_KEY = re.compile(r"[A-Za-z0-9_-]{8,}")
_SAMPLE_PATH = re.compile(r"/results/\d{4}/\d{2}/\d{2}/([0-9a-f]{32})_sample\.(?:jpeg|png|webp)")
_DETAILS = ", soft natural light, fine texture, a balanced composition", ", cinematic light, rich detail, calm depth"


class Bfl:
    """Answers for the doors `bfl`, `bfl-poll` and `bfl-delivery`."""

    def __init__(self, studio: Studio, *, key: str) -> None:
        self._studio = studio
        self._books = studio.books
        self._key = key
        self._last_id: str | None = None

    def respond(self, request: Request) -> Response | Awaitable[Response] | None:
        """The answer, or None where this service knows nothing of the path."""
        path = request.path.rstrip("/") or "/"
        if path == "/v1/get_result":
            return self._poll(request)
        if path.startswith("/results/"):
            return self._sample(request)
        if path == "/v1/credits":
            return self._only("GET", request) or self._unknown_key(request) or self._credits()
        if path == "/v1/pricing" and self._studio.rules.pricing:
            return self._only("POST", request) or self._unknown_key(request) or self._price(request)
        model = path.removeprefix("/v1/")
        if model in ENDPOINTS and path.startswith("/v1/"):
            return self._only("POST", request) or self._unknown_key(request) or self._submit(request, model)
        return None

    def _only(self, method: str, request: Request) -> Response | None:
        if request.method == method:
            return None
        return answer_json(405, {"detail": "Method Not Allowed"}, (("Allow", method),))

    def _unknown_key(self, request: Request) -> Response | None:
        key = request.headers.get("x-key", "")
        if hmac.compare_digest(key.encode(), self._key.encode()):
            return None
        if key and not _WELL_FORMED_KEY.fullmatch(key):
            return answer_json(422, {"detail": "Invalid API key format"})
        return answer_json(403, {"detail": "Not authenticated - Invalid Authentication"})

    # Money.

    def _credits(self) -> Response:
        return answer_json(200, {"credits": float(self._books.balance("bfl") * 100)})

    def _price(self, request: Request) -> Response:
        try:
            body = json.loads(request.body)
            endpoint = ENDPOINTS[body["model"]]
            output = body["width"] * body["height"] / MEGAPIXEL
            inputs = [one["width"] * one["height"] / MEGAPIXEL for one in body.get("input_images") or ()]
        except (ValueError, KeyError, TypeError):
            detail = {"type": "missing", "loc": ["body", "model"], "msg": "Field required", "input": {}}
            return answer_json(422, {"detail": [detail]})
        cost = bfl_rules.cost_in_credits(endpoint, output=output, references=inputs)
        return answer_json(
            200,
            {
                "cost": cost,
                "cost_usd": cost / 100,
                "input_mp": round(float(sum(inputs)), 2),
                "output_mp": round(output, 2),
            },
        )

    # Submitting.

    def _submit(self, request: Request, model: str) -> Response | Awaitable[Response]:
        if len(request.body) > _LARGE_BODY:
            return self._submit_large(request, model)
        return self._take(request, model, *self._read(request, model))

    async def _submit_large(self, request: Request, model: str) -> Response:
        read: tuple[Any, Any, Any] = await self._studio.in_pool(self._read, request, model)
        return self._take(request, model, *read)

    def _read(self, request: Request, model: str) -> tuple[object, dict[str, Any], Response | tuple[Reference, ...]]:
        """The slow part: the body, its fields, and its references or the refusal."""
        endpoint = ENDPOINTS[model]
        try:
            body = json.loads(request.body)
        except json.JSONDecodeError as error:
            return None, {}, answer_json(422, bfl_rules.invalid_json(error))
        except (UnicodeDecodeError, RecursionError):
            return None, {}, answer_json(400, {"detail": "There was an error parsing the body"})
        values, complaints = bfl_rules.check(endpoint, body)
        if complaints:
            return body, values, answer_json(422, {"detail": complaints})

        references = []
        for name in bfl_rules.reference_fields(endpoint):
            if not values[name]:
                continue
            reference = read_url(values[name]) if is_url(values[name]) else read_base64(values[name], self._books)
            if isinstance(reference, Unreadable):
                return body, values, answer_json(422, {"detail": f"{name}: {reference.reason}"})
            references.append(reference)
        return body, values, tuple(references)

    def _take(
        self, request: Request, model: str, body: object, values: dict[str, Any], read: Response | tuple[Reference, ...]
    ) -> Response:
        """The quick part, in the event loop, so that two submits cannot both have the last free place."""
        prompt = values.get("prompt")
        try:
            asked = self._studio.ask(
                request,
                service="bfl",
                model=model,
                prompt=prompt if isinstance(prompt, str) else "",
                body=body,
                key_seen="bfl",
                apart=_APART,
            )
        except ValueError as error:
            return answer_json(422, {"detail": f"[emulate …] in the prompt: {error}"})

        fault = first_of(asked.faults, Stage.REFUSE)
        if fault is not None:
            return self._studio.refusal(asked) or self._refuse(asked, fault)
        if isinstance(read, Response):
            self._studio.refused(asked, str(read.status))
            return read
        return self._accept(asked, values, read)

    def _refuse(self, asked: Asked, fault: Fault) -> Response:
        self._studio.refused(asked, f"fault {fault}")
        details = {
            402: "Insufficient credits",
            403: "Not authenticated - Invalid Authentication",
            404: "Not Found",
            422: [
                {"type": "value_error", "loc": ["body", "prompt"], "msg": "Value error, refused on demand", "input": ""}
            ],
            429: "You have reached the limit of active tasks. Please wait until one of your tasks has finished",
        }
        if fault.status >= 500:
            return http.answer(fault.status, b"<html><body>Service unavailable</body></html>", "text/html")
        return answer_json(
            fault.status, {"detail": details.get(fault.status, "Refused on demand")}, retry_after(fault.argument)
        )

    def _accept(self, asked: Asked, values: dict[str, Any], references: tuple[Reference, ...]) -> Response:
        endpoint = ENDPOINTS[asked.model]
        width, height = _size(values["width"], values["height"], references)
        if width * height > bfl_rules.MAX_PIXELS:
            self._studio.refused(asked, "422")
            told = f"width x height must not be more than 4 megapixels, got {width}x{height}"
            detail = {"type": "value_error", "loc": ["body"], "msg": f"Value error, {told}", "input": {}}
            return answer_json(422, {"detail": [detail]})

        limit = self._studio.rules.active_limit
        if limit is not None and self._books.active("bfl", at=asked.at, limit=limit) >= limit:
            self._studio.refused(asked, "429")
            told = f"You have {limit} active tasks and must wait until one of your previous tasks has finished"
            return answer_json(429, {"detail": told})

        output = width * height / MEGAPIXEL
        inputs = [min(one.width * one.height / MEGAPIXEL, 4.0) for one in references]
        cost = bfl_rules.cost_in_credits(endpoint, output=output, references=inputs)
        charge = int((Decimal(repr(cost)) * CENT_NANO).quantize(Decimal(1000)))
        if self._books.balance("bfl") * NANO < charge:
            self._studio.refused(asked, "402")
            return answer_json(402, {"detail": "Insufficient credits"})

        task = self._studio.accept(
            asked,
            task_id=str(uuid.uuid4()),
            wish=_wish(asked, endpoint, values, references, width, height),
            started_at=asked.at,
            duration_s=self._studio.duration_s(asked),
            charge_nano=charge,
            terms="refund" if _is_refused(asked.faults) else "now",
        )
        told_back: dict[str, Any] = {"id": task.id}
        hook = values["webhook_url"]
        if hook is None:
            told_back["polling_url"] = f"{self._studio.urls['bfl-poll']}/v1/get_result?id={task.id}"
        else:
            told_back |= {"status": "Pending", "webhook_url": hook}
        told_back |= {"cost": cost, "input_mp": round(float(sum(inputs)), 2), "output_mp": round(output, 2)}
        made = answer_json(200, told_back, (*_SUBMIT_HEADERS, ("X-Azure-Ref", task.token.upper())))
        made = spoil(made, told_back, asked.faults, last_id=self._last_id, id_name="id")
        self._last_id = task.id
        if hook is not None:
            return self._promise(task, asked.faults, made, hook=hook, secret=values["webhook_secret"])
        return made

    # Polling.

    def _poll(self, request: Request) -> Response:
        only = self._only("GET", request)
        if only is not None:
            return only
        task_id = request.query.get("id")
        if task_id is None:
            detail = {"type": "missing", "loc": ["query", "id"], "msg": "Field required", "input": None}
            return answer_json(422, {"detail": [detail]})

        task = self._books.task(task_id)
        if task is None or task.service != "bfl" or not self._is_home(request, task):
            return answer_json(404, _told(task_id, "Task not found"), _poll_headers())
        self._books.polled(task.id)
        faults = parse_kept(task.faults)
        fault = first_of(faults, Stage.POLL, ordinal=task.polls + 1)
        vanish = named(faults, "vanish")
        if (vanish and task.polls >= int(vanish.argument)) or (fault and fault.name == "poll-404"):
            return answer_json(404, _told(task_id, "Task not found"), _poll_headers())
        made = answer_json(200, self._state(task, faults), _poll_headers())
        return made if fault is None else spoiled_poll(fault, made)

    def _is_home(self, request: Request, task: Task) -> bool:
        """Whether this door knows the task: its polling origin, or any one for a task of an earlier life.

        A regional store answers "not found" for what it does not own, and a client that builds the URL itself is to
        meet that. After a restart on other ports the old URLs lead nowhere, and a client may come to the base; where
        a webhook was given the answer had no URL, and the base is all that a client has.
        """
        if request.origin == "bfl-poll" or not self._studio.rules.several_origins:
            return True
        return task.life != self._books.life or bool(task.wish["has_webhook"])

    def _state(self, task: Task, faults: tuple[Fault, ...]) -> dict[str, Any]:
        now = time.time()
        if now < task.ready_at:
            return _told(task.id, _working(task, faults, now))

        moderated = named(faults, "request-moderated") or named(faults, "content-moderated")
        if moderated is not None:
            status = "Request Moderated" if moderated.name.startswith("request") else "Content Moderated"
            details = None if moderated.argument == "none" else {"Moderation Reasons": [moderated.argument]}
            return _told(task.id, status, details=details)
        error = named(faults, "error")
        if error is not None:
            return _told(task.id, "Error", details=None if error.argument == "none" else {"error": error.argument})
        if named(faults, "failed"):
            return _told(task.id, "Failed")
        if named(faults, "flip"):
            self._studio.ready_seen[task.id] += 1
            if self._studio.ready_seen[task.id] == 2:
                return _told(task.id, "Pending")
        return _told(task.id, "Ready", result=self._result(task, faults))

    def _result(self, task: Task, faults: tuple[Fault, ...]) -> dict[str, Any]:
        result = {"start_time": task.started_at, "prompt": task.wish["final_prompt"], "seed": task.wish["seed"]}
        if named(faults, "no-sample"):
            return result
        elsewhere = named(faults, "sample")
        return {**result, "sample": self._signed(task) if elsewhere is None else elsewhere.argument}

    # Delivery.

    def _signed(self, task: Task) -> str:
        """A fresh address: every poll signs anew, so that asking again helps against an expired one."""
        ends = time.time() + self._studio.rules.link_s
        se = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
        day = time.strftime("%Y/%m/%d", time.gmtime(task.ready_at))
        media = task.wish["format"]
        signature = quote(self._signature(task.token, se), safe="")
        return (
            f"{self._studio.urls['bfl-delivery']}/results/{day}/{task.token}_sample.{media}"
            f"?se={quote(se, safe='')}&sp=r&sv=2024-11-04&sr=b&rsct=image/{media}&sig={signature}"
        )

    def _signature(self, token: str, se: str) -> str:
        signed = hmac.digest(self._studio.salt, f"{token}\n{se}".encode(), "sha256")
        return base64.b64encode(signed).decode()

    def _sample(self, request: Request) -> Response | Awaitable[Response]:
        found = _SAMPLE_PATH.fullmatch(request.path)
        task = None if found is None else next(self._books.task_by_token(found[1]), None)
        if task is None or found is None:
            return http.answer(404, b"<?xml version='1.0'?><Error><Code>BlobNotFound</Code></Error>", "application/xml")
        if request.method not in ("GET", "HEAD"):
            return http.answer(405, b"", "application/xml", (("Allow", "GET, HEAD"),))
        se, sig = request.query.get("se", ""), request.query.get("sig", "")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        # A space in the signature is a plus sign that some client has left unescaped.
        good = hmac.compare_digest(self._signature(task.token, se).encode(), sig.replace(" ", "+").encode())
        if not good or se <= now or time.time() < task.ready_at or _is_refused(parse_kept(task.faults)):
            return expired_link()
        return self._deliver(task)

    async def _deliver(self, task: Task) -> Response:
        content = await self._studio.picture(task, 0)
        digest = hashlib.md5(content, usedforsecurity=False)
        headers = (
            ("Content-Type", f"image/{task.wish['format']}"),
            ("Content-MD5", base64.b64encode(digest.digest()).decode()),
            ("Last-Modified", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(task.ready_at))),
            ("ETag", f'"0x{digest.hexdigest()[:15].upper()}"'),
            ("Server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"),
            ("x-ms-blob-type", "BlockBlob"),
        )
        return await self._studio.deliver(task, 0, headers)

    # Callbacks.

    def _promise(
        self, task: Task, faults: tuple[Fault, ...], made: Response, *, hook: str, secret: str | None
    ) -> Response:
        if named(faults, "webhook-none") or not is_loopback(hook):
            return made
        early = named(faults, "webhook-early") is not None
        self._studio.errand(self._call_back(task, faults, hook=hook, secret=secret, early=early))
        return replace(made, wire=http.Late(0.5)) if early and isinstance(made.wire, http.Whole) else made

    async def _call_back(
        self, task: Task, faults: tuple[Fault, ...], *, hook: str, secret: str | None, early: bool
    ) -> None:
        if not early:
            await asyncio.sleep(max(0.0, task.ready_at - time.time()))
        payload = self._state(replace(task, ready_at=0.0) if early else task, parse_kept(task.faults))
        if named(faults, "webhook-success"):
            payload = {
                "task_id": task.id,
                "status": "SUCCESS" if payload["status"] == "Ready" else payload["status"],
                "result": payload["result"],
                "error": None,
                "progress": None,
            }
        headers = {} if secret is None else {"X-Webhook-Secret": secret.replace("\r", "").replace("\n", "")}
        body = http.to_json(payload)
        for _ in range(2 if named(faults, "webhook-twice") else 1):
            for pause_s in (1.0, 5.0, 30.0):
                status = await post(hook, body, headers)
                if status is not None and status < 300:
                    break
                await asyncio.sleep(pause_s / self._studio.latency.speed)


def _told(
    task_id: str, status: str, *, result: dict[str, Any] | None = None, details: dict[str, Any] | None = None
) -> dict[str, Any]:
    """All six keys, in BFL's order."""
    return {"id": task_id, "status": status, "result": result, "progress": None, "details": details, "preview": None}


def _working(task: Task, faults: tuple[Fault, ...], now: float) -> str:
    odd = named(faults, "status")
    if odd is not None:
        return odd.argument
    if named(faults, "reasoning"):
        done = (now - task.started_at) / max(task.ready_at - task.started_at, 1e-6)
        return "Pending" if done < 1 / 3 else "Reasoning" if done < 2 / 3 else "Generating"
    return "Pending"


def _poll_headers() -> tuple[tuple[str, str], ...]:
    now = time.time()
    return (
        ("Retry-After", "1"),
        ("X-RateLimit-Limit", "1200"),
        ("X-RateLimit-Remaining", "1199"),
        ("X-RateLimit-Reset", repr(now + 60)),
    )


def _is_refused(faults: tuple[Fault, ...]) -> bool:
    """Whether a task ends without a picture, and so without a charge."""
    return any(fault.name in ("request-moderated", "content-moderated", "error", "failed") for fault in faults)


def _size(width: int | None, height: int | None, references: tuple[Reference, ...]) -> tuple[int, int]:
    """The size that is billed: the one asked for, or the first reference's, or a square."""
    wide, high = 1024, 1024
    if references:
        shrink = max(1.0, (references[0].width * references[0].height / bfl_rules.MAX_PIXELS) ** 0.5)
        wide, high = int(references[0].width / shrink), int(references[0].height / shrink)
    return width or wide, height or high


def _cut(side: int) -> int:
    """Pictures come out in multiples of 16."""
    return max(bfl_rules.MIN_SIDE, side // 16 * 16)


def _wish(
    asked: Asked,
    endpoint: Endpoint,
    values: dict[str, Any],
    references: tuple[Reference, ...],
    width: int,
    height: int,
) -> dict[str, Any]:
    seed = values["seed"] if values["seed"] is not None else uuid.uuid4().int % 2**32
    upsampled = {"disable_pup": not values.get("disable_pup"), "prompt_upsampling": values.get("prompt_upsampling")}
    notes = ["upsampled"] if upsampled.get(endpoint.upsamples) else []
    return {
        "prompt": asked.prompt,
        "final_prompt": asked.prompt + (Random(seed).choice(_DETAILS) if notes else ""),
        "seed": seed,
        "width": _cut(width),
        "height": _cut(height),
        "guidance": (values["guidance"] if values["guidance"] is not None else 5.0) if endpoint.flexible else None,
        "steps": (values["steps"] or 50) if endpoint.flexible else None,
        "most_steps": 50,
        "format": values["output_format"] or "jpeg",
        "references": references_kept(references),
        "notes": notes,
        "has_webhook": values["webhook_url"] is not None,
    }
