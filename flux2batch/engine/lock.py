"""One process drives a run directory at a time: a lock that the system frees when its holder dies."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, SoftFileLock, Timeout

from flux2batch.errors import MachineError


class Locked(MachineError):
    """Another process drives this run directory."""


class DirectoryLock:
    """Held from `with` to its end, or to the death of the process."""

    def __init__(self, folder: Path, *, now: datetime) -> None:
        self._lock = FileLock(folder / "lock", mode=0o600)
        self._driver = folder / "driver.json"
        self._since = now

    def __enter__(self) -> Self:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise Locked(f"{self._driver.parent.parent} is being driven by {_holder(self._driver)}.") from None
        except (OSError, NotImplementedError) as error:
            raise MachineError(_unlockable(self._driver.parent, error)) from error
        if isinstance(self._lock, SoftFileLock):
            # What filelock turns itself into where the system has no locks: a file, which a killed process leaves.
            self._lock.release()
            raise MachineError(_unlockable(self._driver.parent, None))
        says = {"pid": os.getpid(), "host": socket.gethostname(), "since": self._since.isoformat(timespec="seconds")}
        with suppress(OSError):  # it only helps the next one to say who is here
            self._driver.write_text(json.dumps(says), encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._driver.unlink()
        self._lock.release()


def _unlockable(folder: Path, error: Exception | None) -> str:
    reason = (error.strerror if isinstance(error, OSError) else None) or "its file system has no locks"
    return (
        f"{folder} cannot be locked: {reason.lower()}. Without a lock a second process could drive it and pay twice,"
        " so nothing was sent. Put the run directory on a disk of this machine: --out DIR."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The process that drives a run directory, by its own word."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


def driver_of(folder: Path) -> Driver | None:
    """Who drives the run directory of this inner folder now; None where nobody does.

    The lock itself is not touched: whoever wants it at this very moment must not find it taken.
    """
    driver = _said(folder / "driver.json")
    return driver if driver is not None and _may_live(driver) else None


def _holder(driver: Path) -> str:
    """Who holds the lock, as far as the holder has said so."""
    return str(_said(driver) or "another process")


def _said(file: Path) -> Driver | None:
    try:
        says = json.loads(file.read_text(encoding="utf-8"))
        return Driver(pid=int(says["pid"]), host=str(says["host"]), since=str(says["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _may_live(driver: Driver) -> bool:
    """A process that was killed leaves its word behind. Another machine cannot be asked."""
    return driver.host != socket.gethostname() or process_lives(driver.pid)


def process_lives(pid: int) -> bool:
    """Whether such a process goes on on this machine; yes where that cannot be asked."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return not _is_dead(pid)


def _is_dead(pid: int) -> bool:
    """Whether it has ended, and whoever started it has not yet taken note: it holds no lock and does nothing more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2][:1]
    except OSError:
        return False  # no Linux, or it is gone by now, which the next look tells
    return state in ("Z", "X")
