"""The codes: each is explained, none is invented, and the page about them is the codes."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from flux2batch.cli import EXIT_CODES
from flux2batch.reading import codes
from flux2batch.reading.codes.code import Code
from flux2batch.reading.problems import error

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


def test_a_code_that_is_said_as_nothing_but_a_warning_is_explained_as_one() -> None:
    """The other way round is held where a problem is made: an error of such a code is a bug there."""
    said: dict[str, set[str]] = {}
    for path in (ROOT / "flux2batch").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call):
                by = ast.unparse(call.func).rpartition(".")[2]
                for given in call.args:
                    if isinstance(given, ast.Constant) and given.value in codes.ALL:
                        said.setdefault(given.value, set()).add(by)

    only_warn = {code for code, by in said.items() if by <= {"warn", "warning"}}
    assert only_warn >= {"FB117", "FB318", "FB609"}
    assert {code for code in only_warn if not codes.ALL[code].only_warns} == set()


def test_an_error_of_a_code_that_only_warns_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="BUG: FB318"):
        error("FB318", "an old encoding", where=None)


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
