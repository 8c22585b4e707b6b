"""The examples of docs/coming-from.md run, and its tables name what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flux2batch.emulator.server import Emulator
from flux2batch.planning.models.catalogue import entries

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "coming-from.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs_as_it_stands(here: Emulator, number: int):
    exec(compile(EXAMPLES[number], f"docs/coming-from.md, example {number + 1}", "exec"), {})

    assert here.books.counts()["tasks"] >= 1
    assert all(path.stat().st_size for path in Path("outputs").iterdir())


def test_the_page_has_examples_for_every_client_it_names():
    assert len(EXAMPLES) == 7
    assert {*re.findall(r'Client\("([^"]+)"', PAGE)} <= set(entries())


def test_the_page_claims_nothing_about_parameters_that_do_not_exist():
    """Every `name=` that stands on our side of a table is an argument or a parameter of some model."""
    known = {"api_key", "base_url", "images", "size", "width", "height", "aspect", "megapixels", "timeout"}
    known |= {name for entry in entries().values() for name in entry.parameters}
    ours = "\n".join(row.split("|")[2] for row in PAGE.splitlines() if row.startswith("| ") and row.count("|") == 3)

    assert {*re.findall(r"\b([a-z_]+)=", ours)} <= known
