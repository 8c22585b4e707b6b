"""Measure the emulator beside a client in another process: start-up, submits, polls and downloads a second, memory.

python benchmarks/emulator.py [--tasks 5000] [--size 256] [--format jpeg] [--clients 8] [--rounds 1] [--books FILE]

All tasks of a round are in flight at once before one is polled. Several rounds show what a long run keeps.
"""

from __future__ import annotations

import argparse
import http.client
import json
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

_LATENCY_S = 12
_SERVE = f"""
import resource, sys, time
began = time.perf_counter()
from pathlib import Path
from flux2batch.emulator.server import Emulator
books = Path(sys.argv[1]) if sys.argv[1] else None
emulator = Emulator(active_limit=None, balance_usd=10_000_000, latency="{_LATENCY_S}", books=books)
emulator.start()
print(emulator.bfl_base_url, emulator.bfl_api_key, time.perf_counter() - began, flush=True)
for _ in sys.stdin:
    used = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    print(emulator.books.active("bfl", at=time.time()), pages * resource.getpagesize() // 2**20,
          used.ru_maxrss // 1024, round(used.ru_utime + used.ru_stime, 1), flush=True)
emulator.stop()
"""


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--format", default="jpeg")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--books", type=Path)
    options = parser.parse_args()

    server = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(options.books or "")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    base, key, started = server.stdout.readline().split()
    print(f"started in {float(started):.2f} s (imports included)")
    headers = {"x-key": key, "Content-Type": "application/json"}

    def submit(seeds: list[int]) -> list[str]:
        line = Connections()
        urls = []
        for seed in seeds:
            body = {"prompt": "a red fox in fresh snow", "seed": seed, "width": options.size, "height": options.size}
            body["output_format"] = options.format
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

    def tell() -> list[str]:
        server.stdin.write("\n")
        server.stdin.flush()
        return server.stdout.readline().split()

    for number in range(options.rounds):
        seeds = list(range(number * options.tasks, (number + 1) * options.tasks))
        polling, seconds = spread(submit, seeds, options.clients)
        in_flight, *_ = tell()
        print(f"{options.tasks / seconds:8.0f} submits a second; {in_flight} tasks in flight at once")
        time.sleep(_LATENCY_S)  # until every task is ready: what is measured is the fetching
        samples, seconds = spread(poll, polling, options.clients)
        print(f"{options.tasks / seconds:8.0f} polls a second")
        what = f"{options.size}x{options.size} {options.format}"
        for how, wanted in (("each drawn", samples), ("again, the last thousand", samples[-1000:])):
            sizes, seconds = spread(download, wanted, options.clients)
            each = statistics.mean(sizes) / 1024
            print(f"{len(wanted) / seconds:8.0f} downloads a second ({what}, {each:.0f} kB each, {how})")
        _, now, peak, cpu = tell()
        print(f"         after {len(seeds) * (number + 1)} tasks: {now} MB, {peak} MB at most; {cpu} s of CPU")

    server.stdin.close()
    server.wait()
    mine = resource.getrusage(resource.RUSAGE_SELF)
    print(f"         the client: {mine.ru_utime + mine.ru_stime:.1f} s of CPU")


if __name__ == "__main__":
    main()
