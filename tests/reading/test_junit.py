"""`validate --format junit`: a report that CI systems read, whatever stands in a file."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from flux2batch.cli import run
from flux2batch.reading.junit import by_file, junit
from flux2batch.reading.problems import Place, error, warning

GOOD = 'flux2batch: 1\nprompt: "a paper boat"\n'
WARNED = f"{GOOD}vars: {{unused: 1}}\n"
BAD = 'flux2batch: 1\npromt: "a paper boat"\nparams: {widht: 1}\n'

# What the schema of Ant's reports allows, the stricter one: attributes, all of them required, and children in order.
FORM = {
    "testsuites": (set(), r"(testsuite )*"),
    "testsuite": (
        {"name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "time"},
        r"properties (testcase )*system-out system-err ",
    ),
    "properties": (set(), r""),
    "testcase": ({"name", "classname", "time"}, r"(failure )?"),
    "failure": ({"type", "message"}, r""),
    "system-out": (set(), r""),
    "system-err": (set(), r""),
}


def assert_valid(report: str) -> ElementTree.Element:
    root = ElementTree.fromstring(report)
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = FORM[element.tag]
        assert set(element.keys()) == attributes
        assert re.fullmatch(children, "".join(f"{child.tag} " for child in element)), element.tag
    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        assert re.fullmatch(r"\d+", suite.attrib["id"])
    return root


@pytest.fixture
def report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, ElementTree.Element]:
    """Of a good file, one with a warning, a bad one, and one that is not there."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"good.yaml": GOOD, "warned.yaml": WARNED, "bad.yaml": BAD}.items():
        Path(name).write_text(text, encoding="utf-8")
    code = run(["validate", "good.yaml", "warned.yaml", "bad.yaml", "missing.yaml", "--format", "junit"])
    return code, assert_valid(capsys.readouterr().out)


def test_each_file_is_a_case_and_problems_are_its_failure(report: tuple[int, ElementTree.Element]) -> None:
    code, root = report

    cases = {case.attrib["name"]: case.find("failure") for case in root.iter("testcase")}
    assert code == 3
    assert [name for name, failure in cases.items() if failure is not None] == ["bad.yaml", "missing.yaml"]
    failure = cases["bad.yaml"]
    assert failure is not None
    assert failure.attrib == {"type": "FB201", "message": "FB201: unknown key 'promt' (and 2 more)"}
    assert "--> bad.yaml:2:1" in str(failure.text)
    assert "--> bad.yaml:3:10" in str(failure.text)


def test_a_warning_fails_nothing_and_is_not_lost(report: tuple[int, ElementTree.Element]) -> None:
    (said,) = report[1].iter("system-out")

    assert "warning[FB308]" in str(said.text)
    assert "FB201" not in str(said.text)


@pytest.mark.usefixtures("report")
def test_strictly_a_warning_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "warned.yaml", "--strict", "--format", "junit"]) == 3

    (failure,) = assert_valid(capsys.readouterr().out).iter("failure")
    assert failure.attrib["type"] == "FB308"


@pytest.mark.usefixtures("report")
def test_two_jobs_of_one_name_fail_the_second(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.yaml", "b.yaml"):
        Path(name).write_text(f"name: boats\n{GOOD}", encoding="utf-8")

    run(["validate", "a.yaml", "b.yaml", "--format", "junit"])

    failed = [
        case.attrib["name"] for case in ElementTree.fromstring(capsys.readouterr().out).iter("testcase") if len(case)
    ]
    assert failed == ["b.yaml"]


@pytest.mark.usefixtures("report")
def test_a_command_that_ends_early_leaves_one_valid_report(capsys: pytest.CaptureFixture[str]) -> None:
    Path("config.toml").write_text("[limit]\nmax_shots = 1\n", encoding="utf-8")

    code = run(["validate", "good.yaml", "--config", "config.toml", "--format", "junit"])

    root = assert_valid(capsys.readouterr().out)
    assert code == 2
    assert [case.attrib["name"] for case in root.iter("testcase") if len(case)] == ["config.toml"]


@pytest.mark.parametrize(
    "text", ["a < b & 'c' \"d\" ]]> e", "\x00\x1b[2J\x07", "\ud800\ufffe\uffff", "\r\n\t", "‮evil", "日本 🦊"]
)
def test_whatever_stands_in_a_message_the_report_is_xml_and_shows_it(text: str) -> None:
    place = Place(file=f"{text}.yaml", line=1, column=1, end_line=1, end_column=2, line_text=text)
    problems = [error("FB201", text, where=place, help=text), warning("FB308", text, where=None)]

    written = junit(by_file(problems), at=datetime(2026, 8, 1, tzinfo=UTC))

    root = assert_valid(written.encode("utf-8").decode())
    assert len(list(root.iter("testcase"))) == 2
    if text.isprintable():
        (failure,) = root.iter("failure")
        assert text in failure.attrib["message"]
        assert text in str(failure.text)


def test_other_commands_do_not_offer_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "x.yaml", "--format", "junit"]) == 2
    assert "'junit' is not one of" in capsys.readouterr().err
