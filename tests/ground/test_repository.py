"""What holds for the whole repository: every module says what it is for, and nothing speaks of a machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "flux2batch").rglob("*.py"))
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|v\d)\.")

# Written so that it does not match itself.
_NAMED = re.compile(r"(?<!\w)/(?:wor[k]|roo[t])/|/tmp/bas[h]|pypi[.]or[g]|python[h]osted|npm[j]s|deb[.]debia[n]")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "flux2batch")))
def test_a_module_opens_with_one_sentence(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

    assert docstring, "it has no docstring"
    first = _ABBREVIATION.sub("", docstring.split("\n\n")[0]).rstrip()
    assert first.endswith((".", ":", "?")), f"no sentence: {first!r}"
    assert first.replace("\n", " ").count(". ") <= 1, f"a whole story: {first!r}"


def test_nothing_names_a_machine_or_a_registry() -> None:
    named = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path, text in _texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if _NAMED.search(line)
    ]

    assert named == []


def test_no_test_is_skipped_in_silence() -> None:
    """Tests that need a tool install it or fail; what a machine truly cannot do is said with its reason."""
    skips = re.compile(
        r"pytest\.(?:mark\.skip(?:if)?|skip|importorskip|mark\.xfail)\(\s*\)|pytest\.mark\.skip\b(?!if|\()"
    )

    silent = [
        f"{path.relative_to(ROOT)}:{number}"
        for path, text in _texts()
        if path.suffix == ".py" and "tests" in path.parts
        for number, line in enumerate(text.splitlines(), start=1)
        if skips.search(line)
    ]

    assert silent == []


def _texts() -> list[tuple[Path, str]]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    ).stdout.split("\0")
    paths = [ROOT / name for name in listed if name]
    assert paths, "not a git checkout: nothing to read"
    found = []
    for path in paths:
        if not path.is_file():
            continue
        raw = path.read_bytes()
        if b"\0" not in raw[:4096]:
            found.append((path, raw.decode("utf-8", "replace")))
    return found
