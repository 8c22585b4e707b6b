"""A fleet on this machine: Ray's own processes, small weights, and the pictures that come without it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from own_machine import SWEEP, OwnMachine, until

pytestmark = [
    pytest.mark.local,
    pytest.mark.skipif(
        find_spec("ray") is None, reason="Ray is not installed here (tests/local/requirements-fleet.txt)"
    ),
]

HERE = Path(__file__).resolve().parent
MANY = SWEEP.replace("steps: 4", "steps: 8")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> OwnMachine:
    """The 24 pictures as this process draws them without a fleet."""
    machine = OwnMachine(tmp_path_factory.mktemp("alone"), weights / "base", MANY)
    machine.run()
    return machine


def workers_of(run: subprocess.Popen[str]) -> list[int]:
    """The processes that draw for a run, by their ids."""
    known = {run.pid}
    parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    while more := {pid for pid, parent in parents.items() if parent in known} - known:
        known |= more
    return [pid for pid in known if b"FleetWorker" in _command(pid)]


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_two_workers_draw_the_same_pictures_though_one_is_killed(
    alone: OwnMachine, tmp_path: Path, weights: Path
) -> None:
    machine = OwnMachine(tmp_path, weights / "base", MANY)
    process = machine.start("--fleet", "local:2")
    machine.await_facts(process, "Saved", 5)
    drawing = workers_of(process)
    os.kill(drawing[0], signal.SIGKILL)
    _, said = process.communicate(timeout=400)

    assert process.returncode == 0, said
    assert len(drawing) == 2
    assert machine.pictures() == alone.pictures()
    assert {detail["worker"] for detail in machine.details()} >= {"worker 1", "worker 2"}


@pytest.fixture
def cluster() -> Iterator[subprocess.Popen[str]]:
    """A cluster of one machine, which another joins for each line that it is told."""
    command = [sys.executable, str(HERE / "cluster.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=60)


def test_a_worker_that_joins_gets_work(cluster: subprocess.Popen[str], tmp_path: Path, weights: Path) -> None:
    assert cluster.stdout is not None
    assert cluster.stdin is not None
    address = cluster.stdout.readline().strip()
    machine = OwnMachine(tmp_path, weights / "base", SWEEP.replace("steps: 4", "steps: 60").replace("64x96", "128x128"))
    process = machine.start("--fleet", address)
    machine.await_facts(process, "Rendered", 1)
    cluster.stdin.write("another\n")
    cluster.stdin.flush()

    until(lambda: len({detail["worker"] for detail in machine.details()}) == 2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)

    assert process.returncode == 130


def test_a_fleet_that_is_not_there_is_an_error_before_any_work(tmp_path: Path, weights: Path) -> None:
    machine = OwnMachine(tmp_path, weights / "base")

    assert "behind local: stands the number of workers" in machine.run("--fleet", "local:many", expect=2)
    assert machine.count("Intended") == 0


def test_trivial_shots_show_what_a_shot_costs_beside_its_drawing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, str(HERE / "drive_trivial_shots.py"), "--shots", "200", "--fleet", "local:2"]
    ran = subprocess.run(
        [*command, "--out", str(tmp_path / "trivial")], capture_output=True, text=True, timeout=400, check=False
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])

    with capsys.disabled():
        print(f"\nfleet of two workers, 200 trivial shots: {told['ms_a_shot']} ms each, all of it (drawing, journal,"
              " files, ledger, sheet)")  # fmt: skip
    assert told["done"] == 200
