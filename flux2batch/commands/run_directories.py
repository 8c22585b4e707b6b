"""Which run directory a command means: the one it names, a job file's, or the newest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from flux2batch.engine.run_directory import is_run_directory, job_file_of, journal_of, look_into
from flux2batch.errors import UsageError

if TYPE_CHECKING:
    from flux2batch.planning.sweep.shards import Shard

RUNS = "runs"


def run_directory(named: Path | None) -> Path:
    """The run directory that is meant by DIR, by a job file, or by nothing at all.

    DIR is taken as it is, or for the newest in its `runs/`. A job file means the run directory that was made for it.
    Raises UsageError with what to do where there is none.
    """
    if named is None:
        return _newest_here()
    if named.is_dir():
        return _in_folder(named)
    if named.is_file():
        return _of_job(named)
    if not named.exists():
        raise UsageError(f"{named} does not exist. Name a run directory, or the job file it was made for.")
    raise UsageError(f"{named} is neither a run directory nor a job file.")


def run_directories(named: Iterable[Path]) -> list[Path]:
    """The run directories that are meant, each once; the newest where none is named."""
    found = [run_directory(one) for one in named] or [run_directory(None)]
    return list({root.resolve(): root for root in found}.values())


def _newest_here() -> Path:
    here = Path()
    if is_run_directory(here):
        return here
    newest = _newest(_inside(here / RUNS))
    if newest is None:
        raise UsageError("There is no run directory here: nothing under runs/. Run a job first, or name a directory.")
    return newest


def _in_folder(folder: Path) -> Path:
    if is_run_directory(folder):
        return folder
    newest = _newest(_inside(folder / RUNS))
    if newest is not None:
        return newest
    inside = sorted(_inside(folder))
    if inside:
        raise UsageError(f"{folder} is no run directory; these lie in it: {', '.join(map(str, inside[:10]))}.")
    raise UsageError(f"{folder} is not a run directory: there is no journal in it.")


def _of_job(file: Path) -> Path:
    """By the job's name, as `run` does it; then by what the run directories beside it remember."""
    beside = file.parent / RUNS
    by_name = [beside / name for stem in _names(file) for name in (stem, f"{stem}.emulated")]
    mine = (root for root in by_name if is_run_directory(root) and _is_for(root, file))
    newest = _newest(mine) or _newest(root for root in _inside(beside) if _is_for(root, file))
    if newest is None:
        raise UsageError(f"{file} has no run directory yet: `flux2batch run {file}` makes one.")
    return newest


def _names(file: Path) -> Iterator[str]:
    from flux2batch.reading.load import load_job

    with suppress(OSError):
        job, _ = load_job(file)
        if job is not None:
            yield job.name
    yield file.stem


def _is_for(root: Path, file: Path) -> bool:
    made_for = job_file_of(root)
    return made_for is None or Path(made_for) == file.resolve() or not Path(made_for).exists()


def _inside(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from (inner for inner in folder.iterdir() if is_run_directory(inner))


def _newest(roots: Iterable[Path]) -> Path | None:
    return max(roots, key=_last_touched, default=None)


def _last_touched(root: Path) -> float:
    journal = journal_of(root)
    times = [0.0]
    # While a run goes on, what it writes is in the file beside the journal.
    for path in (journal, journal.with_name(f"{journal.name}-wal")):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def shard_of(root: Path) -> Shard | None:
    """The part of its job that a run directory was last run for; None where that was all of it."""
    from flux2batch.planning.sweep.shards import Shard

    with look_into(root) as directory:
        written = directory.journal.meta("shard")
    try:
        return Shard.read(written) if written else None
    except ValueError:
        return None  # a journal from somebody else may say anything
