"""An emulator to talk to, and a raw socket for what no client library would let through."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from flux2batch.emulator.server import Emulator


class Visitor:
    """A client without any manners of its own: one request, one answer, no retries."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(self, method: str, url: str, **what: Any) -> requests.Response:
        return self.session.request(method, url, timeout=20, allow_redirects=False, **what)

    def bfl(self, model: str = "flux-2-pro", **body: Any) -> requests.Response:
        body = {"prompt": "a paper boat", "width": 128, "height": 128, **body}
        headers = {"x-key": self.emulator.bfl_api_key}
        return self.ask("POST", f"{self.emulator.bfl_base_url}/v1/{model}", json=body, headers=headers)

    def fal(
        self, endpoint: str = "fal-ai/flux-2", *, at: str = "fal", query: str = "", **body: Any
    ) -> requests.Response:
        body = {"prompt": "a paper boat", "image_size": {"width": 512, "height": 512}, **body}
        return self.ask("POST", f"{self.emulator.urls[at]}/{endpoint}{query}", json=body, headers=self.fal_headers)

    @property
    def fal_headers(self) -> dict[str, str]:
        return {"Authorization": f"Key {self.emulator.fal_key}"}

    def get(self, url: str, **what: Any) -> requests.Response:
        return self.ask("GET", url, **what)

    def ready(self, polling_url: str) -> dict[str, Any]:
        """Poll until it is no longer pending."""
        return self.until(lambda: self.get(polling_url).json(), lambda told: told["status"] != "Pending")

    def until(self, look: Callable[[], Any], good: Callable[[Any], bool], *, within_s: float = 10) -> Any:
        ends = time.monotonic() + within_s
        while not good(seen := look()):
            assert time.monotonic() < ends, seen
            time.sleep(0.01)  # between two looks; the bound is `within_s`
        return seen

    def raw(self, content: bytes, *, door: str = "bfl", wait_s: float = 2.0) -> bytes:
        """Send these bytes and return all that comes until the end, a reset (b"RESET" after it) or silence."""
        parts = urlsplit(self.emulator.urls[door])
        seen, ends = b"", time.monotonic() + wait_s
        try:
            line = socket.create_connection((parts.hostname, parts.port), timeout=wait_s)
        except ConnectionResetError:
            return b"RESET"
        with line:
            try:
                line.sendall(content)
                while piece := line.recv(65536):
                    seen += piece
                    if len(seen) > 3_000_000 or time.monotonic() > ends:
                        return seen
            except TimeoutError:
                return seen + b"SILENCE"
            except (ConnectionResetError, BrokenPipeError):
                return seen + b"RESET"
        return seen

    def raw_submit(self, *, wait_s: float = 2.0, **body: Any) -> bytes:
        told = json.dumps({"prompt": "a paper boat", "width": 128, "height": 128, **body}).encode()
        head = f"POST /v1/flux-2-pro HTTP/1.1\r\nHost: x\r\nx-key: {self.emulator.bfl_api_key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(told)}\r\nConnection: close\r\n\r\n"
        return self.raw(head.encode() + told, wait_s=wait_s)


@pytest.fixture
def visit() -> Iterator[Callable[..., Visitor]]:
    """`visit(faults=…, latency=…)` starts an emulator and comes to it."""
    visitors: list[Visitor] = []

    def start(**options: Any) -> Visitor:
        emulator = Emulator(**options)
        emulator.start()
        visitors.append(Visitor(emulator))
        return visitors[-1]

    yield start
    for visitor in visitors:
        visitor.session.close()
        visitor.emulator.stop()
