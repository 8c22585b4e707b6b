"""What does nothing in a plan is told: an axis that --set adds for nobody is refused, one of the file is a warning."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned import plan_text, problems_of

JOB = 'model: bfl/flux-2-flex\nprompt: "a {{ colour }} boat"\nsweep: {colour: [blue, green], seed: 1..2}\n'

IDLE = {
    "a typo of a parameter": (JOB, "sweep.sede=1", "did you mean 'seed'? If not, "),
    "a typo of an axis": (JOB, "sweep.color=blue", "did you mean 'colour'? If not, "),
    "a word of nobody's": (JOB, "sweep.banana=1", ""),
    "a typo where nothing is swept": ("prompt: a boat\n", "sweep.sede=1", "did you mean 'seed'? If not, "),
    "a typo in a zip": (JOB, "zip=[{sede: [4]}]", "did you mean 'seed'? If not, "),
    "a typo of several values": (f"{JOB}equal: share\n", "sweep.sede=1..3", "did you mean 'seed'? If not, "),
    "a typo where seeds are derived": (f"{JOB.replace(', seed: 1..2', '')}params: {{seed: {{derive: shot}}}}\n",
                                       "sweep.sede=1", "did you mean 'seed'? If not, "),
}  # fmt: skip


# Red where an axis of one value is not asked for its use: it went by in silence, and seed 1 was bought once more.
@pytest.mark.parametrize("what", IDLE)
def test_an_axis_that_a_flag_adds_and_nothing_reads_is_refused(tmp_path: Path, what: str) -> None:
    job, flag, meant = IDLE[what]

    (problem,) = problems_of(tmp_path, job, sets=(flag,))

    name = "sede" if "sede" in flag else flag[len("sweep.") :].partition("=")[0]
    assert (problem.code, problem.severity) == ("FB308", "error")
    assert problem.where is not None
    assert problem.where.file == f"--set {flag.partition('=')[0]}"
    assert problem.help == f"{meant}use {{{{ {name} }}}} in the prompt, or leave it out"


READ = {
    "a parameter of the model": (JOB, "sweep.steps=20"),
    "another parameter of it": (JOB, "sweep.safety_tolerance=1"),
    "the model": (JOB, "sweep.model=bfl/flux-2-flex"),
    "an axis that is there": (JOB, "sweep.colour=red"),
    "an axis with parameters": (JOB, "sweep.look={id: soft, set: {guidance: 2}}"),
    "the prompt": (JOB, "sweep.prompt=a {{ colour }} ship"),
    "what a template reads": (JOB.replace("boat", "{{ thing | default('boat') }}"), "sweep.thing=ship"),
    "what a path reads": (f'{JOB}output: {{path: "{{{{ batch }}}}/{{{{ index }}}}"}}\n', "sweep.batch=b2"),
    "what a seed is made for": (f"{JOB.replace(', seed: 1..2', '')}params: {{seed: {{per: [set]}}}}\n", "sweep.set=a"),
    "takes with seeds of their own": (f"{JOB.replace(', seed: 1..2', '')}params: {{seed: {{derive: shot}}}}\n",
                                      "sweep.take=1..3"),
}  # fmt: skip


@pytest.mark.parametrize("what", READ)
def test_an_axis_that_something_reads_may_be_added(tmp_path: Path, what: str) -> None:
    job, flag = READ[what]

    assert plan_text(tmp_path, job, sets=(flag,)).warnings == ()


# Red where only axes of several values are looked at.
def test_a_typo_of_one_value_in_the_file_is_a_warning(tmp_path: Path) -> None:
    (problem,) = plan_text(tmp_path, "prompt: a boat\nsweep: {sede: [4]}\n").warnings

    assert (problem.code, problem.severity) == ("FB308", "warning")
    assert (problem.help or "").startswith("did you mean 'seed'?")


def test_an_axis_of_one_value_that_is_near_nothing_may_name_a_folder(tmp_path: Path) -> None:
    assert plan_text(tmp_path, "prompt: a boat\nsweep: {campaign: [spring]}\n").warnings == ()
