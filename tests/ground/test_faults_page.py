"""docs/faults.md names every fault once, and only tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(r"^\| F(\d+) \|(.*)\|([^|]*)\|$", (ROOT / "docs" / "faults.md").read_text("utf-8"), re.MULTILINE)


def test_every_fault_of_the_matrix_has_its_line():
    assert [int(number) for number, _, _ in ROWS] == list(range(1, 85))


def test_every_test_that_is_named_exists():
    named = [one for _, _, tests in ROWS for one in re.findall(r"`(tests/[^`]+)`", tests)]
    missing = [one for one in named if not _exists(*one.partition("::")[::2])]

    assert len(named) > 70
    assert missing == []


def test_a_line_without_a_test_says_why():
    silent = [number for number, about, tests in ROWS if "`" not in tests and "– " not in about]

    assert silent == []


def _exists(file: str, name: str) -> bool:
    path = ROOT / file
    return path.is_file() and (not name or f"def {name}(" in path.read_text("utf-8"))
