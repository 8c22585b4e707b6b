"""F15: the power fails in the middle of a run, and the journal knows all that was sent and all that was told.

Seen red: with `synchronous = NORMAL`, and without the sync of the folders around a new run directory, the journal
forgot requests that had left; with pictures that were named before they were synced, some were not whole.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

pytest.importorskip("apsw", reason="apsw has no wheel for this Python: the recorded disk needs its SQLite")
if os.name == "nt":
    pytest.skip("the disk is recorded by descriptors of folders, which Windows has not", allow_module_level=True)

sys.path.append(str(Path(__file__).parents[1] / "torture"))

from power_disk import KEEPS, Disk, after_power_loss, watching
from power_loss import MODELS, SCENES, trials

SEED = int(os.environ.get("FLUX2BATCH_POWER_SEED", str(random.randrange(10_000))))


def test_f15_nothing_that_left_or_was_told_is_forgotten_by_a_power_loss():
    scene, model = random.Random(SEED).choice([(scene, model) for scene in SCENES for model in MODELS])

    said = trials(scene, model, seed=SEED, count=30)

    assert said == [], f"FLUX2BATCH_POWER_SEED={SEED}"


def test_the_recorded_disk_forgets_what_was_not_synced(tmp_path: Path):
    disk = Disk(tmp_path)
    with watching(disk):
        one = os.open(tmp_path / "one", os.O_CREAT | os.O_WRONLY)
        os.write(one, b"first")
        os.fsync(one)
        nameless = len(disk.ops)
        folder = os.open(tmp_path, os.O_RDONLY)
        os.fsync(folder)
        os.write(one, b"second")
        os.rename(tmp_path / "one", tmp_path / "two")  # noqa: PTH104  # what is watched is `os`
        os.close(one)
        os.close(folder)
    chance = random.Random(1)
    left = [after_power_loss(disk, len(disk.ops), keeps, chance) for keeps in KEEPS for _ in range(50)]

    assert after_power_loss(disk, nameless, "only what was synced", chance) == {}
    assert {name for one in left for name in one} == {"one", "two"}
    assert {content for one in left for content in one.values()} == {b"first", b"firstsecond"}
    assert all(len(one) == 1 for one in left)
