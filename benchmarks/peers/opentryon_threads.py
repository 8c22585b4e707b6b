"""OpenTryOn's FLUX.2 adapter, which makes one picture and waits for it, in a pool of threads.

python opentryon_threads.py bfl BASE_URL SHOTS SLOTS SIZE FOLDER
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tryon.api import Flux2ProAdapter

_, base, shots, slots, size, folder = sys.argv[1:]
adapter = Flux2ProAdapter(api_key="bench", base_url=base)


def make(number: int) -> None:
    """One picture."""
    side = int(size)
    made = adapter.generate_text_to_image(prompt="a paper boat", width=side, height=side, seed=number)
    made[0].save(Path(folder) / f"{number}.png")


with ThreadPoolExecutor(int(slots)) as pool:
    list(pool.map(make, range(int(shots))))
