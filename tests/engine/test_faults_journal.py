"""F01, F24 to F28 and durability: what the journal makes of deaths, of damage and of power that fails."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_lifecycle import AT, WAY_TO_UNKNOWN

from flux2batch.engine.lifecycle import Phase
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
