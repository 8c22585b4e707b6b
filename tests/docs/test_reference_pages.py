"""What is made from the code stands in the README as the code has it."""

from __future__ import annotations

import sys

import pytest
from page_blocks import ROOT


@pytest.fixture
def makers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.mark.usefixtures("makers")
def test_the_models_of_the_readme_are_those_of_the_catalogue() -> None:
    import readme_models

    assert readme_models.README.read_text(encoding="utf-8") == readme_models.readme(), "run `make docs`"
