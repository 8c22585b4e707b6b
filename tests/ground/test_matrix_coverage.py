"""Every row of the three matrices is named by a test or listed with the reason why not; the script says which."""

from __future__ import annotations

import subprocess
import sys

import pytest
from matrix_coverage import NOT_AUTOMATED, ROOT, ROWS, Coverage, coverage


@pytest.fixture(scope="module")
def known() -> Coverage:
    return coverage()


def test_every_row_is_tested_or_listed_with_its_reason(known: Coverage) -> None:
    assert len(ROWS) == 84 + 106 + 56
    assert known.missing == ()


def test_no_row_is_tested_and_said_not_to_be(known: Coverage) -> None:
    assert known.idle == ()


def test_every_reason_is_one_and_about_a_row(known: Coverage) -> None:
    assert known.reasons.keys() <= set(ROWS)
    assert [row for row, why in known.reasons.items() if len(why.split()) < 8] == []


def test_the_script_prints_each_row_once_and_fails_where_one_is_missing() -> None:
    script = ROOT / "tests" / "ground" / "matrix_coverage.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()[: len(ROWS)]] == list(ROWS)
    assert "attacks: 56 rows, 55 tested, 1 listed with a reason" in done.stdout


def test_a_row_that_nobody_speaks_of_is_missing(known: Coverage) -> None:
    """Seen red with the line of S34 taken out of docs/not-automated.md."""
    silent = Coverage(tests={**known.tests, "F01": (), "S34": ()}, reasons={})

    assert silent.missing == ("F01", "S34")
    assert "S34" in NOT_AUTOMATED.read_text(encoding="utf-8")
