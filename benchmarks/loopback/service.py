"""BFL and fal as far as a bench needs them: no checks, no books, one tiny picture, and an answer at once.

python service.py MEDIAN_S SHOTS SEED SIZE

It prints its address, tells what it saw at /seen, and ends with its standard input. It is no emulator: it must cost so
little that whatever is measured beside it on two cores is the client.
"""

from __future__ import annotations

import asyncio
import json
import resource
import struct
import sys
import time
import zlib
from array import array
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loopback.sample import draw

_LINK_LIFE = "2035-01-01T00%3A00%3A00Z"


class Service:
    """What was asked of it, and when."""

    def __init__(self, latencies: list[float], size: int) -> None:
        self.base = ""
        self._latencies = latencies
        self._size = size
        self._picture = flat_png(size)
        self._ready_at = array("d")
        self._polls = array("d")
        self._first_submit = self._last_download = 0.0
        self._downloads = self._results = self._beyond = 0
        self._most_active = 0
        self._active: list[float] = []  # when those in the works will be ready

    def answer(self, method: str, target: str) -> tuple[bytes, str]:
        """The body and its type."""
        now = time.monotonic()
        if method == "POST":
            return self._taken(target, now)
        if target.startswith("/v1/get_result?id="):
            return self._polled_bfl(int(target[18:]), now)
        if target.endswith("/status") or "/status?" in target:
            return self._polled_fal(target, now)
        if target.startswith("/pictures/"):
            self._downloads += 1
            self._last_download = now
            return self._picture, "image/png"
        if "/requests/" in target:
            self._results += 1
            return self._result_fal(target)
        if target == "/seen":
            return self._seen(), "application/json"
        if target == "/v1/credits":
            return b'{"credits": 1000000}', "application/json"
        return b'{"credits": {"current_balance": 10000}}', "application/json"

    def _taken(self, target: str, now: float) -> tuple[bytes, str]:
        number = len(self._ready_at)
        self._first_submit = self._first_submit or now
        if number >= len(self._latencies):
            self._beyond += 1
        self._ready_at.append(now + self._latencies[number % len(self._latencies)])
        self._active = [at for at in self._active if at > now] if number % 16 == 0 else self._active
        self._active.append(self._ready_at[-1])
        self._most_active = max(self._most_active, sum(at > now for at in self._active))
        if target.startswith("/v1/"):
            told: dict[str, object] = {"id": f"{number:08d}", "cost": 3.0, "input_mp": 0.0, "output_mp": 0.07}
            told["polling_url"] = f"{self.base}/v1/get_result?id={number:08d}"
        else:
            where = f"{self.base}/fal-ai/flux-2/requests/{number:08d}"
            told = {"request_id": f"{number:08d}", "response_url": where, "status": "IN_QUEUE", "queue_position": 0}
            told |= {"status_url": f"{where}/status", "cancel_url": f"{where}/cancel"}
        return json.dumps(told).encode(), "application/json"

    def _polled_bfl(self, number: int, now: float) -> tuple[bytes, str]:
        self._polls.append(now)
        if now < self._ready_at[number]:
            return b'{"id": "%08d", "status": "Pending", "result": null, "progress": null}' % number, "application/json"
        sample = f"{self.base}/pictures/{number:08d}.png?se={_LINK_LIFE}"
        told = {"id": f"{number:08d}", "status": "Ready", "result": {"sample": sample, "seed": number, "prompt": "x"}}
        return json.dumps(told).encode(), "application/json"

    def _polled_fal(self, target: str, now: float) -> tuple[bytes, str]:
        self._polls.append(now)
        number = int(target.split("/requests/")[1][:8])
        if now < self._ready_at[number]:
            return b'{"status": "IN_PROGRESS", "request_id": "%08d", "logs": []}' % number, "application/json"
        done = {"status": "COMPLETED", "request_id": f"{number:08d}", "logs": [], "metrics": {"inference_time": 1.0}}
        return json.dumps(done).encode(), "application/json"

    def _result_fal(self, target: str) -> tuple[bytes, str]:
        number = int(target.split("/requests/")[1][:8])
        image = {"url": f"{self.base}/pictures/{number:08d}.png", "content_type": "image/png"}
        told = {"images": [{**image, "width": self._size, "height": self._size}], "seed": number, "prompt": "x"}
        return json.dumps({**told, "has_nsfw_concepts": [False]}).encode(), "application/json"

    def _seen(self) -> bytes:
        used = resource.getrusage(resource.RUSAGE_SELF)
        told = {
            "submits": len(self._ready_at),
            "downloads": self._downloads,
            "makespan_s": self._last_download - self._first_submit,
            "polls": len(self._polls),
            "most_polls_in_a_second": _busiest_second(self._polls),
            "most_at_once": self._most_active,
            "beyond_the_sample": self._beyond,
            "cpu_s": used.ru_utime + used.ru_stime,
        }
        return json.dumps(told).encode()


class Connection(asyncio.Protocol):
    """HTTP/1.1 kept alive, read with as little work as will do."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = _length(head)
            if len(self._buffer) < end + 4 + length:
                return
            method, target, _ = self._buffer[: self._buffer.find(b"\r\n")].decode("latin-1").split(" ", 2)
            self._buffer = self._buffer[end + 4 + length :]
            body, kind = self._service.answer(method, target)
            closes = b"connection: close" in head
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\nX-RateLimit-Limit: 1200\r\n"
                b"x-fal-billable-units: 1\r\nConnection: %b\r\n\r\n%b"
                % (kind.encode(), len(body), b"close" if closes else b"keep-alive", body)
            )
            if closes:
                self._transport.close()


def _length(head: bytes) -> int:
    at = head.find(b"content-length:")
    return int(head[at + 15 : (head + b"\r\n").find(b"\r\n", at)]) if at >= 0 else 0


def _busiest_second(moments: array[float]) -> int:
    most = first = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def flat_png(size: int) -> bytes:
    """A picture of one colour, whole by every checksum."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x2f\x6f\x8f" * size) * size
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


async def main() -> None:
    """Serve until standard input ends."""
    median, shots, seed, size = sys.argv[1:]
    service = Service(draw(int(shots), median_s=float(median), seed=int(seed)), int(size))
    loop = asyncio.get_running_loop()
    # Thousands of clients may knock in one moment; the system's own bound on the backlog is the limit.
    server = await loop.create_server(lambda: Connection(service), "127.0.0.1", 0, backlog=8192)
    service.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(service.base, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
