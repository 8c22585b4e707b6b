"""Every mistake of the tables through the whole command line: its code, its place, its exit code, and nothing else."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import bad_field_cases
import bad_yaml_cases
import pytest

from flux2batch.__main__ import main

_LINE = re.compile(r"job\.yaml:(?P<line>\d+):(?P<col>\d+): (?P<code>FB\d{3}) (?P<warning>warning: )?")
_FORBIDDEN = re.compile(r"Traceback|NoneType|\bdict\b|ValidationError|oneOf|additionalProperties|\x1b")
_SECTIONS_OF_YAML = "FB1"


class Answer(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str

    @property
    def found(self) -> list[str]:
        """`CODE line:column` of each problem, a `?` before a warning."""
        return [
            f"{'?' if match['warning'] else ''}{match['code']} {match['line']}:{match['col']}"
            for match in map(_LINE.match, self.stderr.splitlines())
            if match
        ]


def validate(raw: bytes, folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> Answer:
    (folder / "job.yaml").write_bytes(raw)
    code = main(["validate", "job.yaml", "--format", "concise", *options])
    said = capsys.readouterr()
    return Answer(code, said.out, said.err)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", bad_yaml_cases.ROWS, ids=lambda case: case.id)
def test_a_text_that_is_no_job(case: bad_yaml_cases.Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = validate(case.raw, tmp_path, capsys)

    assert not _FORBIDDEN.search(answer.stderr)
    # A text that can be read in part is checked in part as well: what its keys deserve stands beside these.
    assert [found for found in answer.found if _SECTIONS_OF_YAML in found] == list(case.expected)
    assert answer.exit_code == 3 if case.exit_code else answer.exit_code in (0, 3)
    assert answer.stdout == "" or answer.exit_code == 0


@pytest.mark.parametrize("case", bad_field_cases.CASES, ids=str)
def test_a_wrong_key_or_value(case: bad_field_cases.Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = validate(case.yaml.encode(), tmp_path, capsys)

    expected = [" ".join(line.split(" ", 2)[:2]) for line in case.found]
    assert (answer.found, answer.exit_code, answer.stdout) == (expected, case.exit, "")
    assert not _FORBIDDEN.search(answer.stderr)
    assert bad_field_cases.KEY not in answer.stderr


# B01 and B02: the file itself


def test_b01_a_file_that_does_not_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "job.yml").write_text("flux2batch: 1\n", encoding="utf-8")

    code = main(["validate", "jobs.yml"])

    said = capsys.readouterr()
    assert (code, said.out) == (3, "")
    assert said.err.startswith("error[FB001]: no such file 'jobs.yml'\n")
    assert "did you mean 'job.yml'?" in said.err


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_b02_what_is_no_file(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if kind == "folder":
        (tmp_path / "job.yaml").mkdir()
    else:
        os.mkfifo(tmp_path / "job.yaml")

    code = main(["validate", "job.yaml"])

    said = capsys.readouterr()
    assert (code, said.out) == (3, "")
    assert "FB002" in said.err


# B106: many at once


def test_b106_fifty_are_shown_and_the_rest_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "flux2batch: 1\nprompt: a boat\n" + "".join(f"banana{n}: 1\n" for n in range(100))

    answer = validate(text.encode(), tmp_path, capsys)

    assert answer.exit_code == 3
    assert len(answer.found) == 50
    assert answer.stderr.splitlines()[-1] == "… 50 more"


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", b"\x00" * 100, b"[" * 50_000, b"- " * 1_100, b"\xed\xa0\x80: 1"])
def test_bytes_of_any_kind_are_answered(raw: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = validate(raw, tmp_path, capsys)

    assert answer.exit_code in (3, 4)
    assert answer.found
    assert not _FORBIDDEN.search(answer.stderr)
