"""The journal's own code on an SQLite whose every write and sync is recorded: apsw's, behind the face of `sqlite3`.

The journal is not changed: its module is handed this one in the place of `sqlite3`, and says to it what it always says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import apsw
from power_disk import Disk

from flux2batch.engine import journal

_NAME = "recorded"
# SQLite's own VFS syncs the folder with the first sync of a journal or log that it has made (os_unix.c, DIRSYNC).
_SYNCS_ITS_NAME = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL


class Error(Exception):
    """As sqlite3's."""


class DatabaseError(Error):
    """As sqlite3's."""


class OperationalError(DatabaseError):
    """As sqlite3's."""


class _RecordedFile(apsw.VFSFile):
    def __init__(self, disk: Disk, inherit: str, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        filename = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._path = Path(filename) if filename else None
        was_there = self._path is None or self._path.exists()
        super().__init__(inherit, name, flags)
        self._disk = disk
        self._inode = 0
        self._syncs_its_name = False
        if self._path is not None:
            self._inode, folder = self._path.stat().st_ino, self._path.parent.stat().st_ino
            if not was_there:
                disk.made(folder, self._path.name, self._inode)
                self._syncs_its_name = bool(flags[0] & _SYNCS_ITS_NAME)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.written(self._inode, offset, data)
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self._disk.cut(self._inode, size)
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._disk.synced(self._inode)
        if self._syncs_its_name and self._path is not None:
            self._disk.synced(self._path.parent.stat().st_ino)
            self._syncs_its_name = False


class _RecordedVfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(_NAME, "")

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> _RecordedFile:
        return _RecordedFile(self._disk, "", name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        folder = Path(filename).parent.stat().st_ino
        self._disk.dropped(folder, Path(filename).name)
        if syncdir:
            self._disk.synced(folder)


class _Connection:
    """What the journal asks of a connection of sqlite3 in autocommit mode, on apsw's."""

    def __init__(self, uri: str) -> None:
        flags = apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        with _as_sqlite3():
            self._real = apsw.Connection(uri, flags=flags, vfs=_NAME)
            self._real.set_busy_timeout(10_000)

    @property
    def in_transaction(self) -> bool:
        return self._real.in_transaction

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> _Rows:
        with _as_sqlite3():
            return _Rows(self._real.execute(sql, tuple(parameters)))

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with _as_sqlite3():
            self._real.executemany(sql, rows)

    def close(self) -> None:
        with _as_sqlite3():
            self._real.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._real.in_transaction:
            self.execute("COMMIT" if kind is None else "ROLLBACK")


class _Rows:
    def __init__(self, cursor: apsw.Cursor) -> None:
        self._cursor = cursor

    def __iter__(self) -> Iterator[Any]:
        with _as_sqlite3():
            yield from self._cursor

    def fetchone(self) -> Any:
        with _as_sqlite3():
            return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        with _as_sqlite3():
            return list(self._cursor)


@contextmanager
def _as_sqlite3() -> Iterator[None]:
    try:
        yield
    except (apsw.CantOpenError, apsw.BusyError, apsw.IOError, apsw.FullError, apsw.ReadOnlyError) as error:
        raise OperationalError(str(error)) from error
    except apsw.Error as error:
        raise DatabaseError(str(error)) from error


def _connect(name: str, **_: object) -> _Connection:
    return _Connection(name)


@contextmanager
def recorded(disk: Disk) -> Iterator[None]:
    """While this lasts, journals are written to the record as well as to the disk."""
    vfs, real = _RecordedVfs(disk), journal.sqlite3
    face = SimpleNamespace(
        connect=_connect,
        Connection=_Connection,
        Error=Error,
        DatabaseError=DatabaseError,
        OperationalError=OperationalError,
    )
    journal.sqlite3 = face  # type: ignore[assignment]  # the module's own code, on the other SQLite
    try:
        yield
    finally:
        journal.sqlite3 = real
        vfs.unregister()
