"""The run directory: where a job's pictures and journal live, opened for one driver or for reading."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flux2batch.engine.journal import UNREADABLE, Journal, JournalDamaged, damaged
from flux2batch.engine.lifecycle import IllegalEvent
from flux2batch.engine.lock import DirectoryLock
from flux2batch.engine.new_directory import NewFolders, refuse_links
from flux2batch.engine.rescue import put_back
from flux2batch.errors import MachineError, Refused, UsageError
from flux2batch.private_files import private_file, private_folder

INNER = ".flux2batch"
_TRACES = ("plan.jsonl", "ledger.jsonl", "ledger.csv")  # what every run leaves beside its journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """For whom a run directory is opened: it remembers this, and serves nothing else."""

    job_name: str
    job_file: str | None  # absolute; None for a job given as Python data
    emulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDirectory:
    """An open run directory."""

    root: Path
    journal: Journal

    @property
    def inner(self) -> Path:
        """The folder of what is not for looking at."""
        return self.root / INNER

    @property
    def originals(self) -> Path:
        """Pictures as they came, where `exact` trimmed them."""
        return self.inner / "originals"


def journal_of(root: Path) -> Path:
    """Where the journal of a run directory is."""
    return root / INNER / "journal.db"


def is_run_directory(root: Path) -> bool:
    """Whether there is a journal in it."""
    return journal_of(root).is_file()


@contextmanager
def drive(root: Path, purpose: Purpose, *, now: datetime, memory: Memory | None) -> Iterator[RunDirectory]:
    """Open the run directory for this process alone, made anew where there is none.

    Raises Refused where it belongs to another job or to another kind of service, or holds links, and MachineError where
    it cannot be written, is locked, damaged, copied or older than it was. One that was made here and in which nothing
    was recorded is gone when the context ends.
    """
    _refuse_strange_names(root, purpose)
    inner = root / INNER
    folders = NewFolders(inner)
    try:
        folders.make()
        refuse_links(inner)
        probe(inner)
    except OSError as error:
        raise MachineError(f"{root} cannot be written: {(error.strerror or str(error)).lower()}.") from error
    with _on_a_disk_that_works(root), ExitStack() as stack:
        stack.callback(folders.take_back)
        stack.enter_context(DirectoryLock(inner, now=now))
        stack.callback(folders.empty)
        directory = stack.enter_context(_opened(root, purpose, memory))
        try:
            yield directory
        finally:
            used = _has_events(directory.journal)
            if used:
                folders.keep()
            if used and memory is not None:
                memory.remember(directory.journal, root)


@contextmanager
def _opened(root: Path, purpose: Purpose, memory: Memory | None) -> Iterator[RunDirectory]:
    """The journal of a run directory that is locked, made where there is none."""
    path = journal_of(root)
    fresh = not path.exists() and not put_back(path)
    if fresh and path.with_name("journal.db-wal").exists():
        raise JournalDamaged(f"{path} is gone, and what belongs to it is left. Nothing was sent.")
    if fresh and (traces := [name for name in _TRACES if (root / name).exists()]):
        raise JournalDamaged(
            f"{path} is gone, but {root} has been run before (it holds {', '.join(traces)}): starting afresh"
            " would buy everything again. Nothing was sent. Bring the journal back, or choose another --out."
        )
    journal = Journal.create(path, run_directory_id=secrets.token_hex(8)) if fresh else Journal.open(path, driving=True)
    with closing(journal):
        _belong(journal, root, purpose)
        if memory is not None and not fresh:
            memory.recognise(journal, root)
        yield RunDirectory(root=root, journal=journal)


def _refuse_strange_names(root: Path, purpose: Purpose) -> None:
    """Both places are remembered as text, and the name of a folder may be none."""
    for place in (str(root.absolute()), purpose.job_file or ""):
        try:
            place.encode()
        except UnicodeEncodeError:
            raise MachineError(
                f"{place} cannot be used: a name in it is not UTF-8. Rename that file or folder, or move the job."
            ) from None


def _has_events(journal: Journal) -> bool:
    """Whether anything was ever recorded. A journal that cannot say so is one to keep."""
    try:
        return journal.last_seq > 0
    except sqlite3.Error:
        return True


@contextmanager
def look_into(root: Path) -> Iterator[RunDirectory]:
    """Open the run directory for reading; whoever drives it is not disturbed."""
    if not is_run_directory(root):
        raise UsageError(f"{root} is not a run directory: there is no journal in it.")
    with _on_a_disk_that_works(root), closing(Journal.open(journal_of(root), driving=False)) as journal, sound(root):
        yield RunDirectory(root=root, journal=journal)


@contextmanager
def sound(root: Path) -> Iterator[None]:
    """Whoever reads the events folds them, and may be the first to see that they make no life."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):  # a disk that is full, a file that cannot be opened
            raise
        raise damaged(journal_of(root), str(error)) from error
    except (IllegalEvent, *UNREADABLE) as error:
        raise damaged(journal_of(root), str(error)) from error


@contextmanager
def _on_a_disk_that_works(root: Path) -> Iterator[None]:
    """A full disk can meet a database that is only read: SQLite keeps an index beside it."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise MachineError(
            f"The journal {journal_of(root)} cannot be used: {error}. Is the disk full? Make room there, then run the"
            " same command again."
        ) from error


def probe(inner: Path) -> None:
    """Write, flush and rename for once, before anything is paid for."""
    probe, renamed = inner / ".probe.part", inner / ".probe"
    with probe.open("wb") as file:
        file.write(b"flux2batch")
        file.flush()
        os.fsync(file.fileno())
    probe.replace(renamed)
    renamed.unlink()


def _belong(journal: Journal, root: Path, purpose: Purpose) -> None:
    """A run directory remembers whose it is."""
    kind = "emulated" if purpose.emulated else "real"
    known_kind = journal.meta("kind")
    if known_kind is not None and known_kind != kind:
        raise Refused(f"{root} holds {known_kind} pictures, and this run is {kind}. Choose another folder with --out.")
    known_file, known_name = journal.meta("job_file"), journal.meta("job_name")
    other_file = bool(purpose.job_file and known_file and known_file != purpose.job_file)
    # A job file that was moved or renamed is the same job: its old path is gone, and its name is what it was.
    if other_file and (known_name != purpose.job_name or Path(str(known_file)).exists()):
        raise Refused(
            f"{root} belongs to {known_file}, not to {purpose.job_file}."
            " Rename one of the jobs, or choose another folder with --out."
        )
    journal.set_meta("kind", kind)
    journal.set_meta("job_name", purpose.job_name)
    if purpose.job_file:
        journal.set_meta("job_file", purpose.job_file)


class Memory:
    """What this machine remembers of its run directories, to notice one that was restored or copied.

    It lies in the user's state folder and is only ever behind the journals, never ahead: losing it costs a check.
    """

    _SCHEMA = """
    CREATE TABLE IF NOT EXISTS run_directories (
      id TEXT PRIMARY KEY, path TEXT NOT NULL, last_seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """

    def __init__(self, file: Path, *, accept_rollback: bool, fork: bool) -> None:
        self._file = file
        self._accept_rollback = accept_rollback
        self._fork = fork

    def recognise(self, journal: Journal, root: Path) -> None:
        """Refuse a run directory whose journal knows less than it did, or that stands in two places."""
        with closing(self._open()) as database:
            row = database.execute(
                "SELECT path, last_seq FROM run_directories WHERE id = ?", (journal.run_directory_id,)
            ).fetchone()
        if row is None:
            return
        path, last_seq = Path(row[0]), int(row[1])
        if journal.last_seq < last_seq and not self._accept_rollback:
            raise MachineError(
                f"{root} is older than it was: its journal ends at event {journal.last_seq}, and {last_seq} were"
                " recorded. What happened since may have been paid for. If you restored a backup on purpose:"
                " flux2batch doctor --accept-rollback."
            )
        if path != root.resolve() and _same_directory_at(path, journal) and not self._fork:
            raise MachineError(
                f"{root} is a copy of {path}: driving both could pay twice. If the copy is to live on its own:"
                " flux2batch doctor --fork."
            )

    def id_at(self, root: Path) -> str | None:
        """The id of the run directory that was last seen at this place."""
        with closing(self._open()) as database:
            row = database.execute("SELECT id FROM run_directories WHERE path = ?", (str(root.resolve()),)).fetchone()
        return None if row is None else str(row[0])

    def place_of(self, id: str) -> Path | None:
        """Where the run directory of this id was last seen."""
        with closing(self._open()) as database:
            row = database.execute("SELECT path FROM run_directories WHERE id = ?", (id,)).fetchone()
        return None if row is None else Path(str(row[0]))

    def remember(self, journal: Journal, root: Path) -> None:
        """Note how far the journal has come."""
        with suppress(sqlite3.Error, MachineError, OSError), closing(self._open()) as database:
            database.execute(
                "INSERT OR REPLACE INTO run_directories VALUES (?, ?, ?)",
                (journal.run_directory_id, str(root.resolve()), journal.last_seq),
            )

    def _open(self) -> sqlite3.Connection:
        try:
            private_folder(self._file.parent)
            private_file(self._file)
            database = sqlite3.connect(self._file, isolation_level=None, timeout=30)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(self._SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise MachineError(f"{self._file} cannot be opened: {error}.") from error
        return database


def _same_directory_at(path: Path, journal: Journal) -> bool:
    if not is_run_directory(path):
        return False
    try:
        with closing(Journal.open(journal_of(path), driving=False)) as other:
            return other.run_directory_id == journal.run_directory_id
    except MachineError:
        return False


def job_file_of(root: Path) -> str | None:
    """The job file that a run directory was made for, where it says so."""
    with suppress(MachineError, UsageError, json.JSONDecodeError), look_into(root) as directory:
        return directory.journal.meta("job_file")
    return None
