"""What a reference that cannot be read makes of its shot, while the run goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

import flux2batch
from flux2batch.engine.events import Rejected
from flux2batch.errors import MachineError
from flux2batch.pictures.placing import Gallery
from flux2batch.planning.plan import Plan
from flux2batch.running.hands import RealHands

resource = pytest.importorskip("resource", reason="Windows bounds no open files in this way")

JOB = {"flux2batch": 1, "prompt": "a boat", "references": {"style": "style.png"}, "params": {"size": "256x256"}}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "style.png")
    return flux2batch.plan(flux2batch.load(JOB, folder=tmp_path))


def hands_of(plan: Plan, folder: Path) -> RealHands:
    gallery = Gallery(folder, known=lambda _: None)
    return RealHands(
        providers={},
        shelf=plan.shelf,
        gallery=gallery,
        originals=gallery,
        describe=lambda content, *_: (content, None),
        make_way=lambda _: None,
        hooks=None,
    )


def test_f21_a_reference_that_the_machine_does_not_open_ends_the_run_and_not_the_shot(plan: Plan, tmp_path: Path):
    shot = next(iter(plan))
    hands = hands_of(plan, tmp_path)

    with no_more_files(), pytest.raises(MachineError, match="too many files are open"):
        hands.open(shot, 1)


def test_f78_a_reference_that_was_exchanged_is_not_sent(plan: Plan, tmp_path: Path):
    shot = next(iter(plan))
    Image.new("RGB", (64, 64), "red").save(tmp_path / "style.png")

    said = hands_of(plan, tmp_path).open(shot, 1)

    assert isinstance(said, Rejected)
    assert "style.png" in said.reason


@contextmanager
def no_more_files() -> Iterator[None]:
    """Every further open fails."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
