"""A run that is refused leaves nothing behind, and takes nothing away that was there."""

from __future__ import annotations

import json
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


# Red where what ends a command is told past --format.
IN_FORM = {
    "no key": (("run", "--yes"), {}, "FB801", 6, True),
    "nobody to ask": (("run",), {"BFL_API_KEY": "bfl_0123456789abcdef"}, "FB611", 4, True),
    "no bound": (("run", "--yes"), {"BFL_API_KEY": "bfl_0123456789abcdef"}, "FB611", 4, True),
    "a workflow of strangers": (("run", "--yes"), {"GITHUB_EVENT_NAME": "pull_request_target"}, "FB707", 4, False),
    "a folder that is none": (("run", "--emulate", "--out", "tiny.yaml/out"), {}, "FB904", 7, False),
    "a file of yours": (("run", "--emulate", "--out", "mine"), {}, "FB902", 4, False),
    "no such revision": (("plan", "--against", "nowhere"), {}, "FB901", 2, False),
}  # fmt: skip


@pytest.mark.parametrize("why", IN_FORM)
def test_what_ends_a_command_is_told_in_the_form_that_was_asked_for(
    runs: Runs, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    words, environ, code, exit_code, has_place = IN_FORM[why]
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(runs.job.parent)
    runs.write(["calm", "wild"])
    if why == "no bound":
        text = runs.job.read_text(encoding="utf-8")
        runs.job.write_text(text.replace("sweep:", "repeat: 500\nsweep:"), encoding="utf-8")
    if why == "a file of yours":
        (runs.job.parent / "mine").mkdir()
        (runs.job.parent / "mine" / "calm.png").write_text("mine", encoding="utf-8")

    said = runs(words[0], runs.job, *words[1:], "--format", "json")
    noted = runs(words[0], runs.job, *words[1:], "--format", "github")

    (problem,) = json.loads(said.out)["problems"]
    assert (problem["code"], said.code, problem["file"]) == (code, exit_code, str(runs.job) if has_place else None)
    assert noted.out.startswith(f"::error file={runs.job}," if has_place else f"::error title={code}")
    assert not any(line.startswith("error") for line in (said.err + noted.err).splitlines())
