"""F17 to F36 as real processes meet them: disks that are full or closed, journals that were hurt, files of others."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from outside import Outside
from trial import Trial, until

from flux2batch.emulator.server import Emulator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="tmpfs, limits and modes of POSIX")

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def journal_of(trial: Trial) -> Path:
    return trial.root / ".flux2batch" / "journal.db"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """Where the disk of the run is small and the service's is not."""
    with Emulator(latency="0.2") as emulator:
        yield Outside(tmp_path, emulator=emulator)


@pytest.fixture
def small_disk(outside: Outside) -> Iterator[Callable[..., None]]:
    """Gives the run directory, or a folder in it, a disk of its own of so many kilobytes; asked again, it grows."""
    if not AS_ROOT or sys.platform != "linux":
        pytest.skip("a small disk needs root on Linux")
    mounted: list[Path] = []

    def of(kilobytes: int, folder: str = "") -> None:
        place = outside.root / folder
        place.mkdir(parents=True, exist_ok=True)
        how = f"remount,size={kilobytes}k" if mounted else f"size={kilobytes}k"
        command = ["mount", "-t", "tmpfs", "-o", how, "flux2batch-test", str(place)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            pytest.skip("nothing may be mounted here")
        mounted.append(place)

    yield of
    for place in mounted[:1]:
        subprocess.run(["umount", "-l", str(place)], check=True)


SIZES = [pytest.param(size, marks=pytest.mark.torture) for size in (*range(24, 416, 14), 500, 700)]


@pytest.mark.parametrize("kilobytes", [16, 450, *SIZES])
def test_f17_f18_a_disk_that_fills_up_loses_nothing_and_buys_nothing_twice(
    outside: Outside, small_disk: Callable[[int], None], kilobytes: int
) -> None:
    small_disk(kilobytes)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process = outside.start("-q")
    _, said = process.communicate(timeout=100)
    assert process.returncode in (0, 7), said
    assert "Traceback" not in said
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 15, "it spun while it waited for room"
    told = said.count("RECOVER ")

    small_disk(20_000)
    _, said = outside.start("-q").communicate(timeout=60)

    facts = outside.last_facts()
    assert set(outside.paid.values()) == {1}
    assert facts["Unanswered"] <= told, "a task id was lost without a word"
    assert facts["Saved"] == len(outside.pictures()) == 4 - facts["Unanswered"], said


def test_f18_where_only_pictures_have_no_room_nothing_more_is_sent_and_the_next_run_fetches_them(
    outside: Outside, small_disk: Callable[..., None]
) -> None:
    outside.write(outside.job + 'output: {path: "pictures/{{ colour }}-{{ seed }}"}\n')
    outside.change("seed: 1..2", "seed: 1..10")
    small_disk(4, "pictures")

    said = outside.run("-q", "--set", "run.concurrency=2", expect=7)

    assert "the disk is full" in said
    assert re.search(r"[\d,.]+ (bytes|kB|MB) needed, [\d,.]+ (bytes|kB|MB) free", said), said
    posts = outside.posts
    assert posts <= 4, "it went on buying what it could not keep"
    assert outside.facts("Accepted") == posts
    small_disk(20_000, "pictures")
    outside.run("-q")
    assert set(outside.paid.values()) == {1}
    assert len(outside.paid) == len(outside.pictures()) == 20


def limited(outside: Outside, what: int, most: int) -> subprocess.CompletedProcess[str]:
    """A run under a limit of the system."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(what, (most, most))

    return subprocess.run(
        outside.command("-q"),
        cwd=outside.folder,
        env={**os.environ, **outside.environ},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_f17_a_file_that_may_not_grow_ends_the_run_without_a_traceback(outside: Outside) -> None:
    done = limited(outside, resource.RLIMIT_FSIZE, 45_000)

    assert done.returncode == 7, done.stderr
    assert "Traceback" not in done.stderr
    outside.run("-q")
    assert set(outside.paid.values()) == {1}
    assert len(outside.pictures()) == 4


@pytest.mark.parametrize("descriptors", [32, *(pytest.param(few, marks=pytest.mark.torture) for few in (24, 40))])
def test_f21_few_descriptors_are_no_crash(outside: Outside, descriptors: int) -> None:
    outside.change("seed: 1..2", "seed: 1..10")

    done = limited(outside, resource.RLIMIT_NOFILE, descriptors)

    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 5, 7), done.stderr
    outside.run("-q")
    assert set(outside.paid.values()) == {1}
    assert len(outside.pictures()) == 20


def test_f22_f23_a_run_directory_that_cannot_be_written_is_said_before_anything_is_sent(trial: Trial) -> None:
    blocked = trial.folder / "blocked"
    blocked.write_text("a file where a folder should be")

    said = trial.run("--out", str(blocked), expect=7)

    assert "cannot be written" in said


@pytest.mark.skipif(AS_ROOT, reason="root writes everywhere")
def test_f22_a_folder_of_somebody_else_is_said_before_anything_is_sent(trial: Trial) -> None:
    closed = trial.folder / "closed"
    closed.mkdir(mode=0o555)

    assert "cannot be written" in trial.run("--out", str(closed / "run"), expect=7)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:200] = bytes(byte ^ 0x55 for byte in content[100:200])
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("hurt", [cut, flip, empty, newer], ids=lambda hurt: hurt.__name__)
def test_f24_f26_a_journal_that_was_hurt_is_never_driven_nor_begun_afresh(
    trial: Trial, hurt: Callable[[Path], None]
) -> None:
    trial.run()
    hurt(journal_of(trial))
    as_it_was = journal_of(trial).read_bytes()
    trial.change("seed: 1..2", "seed: 1..3")

    said = trial.run(expect=7)

    assert "newer" in said if hurt is newer else "damaged" in said or "is empty" in said
    assert trial.tasks == 4
    assert journal_of(trial).read_bytes() == as_it_was


def test_f25_a_journal_that_is_deleted_while_it_is_used_stops_the_run(trial: Trial) -> None:
    trial.change("seed: 1..2", "seed: 1..30")
    process = trial.start("-q", "--set", "run.concurrency=2")
    until(lambda: list(trial.root.glob("*.png")))
    journal_of(trial).unlink()
    _, said = process.communicate(timeout=30)

    assert process.returncode == 7, said
    assert "was removed" in said
    assert trial.tasks < 20
    for line in said.splitlines():
        if line.startswith("RECOVER"):
            assert len(line.split()) == 4
    assert "the next run puts it back" in said
    # What it held is whole: nothing is bought again, nothing that was paid for is forgotten.
    trial.run("-q", "--limit", "20")
    prompts = trial.ask_books("SELECT wish FROM tasks")
    assert len({wish for (wish,) in prompts}) == len(prompts)
    assert trial.facts("Accepted") == trial.tasks
    assert not list((trial.root / ".flux2batch").glob("*.rescue*"))


def test_f24_where_the_journal_is_gone_its_pictures_are_not_bought_again(trial: Trial) -> None:
    trial.run()
    tasks = trial.tasks
    for path in (trial.root / ".flux2batch").glob("journal.db*"):
        path.unlink()

    said = trial.run(expect=7)

    assert "is gone" in said
    assert trial.tasks == tasks


def test_f28_a_log_without_its_journal_is_not_begun_afresh(trial: Trial) -> None:
    trial.run()
    (trial.root / ".flux2batch" / "journal.db").rename(trial.root / ".flux2batch" / "journal.db-wal")

    assert "is gone" in trial.run(expect=7)


def test_f29_a_backup_that_was_restored_spends_nothing(trial: Trial) -> None:
    trial.run()
    backup = trial.folder / "backup"
    shutil.copytree(trial.root, backup)
    trial.change("seed: 1..2", "seed: 1..3")
    trial.run()
    shutil.rmtree(trial.root)
    backup.rename(trial.root)
    before = trial.tasks

    said = trial.run(expect=7)

    assert "older than it was" in said
    assert trial.tasks == before


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("error", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def test_f31_where_nothing_can_be_locked_nothing_is_sent(outside: Outside, error: str) -> None:
    inject = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=flock", "-e", f"inject=flock:error={error}"]
    done = subprocess.run(
        [*inject, *outside.command("-q")],
        cwd=outside.folder,
        env={**os.environ, **outside.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")

    assert done.returncode == 7
    assert "cannot be locked" in done.stderr
    assert "--out DIR" in done.stderr
    assert outside.posts == 0


def test_f32_of_a_run_directory_and_its_copy_only_one_is_driven(trial: Trial) -> None:
    trial.run()
    copy = trial.folder / "runs" / "copy.emulated"
    shutil.copytree(trial.root, copy)

    assert "is a copy of" in trial.run("--out", str(copy), expect=7)
    trial.run()


def test_f30_f83_the_second_process_says_who_drives_and_the_lock_dies_with_its_holder(trial: Trial) -> None:
    trial.change("seed: 1..2", "seed: 1..30")
    first = trial.start("-q", "--set", "run.concurrency=1")
    until(lambda: trial.is_driven)
    for _ in range(3):
        assert f"process {first.pid}" in trial.run(expect=7)
    first.kill()
    first.communicate(timeout=30)

    end = trial.start("-q")
    _, said = end.communicate(timeout=60)

    assert end.returncode in (0, 5), said
    paid = trial.ask_books("SELECT COUNT(*), COUNT(DISTINCT request_sha256) FROM tasks")
    assert paid[0][0] == paid[0][1]


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_f33_what_lies_in_a_pictures_place_is_refused_before_it_is_paid_for(trial: Trial, kind: str) -> None:
    trial.root.mkdir(parents=True)
    place = trial.root / "red-1.png"
    match kind:
        case "file":
            place.write_bytes(b"mine")
        case "folder":
            place.mkdir()
        case "link":
            place.symlink_to(trial.folder / "elsewhere.png")

    said = trial.run(expect=4)

    assert "red-1.png is there already" in said
    assert trial.tasks == 0
    assert not (trial.folder / "elsewhere.png").exists()


def test_f34_a_deleted_picture_is_reported_and_not_bought_again(trial: Trial) -> None:
    trial.run()
    (trial.root / "red-1.png").unlink()

    assert "deleted by hand" in trial.run()
    assert trial.tasks == 4
