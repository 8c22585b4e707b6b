"""What is declared is imported, what is imported is declared, and each dependency has its reason on a page."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_IMPORTED_AS = {"pyyaml": "yaml", "pillow": "PIL"}


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert found
    return found[0].lower()


_RUN_TIME = {_name(each) for each in _PROJECT["dependencies"]}
_EXTRAS = {
    extra: {_name(each) for each in requirements if not each.startswith("flux2batch")}
    for extra, requirements in _PROJECT["optional-dependencies"].items()
}


@functools.cache
def _imported() -> set[str]:
    found = set()
    for path in (ROOT / "flux2batch").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"flux2batch"}


def test_every_dependency_is_used() -> None:
    unused = {name for name in _RUN_TIME if _IMPORTED_AS.get(name, name) not in _imported()}

    assert unused == set()


def test_everything_that_is_imported_is_declared() -> None:
    by_choice = set().union(*(names for extra, names in _EXTRAS.items() if extra != "dev"))
    declared = {_IMPORTED_AS.get(name, name) for name in _RUN_TIME | by_choice}

    assert _imported() - declared == set()


def test_every_dependency_has_its_reason_on_the_page() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    wanted = _RUN_TIME | set().union(*_EXTRAS.values())

    silent = {name for name in wanted if name not in page and not name.startswith("types-")}

    assert silent == set()
