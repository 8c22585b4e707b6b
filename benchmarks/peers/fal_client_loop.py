"""fal's own client as its documents advise for many requests: subscribe on its asynchronous client, its own intervals.

python fal_client_loop.py fal BASE_URL SHOTS SLOTS SIZE FOLDER
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import fal_client
import fal_client.client as inner
import httpx

_, base, shots, slots, size, folder = sys.argv[1:]
inner.QUEUE_URL_FORMAT = f"{base}/"  # it knows no other door to a server without TLS


async def main() -> None:
    """All of them."""
    free = asyncio.Semaphore(int(slots))
    client = fal_client.AsyncClient(key="bench")
    async with httpx.AsyncClient(timeout=60) as downloads:

        async def one(number: int) -> None:
            async with free:
                arguments = {"prompt": "a paper boat", "seed": number}
                arguments["image_size"] = {"width": int(size), "height": int(size)}
                made = await client.subscribe("fal-ai/flux-2", arguments=arguments)
                picture = (await downloads.get(made["images"][0]["url"])).content
                (Path(folder) / f"{number}.png").write_bytes(picture)

        await asyncio.gather(*(one(number) for number in range(int(shots))))


asyncio.run(main())
