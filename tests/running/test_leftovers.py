"""What a killed process left half written beside the thumbnails is removed, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from flux2batch.running.leftovers import sweep_thumbnails


def test_a_part_is_removed_once_its_writer_is_gone(tmp_path: Path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {
        f".r1-l.webp.{gone.pid}-140661597046464.part": False,
        f".r2-l.webp.{gone.pid}.part": False,
        f".r3-l.webp.{os.getpid()}-7.part": False,  # a process of our own number that died before us
        f".r4-l.webp.{os.getppid()}-7.part": True,
        "r5-l.webp": True,
        "notes.part": True,
    }
    for name in names:
        (tmp_path / name).write_bytes(b"half")

    sweep_thumbnails(tmp_path)

    assert {name: (tmp_path / name).exists() for name in names} == names


def test_a_folder_that_is_not_there_has_nothing_to_remove(tmp_path: Path):
    sweep_thumbnails(tmp_path / "none")
