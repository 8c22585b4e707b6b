"""The closing table of `make torture`: every harness is listed and counted, and none may fail without a word."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_TORTURE = Path(__file__).resolve().parents[1] / "torture"
sys.path.append(str(_TORTURE))

from run_all import HARNESSES, Harness, run  # the harnesses lie beside the rooms, not in one
from tally import Tally, heard, say, table  # the same

GOOD = Tally(harness="kills", cases=1200, seconds=3.2)


def test_every_harness_that_is_listed_is_there_and_every_one_that_is_there_is_listed():
    texts = {path.stem: path.read_text(encoding="utf-8") for path in _TORTURE.glob("*.py")}
    scripts = {name for name, text in texts.items() if "say(" in text or "plant_all(" in text}

    assert scripts - {"tally"} == {one.name for one in HARNESSES}


def test_what_is_said_is_heard(capsys: pytest.CaptureFixture[str]):
    code = say(GOOD)

    assert code == 0
    assert heard(capsys.readouterr().out) == GOOD
    assert heard("12 kills") is None


@pytest.mark.parametrize("what", ["duplicates", "lost", "partial", "tracebacks", "other"])
def test_one_of_anything_bad_is_exit_1(what: str):
    assert say(Tally(harness="kills", cases=1, seconds=0, **{what: 1})) == 1


def test_the_table_has_a_row_for_each_and_their_sum():
    lines = table([GOOD, Tally(harness="fuzz", cases=5, seconds=1, lost=2, note="seed 7")]).splitlines()

    assert lines[0].split() == [
        "harness",
        "cases",
        "duplicates",
        "lost",
        "partial",
        "files",
        "tracebacks",
        "other",
        "seconds",
    ]
    assert lines[2].split() == ["kills", "1,200", "0", "0", "0", "0", "0", "3"]
    assert lines[3].split() == ["fuzz", "5", "0", "2", "0", "0", "0", "1", "seed", "7"]
    assert lines[-1].split() == ["all", "1,205", "0", "2", "0", "0", "0", "4"]


@pytest.mark.parametrize(
    ("script", "bad"),
    [
        ('print(\'TALLY {"harness": "x", "cases": 3, "seconds": 1}\')', 0),
        ("print('fine')", 1),
        ('print(\'TALLY {"harness": "x", "cases": 3, "seconds": 1}\')\nraise SystemExit(1)', 1),
        ("raise OSError", 1),
    ],
    ids=["says all is well", "says nothing", "fails after its tally", "falls over"],
)
def test_a_harness_that(script: str, bad: int, tmp_path: Path):
    (tmp_path / "one.py").write_text(script, encoding="utf-8")

    tallies = run(Harness("one", 1), processes=1, folder=tmp_path)

    assert sum(one.other for one in tallies) == bad


def test_a_harness_that_never_ends_is_stopped_and_counted_as_bad(tmp_path: Path):
    (tmp_path / "one.py").write_text("import time\ntime.sleep(600)  # as one that hangs\n", encoding="utf-8")

    (tally,) = run(Harness("one", 0), processes=1, folder=tmp_path)

    assert (tally.other, tally.note) == (1, "was stopped, and did not say why")
