"""What a library mutters about a strange file never reaches the terminal."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

from PIL import Image

# One entry, the orientation, which says that it is longer than the whole file.
_EXIF = struct.pack("<2sHIHHHII", b"II", 42, 8, 1, 274, 3, 129, 5000) + bytes(4)


def test_a_picture_with_broken_exif_is_taken_without_a_word_of_pillow(tmp_path: Path):
    Image.new("RGB", (80, 80), "teal").save(tmp_path / "odd.jpg", exif=b"Exif\x00\x00" + _EXIF)
    (tmp_path / "job.yaml").write_text(
        "flux2batch: 1\nprompt: a boat\nreferences: {style: odd.jpg}\n", encoding="utf-8"
    )

    done = subprocess.run(
        [sys.executable, "-m", "flux2batch", "validate", "job.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert ".py:" not in done.stderr
