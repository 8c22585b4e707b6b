"""Jobs, plans and reports in notebooks and tables: small, safe, and plain enough for whatever reads rows."""

from __future__ import annotations

import csv
import inspect
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import flux2batch
from flux2batch.planning.flat_rows import flat

HOSTILE = "<script>alert(1)</script> & \"q\" 'q' <img src=x onerror=alert(1)> \u202e"
JOB: dict[str, Any] = {
    "flux2batch": 1,
    "name": "boats",
    "description": HOSTILE,
    "model": "bfl/flux-2-flex",
    "prompt": "a {{ colour }} boat",
    "params": {"size": "256x256"},
    "sweep": {"colour": ["red", {"id": "evil", "text": HOSTILE, "label": HOSTILE}], "guidance": [2, 3.5]},
    "references": {"sea": {"color": "#0047AB"}},
    "budget": {"max_usd": 3},
}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> flux2batch.Plan:
    prompt = "a {{ colour.label }} boat"
    return flux2batch.plan(flux2batch.load({**JOB, "prompt": prompt}, folder=tmp_path_factory.mktemp("job")))


@pytest.fixture(scope="module")
def report(plan: flux2batch.Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[flux2batch.Report]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield flux2batch.run(plan.only("guidance == 2"), out=tmp_path_factory.mktemp("runs") / "boats", emulate=True)


class _Page(HTMLParser):
    """Reads a piece of HTML as a browser would, and keeps what it is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("of", ["job", "plan", "report"])
def test_what_a_notebook_shows_is_text_and_comes_from_nowhere_else(of: str, request: pytest.FixtureRequest) -> None:
    plan: flux2batch.Plan = request.getfixturevalue("plan")
    shown: Any = {"job": plan.job, "plan": plan}.get(of) or request.getfixturevalue("report")

    html = shown._repr_html_()

    page = _Page(html)
    assert page.tags <= {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "img"}
    assert {name for name, _ in page.attributes} <= {"src", "alt", "title", "width"}
    assert all(str(value).startswith("data:image/jpeg;base64,") for name, value in page.attributes if name == "src")
    assert "boats" in page.text
    assert "\u202e" not in html
    assert len(html) < 150_000


def test_a_plan_shows_what_it_costs_and_its_first_shots(plan: flux2batch.Plan) -> None:
    page = _Page(plan._repr_html_())

    assert "4 shots on bfl/flux-2-flex, $0.40; nothing was sent" in page.text
    assert "<script>alert(1)</script>" in page.text  # as text, in a prompt


def test_a_job_shows_its_axes(plan: flux2batch.Plan) -> None:
    assert "guidance[2, 3.5]" in _Page(plan.job._repr_html_()).text


def test_a_report_shows_its_first_pictures(report: flux2batch.Report) -> None:
    page = _Page(report._repr_html_())

    assert "2 of 2 done" in page.text
    assert [value for name, value in page.attributes if name == "alt"] == [
        "colour red, guidance 2",
        "colour evil, guidance 2",
    ]


def test_a_report_without_its_pictures_is_still_shown(report: flux2batch.Report) -> None:
    hidden = report.root / ".sheet"
    hidden.rename(report.root / "elsewhere")
    try:
        assert "<img" not in report._repr_html_()
    finally:
        (report.root / "elsewhere").rename(hidden)


def test_the_rows_of_a_plan_are_flat_and_have_the_same_columns(plan: flux2batch.Plan) -> None:
    rows = plan.to_rows()

    assert_flat(rows)
    assert len(rows) == len(plan) == 4
    first = rows[0]
    assert (first["coordinates.colour"], first["params.guidance"], first["cost_usd.max"]) == ("red", 2, 0.1)
    assert (first["references"], first["paths"]) == ("#0047AB", "red-2.png")


def test_the_rows_of_a_ledger_are_flat_and_come_to_what_was_charged(report: flux2batch.Report) -> None:
    rows = report.ledger

    assert_flat(rows)
    charged = [row["charged_usd"] for row in rows]
    assert [type(amount) for amount in charged] == [float, float]
    assert sum(float(str(amount)) for amount in charged) == pytest.approx(float(report.cost))
    assert {row["coordinates.colour"] for row in rows} == {"red", "evil"}
    assert flux2batch.ledger(report.root) == rows


def test_what_one_row_lacks_is_none_there() -> None:
    rows = flat([{"a": {"x": 1}, "cost": None}, {"a": {"y": [1, 2]}, "cost": {"min": 1}, "b": True}])

    assert rows == [
        {"a.x": 1, "a.y": None, "cost.min": None, "b": None},
        {"a.x": None, "a.y": "1\n2", "cost.min": 1, "b": True},
    ]


def assert_flat(rows: list[dict[str, Any]]) -> None:
    """As csv.DictWriter wants them, and pandas where somebody has it."""
    columns = list(rows[0])
    assert all(list(row) == columns for row in rows)
    assert all(value is None or type(value) in (str, int, float, bool) for row in rows for value in row.values())
    file = StringIO(newline="")
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    writer.writerows(rows)
    file.seek(0)
    assert [row["prompt"] for row in csv.DictReader(file)] == [row["prompt"] for row in rows]
    if find_spec("pandas"):
        import pandas  # type: ignore[import-not-found,unused-ignore]  # not needed, so not installed for the checks

        assert list(pandas.DataFrame(rows).columns) == columns


@pytest.mark.parametrize("kind", [flux2batch.Job, flux2batch.Plan, flux2batch.Report, flux2batch.Outcome])
def test_every_attribute_is_typed_and_says_what_it_is(kind: type) -> None:
    """A property has a docstring; an attribute has a comment, or a name of which there is nothing more to say."""
    plain = [name for name in inspect.get_annotations(kind) if not name.startswith("_")]
    properties = {name: member for name, member in vars(kind).items() if isinstance(member, property)}

    assert set(plain) | set(properties)
    for name, member in properties.items():
        assert inspect.getdoc(member), name
        assert member.fget is not None
        assert "return" in member.fget.__annotations__, name


def test_the_page_names_every_attribute_of_a_report() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    known = {
        *inspect.get_annotations(flux2batch.Report),
        *(n for n, m in vars(flux2batch.Report).items() if isinstance(m, property)),
    }

    assert known <= set(re.findall(r"`report\.(\w+)`", page))
    assert set(re.findall(r"`report\.(\w+)`", page)) <= known
    assert set(re.findall(r"`plan\.(\w+)", page)) <= {*dir(flux2batch.Plan), *inspect.get_annotations(flux2batch.Plan)}
