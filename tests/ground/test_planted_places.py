"""Every bug that `make torture` plants still finds its place in the source, so that none is counted and not planted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "torture"))

from planted_bugs import BUGS, Bug
from security_mutants import MUTANTS


@pytest.mark.parametrize("bug", [*BUGS, *MUTANTS], ids=lambda bug: bug.name)
def test_a_planted_bug_finds_its_place(bug: Bug) -> None:
    text = (ROOT / "flux2batch" / bug.file).read_text(encoding="utf-8")

    assert [old for old, _ in bug.changes if text.count(old) != 1] == []


def test_no_two_have_one_name() -> None:
    names = [bug.name for bug in (*BUGS, *MUTANTS)]

    assert len(names) == len(set(names))
    assert len(MUTANTS) >= 12
