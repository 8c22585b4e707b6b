"""The examples of docs/python.md run, and its tables name what exists."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import flux2batch
from flux2batch import errors

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ERRORS = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and kind.__module__ == errors.__name__
}
ROWS = {
    name: (codes, carries)
    for name, codes, carries in re.findall(r"^\| `(\w+)` \| ([\d, ]+) \| [^|]+ \|([^|]*)\|$", PAGE, re.MULTILINE)
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_of_the_page_runs_as_it_stands(number: int, capsys: pytest.CaptureFixture[str]):
    exec(compile(EXAMPLES[number], f"docs/python.md, example {number + 1}", "exec"), {})

    made = [
        path for folder in ("outputs", "runs") for path in Path(folder).rglob("*.*") if path.suffix in (".png", ".jpeg")
    ]
    assert made
    assert "moderated" not in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_the_count_in_the_first_example_is_right(capsys: pytest.CaptureFixture[str]):
    exec(compile(EXAMPLES[0], "docs/python.md", "exec"), {})

    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("6 ")
    assert "# 6 shots" in EXAMPLES[0]


def test_every_typed_error_is_documented_with_its_exit_code():
    assert set(ROWS) == set(ERRORS) - {"FluxError"}
    for name, (codes, _) in ROWS.items():
        if name != "InvalidInput":
            assert codes.strip() == str(ERRORS[name].exit_code), name


def test_errors_carry_what_the_page_says():
    for name, (_, carries) in ROWS.items():
        for attribute in re.findall(r"`(\w+)`", carries):
            assert f"self.{attribute} =" in "".join(inspect.getsource(kind) for kind in ERRORS[name].__mro__[:-3]), name


def test_the_page_names_all_that_can_be_called():
    for name in ("load", "plan", "run"):
        written = {*re.findall(rf"`{name}\(.*?\)`", PAGE)}
        given = {argument for call in written for argument in re.findall(r"(?<![.\w])(\w+)=", call)}

        assert written, name
        assert given <= set(inspect.signature(getattr(flux2batch, name)).parameters), name
