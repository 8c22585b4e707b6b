"""F01, F24 to F28 and durability: what the journal makes of deaths, of damage and of power that fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_lifecycle import AT, WAY_TO_UNKNOWN, intended

from flux2batch.engine.journal import Journal
from flux2batch.engine.lifecycle import Phase
from flux2batch.engine.rescue import put_back
from flux2batch.engine.run_directory import Purpose, drive
from flux2batch.planning.shot import ShotId

A = ShotId("a" * 32)
HERE = str(Path(__file__).parent)
PURPOSE = Purpose(job_name="j", job_file=None, emulated=True)

CREATE_AND_DIE = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from test_faults_journal import *
from flux2batch.engine import journal
def die(*arguments): os.kill(os.getpid(), signal.SIGKILL)
step = sys.argv[3]
if step == "after the commit":
    journal.sync_folder = die
else:
    setattr(journal, step, die)
with drive(Path(sys.argv[1]), PURPOSE, now=AT, memory=None):
    pass
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("step", ["_be_durable", "_statements", "after the commit"])
def test_f01_a_journal_whose_maker_was_killed_is_made_by_the_next_process(tmp_path: Path, step: str):
    subprocess.run([sys.executable, "-c", CREATE_AND_DIE, str(tmp_path), HERE, step], check=False, timeout=60)

    with drive(tmp_path, PURPOSE, now=datetime.now(UTC), memory=None) as directory:
        directory.journal.append([(A, event) for event in WAY_TO_UNKNOWN], at=AT)
        assert directory.journal.life(A).phase is Phase.UNKNOWN
    assert [path.name for path in (tmp_path / ".flux2batch").iterdir() if "new" in path.name] == []


def test_f15_every_connection_that_writes_waits_for_the_disk(tmp_path: Path):
    path = tmp_path / "journal.db"
    with closing(Journal.create(path, run_directory_id="r")) as made:
        first = made._database.execute("PRAGMA synchronous").fetchone()[0]
    with closing(Journal.open(path, driving=True)) as opened:
        second = opened._database.execute("PRAGMA synchronous").fetchone()[0]
        mode = opened._database.execute("PRAGMA journal_mode").fetchone()[0]

    assert (first, second, mode) == (2, 2, "wal")  # 2 is FULL


APPEND = """
import sys
sys.path.insert(0, sys.argv[2])
from test_faults_journal import *
journal = Journal.create(Path(sys.argv[1]) / "journal.db", run_directory_id="r")
for event in WAY_TO_UNKNOWN:
    journal.append([(A, event)], at=AT)
    (Path(sys.argv[1]) / "recorded").write_text("")
import os; os._exit(0)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_f15_the_folder_is_synced_once_and_the_log_before_each_append_returns(tmp_path: Path):
    log = tmp_path / "calls"
    calls = "trace=fsync,fdatasync,rename,openat"
    command = ["strace", "-f", "-y", "-qq", "-o", str(log), "-e", calls, sys.executable, "-c", APPEND]
    traced = subprocess.run([*command, str(tmp_path), HERE], capture_output=True, check=False, timeout=60)
    if traced.returncode != 0 and b"ptrace" in traced.stderr:
        pytest.skip("strace may not trace here")

    said = log.read_text(errors="replace").splitlines()
    renamed = next(number for number, line in enumerate(said) if "rename(" in line and "journal.db" in line)
    synced = [number for number, line in enumerate(said) if "fsync(" in line and f"<{tmp_path}>" in line]
    folder = next((number for number in synced if number > renamed), 0)
    recorded = [number for number, line in enumerate(said) if "/recorded" in line]
    assert folder > renamed, "the folder was not synced after the journal had its name"
    assert len(recorded) == len(WAY_TO_UNKNOWN)
    for before, after in zip([folder, *recorded], recorded, strict=False):
        assert any("journal.db-wal>" in line and "sync(" in line for line in said[before:after]), (
            "an append was not synced"
        )


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A journal with the log that a killed process left, and how long that was before the last append."""
    folder = tmp_path_factory.mktemp("killed")
    with closing(Journal.create(folder / "journal.db", run_directory_id="r")) as journal:
        for event in WAY_TO_UNKNOWN[:-1]:
            journal.append([(A, event)], at=AT)
        before = (folder / "journal.db-wal").stat().st_size
        journal.append([(A, WAY_TO_UNKNOWN[-1])], at=AT)
        left = folder / "left"
        left.mkdir()
        for name in ("journal.db", "journal.db-wal"):
            shutil.copy(folder / name, left / name)
    return left, before


def test_f27_a_last_write_that_was_torn_is_as_if_it_had_not_been(killed: tuple[Path, int], tmp_path: Path):
    left, before = killed
    log = (left / "journal.db-wal").read_bytes()
    assert len(log) > before
    torn = [log[:length] for length in range(before, len(log), 97)]
    torn += [log[:at] + bytes([log[at] ^ 1]) + log[at + 1 :] for at in range(before, len(log), 97)]
    torn += [log[:at] + b"\xff" * 512 + log[at + 512 :] for at in range(before, len(log) - 512, 512)]

    for number, content in enumerate(torn):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(left / "journal.db", folder)
        (folder / "journal.db-wal").write_bytes(content)
        with closing(Journal.open(folder / "journal.db", driving=True)) as journal:
            assert journal.life(A).phase is Phase.SENDING
            journal.append([(A, WAY_TO_UNKNOWN[-1])], at=AT)
            assert journal.life(A).phase is Phase.UNKNOWN
    with closing(Journal.open(left / "journal.db", driving=True)) as whole:
        assert whole.life(A).phase is Phase.UNKNOWN


def test_f25_a_journal_that_is_deleted_after_its_last_fact_is_kept_when_it_is_closed(tmp_path: Path):
    path = tmp_path / "journal.db"
    journal = Journal.create(path, run_directory_id="x")
    journal.append([(A, intended())], at=AT)
    path.unlink()

    journal.close()

    assert put_back(path)
    with closing(Journal.open(path, driving=True)) as again:
        assert [entry.shot for entry in again.entries()] == [A]
