"""The command that goes on with a run makes the same shots in the same place, wherever it is said."""

from __future__ import annotations

import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tiny_runs import Runs

from flux2batch.engine.records import decode
from flux2batch.engine.run_directory import journal_of

FLAGS = ("--set", "sweep.seed=1..2", "--set", 'prompt=a "calm" {{ mark }}', "--only", "mark != 'loud'")


def next_of(said: str) -> list[str]:
    """The words of the command that status names, as a shell takes them."""
    (line,) = (line for line in said.splitlines() if line.startswith("next  flux2batch run"))
    return shlex.split(line.removeprefix("next  "))


# Red where the directory or a flag is left out of the command.
def test_the_next_command_goes_on_with_the_same_shots_in_the_same_directory(runs: Runs, tmp_path: Path) -> None:
    runs.write(["calm", "wild", "loud"])
    elsewhere = tmp_path / "runs" / "my k"
    asked = ("run", runs.job, "--emulate", "--out", elsewhere, *FLAGS)
    first = runs(*asked, "--max-usd", "0.03", "--up-to-budget", "--quiet")
    plan = (elsewhere / "plan.jsonl").read_bytes()

    again = next_of(runs("status", elsewhere).out)
    said = runs(*again[1:], "--quiet")

    assert (first.code, said.code) == (4, 0), said.err
    assert shlex.join(map(str, ("flux2batch", *asked))) in first.err
    assert (elsewhere / "plan.jsonl").read_bytes() == plan
    counts = runs("status", elsewhere, "--json").json
    assert (counts["done"], counts["planned"], "earlier" in counts) == (4, 0, False)
    assert not runs.root.exists()
    page = (elsewhere / "index.html").read_text(encoding="utf-8")
    made_by = ("flux2batch", "run", "tiny.yaml", "--emulate", "--out", "runs/my k", *FLAGS[:4])
    assert json.dumps(shlex.join(made_by)) in page


def test_where_a_run_finds_everything_by_itself_the_command_is_short(runs: Runs) -> None:
    runs.write(["calm", "wild", "cold"])
    runs("run", runs.job, "--emulate", "--max-usd", "0.03", "--up-to-budget", "--quiet")

    # What asks for nothing is nothing to go on with.
    runs("run", runs.job, "--emulate", "--only", "mark == 'loud'", "--quiet")

    assert next_of(runs("status", runs.job).out) == ["flux2batch", "run", str(runs.job), "--emulate"]


def test_a_run_of_an_older_version_is_read_without_its_flags() -> None:
    payload: dict[str, object] = {
        "run": "1", "version": "0", "command": "run", "job_file": None, "job_name": "j", "origins": {},
        "emulated": True, "shots": 1, "axes": {}, "sheet": {},
    }  # fmt: skip

    assert decode("RunBegan", json.dumps(payload)).flags == ()  # type: ignore[union-attr]  # a RunBegan, by its kind


def test_a_flag_that_a_stranger_wrote_into_the_journal_is_not_repeated(runs: Runs) -> None:
    runs.write(["calm", "wild", "cold"])
    runs("run", runs.job, "--emulate", "--max-usd", "0.03", "--up-to-budget", "--quiet")
    with closing(sqlite3.connect(journal_of(runs.root))) as journal:
        crafted = json.dumps([["--yes", "--max-usd=999"], ["--set", "sweep.seed=1"]], separators=(",", ":"))
        changed = journal.execute(
            "UPDATE events SET payload = replace(payload, '\"flags\":[]', ?) WHERE kind = 'RunBegan'",
            (f'"flags":{crafted}',),
        )
        journal.commit()

    assert changed.rowcount
    assert next_of(runs("status", runs.root).out)[2:] == [str(runs.job), "--emulate", "--set", "sweep.seed=1"]


def test_what_looks_like_a_key_is_not_written_down(runs: Runs) -> None:
    runs.write(["calm"])
    key = "bfl_" + "a1B2" * 8

    runs("run", runs.job, "--emulate", "--only", f"mark != '{key}'", "--quiet")

    assert key not in json.dumps(runs.events())


@pytest.mark.parametrize("named", ["by its job file", "by its directory"])
def test_in_another_checkout_the_command_names_the_job_that_is_there(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    runs.write(["calm", "wild", "cold"])
    runs("run", runs.job, "--emulate", "--max-usd", "0.03", "--up-to-budget", "--quiet")
    (other := tmp_path / "other checkout").mkdir()
    for name in ("tiny.yaml", "runs"):
        (tmp_path / name).rename(other / name)
    by_file = named == "by its job file"
    monkeypatch.chdir(tmp_path if by_file else other)

    there = Path("other checkout/tiny.yaml") if by_file else Path("runs/tiny.emulated")
    again = next_of(runs("status", there).out)

    assert again == ["flux2batch", "run", str(there) if by_file else "tiny.yaml", "--emulate"]
    assert runs(*again[1:], "--quiet").code == 0
    assert runs("status", there, "--json").json["done"] == 3


# Red where the job is looked for in the plan that was last run alone.
def test_a_changed_job_that_was_not_run_yet_has_nothing_to_lay_side_by_side_but_did_change(
    runs: Runs, tmp_path: Path
) -> None:
    flags = ("--set", "sweep.seed=1..2")
    runs.write(["calm", "wild"])
    runs("run", runs.job, "--emulate", "--quiet", *flags)
    (then := tmp_path / "then").mkdir()
    (then / "plan.jsonl").write_bytes((runs.root / "plan.jsonl").read_bytes())

    same = runs("sheet", runs.job, "--against", then)
    runs.job.write_text(runs.job.read_text(encoding="utf-8").replace("a boat", "a ship"), encoding="utf-8")
    changed = runs("sheet", runs.job, "--against", then)
    runs("run", runs.job, "--emulate", "--quiet", *flags)
    made = runs("sheet", runs.job, "--against", then)

    assert (same.code, changed.code, made.code) == (0, 0, 0)
    assert "changed since" in same.err
    assert "Run it first" not in same.err
    assert f"4 shots changed since {then}, but have no picture yet" in changed.err
    command = shlex.join(("flux2batch", "run", str(runs.job), "--emulate", *flags))
    assert changed.err.endswith(f"Run it first: {command}\n")
    assert f"4 shots changed since {then}; not shown" in made.err
