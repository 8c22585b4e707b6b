"""One process drives a run directory at a time: a lock that the system frees when its holder dies."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

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
            raise MachineError(f"{self._driver.parent} cannot be locked: {error}.") from error
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


def _holder(driver: Path) -> str:
    """Who holds the lock, as far as the holder has said so."""
    try:
        says = json.loads(driver.read_text(encoding="utf-8"))
        return f"process {int(says['pid'])} on {says['host']} since {says['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
