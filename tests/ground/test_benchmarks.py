"""What `make bench` runs: each script still finds what it measures, and page and plots say what was measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(FOLDER))

from again import again
from compare import WORKS
from figures import OURS, Figure, keep, read
from plots import draw
from results import Section, page

SLOW = Figure(name="start <b>", unit="ms", rounds={OURS: [400.0, 200.0, 300.0], "other": [500.0]}, goal=250)


@pytest.mark.parametrize("script", [work.script for work in WORKS])
def test_every_benchmark_can_be_imported_and_says_how_it_is_used(script: str) -> None:
    said = subprocess.run(
        [sys.executable, FOLDER / f"{script}.py", "--help"], capture_output=True, text=True, timeout=60, check=False
    )

    assert said.returncode == 0, said.stderr
    assert "--json" in said.stdout
    assert "--quick" in said.stdout


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    keep([SLOW], tmp_path / "figures.json")

    assert read(tmp_path / "figures.json") == [SLOW]


def test_a_goal_that_was_missed_is_said_on_the_page() -> None:
    written = page([Section(title="Start", command="benchmarks/startup.py", took_s=3, figures=[SLOW])], quick=False)

    assert "| start <b> | 300 [200–400] ms | ≤ 250: **missed** | other 500 |" in written


def test_a_plot_has_a_bar_for_each_that_was_measured(tmp_path: Path) -> None:
    drawn = ElementTree.parse(draw(SLOW, tmp_path)).getroot()

    bars = [one for one in drawn.iter() if one.tag.endswith("rect")]
    assert len(bars) == 1 + len(SLOW.rounds)


def test_a_second_run_says_which_ratios_came_out_otherwise() -> None:
    def run(*, slow: list[float], steady: list[float]) -> list[Figure]:
        return [
            Figure(name="slow", unit="ms", rounds={OURS: slow, "other": [100.0]}),
            Figure(name="steady", unit="× the ideal", rounds={OURS: steady}),
            Figure(name="alone", unit="ms", rounds={OURS: slow}),
        ]

    before = run(slow=[100.0, 110.0], steady=[1.02, 1.04])

    told = again(before, run(slow=[130.0, 150.0], steady=[1.04, 1.06]))

    assert "Of 2 ratios of this run, 1 lie within the spread of the run before it." in told
    assert "| slow, over other | 1.4 [1.3–1.5] | 1.05 [1–1.1] | 33.3% |" in told
    assert "steady" not in told
    assert again([], before) == ""
