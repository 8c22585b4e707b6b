"""An asyncio loop with httpx: one coroutine a shot, a semaphore for the slots, a poll every half second.

python httpx_loop.py bfl|fal BASE_URL SHOTS SLOTS SIZE FOLDER
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx

protocol, base, shots, slots, size, folder = sys.argv[1:]


async def make(client: httpx.AsyncClient, number: int) -> None:
    """One picture."""
    side = int(size)
    if protocol == "bfl":
        body = {"prompt": "a paper boat", "seed": number, "width": side, "height": side, "output_format": "png"}
        told = (await client.post(f"{base}/v1/flux-2-pro", json=body, headers={"x-key": "bench"})).json()
        while (state := (await client.get(told["polling_url"])).json())["status"] != "Ready":
            await asyncio.sleep(0.5)  # as BFL's example does
        url = state["result"]["sample"]
    else:
        body = {"prompt": "a paper boat", "seed": number, "image_size": {"width": side, "height": side}}
        told = (await client.post(f"{base}/fal-ai/flux-2", json=body, headers={"Authorization": "Key b"})).json()
        while (await client.get(told["status_url"])).json()["status"] != "COMPLETED":
            await asyncio.sleep(0.5)  # the same for both
        url = (await client.get(told["response_url"])).json()["images"][0]["url"]
    (Path(folder) / f"{number}.png").write_bytes((await client.get(url)).content)


async def main() -> None:
    """All of them."""
    free = asyncio.Semaphore(int(slots))
    # Its default of 100 connections would be the slots of every larger case.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=int(slots))
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def one(number: int) -> None:
            async with free:
                await make(client, number)

        await asyncio.gather(*(one(number) for number in range(int(shots))))


asyncio.run(main())
