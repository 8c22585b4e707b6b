"""F01 to F16 as real processes meet them: killed, told to stop, put to sleep, left by their reader, hit by a bug."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trial import Trial, until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

STALLED = "a paper boat [emulate stall-after-accept]"


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def phases(trial: Trial) -> dict[str, int]:
    """How many shots' last fact is of each kind."""
    rows = trial.ask_journal(
        "SELECT kind, COUNT(*) FROM events WHERE seq IN"
        " (SELECT MAX(seq) FROM events WHERE shot IS NOT NULL GROUP BY shot) GROUP BY kind"
    )
    return {str(kind): int(count) for kind, count in rows}


def test_f02_f03_killed_while_a_submit_is_under_way_it_is_unknown_and_never_sent_again(trial: Trial) -> None:
    trial.change("a paper boat", STALLED)
    process = trial.start("-q")
    until(lambda: trial.facts("SendBegan") >= 4)
    time.sleep(0.3)  # the bytes are on their way, and the answer is stalled
    process.kill()
    process.communicate(timeout=30)

    said = trial.run(expect=5)

    assert "may have been paid for" in said
    assert phases(trial) == {"Unanswered": 4}
    assert trial.tasks == 4


# It dies between the rename and the commit: the fact is not written, and the file is there.
DYING = """
import os, sys
from flux2batch.engine.events import Saved
from flux2batch.engine.journal import Journal
real = Journal.write
def dying(self, facts):
    if any(isinstance(event, Saved) for _, _, event in facts):
        os._exit(9)
    real(self, facts)
Journal.write = dying
from flux2batch.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_f05_killed_after_a_picture_is_in_place_it_is_taken_as_it_lies(trial: Trial) -> None:
    argv = ["run", str(trial.file), "--emulate", "-q"]
    died = subprocess.run([sys.executable, "-c", DYING, *argv], cwd=trial.folder, capture_output=True, timeout=60)
    before = trial.pictures()

    assert (died.returncode, trial.facts("Saved")) == (9, 0)
    assert before
    trial.run()
    assert before.items() <= trial.pictures().items()
    assert len(trial.pictures()) == trial.tasks == 4


def test_f06_ledgers_that_a_killed_run_did_not_write_are_written_by_the_next(trial: Trial) -> None:
    trial.run()
    whole = (trial.root / "ledger.csv").read_bytes()
    (trial.root / "ledger.csv").unlink()
    (trial.root / "ledger.jsonl").write_bytes(b"half a li")

    trial.run()

    assert (trial.root / "ledger.csv").read_bytes() == whole
    assert len((trial.root / "ledger.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_f07_f10_a_signal_drains_and_the_exit_code_names_it(trial: Trial, number: signal.Signals) -> None:
    trial.change("seed: 1..2", "seed: 1..20")
    before = signal.signal(number, signal.SIG_DFL)  # under nohup a hangup is ignored, and so it would be by the run
    process = trial.start("--json", "--set", "run.concurrency=3")
    signal.signal(number, before)
    until(lambda: trial.facts("Accepted"))
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    last = json.loads(out.splitlines()[-1])

    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    assert (last["unknown"], last["in_flight"], last["stalled"]) == (0, 0, 0)
    assert 0 < last["done"] == trial.tasks < 40


def test_f10_a_hangup_that_is_ignored_ends_nothing(trial: Trial) -> None:
    command = "trap '' HUP; exec \"$@\""
    argv = [sys.executable, "-m", "flux2batch", "run", str(trial.file), "--emulate", "-q"]
    process = subprocess.Popen(["sh", "-c", command, "sh", *argv], cwd=trial.folder, stderr=subprocess.PIPE)
    until(lambda: trial.facts("Accepted"))
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)

    assert process.returncode == 0
    assert len(trial.pictures()) == 4


@pytest.mark.parametrize("times", [2, 3])
def test_f08_f09_told_twice_it_stops_at_once_and_no_answer_is_waited_for(trial: Trial, times: int) -> None:
    trial.change("a paper boat", STALLED)
    process = trial.start("-q")
    until(lambda: trial.facts("SendBegan") >= 4)
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # a person takes longer between two strokes
    _, said = process.communicate(timeout=10)

    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert phases(trial) == {"SendBegan": 4}
    trial.run(expect=5)
    assert phases(trial) == {"Unanswered": 4}
    assert trial.tasks == 4


@pytest.mark.parametrize("module", ["safe_text", "errors", "commands.ends", "commands.running_a_plan", "running.run"])
def test_f16_interrupted_while_it_starts_it_has_sent_nothing(trial: Trial, module: str) -> None:
    process = trial.start(PYTHONPROFILEIMPORTTIME="1")  # it says of each module that it has been loaded
    assert process.stderr is not None
    told = next((line for line in process.stderr if line.split("|")[-1].strip() == f"flux2batch.{module}"), None)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert told is not None, f"flux2batch.{module} is not loaded any more; name another one"
    assert process.returncode in (130, -signal.SIGINT), said
    assert "Traceback" not in said
    assert trial.tasks == 0
    trial.run()
    assert trial.tasks == 4


def test_f11_a_reader_who_leaves_changes_nothing(trial: Trial) -> None:
    process = trial.start("--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    with process.stderr as stderr:
        said = stderr.read()
    process.wait(timeout=60)

    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert len(trial.pictures()) == 4
    assert trial.tasks == 4


def test_f12_a_process_that_slept_while_its_links_expired_asks_for_fresh_ones(trial: Trial) -> None:
    trial.change("a paper boat", "a paper boat [emulate expired@1]")
    process = trial.start("-q", "--set", "run.timeout=60s")
    until(lambda: trial.facts("Accepted") >= 2)
    process.send_signal(signal.SIGSTOP)
    time.sleep(2.0)  # asleep for longer than its links live
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 0, said
    assert trial.tasks == 4
    assert int(trial.ask_journal("SELECT COUNT(*) FROM events WHERE kind = 'LinkExpired'")[0][0]) >= 4


PLANTED = """
import sys
from flux2batch.running import hands
real = hands.RealHands.{step}
seen = []
def broken(self, *arguments, **named):
    seen.append(1)
    if len(seen) == 1:
        1 / 0
    return real(self, *arguments, **named)
hands.RealHands.{step} = broken
from flux2batch.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("step", "done"), [("open", 4), ("send", 3), ("poll", 4), ("fetch", 4)])
def test_f14_a_bug_in_a_worker_costs_its_own_shot_at_the_most(trial: Trial, step: str, done: int) -> None:
    argv = ["run", str(trial.file), "--emulate", "-q"]
    broken = subprocess.run(
        [sys.executable, "-c", PLANTED.format(step=step), *argv],
        cwd=trial.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert broken.returncode == 8, broken.stderr
    assert len(trial.pictures()) == done
    assert trial.tasks == done
    trial.run(expect=0 if done == 4 else 5)
    assert trial.tasks == done
