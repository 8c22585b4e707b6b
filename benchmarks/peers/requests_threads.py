"""A thread for each shot in flight, with requests: what BFL's documents show, done many times at once.

python requests_threads.py bfl|fal BASE_URL SHOTS SLOTS SIZE FOLDER
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

protocol, base, shots, slots, size, folder = sys.argv[1:]
local = threading.local()


def make(number: int) -> None:
    """One picture. A session of its own for each thread, because sessions are not for sharing."""
    if not hasattr(local, "session"):
        local.session = requests.Session()
    session = local.session
    side = int(size)
    if protocol == "bfl":
        body = {"prompt": "a paper boat", "seed": number, "width": side, "height": side, "output_format": "png"}
        told = session.post(f"{base}/v1/flux-2-pro", json=body, headers={"x-key": "bench"}, timeout=60).json()
        while (state := session.get(told["polling_url"], timeout=60).json())["status"] != "Ready":
            time.sleep(0.5)  # as BFL's example does
        url = state["result"]["sample"]
    else:
        body = {"prompt": "a paper boat", "seed": number, "image_size": {"width": side, "height": side}}
        told = session.post(f"{base}/fal-ai/flux-2", json=body, headers={"Authorization": "Key b"}, timeout=60).json()
        while session.get(told["status_url"], timeout=60).json()["status"] != "COMPLETED":
            time.sleep(0.5)  # the same for both
        url = session.get(told["response_url"], timeout=60).json()["images"][0]["url"]
    (Path(folder) / f"{number}.png").write_bytes(session.get(url, timeout=60).content)


with ThreadPoolExecutor(int(slots)) as pool:
    list(pool.map(make, range(int(shots))))
