"""Jobs from Python, and what the package promises by its name."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

import flux2batch
from flux2batch.errors import InvalidInput

JOB = {
    "flux2batch": 1,
    "prompt": "a {{ colour }} boat",
    "sweep": {"colour": ["red", "blue"], "seed": {"range": "1..3"}},
}


def test_a_job_may_be_data_and_is_planned():
    plan = flux2batch.plan(flux2batch.load(JOB))

    assert len(plan) == 6
    assert plan.cost.max == Decimal("0.18")
    assert next(iter(plan)).prompt == "a red boat"
    assert len(plan.only("seed > 1")) == 4


def test_a_job_may_be_a_file(tmp_path: Path):
    file = tmp_path / "job.yaml"
    file.write_text('flux2batch: 1\nprompt: "a boat"\n')

    assert len(flux2batch.plan(file)) == 1
    assert len(flux2batch.plan(flux2batch.load(file, sets=["sweep.seed=1..4"]))) == 4
    assert len(flux2batch.plan(str(file), limit=1)) == 1


def test_what_is_wrong_with_a_job_is_raised_whole():
    with pytest.raises(InvalidInput) as caught:
        flux2batch.load({"flux2batch": 1, "promt": "a boat", "swep": {}})

    assert {problem.code for problem in caught.value.problems} >= {"FB201"}
    assert len(caught.value.problems) >= 2


# Red where the plan of a file stops at what is wrong with its shape.
def test_a_plan_of_a_file_tells_what_is_wrong_with_its_shape_and_with_its_shots(tmp_path: Path):
    file = tmp_path / "job.yaml"
    file.write_text('flux2batch: 1\npromt: "a {{ color }} boat"\nsweep: {colour: [red, blue]}\n', encoding="utf-8")

    with pytest.raises(InvalidInput) as caught:
        flux2batch.plan(file)

    assert [problem.code for problem in caught.value.problems] == ["FB201", "FB301"]


def test_a_budget_that_is_too_small_is_raised():
    with pytest.raises(InvalidInput) as caught:
        flux2batch.plan({**JOB, "budget": {"max_usd": 0.05}})

    assert caught.value.exit_code == 4


@pytest.mark.parametrize("name", flux2batch.__all__)
def test_what_is_promised_is_there(name: str):
    assert getattr(flux2batch, name) is not None
    assert name in dir(flux2batch)


def test_the_promise_of_the_architecture_is_kept():
    assert {"load", "plan", "Client", "Job", "Plan", "Shot", "Provider", "FluxError"} <= set(flux2batch.__all__)
