"""The pipeline itself: what is drawn is what plain calls of the library draw, only sooner."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from flux2batch.planning.models.catalogue import entries
from flux2batch.providers.local.devices import Placement
from flux2batch.providers.local.pipeline import Pipeline
from flux2batch.providers.local.request import Drawn, Request, Stopped

pytestmark = pytest.mark.local

CPU = Placement(device="cpu", dtype="float32", offload="none", quantise="none", threads=1)
MODELS = {"local/flux-2-klein-4b": "klein", "local/flux-2-klein-base-4b": "base", "local/flux-2-dev": "dev"}
SEEDS = range(1, 9)


def request(model: str, **changed: Any) -> Request:
    guidance = None if model == "local/flux-2-klein-4b" else 4.0
    asked: dict[str, Any] = {"model": model, "prompt": "a paper boat on a blue sea", "width": 64, "height": 64}
    asked |= {"steps": 2, "guidance": guidance, "seed": 1, "references": (), "output_format": "png"}
    return Request(**{**asked, **changed})


def pipeline(weights: Path) -> Pipeline:
    folders = {model: weights / folder for model, folder in MODELS.items()}
    return Pipeline(CPU, weights=folders, entries=dict(entries()))


def plain(pipe: Any, asked: Request) -> np.ndarray[Any, Any]:
    """What diffusers draws when it is called as its own pages say."""
    picture = pipe(
        prompt=asked.prompt,
        image=[Image.open(io.BytesIO(content)) for content in asked.references] or None,
        width=asked.width,
        height=asked.height,
        num_inference_steps=asked.steps,
        guidance_scale=1.0 if asked.guidance is None else asked.guidance,
        generator=torch.Generator("cpu").manual_seed(asked.seed),
    ).images[0]
    return np.asarray(picture)


def pixels(drawn: Drawn) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(drawn.content)))


def silent(_step: int, _steps: int) -> None:
    """Nobody wants to know."""


def reference(colour: tuple[int, int, int]) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (96, 64), colour).save(sink, "PNG")
    return sink.getvalue()


@pytest.mark.parametrize("model", MODELS)
def test_a_seed_sweep_reuses_the_prompt_and_has_the_pixels_of_plain_calls(
    model: str, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = pipeline(weights)
    ours.load(model)
    pipe = DiffusionPipeline.from_pretrained(weights / MODELS[model], local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    plain(pipe, request(model, seed=99))  # the first call of a process is slow for both
    ours.draw(request(model, seed=99, prompt="another"), silent)

    began = time.perf_counter()
    expected = [plain(pipe, request(model, seed=seed)) for seed in SEEDS]
    between = time.perf_counter()
    drawn = [ours.draw(request(model, seed=seed), silent) for seed in SEEDS]
    ended = time.perf_counter()

    plain_s, ours_s = between - began, ended - between
    with capsys.disabled():
        print(f"\n{model}: {len(SEEDS)} seeds, plain {plain_s:.2f} s, embeddings reused {ours_s:.2f} s,"
              f" {plain_s / ours_s:.1f} times as fast")  # fmt: skip
    assert [each.details["embeddings"] for each in drawn] == ["made"] + ["reused"] * (len(SEEDS) - 1)
    for ours_drew, plain_drew in zip(drawn, expected, strict=True):
        assert np.array_equal(pixels(ours_drew), plain_drew)


def test_references_count_and_so_does_their_order(weights: Path) -> None:
    ours, model = pipeline(weights), "local/flux-2-klein-4b"
    red, blue = reference((200, 30, 30)), reference((30, 30, 200))
    ours.load(model)

    drawn = [
        pixels(ours.draw(request(model, references=given), silent)).tobytes()
        for given in ((), (red,), (red, blue), (blue, red), (red,))
    ]

    assert drawn[1] == drawn[4]
    assert len(set(drawn)) == 4


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
def test_a_picture_comes_in_the_format_asked_for(output_format: str, weights: Path) -> None:
    drawn = pipeline(weights).draw(request("local/flux-2-klein-4b", output_format=output_format), silent)

    assert Image.open(io.BytesIO(drawn.content)).format == output_format.upper()


def test_steps_are_told_and_a_stop_ends_the_picture_but_not_the_pipeline(weights: Path) -> None:
    ours, told = pipeline(weights), []
    model = "local/flux-2-klein-4b"

    def stop_at_two(step: int, steps: int) -> None:
        told.append((step, steps))
        if step == 2:
            raise Stopped

    with pytest.raises(Stopped):
        ours.draw(request(model, steps=5), stop_at_two)

    assert told == [(1, 5), (2, 5)]
    assert ours.draw(request(model), silent).content == pipeline(weights).draw(request(model), silent).content


def test_another_model_takes_the_place_of_the_first(weights: Path) -> None:
    ours = pipeline(weights)
    first = ours.draw(request("local/flux-2-klein-4b"), silent).content
    ours.draw(request("local/flux-2-dev"), silent)

    assert ours.loaded == "local/flux-2-dev"
    assert ours.draw(request("local/flux-2-klein-4b"), silent).content == first


OUT_OF_MEMORY = """
import resource, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from test_pipeline import pipeline, request, silent
from flux2batch.providers.local.request import CannotDraw

ours, model = pipeline(Path({weights!r})), "local/flux-2-klein-4b"
before = ours.draw(request(model), silent).content
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 150_000_000, -1))
try:
    ours.draw(request(model, width=2048, height=2048), silent)
except CannotDraw as cannot:
    print(cannot)
print("the same" if ours.draw(request(model), silent).content == before else "another")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="how much memory is in use is read from /proc")
def test_too_little_memory_fails_one_picture_and_the_next_is_drawn(weights: Path) -> None:
    script = OUT_OF_MEMORY.format(here=str(Path(__file__).parent), weights=str(weights))

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=400, check=False)

    assert ran.stdout.splitlines() == [
        "not enough memory on cpu for 2048x2048 with 0 references. Ask for a smaller size or fewer references.",
        "the same",
    ], ran.stderr
