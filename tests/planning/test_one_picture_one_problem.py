"""What is wrong with one picture is told once, however many shots, models, references and rows go with it (FB407)."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from planned import plan_text, problems_of

from flux2batch.reading.problems import Problem

TWO_MODELS = "model: [bfl/flux-2-pro, bfl/flux-2-max]"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    Image.new("RGB", (20, 20)).save(tmp_path / "tiny.png")
    Image.new("RGB", (20, 21)).save(tmp_path / "small.png")
    Image.new("RGB", (1000, 1001)).save(tmp_path / "odd.png")
    return tmp_path


# Red where the words name the model: it was one error for each.
def test_two_models_that_want_the_same_of_a_picture_are_one_error(pictures: Path) -> None:
    (problem,) = problems_of(pictures, f"prompt: x\nreferences: {{a: tiny.png}}\nsweep: {{{TWO_MODELS}, seed: 1..3}}\n")

    assert (problem.code, problem.severity) == ("FB407", "error")
    assert problem.message == "'tiny.png' is 20x20, and the model wants at least 64 pixels on each side"
    assert problem.notes == ()


# Red where a finding is only known again at its own place.
def test_two_references_of_one_picture_are_one_warning_with_both_places(pictures: Path) -> None:
    plan = plan_text(pictures, "prompt: x\nreferences:\n  a: odd.png\n  b: odd.png\nsweep: {seed: 1..3}\n")

    (problem,) = plan.warnings
    assert _place(problem) == ("job.yaml", 4)
    assert [(note.text, note.where.line) for note in problem.notes if note.where] == [("it is named here as well", 5)]


def _place(problem: Problem) -> tuple[str, int] | None:
    return (problem.where.file, problem.where.line) if problem.where else None


# Red where what a model refuses is told at the template: nobody knew which row to mend.
def test_a_picture_that_rows_name_is_wrong_at_the_first_of_them(pictures: Path) -> None:
    rows = "".join(f"s{number},{'tiny' if number != 1 else 'small'}.png\n" for number in range(7))
    (pictures / "p.csv").write_text(f"sku,image\n{rows}", encoding="utf-8")

    found = problems_of(
        pictures,
        'data: {products: {file: p.csv, key: sku}}\nprompt: "{{ p.sku }}"\n'
        f'references: {{pack: "{{{{ p.image }}}}"}}\nsweep: {{p: data.products, {TWO_MODELS}}}\n',
    )

    assert [_place(problem) for problem in found] == [("p.csv", 2), ("p.csv", 3)]
    many, one = (
        [f"{note.text} {note.where.line if note.where else ''}".strip() for note in each.notes] for each in found
    )
    assert many == [
        "reference 'pack', line 4, for p.csv:2 (sku s0)",
        "it is named here as well 4",
        "it is named here as well 5",
        "it is named here as well 6",
        "and at 2 more places",
        "in sweep item 1 (p=s0, model=bfl-flux-2-pro) and 11 more shots",
    ]
    assert one[-1] == "in sweep item 3 (p=s1, model=bfl-flux-2-pro) and one more shot"


def test_two_pictures_are_two_errors(pictures: Path) -> None:
    text = "prompt: x\nreferences: {a: tiny.png, b: small.png}\n"

    assert [problem.code for problem in problems_of(pictures, text)] == ["FB407", "FB407"]
