"""`flux2batch status`: counts, reasons, who drives, and what to type next; it changes nothing."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from tiny_runs import Runs, Said
from trial import until

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "status.schema.json").read_text(encoding="utf-8"))


def test_status_counts_shots_by_what_became_of_them(runs: Runs) -> None:
    made = runs.made()
    assert made.code == 5, made.err  # one is unknown; anything else is the run's story and not that of its status

    said = runs("status", runs.job, "--json")

    jsonschema.validate(said.json, SCHEMA)
    wanted = {
        "planned": 0,
        "done": 1,
        "moderated": 1,
        "rejected": 0,
        "failed": 1,
        "unknown": 1,
        "stalled": 0,
        "lost": 0,
    }
    assert {name: said.json[name] for name in wanted} == wanted
    assert (said.code, said.err) == (0, "")


def test_status_agrees_with_the_last_line_of_the_run(runs: Runs) -> None:
    runs.write(["calm", "[emulate content-moderated]", "[emulate drop-after-accept]"])
    finished = runs("run", runs.job, "--emulate", "--json").lines[-1]

    status = runs("status", "--json").json

    assert {name: finished[name] for name in status} == status


def test_status_tells_people_reasons_doubts_and_what_is_next(runs: Runs) -> None:
    runs.made()

    out = runs("status", runs.job).out

    assert "1 × Protected Content" in out
    assert "up to $0.014" in out
    assert f"flux2batch resolve {runs.root}" in out
    assert f"flux2batch retry {runs.root}" in out
    assert out.index("resolve") < out.index("retry")


def test_what_the_plan_has_and_the_journal_does_not_is_planned(runs: Runs) -> None:
    runs.write(["calm", "wild", "cold"], more="budget: {max_usd: 0.03}\n")
    runs("run", runs.job, "--emulate", "--up-to-budget", "--quiet")

    counts = runs("status", runs.job, "--json").json

    assert (counts["done"], counts["planned"]) == (2, 1)
    assert "ended with exit code 4: the job's budget is reached\n" in runs("status", runs.job).out


# Red where shots are counted that the last plan does not ask for.
def test_a_value_less_leaves_the_counts_of_the_plan_and_the_rest_apart(runs: Runs) -> None:
    runs.made(["calm", "wild", "[emulate content-moderated]", "[emulate drop-after-accept]"])
    (runs.root / "wild.png").unlink()
    runs.write(["calm"])
    finished = runs("run", runs.job, "--emulate", "--json").lines[-1]

    counts, out = runs("status", runs.job, "--json").json, runs("status", runs.job).out

    jsonschema.validate(counts, SCHEMA)
    assert counts.pop("earlier") == {"done": 1, "moderated": 1, "unknown": 1}
    assert {name: finished[name] for name in counts} == counts
    assert (counts["done"], counts["moderated"], counts["unknown"]) == (1, 0, 0)
    assert out.startswith(f"tiny  1 shot  {runs.root}")
    assert "3 more from earlier versions of the job or a larger part of it: 1 done, 1 moderated, 1 unknown\n" in out
    assert "charged in all" in out
    assert f"flux2batch resolve {runs.root}" in out  # what is in doubt stays so, whoever asked for it
    assert "retry" not in out  # which asks again for shots of the job alone
    assert "Protected Content" not in out


# Red where an empty selection is written down as the plan.
@pytest.mark.parametrize("selection", ["only", "picks"])
def test_a_run_that_asks_for_nothing_leaves_the_plan_of_the_last_run_as_it_is(
    runs: Runs, tmp_path: Path, selection: str
) -> None:
    runs.made(["calm", "wild"])
    before = (runs.root / "plan.jsonl").read_bytes()
    (picks := tmp_path / "picks.yaml").write_text(
        "picks: [{shot: ffffffffffffffffffffffffffffffff}]\n", encoding="utf-8"
    )

    asked = ("--only", "mark == 'loud'") if selection == "only" else ("--picks", picks)
    ran = runs("run", runs.job, "--emulate", *asked)

    assert (ran.code, (runs.root / "plan.jsonl").read_bytes()) == (0, before)
    assert "none of 2 shots" in ran.err
    assert runs("status", runs.job, "--json").json["done"] == 2


def test_without_a_plan_that_can_be_read_all_shots_count(runs: Runs) -> None:
    runs.made(["calm", "wild"])
    (runs.root / "plan.jsonl").write_text("{", encoding="utf-8")

    counts = runs("status", runs.job, "--json").json

    assert (counts["done"], counts["planned"], "earlier" in counts) == (2, 0, False)


def test_status_reads_a_folder_in_which_nothing_may_be_written(runs: Runs) -> None:
    runs.made(["calm"])
    before = sorted(path.name for path in runs.journal.parent.iterdir())
    assert "journal.db-shm" not in before  # with it SQLite could read on
    for folder in (runs.root, runs.journal.parent):
        folder.chmod(0o555)

    said = _without_privileges(lambda: runs("status", runs.root, "--json"))

    assert (said.code, said.err) == (0, "")
    assert said.json["done"] == 1
    assert sorted(path.name for path in runs.journal.parent.iterdir()) == before


def _without_privileges(does: Callable[[], Said]) -> Said:
    """What it says in a process that file permissions hold back, also where the tests run as root."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                header, nothing = struct.pack("Ii", 0x20080522, 0), bytes(24)
                assert ctypes.CDLL(None).capset(header, nothing) == 0
            said = does()
            os.write(writing, json.dumps([said.code, said.out, said.err]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(child, 0)
    return Said(*answer)


def test_status_looks_on_while_a_run_goes_on_and_says_who_drives(runs: Runs) -> None:
    runs.write([f"slow {number}" for number in range(60)], model="bfl/flux-2-pro")
    driving = subprocess.Popen(
        [sys.executable, "-m", "flux2batch", "run", str(runs.job), "--emulate", "--quiet"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: (runs.root / "plan.jsonl").exists())
        looking = runs("status", runs.root)
        watched = runs("status", runs.root, "--watch", "--json")
        assert driving.wait(timeout=60) == 0
    finally:
        driving.kill()

    assert f"driven now by process {driving.pid}" in looking.out
    assert watched.lines[-1]["done"] == 60


def slow_run(runs: Runs) -> subprocess.Popen[bytes]:
    """A run that goes on for long enough to be killed."""
    runs.write([f"slow {number}" for number in range(30)])
    return subprocess.Popen(
        [sys.executable, "-m", "flux2batch", "run", str(runs.job), "--emulate", "--quiet"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


# Red where a process counts as alive as long as a signal can be sent to it.
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only there is it told apart")
def test_a_killed_run_whose_parent_has_not_looked_yet_is_not_said_to_go_on(runs: Runs) -> None:
    driving = slow_run(runs)
    try:
        until(lambda: (runs.root / "plan.jsonl").exists())
        driving.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, driving.pid, os.WEXITED | os.WNOWAIT)  # it is dead, and stays in the table of processes
        os.kill(driving.pid, 0)

        out = runs("status", runs.root).out
    finally:
        driving.kill()
        driving.wait(timeout=60)

    assert "driven now" not in out
    assert "was cut off" in out


def test_a_run_that_was_killed_is_not_said_to_go_on(runs: Runs) -> None:
    driving = slow_run(runs)
    until(lambda: (runs.root / "plan.jsonl").exists())
    driving.send_signal(signal.SIGKILL)
    driving.wait(timeout=60)

    out = runs("status", runs.root).out

    assert "driven now" not in out
    assert "was cut off" in out


@pytest.mark.parametrize("directory", ["", "empty", "nowhere"])
def test_what_is_no_run_directory_is_a_usage_error(runs: Runs, tmp_path: Path, directory: str) -> None:
    (tmp_path / "empty").mkdir()

    assert runs("status", *([directory] if directory else [])).code == 2
