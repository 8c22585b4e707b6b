"""A run that is refused leaves nothing behind, and takes nothing away that was there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tiny_runs import Runs

REFUSED = {
    "nobody to ask": ({"BFL_API_KEY": "bfl_0123456789abcdef"}, (), 4, "nobody is here to ask"),
    "no key": ({}, ("--yes",), 6, "no BFL_API_KEY"),
    "over its budget": ({}, ("--emulate", "--max-usd", "0.01"), 4, "FB610"),
    "nobody to ask on loopback": (
        {"BFL_BASE_URL": "http://127.0.0.1:9", "BFL_API_KEY": "bfl_0123456789abcdef"}, (), 4, "nobody is here to ask",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_a_run_that_is_refused_leaves_nothing(runs: Runs, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    environ, flags, code, says = REFUSED[why]
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    runs.write(["calm", "wild"])

    said = runs("run", runs.job, *flags)

    assert (said.code, says in said.err) == (code, True), said.err
    assert [path.name for path in runs.job.parent.iterdir()] == ["tiny.yaml"]
    assert not list(Path(os.environ["XDG_STATE_HOME"]).rglob("*.db"))


def test_a_folder_that_was_there_stays(runs: Runs) -> None:
    runs.write(["calm"])
    mine = runs.job.parent / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine", encoding="utf-8")

    assert runs("run", runs.job, "--out", mine).code == 6

    assert [path.name for path in mine.iterdir()] == ["notes.txt"]


def test_a_run_directory_with_a_history_stays_when_the_next_run_is_refused(runs: Runs) -> None:
    runs.made(["calm"])
    before = sorted(runs.kinds())
    runs.write(["calm", "wild"])

    assert runs("run", runs.job, "--emulate", "--max-usd", "0.001").code == 4

    assert sorted(runs.kinds()) == before
    assert (runs.root / "index.html").is_file()
