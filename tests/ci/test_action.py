"""The GitHub Action: its steps are run by bash, as a runner would, on a pull request of a real repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SCRIPTS = {step["name"]: step for step in STEPS if "run" in step}
INPUT = re.compile(r"\$\{\{ inputs\.([a-z-]+) \}\}")

BOATS = (
    'flux2batch: 1\nname: boats\nprompt: "a {{ colour }} boat"\nparams: {size: 256x256}\nsweep: {colour: [red, blue]}\n'
)
GROWN = BOATS.replace("[red, blue]", "[red, blue, green]")
SHELL = ("$(touch pwned)", "`touch pwned`", "' && touch pwned #", '"; touch pwned', "--help")
CATS = BOATS.replace("boat", "cat")


def test_no_expression_stands_in_the_text_of_a_script() -> None:
    """What a pull request may choose (a title, a branch, a path) would be run as shell if it did."""
    for name, step in SCRIPTS.items():
        assert "${{" not in step["run"], name
        assert step["shell"] == "bash", name
        assert all(INPUT.fullmatch(value) for value in step.get("env", {}).values()), name


def test_every_input_is_used_and_every_output_is_written() -> None:
    text = json.dumps(STEPS)
    used = {*INPUT.findall(text), *re.findall(r"inputs\.([a-z-]+) ==", text)}
    written = {name for step in SCRIPTS.values() for name in re.findall(r"'([a-z-]+)=%s", step["run"])}

    assert used == set(ACTION["inputs"])
    assert written == set(ACTION["outputs"])
    for name, output in ACTION["outputs"].items():
        (step,) = (step for step in STEPS if step.get("id") == output["value"].split(".")[1])
        assert output["value"] == f"${{{{ steps.{step['id']}.outputs.{name} }}}}"


@dataclass(frozen=True, slots=True)
class Runner:
    """A job on a runner: a checkout of a pull request, and the files that its steps write to."""

    checkout: Path
    temp: Path
    base: str | None

    def step(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run one step as the runner does."""
        step = SCRIPTS[name]
        script = self.temp / "script.sh"
        script.write_text(step["run"], encoding="utf-8")
        chosen = {key: str(value.get("default", "")) for key, value in ACTION["inputs"].items()} | inputs
        own = {key: chosen[INPUT.fullmatch(value)[1]] for key, value in step.get("env", {}).items()}  # type: ignore[index]  # another test holds that all match
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.checkout, env={**os.environ, **self.environ, **own}, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    def steps(self, *names: str, **inputs: str) -> None:
        """Run these, which must end well."""
        for name in names:
            done = self.step(name, **inputs)
            assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"

    @property
    def environ(self) -> Mapping[str, str]:
        found = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary.md"),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_PATH": str(self.temp / "path"),
            "RUNNER_TEMP": str(self.temp),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        return found | ({"GITHUB_BASE_REF": self.base} if self.base else {})

    @property
    def summary(self) -> str:
        return (self.temp / "summary.md").read_text(encoding="utf-8")

    @property
    def outputs(self) -> dict[str, str]:
        lines = (self.temp / "output").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.test", *arguments], cwd=folder, check=True,
        capture_output=True,
    )  # fmt: skip


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A shallow checkout of a pull request against `main`, of which it knows nothing: as actions/checkout leaves it."""
    origin, checkout, temp = tmp_path / "origin", tmp_path / "checkout", tmp_path / "temp"
    for folder in (origin / "jobs", temp):
        folder.mkdir(parents=True)
    git(origin, "init", "--quiet", "--initial-branch", "main")
    (origin / "jobs" / "boats.yaml").write_text(BOATS, encoding="utf-8")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "-m", "one")
    git(origin, "checkout", "--quiet", "-b", "more")
    (origin / "jobs" / "boats.yaml").write_text(GROWN, encoding="utf-8")
    (origin / "$(touch pwned) cats.flux2batch.yaml").write_text(CATS, encoding="utf-8")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "-m", "two")
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=more", "--single-branch", origin.as_uri(), str(checkout))
    return Runner(checkout=checkout, temp=temp, base="main")


def test_a_pull_request_is_checked_planned_and_drawn(runner: Runner) -> None:
    runner.steps("Find the job files", "Validate", "Plan")
    runner.steps("Find the job files", "Draw the sheets on the emulator", jobs="*.flux2batch.yaml", sample="1")

    comment = Path(runner.outputs["comment-file"]).read_text(encoding="utf-8")
    for said in (runner.summary, comment):
        assert "**+1 shot, −0, +$0.03** against origin/main" in said
        assert "cats.flux2batch.yaml is not in origin/main" in said
        assert "| model | size | references | shots | each | together |" in said
    (sheet,) = Path(runner.outputs["sheets"]).iterdir()
    assert sheet.name == "--touch-pwned--cats.flux2batch.html"
    assert sheet.read_text(encoding="utf-8").count("data:image/jpeg;base64,") == 2  # of one shot, small and large
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=runner.checkout, capture_output=True, text=True, check=True
    )
    assert status.stdout == ""


def test_what_is_wrong_becomes_annotations_and_ends_the_job(runner: Runner) -> None:
    (runner.checkout / "jobs" / "bad.yaml").write_text("flux2batch: 1\npromt: x\n", encoding="utf-8")
    runner.steps("Find the job files")

    done = runner.step("Validate")

    assert done.returncode == 3
    assert "::error file=jobs/bad.yaml,line=2,col=1," in done.stdout


def test_warnings_end_it_where_that_is_asked_for(runner: Runner) -> None:
    (runner.checkout / "jobs" / "boats.yaml").write_text(f"{BOATS}vars: {{unused: 1}}\n", encoding="utf-8")
    runner.steps("Find the job files")

    assert runner.step("Validate", strict="true").returncode == 3


def test_a_plan_over_its_budget_is_an_annotation_and_a_table_and_ends_the_job(runner: Runner) -> None:
    """Seen red with a step that stopped at the plan, before its table was in the summary and in the comment."""
    (runner.checkout / "jobs" / "boats.yaml").write_text(f"{BOATS}budget: {{max_usd: 0.01}}\n", encoding="utf-8")
    runner.steps("Find the job files")

    done = runner.step("Plan")

    assert done.returncode == 4
    assert "::error file=jobs/boats.yaml" in done.stdout
    comment = Path(runner.outputs["comment-file"]).read_text(encoding="utf-8")
    for said in (runner.summary, comment):
        assert "| model | size | references | shots | each | together |" in said
        assert "the budget is $0.01" in said


def test_a_plan_of_a_job_that_cannot_be_read_leaves_nothing_behind(runner: Runner) -> None:
    (runner.checkout / "jobs" / "boats.yaml").write_text("flux2batch: 1\npromt: x\n", encoding="utf-8")
    runner.steps("Find the job files", jobs="jobs/*.yaml")

    done = runner.step("Plan")

    assert done.returncode == 3
    assert not (runner.temp / "summary.md").exists()
    assert not (runner.temp / "output").exists()


def test_a_push_is_compared_with_what_it_is_told_to(runner: Runner) -> None:
    pushed = replace(runner, base=None)

    pushed.steps("Find the job files", "Plan", against="HEAD")

    assert "**nothing changed: 3 shots, $0.09** against HEAD" in runner.summary


def test_a_plan_that_is_too_long_for_a_comment_leaves_its_headlines_there(runner: Runner) -> None:
    (runner.checkout / "jobs" / "boats.yaml").unlink()
    long = "x" * 200
    for number in range(8):
        job = f'{BOATS}name: boats{number}\noutput: {{path: "{long}/{{{{ colour }}}}-{{{{ seed }}}}"}}\n'.replace(
            "name: boats\n", "", 1
        ).replace("blue]", "blue], seed: 1..30")
        (runner.checkout / "jobs" / f"{number}.yaml").write_text(job, encoding="utf-8")

    runner.steps("Find the job files", "Plan")

    comment = Path(runner.outputs["comment-file"]).read_text(encoding="utf-8")
    assert len(comment) < 65_536 < len(runner.summary)
    assert comment.count("### boats") == 8
    assert comment.count("**+60 shots, −0") == 8
    assert "summary of the job" in comment


def test_only_what_is_asked_for_is_found_and_nothing_is_an_error(runner: Runner) -> None:
    runner.steps("Find the job files", jobs="jobs/*.yaml\nnot there/*.yaml")
    found = (runner.temp / "flux2batch" / "jobs").read_bytes()
    (runner.checkout / "picks").mkdir()
    (runner.checkout / "picks" / "job.yaml").write_text("picks: []\n", encoding="utf-8")
    runner.steps("Find the job files")
    assert b"picks" not in (runner.temp / "flux2batch" / "jobs").read_bytes(), "what was chosen is no job"

    nothing = runner.step("Find the job files", jobs="nowhere/*.yaml")

    assert found == b"jobs/boats.yaml\0"
    assert nothing.returncode == 1
    assert nothing.stdout.startswith("::error title=flux2batch::")


def test_no_input_and_no_name_of_a_file_is_ever_run(runner: Runner) -> None:
    """Seen red with `eval` in the first step, and with an expression in the text of one."""
    for number, text in enumerate(SHELL):
        job = BOATS.replace("name: boats", f"name: boats{number}")
        (runner.checkout / f"{text}.flux2batch.yaml").write_text(job, encoding="utf-8")
    pushed = replace(runner, base=None)
    pushed.steps("Find the job files", "Validate", "Plan")

    for name, step in SCRIPTS.items():
        if step.get("env"):
            pushed.step(name, **dict.fromkeys(ACTION["inputs"], SHELL[0]))

    assert runner.summary.count("### boats") == 1 + len(SHELL)
    assert "against" not in runner.summary  # a push has no base branch
    assert not [*runner.checkout.rglob("pwned"), *runner.temp.rglob("pwned")]


@pytest.mark.online
def test_the_first_step_installs_it_for_those_that_follow(runner: Runner) -> None:
    runner.steps("Install flux2batch")

    (added,) = (runner.temp / "path").read_text(encoding="utf-8").splitlines()
    said = subprocess.run([f"{added}/flux2batch", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("flux2batch ")
