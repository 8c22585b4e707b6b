"""docs/expectations.md names every expectation once, and shows what it claims by a test or a page that exists."""

from __future__ import annotations

import re

import pytest
from page_blocks import ROOT

PAGE = (ROOT / "docs" / "expectations.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| U(\d\d) \| ([^|]+) \| ([^|]+) \|([^|]*)\|$", PAGE, re.MULTILINE)
STANDS = ("done", "not yet", "not wanted: ")


def test_every_expectation_has_its_row() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 51))


@pytest.mark.parametrize(("number", "stands", "shown"), [(row[0], row[2], row[3]) for row in ROWS])
def test_a_row_says_how_it_stands_and_what_shows_it(number: str, stands: str, shown: str) -> None:
    named = re.findall(r"`((?:tests|docs)/[^`]+)`", shown)

    assert stands.startswith(STANDS), number
    assert named or stands.startswith("not yet"), number
    for file, _, name in (one.partition("::") for one in named):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not name or f"def {name}(" in text, f"{file} has no {name}"
