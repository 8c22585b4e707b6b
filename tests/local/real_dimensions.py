"""Draw with a klein-4b of the real dimensions and random weights, on any device: our code beside plain calls.

    python tests/local/real_dimensions.py [--device cpu:2] [--size 256] [--steps 1] [--seeds 2]

What test_gpu.py shows on a GPU can be seen here without one, slowly: on two CPU cores and 17 GB of memory a prompt is
encoded in a minute or two, and so is a small picture drawn. Prints seconds, memory and whether the pixels are equal.
"""

from __future__ import annotations

import argparse
import io
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tiny_weights import klein_4b

from flux2batch.planning.models.catalogue import entries
from flux2batch.providers.local.devices import Placement, threads_of
from flux2batch.providers.local.pipeline import Pipeline, placed
from flux2batch.providers.local.request import Request

MODEL = "local/flux-2-klein-4b"


def main() -> int:
    """Draw, compare, say how long it took; 1 where a pixel differs."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--device", default="cpu:2", help="as torch names it, or cpu:THREADS")
    asked.add_argument("--size", type=int, default=256)
    asked.add_argument("--steps", type=int, default=1)
    asked.add_argument("--seeds", type=int, default=2)
    options = asked.parse_args()
    threads = threads_of(options.device)
    torch.set_num_threads(threads or torch.get_num_threads())
    device = "cpu" if threads else options.device
    placement = Placement(device=device, dtype="bfloat16", offload="none", quantise="none", threads=threads)
    made: list[Any] = []

    def pipeline(_folder: Path, at: Placement) -> Any:
        made.append(placed(klein_4b(device), at))
        made[0].set_progress_bar_config(disable=True)
        return made[0]

    ours = Pipeline(placement, weights={MODEL: Path()}, entries=dict(entries()), open_folder=pipeline)
    ours.load(MODEL)
    differ = 0
    for seed in range(1, options.seeds + 1):
        request = Request(
            model=MODEL, prompt="a paper boat on a blue sea", width=options.size, height=options.size,
            steps=options.steps, guidance=None, seed=seed, references=(), output_format="png",
        )  # fmt: skip
        began = time.perf_counter()
        drawn = ours.draw(request, lambda _step, _steps: None)
        ours_s, began = time.perf_counter() - began, time.perf_counter()
        plain = _plainly(made[0], request)
        plain_s = time.perf_counter() - began
        is_equal = np.array_equal(np.asarray(Image.open(io.BytesIO(drawn.content))), plain)
        differ += not is_equal
        how, same = drawn.details["embeddings"], "equal" if is_equal else "DIFFER"
        told = f"ours {ours_s:.1f} s (embeddings {how}), a plain call {plain_s:.1f} s"
        print(f"seed {seed}: {told}; pixels {same}", flush=True)
    print(f"{placement}: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB of memory at the most")
    return 1 if differ else 0


def _plainly(pipe: Any, request: Request) -> Any:
    """The picture as the library draws it, called as its own documents say."""
    generator = torch.Generator("cpu").manual_seed(request.seed)
    size = {"width": request.width, "height": request.height}
    called = pipe(
        prompt=request.prompt, guidance_scale=1.0, generator=generator, num_inference_steps=request.steps, **size
    )
    return np.asarray(called.images[0])


if __name__ == "__main__":
    sys.exit(main())
