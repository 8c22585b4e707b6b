"""Every text that is no job gets its code, its severity and its exact place."""

from __future__ import annotations

import pytest
from bad_yaml_cases import ROWS, Case

from flux2batch.reading.document import read_document
from flux2batch.reading.problems import Problem, exit_code


def _line(problem: Problem) -> str:
    assert problem.where is not None
    mark = "?" if problem.severity == "warning" else ""
    return f"{mark}{problem.code} {problem.where.line}:{problem.where.column}"


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.id)
def test_each_mistake_gets_its_code_and_place(case: Case) -> None:
    document, problems = read_document(case.raw, name="job.yaml")

    assert tuple(map(_line, problems)) == case.expected
    assert exit_code(problems) == case.exit_code
    assert document is not None or case.exit_code != 0
