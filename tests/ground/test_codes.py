"""The codes: each is explained, none is invented, and the page about them is the codes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from flux2batch.cli import EXIT_CODES
from flux2batch.reading import codes
from flux2batch.reading.codes.code import Code

ROOT = Path(__file__).resolve().parents[2]
_PYTHON_WORDS = re.compile(
    r"\b(?:NoneType|dict|traceback|TypeError|ValueError|KeyError|oneOf|anyOf|additionalProperties)\b"
)


@pytest.mark.parametrize("code", codes.ALL.values(), ids=lambda code: code.name)
def test_a_code_has_cause_example_and_fix(code: Code) -> None:
    assert re.fullmatch(r"FB\d{3}", code.name)
    assert code.exit_code in {2, 3, 4, 5, 6, 7}
    for text in (code.title, code.cause, code.example, code.fix):
        assert text.strip() == text != ""
        assert not _PYTHON_WORDS.search(text)
    assert code.example != code.fix
    assert not code.title.endswith(".")
    assert "!" not in code.title + code.cause.replace("'!", ""), "nobody is shouted at"
    assert code.cause.endswith((".", ")", "`"))


def test_codes_stand_in_order_and_once() -> None:
    names = list(codes.ALL)

    assert names == sorted(names)
    families = (codes.fb0_files, codes.fb1_yaml, codes.fb2_fields, codes.fb3_templates, codes.fb4_references,
                codes.fb5_outputs, codes.fb6_limits, codes.fb7_safety, codes.fb8_account, codes.fb9_ends)  # fmt: skip
    assert sum(len(family.CODES) for family in families) == len(names)


def test_every_code_in_the_source_has_an_entry() -> None:
    used = {
        (name, path.name)
        for path in (ROOT / "flux2batch").rglob("*.py")
        for name in re.findall(r"[\"'](FB\d{3})[\"']", path.read_text(encoding="utf-8"))
    }

    assert {(name, file) for name, file in used if name not in codes.ALL} == set()


@pytest.mark.parametrize("page", ["errors", "commands", "lifecycle", "job-file"])
def test_a_page_made_from_the_code_is_up_to_date(page: str) -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import generate
    finally:
        sys.path.pop(0)

    written = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")

    assert written == generate.PAGES[page](), "run `make docs`"


def test_the_exit_codes_equal_the_page() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")

    assert [int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == [c for c, _ in EXIT_CODES]
