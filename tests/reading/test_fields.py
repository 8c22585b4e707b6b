"""What the language says about keys and values: rows B37 to B60, each with its code, place and words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bad_field_cases import CASES, KEY, Case, job

from flux2batch.reading.document import Document, document_of, read_document
from flux2batch.reading.faults import _TRANSLATIONS
from flux2batch.reading.load import load_job_text
from flux2batch.reading.problems import Problem, exit_code
from flux2batch.reading.schema import check_shape, job_schema

_PYTHON_OR_SCHEMA = re.compile(
    r"NoneType|\bdict\b|\bint\b|\bstr\b|\bbool\b|\bfloat\b|\bobject\b|\barray\b|\bstring\b|\binteger\b|\bproperty\b"
    r"|additionalProperties|oneOf|anyOf|enum\b|pattern\b|schema|Validation|\bnull\b|!|\bkeyword\b",
    re.IGNORECASE,
)


def problems_in(text: str) -> tuple[Problem, ...]:
    job, problems = load_job_text(text.encode(), path=Path("job.yaml"), name="job.yaml")
    assert (job is None) == any(problem.severity == "error" for problem in problems)
    return problems


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_mistake_gets_its_code_its_place_and_its_words(case: Case) -> None:
    problems = problems_in(case.yaml)

    assert [_code_and_place(problem) for problem in problems] == [_first_two(line) for line in case.found]
    for problem, line in zip(problems, case.found, strict=True):
        assert line.split(" ", 2)[2] in problem.headline
    assert exit_code(problems) == case.exit


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_message_speaks_python_or_schema(case: Case) -> None:
    for problem in problems_in(case.yaml):
        said = " ".join((problem.message, problem.help or "", *(note.text for note in problem.notes)))
        assert not _PYTHON_OR_SCHEMA.search(said.replace("guidance_scale", ""))
        assert not problem.message.endswith(".")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_problem_points_into_the_file(case: Case) -> None:
    lines = case.yaml.splitlines()

    for problem in problems_in(case.yaml):
        assert problem.where is not None
        assert 1 <= problem.where.line <= len(lines)
        assert 1 <= problem.where.column <= len(lines[problem.where.line - 1]) + 1


@pytest.mark.parametrize("case", [case for case in CASES if KEY in case.yaml], ids=str)
def test_a_key_of_a_service_is_nowhere_in_what_is_said(case: Case) -> None:
    problems = problems_in(case.yaml)

    assert problems
    assert KEY not in repr(problems)
    assert KEY[4:20] not in repr(problems)


@pytest.mark.parametrize(
    "secret",
    ['"with \\x41 escape"', "|\n  two lines\n  of secret", "'it''s quoted'", "[one secret, two secrets]"],
)
def test_a_secret_is_masked_however_it_is_written(secret: str) -> None:
    problems = problems_in(job(f"api_key: {secret}"))

    assert [problem.code for problem in problems] == ["FB701"]
    assert "secret" not in repr(problems)
    assert "x41" not in repr(problems)
    assert "quoted" not in repr(problems)


def test_a_warning_of_the_reader_hides_the_secret_as_well() -> None:
    problems = problems_in(job(f"api_key: {KEY} # the key of the team"))

    assert "FB701" in {problem.code for problem in problems}
    assert KEY not in repr(problems)


def test_half_a_key_is_hidden_as_well() -> None:
    problems = problems_in(job(f"params: {{seed: a rather long text before it {KEY}}}"))

    assert {problem.code for problem in problems} == {"FB701", "FB205"}
    assert "bfl_0" not in repr(problems)


def test_the_value_of_a_secret_is_not_described() -> None:
    problems = problems_in(job("references: {fal_key: 12345}", "data: {my_api_key: hunter22222}"))

    assert [problem.code for problem in problems] == ["FB701", "FB701"]
    assert "12345" not in repr(problems)
    assert "hunter" not in repr(problems)


@pytest.mark.parametrize("line", ["vars: {%s}", "sweep: {%s}", "run: {%s}"])
def test_a_thousand_mistakes_are_enough_and_they_are_the_first(line: str) -> None:
    text = job(line % ", ".join(f"a-{number}: ~" for number in range(3000)))

    problems = problems_in(text)
    from_data = check_shape(document_of(_document(text).data))

    assert len(problems) == len(from_data) == 1000
    assert {problem.steps for problem in problems} == {problem.steps for problem in from_data}
    assert problems[0].steps[1] == "a-0"


def test_what_an_author_names_after_a_secret_is_no_secret() -> None:
    found = problems_in(job("sweep: {token: [a brass token, a key]}", "data: {p: {file: p.csv, key: sku}}"))

    assert found == ()


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.what not in ("name with a control character",)], ids=str
)
def test_python_data_gets_the_same_verdict_without_places(case: Case) -> None:
    document = _document(case.yaml)

    from_file = [problem.code for problem in check_shape(document)]
    from_data = check_shape(document_of(document.data))

    assert sorted(problem.code for problem in from_data) == sorted(from_file)
    assert all(problem.where is None for problem in from_data)


@pytest.mark.parametrize(
    ("written", "key"),
    [("params", "steps"), ("output", "path"), ("sheet", "x"), ("run", "order"), ("budget", "max_usd")],
)
def test_a_key_of_a_section_at_the_top_is_told_its_section(written: str, key: str) -> None:
    (problem,) = problems_in(job(f"{key}: 1"))

    assert f"'{written}'" in (problem.help or "")


def test_every_keyword_of_the_schema_has_a_translation() -> None:
    annotations = {
        "$schema", "$ref", "title", "description", "markdownDescription", "examples", "default", "defaultSnippets",
        "errorMessage", "kindMessage", "definitions", "properties", "items", "allOf", "propertyNames", "contains",
    }  # fmt: skip

    used = set(_keywords(job_schema()))

    assert used - annotations <= set(_TRANSLATIONS)


def _keywords(schema: object) -> list[str]:
    if not isinstance(schema, dict):
        return []
    found = list(schema)
    for keyword, inner in schema.items():
        if keyword in ("properties", "definitions"):
            found += [word for below in inner.values() for word in _keywords(below)]
        elif keyword in ("anyOf", "allOf"):
            found += [word for below in inner for word in _keywords(below)]
        elif keyword in ("items", "additionalProperties", "propertyNames", "not", "contains"):
            found += _keywords(inner)
    return found


def _document(text: str) -> Document:
    document, _ = read_document(text.encode(), name="job.yaml")
    assert document is not None
    return document


def _code_and_place(problem: Problem) -> str:
    assert problem.where is not None
    return f"{problem.code} {problem.where.line}:{problem.where.column}"


def _first_two(line: str) -> str:
    return " ".join(line.split(" ", 2)[:2])
