"""What a disk can do to a run directory: be full, be forbidden, lose power in the middle."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from flux2batch.errors import MachineError
from flux2batch.pictures.placing import Gallery
from flux2batch.pictures.troubles import machine_error

HERE = Path(__file__).resolve().parent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it forks, limits and mounts")


def gallery(root: Path) -> Gallery:
    return Gallery(root, known=lambda _: None)


@pytest.mark.parametrize(("what", "least"), [("place", 15), ("move", 10), ("adopt", 15)])
def test_f05_killed_at_any_step_a_picture_is_whole_or_not_there_and_the_next_run_finishes(
    tmp_path: Path, what: str, least: int
) -> None:
    """Seen red with the link before the write, and with a move that removed first."""
    done = subprocess.run(
        [sys.executable, str(HERE / "dying.py"), what, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= least, "steps that nothing was killed at"


ORDER = """
import os, sys
from pathlib import Path
from painting import painted
from flux2batch.pictures.placing import Gallery
seen = []
def told(name):
    step = getattr(os, name)
    def instead(*given, **named):
        value = step(*given, **named)
        kind = "folder" if name == "fsync" and os.path.isdir(f"/proc/self/fd/{given[0]}") else "file"
        seen.append(f"{name} {kind}" if name == "fsync" else name)
        return value
    setattr(os, name, instead)
for name in ("write", "fsync", "link", "unlink", "mkdir"):
    told(name)
Gallery(Path(sys.argv[1]), known=lambda _: None).place(painted("png"), "fox/a.png")
print(", ".join(seen))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_the_file_is_synced_before_it_has_its_name_and_the_folders_after_they_have_theirs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORDER, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )

    assert done.stdout.strip() == "mkdir, fsync folder, write, fsync file, link, fsync folder, unlink"


LIMITED = """
import resource, sys
from pathlib import Path
from painting import painted
from flux2batch.errors import MachineError
from flux2batch.pictures.placing import Gallery
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    Gallery(Path(sys.argv[1]), known=lambda _: None).place(painted("png"), "fox/a.png")
except MachineError as error:
    print(error, error.exit_code)
"""


def test_f18_a_file_that_cannot_be_written_to_its_end_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )

    assert done.stdout.startswith(f"{tmp_path}/fox/a.png cannot be written: no file may be that large here.")
    assert done.stdout.endswith(" 7\n")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting takes rights that are not here")
    return disk


def test_f18_a_full_disk_is_named_with_what_is_needed_and_what_is_free(small_disk: Path) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((300, 300), 90).save(buffer, "PNG")
    try:
        (small_disk / "filler").write_bytes(b"\0" * 30_000)
        with pytest.raises(MachineError, match=r"a\.png cannot be written: the disk is full \(\d+ kB needed, \d+"):
            gallery(small_disk).place(buffer.getvalue(), "a.png")
        assert [path.name for path in small_disk.iterdir()] == ["filler"]
    finally:
        subprocess.run(["umount", str(small_disk)], check=True)


@pytest.mark.skipif(sys.platform == "linux" and os.geteuid() == 0, reason="root may write anywhere")
def test_f23_a_folder_that_may_not_be_written_to_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(MachineError, match="permission is denied"):
            gallery(tmp_path).probe()
    finally:
        tmp_path.chmod(0o700)


def test_f23_a_folder_that_is_gone_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="its folder is gone"):
        gallery(tmp_path / "away").probe()


def test_f23_a_probe_of_a_good_folder_leaves_nothing(tmp_path: Path) -> None:
    gallery(tmp_path).probe()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full (1.5 MB needed, "),
        (errno.EDQUOT, "your share of this disk is used up (1.5 MB needed, "),
        (errno.EROFS, "the disk is read-only. Choose another folder with --out."),
        (errno.EIO, "the disk reports an error. Look after the disk"),
        (errno.EACCES, "permission is denied."),
        (errno.ENAMETOOLONG, "the name is too long for this disk."),
        (errno.EMFILE, "too many files are open."),
        (errno.EBUSY, "resource busy"),
    ],
)
def test_every_trouble_of_a_disk_is_said_in_plain_words_with_the_file(tmp_path: Path, number: int, said: str) -> None:
    error = machine_error(OSError(number, os.strerror(number)), tmp_path, "fox/a.png", needed=1_500_000)

    assert str(error).startswith(f"{tmp_path}/fox/a.png cannot be written: ")
    assert said in str(error) or number == errno.EBUSY
    assert "Errno" not in str(error)
