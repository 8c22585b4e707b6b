"""A run directory opened for looking: its story, its plan, and which of its pictures are really there."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from flux2batch.engine.journal import Journal, JournalDamaged
from flux2batch.engine.lifecycle import IllegalEvent
from flux2batch.engine.run_directory import look_into
from flux2batch.pictures import paths
from flux2batch.planning.files.folder import JobFolder, OpenFile
from flux2batch.reading.load import folder_of_the_job
from flux2batch.reporting.sheet_data import picture_key
from flux2batch.reporting.sheet_story import (
    KnownShot,
    PlannedShot,
    PlanUnreadable,
    ReferenceNamed,
    RunStory,
    plan_rows,
    planned_shot,
)
from flux2batch.running.going_on import LastAsked, last_asked
from flux2batch.running.thumbnail_folder import ThumbnailFolder, Wanted, small_name

PLAN = "plan.jsonl"
_MOST_PLAN_BYTES = 2_000_000_000


class RecordedRun:
    """What a run directory holds. Nothing in it is believed to be harmless: it may come from somebody else."""

    def __init__(self, root: Path, journal: Journal) -> None:
        self.root = root
        self.name = root.resolve().name
        self.directory_id = journal.run_directory_id
        self.story = RunStory()
        self.remarks: list[str] = []
        self._journal = journal
        self._job_folder = _job_folder(journal.meta("job_file"))
        self._read: tuple[tuple[int, int], Sequence[PlannedShot]] | None = None  # the plan, as of when it was so

    def look_again(self) -> int:
        """Take in what the journal has come to know; how many events that was."""
        try:
            return self.story.saw(self._journal.entries(after=self.story.seq))
        except IllegalEvent as error:
            message = f"The journal of {self.root} is damaged: {error}. See 'flux2batch doctor --recover'."
            raise JournalDamaged(message) from error

    def shots(self) -> list[KnownShot]:
        """All shots, those of the last plan first and in its order."""
        self.remarks.clear()
        return self.story.shots(self._plan())

    def pictures(self) -> Present:
        """Which pictures are there, as of now."""
        return Present(self.root)

    @property
    def command(self) -> str:
        """What makes it again, for a page that is sent around."""
        return self.asked.command_for_others()

    @property
    def asked(self) -> LastAsked:
        """What it was last asked for."""
        return last_asked(self.root, self._journal, began=self.story.began)

    def reference(self, reference: ReferenceNamed) -> Path | None:
        """The file that a reference was made of, if it is still in the job's folder and is still the same."""
        if self._job_folder is None or not reference.digest.startswith("file:"):
            return None
        found = self._job_folder.open(reference.source)
        if not isinstance(found, OpenFile):
            return None
        # Who wrote the journal must know the file's content to have it shown: a path alone shows nothing.
        is_same = hashlib.sha256(found.content).hexdigest() == reference.digest.rpartition(":")[2]
        return Path(found.absolute) if is_same else None

    def _plan(self) -> Sequence[PlannedShot]:
        """The rows of the plan: read once, and again when it was written again."""
        path = self.root / PLAN
        try:
            state = path.lstat()
            if not stat.S_ISREG(state.st_mode) or state.st_size > _MOST_PLAN_BYTES:
                return ()
            as_of = state.st_mtime_ns, state.st_size
            if self._read is None or self._read[0] != as_of:
                with path.open(encoding="utf-8") as file:
                    self._read = as_of, [planned_shot(row) for row in plan_rows(file)]
            return self._read[1]
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError, PlanUnreadable) as error:
            self.remarks.append(f"{path} is not as flux2batch wrote it ({error}): only what was begun is shown.")
            return ()


@contextmanager
def open_recorded(root: Path) -> Iterator[RecordedRun]:
    """Open a run directory for looking; whoever drives it is not disturbed."""
    with look_into(root) as directory:
        recorded = RecordedRun(root, directory.journal)
        recorded.look_again()
        yield recorded


def _job_folder(job_file: str | None) -> JobFolder | None:
    if job_file is None:
        return None
    folder = Path(job_file).parent
    with suppress(OSError, ValueError):
        if folder.is_dir():
            return JobFolder(folder_of_the_job(folder.resolve()), folder=folder)
    return None


def picture_at(root: Path, path: str) -> Path | None:
    """The one picture at this path, as `Present` has it, without a look at all that lie beside it."""
    if paths.unsafe(path) is not None:
        return None
    *folders, name = path.split("/")
    where = root
    try:
        for folder in folders:
            where = where / folder
            if not stat.S_ISDIR(where.lstat().st_mode):
                return None
        return where / name if stat.S_ISREG((where / name).lstat().st_mode) else None
    except OSError:
        return None


class Present:
    """Which pictures of a run directory may be opened: regular files, safely named, behind no symlink."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: dict[str, frozenset[str]] = {}

    def __call__(self, path: str) -> bool:
        """Whether there is a picture at this path of the run directory."""
        if paths.unsafe(path) is not None:
            return False
        folder, _, name = path.rpartition("/")
        return name in self._in(folder)

    def file(self, path: str) -> Path | None:
        """The picture at this path."""
        return self.root.joinpath(*path.split("/")) if self(path) else None

    def _in(self, folder: str) -> frozenset[str]:
        if folder not in self._files:
            self._files[folder] = self._listed(folder)
        return self._files[folder]

    def _listed(self, folder: str) -> frozenset[str]:
        where = self.root
        try:
            for name in folder.split("/") if folder else ():
                where = where / name
                if not stat.S_ISDIR(where.lstat().st_mode):
                    return frozenset()
            with os.scandir(where) as found:
                return frozenset(entry.name for entry in found if entry.is_file(follow_symlinks=False))
        except OSError:
            return frozenset()


def thumbnails_wanted(shots: Sequence[KnownShot], present: Present) -> Iterator[Wanted]:
    """The thumbnails that these shots' pictures need."""
    for shot in shots:
        for saved in shot.life.saved:
            key = picture_key(saved.sha256)
            file = present.file(saved.path) if key is not None else None
            if key is not None and file is not None:
                yield Wanted(key, file)


class ReferenceThumbnails:
    """Small pictures of references, by their recipes: made while the file is there, kept when it is gone."""

    def __init__(self, run: RecordedRun, folder: ThumbnailFolder) -> None:
        self._run = run
        self._folder = folder
        self._known: dict[str, str | None] = {}

    def __call__(self, reference: ReferenceNamed) -> str | None:
        """The file's name beside the page."""
        if not reference.digest.startswith("file:"):
            return None
        if reference.digest not in self._known:
            self._known[reference.digest] = self._made(reference)
        return self._known[reference.digest]

    def _made(self, reference: ReferenceNamed) -> str | None:
        key = "r" + hashlib.sha256(reference.digest.encode("utf-8", "replace")).hexdigest()[:16]
        if not self._folder.has(key):
            file = self._run.reference(reference)
            if file is None:
                return None
            self._folder.make([Wanted(key, file)])
        return small_name(key) if self._folder.has(key) else None
