"""The Makefile on a machine that lacks what it needs, and its own overview."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD_PYTHON = "#!/bin/sh\nexit 1\n"  # as one that is older than 3.11 answers our question


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # MAKEFLAGS: these tests run below `make test`, whose own flags are not meant for this one.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False, env=environ
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What make looks at before it has made anything."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("target", ["demo", "test"])
def test_without_a_python_it_says_what_to_install(checkout: Path, target: str) -> None:
    old = checkout / "python-old"
    old.write_text(OLD_PYTHON, encoding="utf-8")
    old.chmod(0o755)

    done = make(checkout, target, f"PYTHONS=no-such-python {old}")

    assert done.returncode == 2
    assert "setup: flux2batch needs Python 3.11 or newer with the venv module, and found none" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_help_names_what_people_call() -> None:
    said = make(ROOT).stdout

    assert all(f"make {target} " in said for target in ("demo", "test", "check", "torture", "bench"))


@pytest.mark.parametrize(
    "target", ["demo", "test", "check", "torture", "bench", "bench-quick", "docs", "site", "local"]
)
def test_a_target_can_be_made_where_nothing_is_made_yet(tmp_path: Path, target: str) -> None:
    nowhere = [f"{name}={tmp_path / name}" for name in ("VENV", "PEERS", "LOCAL", "BENCH")]

    planned = make(ROOT, "-n", target, *nowhere)

    assert planned.returncode == 0, planned.stderr
