"""The pre-commit hook: which files it takes, what it says of them, and that pre-commit can install and run it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from needing import needs

ROOT = Path(__file__).resolve().parents[2]
PRE_COMMIT = ROOT / ".peers" / "venv" / ("Scripts/pre-commit.exe" if os.name == "nt" else "bin/pre-commit")
GOOD = 'flux2batch: 1\nprompt: "a paper boat"\n'
BAD = 'flux2batch: 1\npromt: "a paper boat"\n'

(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with jobs in it, one of them wrong, and YAML that is none."""
    made = tmp_path / "project"
    for name, text in {
        "job.yaml": GOOD,
        "jobs/bad job.yml": BAD,
        "spring.flux2batch.yaml": GOOD.replace("prompt", "name: spring\nprompt"),
        "compose.yaml": "services: {}\n",
    }.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
    git(made, "init", "--quiet")
    git(made, "add", ".")
    return made


def takes(name: str) -> bool:
    """Whether pre-commit hands this file to the hook."""
    return bool(re.search(HOOK["files"], name)) and not re.search(HOOK["exclude"], name)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.test", *arguments], cwd=folder, check=True,
        capture_output=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("job.yaml", True),
        ("a/job.yml", True),
        ("jobs/anything.yaml", True),
        ("campaign/jobs/spring.yml", True),
        ("spring.flux2batch.yaml", True),
        ("picks/job.yaml", False),
        ("campaign/picks/jobs/spring.yaml", False),
        ("compose.yaml", False),
        ("jobs/deeper/values.yaml", False),
        ("prejob.yaml", False),
        ("myjobs/x.yaml", False),
        ("job.yaml.md", False),
        (".flux2batch.yaml", False),
    ],
)
def test_it_takes_job_files_and_no_other_yaml(name: str, taken: bool) -> None:
    assert takes(name) == taken


def test_it_says_what_is_wrong_with_the_files_that_it_is_given(project: Path) -> None:
    """As pre-commit calls it: the entry, split as a shell does, and the files behind it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=project, capture_output=True, text=True, check=True).stdout
    files = [name for name in listed.split("\0") if name and takes(name)]
    program, *arguments = shlex.split(HOOK["entry"])

    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments, *files], cwd=project, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert len(files) == 3
    assert done.returncode == 3
    assert " --> jobs/bad job.yml:2:1" in done.stderr
    assert "ok  job.yaml" in done.stdout


@pytest.mark.online
def test_pre_commit_installs_and_runs_it(project: Path, tmp_path: Path) -> None:
    needs(PRE_COMMIT.is_file(), "pre-commit is not installed")
    source = _as_repository(tmp_path / "source")
    environ = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache"), "PRE_COMMIT_COLOR": "never"}

    done = subprocess.run(
        [str(PRE_COMMIT), "try-repo", str(source), HOOK["id"], "--all-files"],
        cwd=project, env=environ, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"flux2batch validate\.+Failed", done.stdout)
    assert "error[FB201]: unknown key 'promt'" in done.stdout
    assert "ok  spring.flux2batch.yaml" in done.stdout
    assert "compose.yaml" not in done.stdout


def _as_repository(folder: Path) -> Path:
    """What is in this checkout now, as a repository that can be installed from."""
    for name in ("flux2batch", "schemas", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "x")
    return folder
