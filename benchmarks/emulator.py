"""How fast the emulator is beside the same protocol in bare http.server, and what it holds at once.

    python benchmarks/emulator.py [--tasks 5000] [--size 256] [--clients 8] [--quick] [--rounds N] [--json FILE]

The client is a process of its own with eight threads that keep their connections. All tasks of a round are in flight at
once before one is polled. The bare server checks nothing, keeps no books and sends the same 20 kB for every picture;
the emulator draws each picture for its first download, and knows it at the second.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from figures import OURS, Figure, parser, tell

_SERVE = """
import sys, time
began = time.perf_counter()
from flux2batch.emulator.server import Emulator
emulator = Emulator(active_limit=None, balance_usd=10_000_000, latency=sys.argv[1])
emulator.start()
print(emulator.bfl_base_url, emulator.bfl_api_key, time.perf_counter() - began, flush=True)
sys.stdin.read()
emulator.stop()
"""
SERVERS = {
    OURS: [sys.executable, "-c", _SERVE],
    "http.server": [sys.executable, str(Path(__file__).parent / "peers" / "bare_server.py")],
}
"""How each is started, with the seconds that a picture takes: it prints its address, a key and how long it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the client asks for."""

    tasks: int
    size: int
    clients: int
    latency_s: int  # of every picture, so that all are in flight before one is ready


class Connections:
    """One kept-alive connection to each origin, for one thread."""

    def __init__(self) -> None:
        self._known: dict[str, http.client.HTTPConnection] = {}

    def ask(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        parts = urlsplit(url)
        if parts.netloc not in self._known:
            self._known[parts.netloc] = http.client.HTTPConnection(parts.netloc, timeout=60)
        connection = self._known[parts.netloc]
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers)
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise SystemExit(f"{method} {url}: {response.status} {content[:200]!r}")
        return content

    def close(self) -> None:
        for connection in self._known.values():
            connection.close()


def spread(work, pieces: list, clients: int) -> tuple[list, float]:
    """Do all pieces in so many threads; the results and the seconds."""
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        parts = list(pool.map(work, [pieces[start::clients] for start in range(clients)]))
    return [one for part in parts for one in part], time.perf_counter() - began


def measure(command: list[str], asked: Asked) -> dict[str, float]:
    """One server from start to end."""
    server = subprocess.Popen(
        [*command, str(asked.latency_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        base, key, started = server.stdout.readline().split()
        rates = _rates(base, key, asked)
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8")
        peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        return {**rates, "memory": int(peak) / 1024, "start": float(started)}
    finally:
        server.stdin.close()
        server.terminate()
        server.wait()


def _rates(base: str, key: str, asked: Asked) -> dict[str, float]:
    headers = {"x-key": key, "Content-Type": "application/json"}

    def submit(seeds: list[int]) -> list[str]:
        line = Connections()
        urls = []
        for seed in seeds:
            body = {"prompt": "a red fox in fresh snow", "seed": seed, "width": asked.size, "height": asked.size}
            body["output_format"] = "jpeg"
            told = line.ask("POST", f"{base}/v1/flux-2-pro", json.dumps(body).encode(), headers)
            urls.append(json.loads(told)["polling_url"])
        line.close()
        return urls

    def poll(urls: list[str]) -> list[str]:
        line = Connections()
        results = [json.loads(line.ask("GET", url, None, {}))["result"] for url in urls]
        line.close()
        return [result["sample"] for result in results]

    def download(urls: list[str]) -> list[int]:
        line = Connections()
        sizes = [len(line.ask("GET", url, None, {})) for url in urls]
        line.close()
        return sizes

    polling, submits_s = spread(submit, list(range(asked.tasks)), asked.clients)
    time.sleep(asked.latency_s)  # until every task is ready: what is measured is the fetching
    samples, polls_s = spread(poll, polling, asked.clients)
    _, drawn_s = spread(download, samples, asked.clients)
    again = samples[-1000:]
    _, again_s = spread(download, again, asked.clients)
    return {
        "submits": asked.tasks / submits_s,
        "polls": asked.tasks / polls_s,
        "downloads": asked.tasks / drawn_s,
        "second downloads": len(again) / again_s,
    }


def main() -> None:
    """Measure and print."""
    options = parser(__doc__, rounds=1)
    options.add_argument("--tasks", type=int, default=5000)
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--clients", type=int, default=8)
    given = options.parse_args()
    tasks, latency_s = (500, 2) if given.quick else (given.tasks, 12)
    asked = Asked(tasks=tasks, size=given.size, clients=given.clients, latency_s=latency_s)
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in SERVERS}
    for _ in range(given.rounds):
        for name, command in SERVERS.items():
            seen[name].append(measure(command, asked))
    method = f"{asked.tasks:,} tasks in flight at once, pictures of {asked.size}x{asked.size}, {asked.clients} clients"
    figures = [
        Figure(
            name=f"emulator, {what} a second", unit="/s", better="high", goal=goal, method=method,
            rounds={name: [one[what] for one in rounds] for name, rounds in seen.items()},
        )
        for what, goal in (("submits", 300), ("polls", 300), ("downloads", 300), ("second downloads", None))
    ]  # fmt: skip
    held = {name: [one["memory"] for one in rounds] for name, rounds in seen.items()}
    figures.append(Figure(name=f"emulator, memory with {asked.tasks:,} tasks", unit="MB", rounds=held, method=method))
    starts = {OURS: [one["start"] for one in seen[OURS]]}
    figures.append(Figure(name="emulator, start with imports", unit="s", rounds=starts, goal=0.5))
    tell(figures, given.json)


if __name__ == "__main__":
    main()
