"""What a killed process left half written beside the thumbnails is removed, and nothing else."""

from __future__ import annotations

import threading
from pathlib import Path

from PIL import Image

from flux2batch.pictures.thumbnails import thumbnails
from flux2batch.running.leftovers import sweep_thumbnails


def test_parts_are_removed_and_thumbnails_stay(tmp_path: Path):
    names = {
        ".r1-l.jpg.4711-140661597046464.part": False,
        ".r2-l.jpg.4711.part": False,
        "r5-l.jpg": True,
        "notes.part": True,
    }
    for name in names:
        (tmp_path / name).write_bytes(b"half")

    sweep_thumbnails(tmp_path)

    assert {name: (tmp_path / name).exists() for name in names} == names


def test_a_folder_that_is_not_there_has_nothing_to_remove(tmp_path: Path):
    sweep_thumbnails(tmp_path / "none")


def test_a_thumbnail_whose_part_is_taken_for_a_leftover_is_made_all_the_same(tmp_path: Path):
    source, made, over = tmp_path / "a.png", tmp_path / "made", threading.Event()
    Image.new("RGB", (64, 64), "teal").save(source)

    def sweep_once() -> None:
        while not over.is_set():
            if any(made.glob(".*.part")):
                sweep_thumbnails(made)
                return

    sweeping = threading.Thread(target=sweep_once)
    sweeping.start()
    count = 0
    while sweeping.is_alive() and count < 2000:  # until it has met one, or the machine never lets them meet
        thumbnails(source, {32: made / f"{count}.jpg"})
        count += 1
    over.set()
    sweeping.join()

    assert len(list(made.glob("*.jpg"))) == count
