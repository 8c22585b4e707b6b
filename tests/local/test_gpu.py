"""A pipeline of klein-4b's real dimensions on a GPU, its weights drawn at random: throughput, memory, what is spared.

The pictures are noise; time and memory are those of the real model. Weights are made on the device and not read from
a folder: 16 GB on a disk would show nothing that the small folders do not.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_weights import klein_4b
from torch.cuda import is_available, max_memory_allocated, memory_allocated

from flux2batch.planning.configuration_local import LOCAL_DEFAULTS
from flux2batch.planning.models.catalogue import entries
from flux2batch.providers.local.bench import Bench
from flux2batch.providers.local.devices import Placement, placements, this_machine
from flux2batch.providers.local.pipeline import Pipeline, placed
from flux2batch.providers.local.request import CannotDraw, Finished, Request

pytestmark = [
    pytest.mark.local,
    pytest.mark.skipif(not is_available(), reason="there is no GPU here: time and memory of a real model need one"),
]

MODEL = "local/flux-2-klein-4b"
GIB = 1024**3


def request(seed: int, **changed: Any) -> Request:
    asked: dict[str, Any] = {"model": MODEL, "prompt": "a paper boat on a blue sea", "width": 1024, "height": 1024}
    asked |= {"steps": 4, "guidance": None, "seed": seed, "references": (), "output_format": "png"}
    return Request(**{**asked, **changed})


def silent(_step: int, _steps: int) -> None:
    """Nobody wants to know."""


def pixels(content: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(content)))


class OnGpu:
    """A pipeline on the first GPU, and the library's own object within it, for plain calls."""

    def __init__(self, **spared: str) -> None:
        wish = {"device": "cuda:0", "dtype": "bfloat16", "offload": "none", "quantise": "none", **spared}
        self.placement = Placement(**wish, threads=None)
        self.pipe: Any = None
        self.ours = Pipeline(self.placement, weights={MODEL: Path()}, entries=dict(entries()), open_folder=self._made)
        self.ours.load(MODEL)
        self.ours.draw(request(99, prompt="the first call of a process is slow"), silent)

    def _made(self, _folder: Path, placement: Placement) -> Any:
        self.pipe = placed(klein_4b(placement.device), placement)
        self.pipe.set_progress_bar_config(disable=True)
        return self.pipe

    def close(self) -> None:
        self.pipe = None
        self.ours.close()


@pytest.fixture(scope="module")
def gpu() -> Iterator[OnGpu]:
    made = OnGpu()
    yield made
    made.close()


def say(capsys: pytest.CaptureFixture[str], *lines: str) -> None:
    with capsys.disabled():
        print("", *(f"gpu: {line}" for line in lines), sep="\n")


def timed(draw: Any, seeds: range) -> tuple[list[Any], float]:
    torch.cuda.synchronize()
    began = time.perf_counter()
    drawn = [draw(seed) for seed in seeds]
    torch.cuda.synchronize()
    return drawn, (time.perf_counter() - began) / len(seeds)


def test_every_gpu_is_chosen_with_bfloat16() -> None:
    machine = this_machine()
    chosen = placements(LOCAL_DEFAULTS, machine)

    assert [each.device for each in chosen] == [f"cuda:{number}" for number in range(machine.cuda)]
    assert {each.dtype for each in chosen} == {"bfloat16"}


def test_throughput_memory_and_the_gain_of_reused_embeddings(gpu: OnGpu, capsys: pytest.CaptureFixture[str]) -> None:
    def plain(seed: int) -> np.ndarray[Any, Any]:
        generator = torch.Generator("cpu").manual_seed(seed)
        asked = request(seed)
        how = {"width": asked.width, "height": asked.height, "num_inference_steps": asked.steps}
        return np.asarray(gpu.pipe(prompt=asked.prompt, guidance_scale=1.0, generator=generator, **how).images[0])

    expected, plain_s = timed(plain, range(1, 17))
    drawn, ours_s = timed(lambda seed: gpu.ours.draw(request(seed), silent), range(1, 17))

    encoding_s = drawn[0].details["encode_s"]
    encoded = f"a prompt is encoded in {encoding_s * 1000:.0f} ms"
    say(
        capsys,
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, bfloat16, 1024x1024, 4 steps, random weights",
        f"held {memory_allocated() / GIB:.1f} GiB, at the most {max_memory_allocated() / GIB:.1f} GiB",
        f"plain calls {plain_s:.3f} s a picture; embeddings reused, and PNG written, {ours_s:.3f} s; {encoded}",
        f"{60 / ours_s:.0f} pictures a minute on one GPU, {plain_s / ours_s:.2f} times as fast as plain calls",
    )
    assert [each.details["embeddings"] for each in drawn] == ["made"] + ["reused"] * 15
    for ours, theirs in zip(drawn, expected, strict=True):
        assert np.array_equal(pixels(ours.content), theirs)
    assert len({each.content for each in drawn}) == 16
    assert pixels(drawn[0].content).std() > 0, "all of one colour: equal pixels would prove nothing"


def test_references_cost_time_and_memory(gpu: OnGpu, capsys: pytest.CaptureFixture[str]) -> None:
    sink = io.BytesIO()
    Image.effect_noise((1024, 1024), 80).convert("RGB").save(sink, "PNG")
    for count in (1, 4):
        given = (sink.getvalue(),) * count
        drawn, seconds = timed(
            lambda seed, given=given: gpu.ours.draw(request(seed, references=given), silent), range(1, 5)
        )
        peak = drawn[-1].details["peak_memory_bytes"] / GIB
        say(capsys, f"{count} references of 1 MP: {seconds:.3f} s a picture, at the most {peak:.1f} GiB")


def test_the_bench_draws_as_fast_as_the_pipeline_alone(gpu: OnGpu, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(lambda: [gpu.ours])
    bench.make_ready([MODEL])

    began = time.perf_counter()
    tasks = [f"t{seed}" for seed in range(24)]
    for seed, task in enumerate(tasks):
        bench.hand_over(task, request(seed))
    while not all(isinstance(bench.state(task), Finished) for task in tasks):
        time.sleep(0.002)  # between two looks at the other thread's work
    seconds = (time.perf_counter() - began) / len(tasks)

    say(capsys, f"through the queue, 24 pictures: {seconds:.3f} s each")
    assert all(bench.take(task) for task in tasks)


def test_too_little_memory_fails_one_picture_and_the_next_is_drawn(gpu: OnGpu) -> None:
    gpu.ours.load(MODEL)
    total = torch.cuda.get_device_properties(0).total_memory
    before = gpu.ours.draw(request(1), silent).content
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + GIB) / total)
    try:
        with pytest.raises(CannotDraw, match=r"not enough memory on cuda:0 for 4096x4096.*--offload model"):
            gpu.ours.draw(request(1, width=4096, height=4096), silent)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)

    assert gpu.ours.draw(request(1), silent).content == before


@pytest.mark.parametrize("spared", [{"quantise": "fp8"}, {"offload": "model"}], ids=lambda spared: "-".join(spared))
def test_memory_is_spared_as_asked(gpu: OnGpu, spared: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    gpu.close()  # the whole model beside the spared one would hide what is spared
    whole_bytes = 15 * GIB  # of 4 and 4 thousand million parameters in two bytes each
    thrifty = OnGpu(**spared)

    drawn, seconds = timed(lambda seed: thrifty.ours.draw(request(seed), silent), range(1, 5))

    peak = drawn[-1].details["peak_memory_bytes"]
    say(capsys, f"{thrifty.placement}: {seconds:.3f} s a picture, at the most {peak / GIB:.1f} GiB")
    thrifty.close()
    assert peak < whole_bytes
