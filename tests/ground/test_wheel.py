"""The wheel: what is in it, and that it works in an empty environment outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without anything being downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


def test_schemas_and_templates_travel_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    for top in ("schemas", "templates"):
        shipped = {f"flux2batch/{path.relative_to(ROOT)}" for path in (ROOT / top).rglob("*") if path.is_file()}
        assert shipped <= names, shipped - names
    assert "flux2batch/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "docs", "specs"))]


def test_the_wheel_is_pure_python_and_small(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < 2_000_000


def test_the_wheel_works_with_what_it_declares_and_nothing_else(wheel: Path, tmp_path: Path) -> None:
    """Beside the wheel only what it declares can be imported: none of the tools for tests."""
    python = _empty_environment(tmp_path / "empty")
    _pip(python, "install", "--no-index", "--no-deps", str(wheel))
    beside = tmp_path / "declared"
    beside.mkdir()
    for name in _declared("flux2batch"):
        _link(name, beside)

    _try_out(python, tmp_path / "somewhere", PYTHONPATH=str(beside))


@pytest.mark.online
def test_the_wheel_installs_from_an_index_into_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    python = _empty_environment(tmp_path / "empty")
    _pip(python, "install", str(wheel))

    _try_out(python, tmp_path / "somewhere")


def _try_out(python: Path, folder: Path, **environ: str) -> None:
    folder.mkdir()
    script = python.with_name("flux2batch")

    def answer(*arguments: str) -> str:
        done = subprocess.run(
            [str(script), *arguments], cwd=folder, env=os.environ | environ, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "wrote  first/job.yaml" in answer("init", "first")
    assert answer("validate", "first/job.yaml").startswith("ok  first/job.yaml")
    assert answer("schema") == (folder / "first" / "schemas" / "job.schema.json").read_text(encoding="utf-8")
    assert "bfl/flux-2-pro" in answer("models")
    assert answer("explain", "FB204").startswith("FB204")


def _empty_environment(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    return folder / "bin" / "python"


def _pip(python: Path, *arguments: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "--quiet",
        "--disable-pip-version-check",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def _declared(name: str, seen: set[str] | None = None) -> Iterator[str]:
    """The names of all that a distribution needs at run time, without its extras, and of what these need."""
    seen = set() if seen is None else seen
    for line in metadata.requires(name) or ():
        requirement = Requirement(line)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if wanted and requirement.name not in seen:
            seen.add(requirement.name)
            yield requirement.name
            yield from _declared(requirement.name, seen)


def _link(name: str, folder: Path) -> None:
    """Make what a distribution installed importable from `folder`."""
    distribution = metadata.distribution(name)
    for file in distribution.files or ():
        top = file.parts[0]
        if top not in ("..", "__pycache__") and not (folder / top).exists():
            (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
