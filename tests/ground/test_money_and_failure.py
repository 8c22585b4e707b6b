"""docs/money-and-failure.md and SECURITY.md promise nothing that no test shows, and name no test that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MONEY = (ROOT / "docs" / "money-and-failure.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
_NAMED = re.compile(r"`(tests/[^`]+)`")
_ROW = re.compile(r"^\| (?!what can happen|---)(.+) \|$", re.MULTILINE)


@pytest.mark.parametrize("page", [MONEY, SECURITY], ids=["money", "security"])
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = sorted(set(_NAMED.findall(page)))

    assert len(named) > 10
    assert [one for one in named if not _exists(*one.partition("::")[::2])] == []


def test_every_line_of_money_says_what_happens_what_is_done_and_which_test_shows_it() -> None:
    rows = [row.split(" | ") for row in _ROW.findall(MONEY) if not set(row) <= set("-|")]

    assert len(rows) > 35
    assert [row[0] for row in rows if len(row) != 4 or not _NAMED.search(row[3]) or not all(row)] == []


def test_every_line_of_what_holds_names_its_test() -> None:
    (promises,) = re.findall(r"^## What holds$(.*?)^## ", SECURITY, re.MULTILINE | re.DOTALL)
    lines = promises.split("\n- ")[1:]

    assert len(lines) >= 10
    assert [line for line in lines if not _NAMED.search(line)] == []


def test_a_report_goes_to_the_repository_and_to_no_address_that_was_made_up() -> None:
    assert "private advisory" in SECURITY
    assert "@" not in re.sub(r"`[^`]*`", "", SECURITY)


def _exists(file: str, name: str) -> bool:
    path = ROOT / file
    return path.is_file() and (not name or f"def {name}(" in path.read_text(encoding="utf-8"))
