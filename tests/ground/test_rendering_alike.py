"""Warnings of one kind at one place are one thing to know for a person; programs and lists get each."""

from __future__ import annotations

import json

from flux2batch.reading.problems import Place, Problem, error, warning
from flux2batch.reading.rendering import Format, render

HERE = Place(file="job.yaml", line=3, column=1, end_line=3, end_column=5, line_text='pack: "{{ product.image }}"')
ELSEWHERE = Place(file="job.yaml", line=4, column=1, end_line=4, end_column=5, line_text="room: refs/room.png")


def shown(problems: list[Problem], format: Format) -> str:
    return render(problems, format=format, colour=False, width=100)


def test_warnings_alike_are_shown_once_with_their_number() -> None:
    photographs = [warning("FB407", f"'{name}.jpg' is large", where=HERE) for name in "abc"]
    said = shown([*photographs, warning("FB407", "'room.png' is large", where=ELSEWHERE)], "text")

    assert said.count("warning[FB407]") == 2
    assert "'a.jpg' is large" in said
    assert "2 more like it here; --format concise lists each" in said
    assert "'room.png' is large" in said


def test_errors_and_other_forms_name_each() -> None:
    warnings = [warning("FB407", f"'{name}.jpg' is large", where=HERE) for name in "abc"]
    errors = [error("FB401", f"'{name}.jpg' is not there", where=HERE) for name in "abc"]

    assert shown(errors, "text").count("error[FB401]") == 3
    assert len(shown(warnings, "concise").splitlines()) == 3
    assert len(json.loads(shown(warnings, "json"))["problems"]) == 3
