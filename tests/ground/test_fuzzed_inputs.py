"""Tables, pictures, answers and journals made bad on purpose: a sample of what `make torture` gives by thousands.

Seen red: see tests/providers/test_odd_values.py and tests/engine/test_damaged_journals.py, which hold what was found.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

HARNESS = Path(__file__).parents[1] / "torture" / "run_fuzz.py"
SEED = os.environ.get("FLUX2BATCH_FUZZ_SEED", str(random.randrange(100_000)))


def test_a_sample_of_each_kind_is_answered_in_order(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, str(HARNESS), "--count", "120", "--processes", "1", "--seed", SEED],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"FLUX2BATCH_FUZZ_SEED={SEED}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.count("TALLY ") == 4
