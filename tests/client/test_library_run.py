"""Running a plan from Python: the same engine, the same promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import flux2batch
from flux2batch.errors import Refused

JOB = {
    "flux2batch": 1,
    "name": "boats",
    "prompt": "a paper boat on a {{ colour }} sea",
    "params": {"size": "256x256"},
    "sweep": {"colour": ["blue", "red"]},
}


def test_a_plan_runs_and_tells_of_every_shot(tmp_path: Path) -> None:
    plan = flux2batch.plan(flux2batch.load(JOB, folder=tmp_path))

    report = flux2batch.run(plan, out=tmp_path / "out", emulate=True)

    outcomes = list(report)
    assert len(report) == 2
    assert [(one.coordinates, one.state) for one in outcomes] == [
        ({"colour": "blue"}, "done"),
        ({"colour": "red"}, "done"),
    ]
    assert report.cost == sum(one.cost for one in outcomes) > 0
    for one in outcomes:
        assert one.image is not None
        with Image.open(one.image) as picture:
            assert picture.size == (256, 256)
    assert report.sheet.is_file()


def test_running_twice_costs_once(tmp_path: Path) -> None:
    plan = flux2batch.plan(flux2batch.load(JOB, folder=tmp_path))

    first = flux2batch.run(plan, emulate=True)
    second = flux2batch.run(plan, emulate=True)

    assert first.cost == second.cost
    assert second.root == tmp_path / "runs" / "boats.emulated"


def test_money_is_never_spent_without_a_bound(tmp_path: Path) -> None:
    plan = flux2batch.plan(flux2batch.load(JOB, folder=tmp_path))

    with pytest.raises(Refused, match="max_usd"):
        flux2batch.run(plan)
    assert not (tmp_path / "runs").exists()


def test_a_plan_that_does_not_fit_is_refused_and_runs_as_far_as_it_fits_when_told(tmp_path: Path) -> None:
    plan = flux2batch.plan(flux2batch.load(JOB, folder=tmp_path))

    with pytest.raises(Refused, match="1 of them fit"):
        flux2batch.run(plan, emulate=True, max_usd="0.04")
    report = flux2batch.run(plan, emulate=True, max_usd="0.04", up_to_budget=True)

    assert report.counts.done == 1
    assert report.exit_code == 4
