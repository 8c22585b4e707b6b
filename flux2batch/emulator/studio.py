"""What both emulated services share: the books, the faults, the clock, and the room where pictures are drawn."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import threading
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from flux2batch.emulator import http
from flux2batch.emulator.books import Books, Submit, Task
from flux2batch.emulator.faults import Fault, Script, Stage, first_of, named, parse_kept
from flux2batch.emulator.http import Request, Response, answer
from flux2batch.emulator.latency import Latency
from flux2batch.emulator.references import Reference

NEVER = 4e9  # the year 2096
CACHED_BYTES = 48 * 1024 * 1024
PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>Please log in</h1></body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How strict this emulator is and how long its links live."""

    active_limit: int | None  # BFL's tasks in flight
    concurrency: int  # fal's tasks that run at once
    link_s: float
    pricing: bool  # whether BFL's /v1/pricing exists
    several_origins: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A submit on its way to becoming a task."""

    service: str
    model: str
    prompt: str
    origin: str
    key_seen: str
    body_sha256: str
    request_sha256: str
    faults: tuple[Fault, ...]
    at: float


class Studio:
    """Shared by the services of one emulator; lives in its event loop, paints in its threads."""

    def __init__(
        self, *, books: Books, script: Script, latency: Latency, rules: Rules, salt: bytes, painters: int = 1
    ) -> None:
        self.books = books
        self.script = script
        self.latency = latency
        self.rules = rules
        self.salt = salt
        self.urls: dict[str, str] = {}  # door → scheme://host:port, known once they are open
        self.pool = ThreadPoolExecutor(painters, thread_name_prefix="painter")
        self.errands: set[asyncio.Task[None]] = set()
        self.ready_seen: Counter[str] = Counter()
        self._pictures: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._cached = 0
        self._cache_lock = threading.Lock()

    def close(self) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)

    def errand(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the answers, such as a callback; stopping the emulator stops it."""
        task = asyncio.get_running_loop().create_task(work)
        self.errands.add(task)
        task.add_done_callback(self.errands.discard)

    def in_pool(self, work: Any, *arguments: Any) -> Awaitable[Any]:
        return asyncio.get_running_loop().run_in_executor(self.pool, work, *arguments)

    # Submitting.

    def ask(
        self,
        request: Request,
        *,
        service: str,
        model: str,
        prompt: str,
        body: object,
        key_seen: str,
        apart: Sequence[str],
    ) -> Asked:
        """Name a request by its hashes and see which faults it will suffer; `apart` fields are not part of it."""
        told = {name: value for name, value in body.items() if name not in apart} if isinstance(body, dict) else body
        canonical = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
        request_sha256 = hashlib.sha256(model.encode() + b"\n" + canonical).hexdigest()
        ordinal = self.books.times_submitted(request_sha256) + 1
        return Asked(
            service=service,
            model=model,
            prompt=prompt,
            origin=request.origin,
            key_seen=key_seen,
            body_sha256=hashlib.sha256(request.body).hexdigest(),
            request_sha256=request_sha256,
            faults=self.script.at_submit(
                service=service, model=model, prompt=prompt, request_sha256=request_sha256, ordinal=ordinal
            ),
            at=time.time(),
        )

    def refused(self, asked: Asked, outcome: str) -> None:
        """Book a submit that made no task."""
        self.books.refuse(
            Submit(
                at=asked.at,
                service=asked.service,
                model=asked.model,
                origin=asked.origin,
                key_seen=asked.key_seen,
                body_sha256=asked.body_sha256,
                request_sha256=asked.request_sha256,
                outcome=outcome,
                task_id=None,
            )
        )

    def refusal(self, asked: Asked) -> Response | None:
        """The answer of a fault that keeps a task from being made; each service has its own words for a status."""
        fault = first_of(asked.faults, Stage.REFUSE)
        if fault is None or fault.name[0].isdigit():
            return None
        self.refused(asked, f"fault {fault}")
        match fault.name:
            case "drop":
                return replace(answer(200), wire=http.HangUp(False))
            case "stall":
                return replace(answer(200), wire=http.Never())
            case "html":
                return answer(200, PAGE, "text/html")
            case "empty":
                return answer(200, b"", "application/json")
            case "redirect":
                return answer(307, b"", headers=(("Location", fault.argument),))
        raise AssertionError(f"BUG: no answer for {fault.name}")

    def accept(
        self,
        asked: Asked,
        *,
        task_id: str,
        wish: Mapping[str, Any],
        started_at: float,
        duration_s: float,
        charge_nano: int,
        terms: str,
        refusal: Mapping[str, Any] | None = None,
    ) -> Task:
        """Book a task."""
        kept = tuple(str(fault) for fault in asked.faults if fault.stage in (Stage.TASK, Stage.POLL, Stage.DOWNLOAD))
        ready_at = NEVER if named(asked.faults, "never-ends") else started_at + duration_s
        task = Task(
            id=task_id,
            service=asked.service,
            model=asked.model,
            life=self.books.life,
            token=hashlib.sha256(self.salt + task_id.encode()).hexdigest()[:32],
            body_sha256=asked.body_sha256,
            request_sha256=asked.request_sha256,
            wish=wish,
            faults=kept,
            refusal=refusal,
            accepted_at=asked.at,
            started_at=started_at,
            ready_at=ready_at,
            cancelled_at=None,
            charge_nano=charge_nano,
            terms=terms,
            polls=0,
            downloads=0,
        )
        fault = first_of(asked.faults, Stage.ACCEPT)
        self.books.accept(
            task,
            origin=asked.origin,
            key_seen=asked.key_seen,
            outcome="accepted" if fault is None else f"accepted, fault {fault}",
        )
        return task

    def duration_s(self, asked: Asked) -> float:
        return self.latency.duration_s(asked.model, draw=f"{asked.request_sha256} {asked.at}")

    # Painting.

    async def picture(self, task: Task, frame: int) -> bytes:
        """The finished file of one frame, drawn at most once while it is remembered."""
        with self._cache_lock:
            known = self._pictures.get((task.id, frame))
        if known is not None:
            return known
        content: bytes = await self.in_pool(self._paint, task, frame)
        with self._cache_lock:
            if (task.id, frame) not in self._pictures:
                self._pictures[task.id, frame] = content
                self._cached += len(content)
            while self._cached > CACHED_BYTES:
                _, oldest = self._pictures.popitem(last=False)
                self._cached -= len(oldest)
        return content

    def _paint(self, task: Task, frame: int) -> bytes:
        from flux2batch.emulator.files import encode
        from flux2batch.emulator.painter import Card, Wish, black_frame, paint

        wish, faults = task.wish, parse_kept(task.faults)
        width, height, media = wish["width"], wish["height"], wish["format"]
        if named(faults, "wrong-format"):
            media = "png" if media == "jpeg" else "jpeg"
        if named(faults, "wrong-size"):
            width, height = max(16, width // 2), max(16, height // 2)
        if named(faults, "black"):
            return encode(black_frame(width, height), media, model=task.model)
        cards = []
        for reference in wish["references"]:
            kept = self.books.blob(reference["sha256"], "thumbnail")
            cards.append(
                Card(sha256=reference["sha256"], thumbnail=None if kept is None else kept[1], label=reference["label"])
            )
        return paint(
            Wish(
                model=task.model,
                prompt=wish["prompt"],
                seed=wish["seed"],
                width=width,
                height=height,
                guidance=wish["guidance"],
                steps=wish["steps"],
                most_steps=wish["most_steps"],
                caption=caption(task.model, wish, frame),
                frame=frame,
                cards=tuple(cards),
            ),
            media,
        )

    async def deliver(self, task: Task, frame: int, headers: tuple[tuple[str, str], ...]) -> Response:
        """The picture, or what a fault of downloads makes of it."""
        fault = first_of(parse_kept(task.faults), Stage.DOWNLOAD, ordinal=task.downloads + 1)
        self.books.downloaded(task.id)
        content = await self.picture(task, frame)
        made = answer(200, content, headers=headers)
        if fault is None:
            return made
        if fault.name.startswith("download-"):
            return answer(fault.status, b"<html><body>Service error</body></html>", "text/html")
        share = len(content) * float(fault.argument) if fault.name in ("truncated", "short", "half-picture") else 0.0
        match fault.name:
            case "expired":
                return expired_link()
            case "truncated":
                return replace(made, wire=http.CutBody(int(share)))
            case "short":
                return replace(made, wire=http.Unbounded(int(share)))
            case "half-picture":
                return replace(made, body=content[: int(share)])
            case "corrupt":
                middle = len(content) // 2
                return replace(made, body=content[:middle] + bytes([content[middle] ^ 0x5A]) + content[middle + 1 :])
            case "html-picture":
                return answer(200, PAGE, "text/html")
            case "endless":
                return replace(made, wire=http.Endless(bytes(65536)))
            case "slow-picture":
                return replace(made, wire=http.Drip(1024, float(fault.argument)))
            case "stall-picture":
                return replace(made, wire=http.Never())
            case "gzip-bomb":
                return replace(made, body=_bomb(), headers=(*headers, ("Content-Encoding", "gzip")))
            case "redirect-picture":
                return answer(302, b"", headers=(("Location", fault.argument),))
        raise AssertionError(f"BUG: no answer for {fault.name}")


def caption(model: str, wish: Mapping[str, Any], frame: int) -> str:
    """The parameters as they are printed into the picture."""
    parts = [model.removeprefix("fal-ai/"), f"seed {wish['seed']}"]
    if wish["guidance"] is not None:
        parts.append(f"guidance {wish['guidance']:g}")
    if wish["steps"] is not None:
        parts.append(f"{wish['steps']} steps")
    parts.append(f"{wish['width']}x{wish['height']}")
    if frame:
        parts.append(f"frame {frame + 1}")
    return " · ".join([*parts, *wish["notes"]])


def references_kept(references: Sequence[Reference]) -> list[dict[str, Any]]:
    """References as a task remembers them."""
    return [{"sha256": one.sha256, "label": one.label, "size": [one.width, one.height]} for one in references]


def spoil(
    made: Response, value: dict[str, Any], faults: Sequence[Fault], *, last_id: str | None, id_name: str
) -> Response:
    """The answer to a submit that was accepted, after its fault."""
    fault = first_of(faults, Stage.ACCEPT)
    if fault is None:
        return made
    if fault.name.endswith("-after-accept") and fault.name[0].isdigit():
        return answer(fault.status, b"<html><body>upstream error</body></html>", "text/html")

    def told(**changed: object) -> Response:
        return replace(made, body=http.to_json({**value, **changed}))

    match fault.name:
        case "drop-after-accept":
            return replace(made, wire=http.HangUp(False))
        case "reset-after-accept":
            return replace(made, wire=http.HangUp(True))
        case "stall-after-accept":
            return replace(made, wire=http.Late(float(fault.argument)) if fault.argument else http.Never())
        case "slow-answer":
            return replace(made, wire=http.Drip(1, float(fault.argument)))
        case "cut-answer":
            return replace(made, wire=http.Cut(int(fault.argument)))
        case "cut-body":
            return replace(made, wire=http.CutBody(int(fault.argument)))
        case "garbage-answer":
            return replace(made, wire=http.Raw(fault.argument.encode()))
        case "html-answer":
            return answer(200, PAGE, "text/html")
        case "chunked-answer":
            return replace(made, wire=http.Chunked(max(1, int(fault.argument))))
        case "gzip-answer":
            packed = gzip.compress(made.body, mtime=0)
            return replace(made, body=packed, headers=(*made.headers, ("Content-Encoding", "gzip")))
        case "early-hints":
            return replace(made, before=b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        case "many-headers":
            return replace(made, headers=(*made.headers, *((f"X-Filler-{n}", "x") for n in range(int(fault.argument)))))
        case "huge-header":
            return replace(made, headers=(*made.headers, ("X-Filler", "x" * int(fault.argument))))
        case "missing-id":
            return replace(made, body=http.to_json({name: what for name, what in value.items() if name != id_name}))
        case "odd-id":
            odd = {"number": 42, "long": "a" * 1_000_000, "control": "a\r\nb\x1b[31m\x00"}
            return told(**{id_name: odd.get(fault.argument, fault.argument)})
        case "duplicate-id":
            return told(**{id_name: last_id or value[id_name]})
        case "cost":
            if fault.argument == "missing":
                return replace(made, body=http.to_json({name: what for name, what in value.items() if name != "cost"}))
            odd_cost = {"null": None, "negative": -3.0, "string": "3 credits", "nan": float("nan")}
            return told(cost=odd_cost.get(fault.argument, fault.argument))
        case "polling-url":
            key = "polling_url" if "polling_url" in value else "status_url"
            if fault.argument == "missing":
                return replace(made, body=http.to_json({name: what for name, what in value.items() if name != key}))
            return told(**{key: fault.argument})
    raise AssertionError(f"BUG: no answer for {fault.name}")


def spoiled_poll(fault: Fault, made: Response) -> Response:
    """A poll after its fault."""
    if fault.name[5:].isdigit():
        return answer(fault.status, b"<html><body>Bad gateway</body></html>", "text/html")
    match fault.name:
        case "poll-drop":
            return replace(made, wire=http.HangUp(False))
        case "poll-stall":
            return replace(made, wire=http.Never())
        case "poll-html":
            return answer(200, PAGE, "text/html")
        case "poll-cut":
            return replace(made, wire=http.CutBody(int(fault.argument)))
        case "poll-nan":
            return replace(made, body=made.body[:-1] + b',"progress":NaN}')
        case "poll-deep":
            depth = int(fault.argument)
            return replace(made, body=b'{"status":' + b"[" * depth + b"]" * depth + b"}")
        case "poll-huge":
            return replace(made, body=b'{"status":"Pending","filler":"' + b"x" * int(fault.argument) + b'"}')
        case "poll-duplicate-keys":
            return replace(made, body=b'{"status":"Ready",' + made.body[1:])
    raise AssertionError(f"BUG: no answer for {fault.name}")


def retry_after(argument: str) -> tuple[tuple[str, str], ...]:
    """The Retry-After header of a 429: none, seconds, a date, or the nonsense that was asked for."""
    if not argument:
        return ()
    return (("Retry-After", formatdate(time.time() + 7, usegmt=True) if argument == "date" else argument),)


def expired_link() -> Response:
    """What blob storage says to a signature that is no longer good."""
    body = (
        '\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to'
        " authenticate the request. Make sure the value of Authorization header is formed correctly including the"
        f" signature.\nRequestId:{uuid.uuid4()}\nTime:{time.strftime('%Y-%m-%dT%H:%M:%S.0000000Z', time.gmtime())}"
        "</Message><AuthenticationErrorDetail>Signed expiry time has to be after signed start time"
        "</AuthenticationErrorDetail></Error>"
    )
    headers = (("Server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"),)
    return answer(403, body.encode(), "application/xml", headers)


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    return gzip.compress(bytes(300 * 1024 * 1024), compresslevel=9, mtime=0)


def is_loopback(url: str) -> bool:
    """Whether a callback may be made: the emulator talks to nobody but this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme == "http" and (host in ("localhost", "::1") or host.startswith("127."))


async def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float = 15) -> int | None:
    """POST to a loopback address; the status of the answer, or None when there was none."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"Host": parts.netloc, "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = f"POST {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            try:
                writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
                await writer.drain()
                status = (await reader.readline()).split(b" ")
                return int(status[1])
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError, IndexError):
        return None
