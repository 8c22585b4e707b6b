"""Guards around every test: no socket but loopback, no write outside its own folders, nobody's keys or settings."""

from __future__ import annotations

import ipaddress
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_ENDINGS_THAT_NEVER_RESOLVE = (".invalid", ".test")
_CHECKOUT = (
    str(Path(__file__).resolve().parent.parent) + os.sep
)  # which may itself lie in the folder for temporary files
_CACHES = ("__pycache__", ".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {  # which argument is the path, and which the open folder that it is relative to
    "os.mkdir": (0, 2),
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.rename": (1, 3),
    "os.link": (1, 3),
    "os.symlink": (1, 2),
    "os.truncate": (0, None),
}
_OURS = ("FLUX2BATCH_", "BFL_", "FAL_", "XDG_")
_COLOURS = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS")


class YouForgotToUseAnEmulator(AssertionError):
    """A test reached for a host that is not this machine."""


class YouForgotToUseTmpPath(AssertionError):
    """A test wrote outside its own folders."""


class _Guard:
    """Watches what Python does through its audit events, which no import order and no alias gets past."""

    def __init__(self) -> None:
        self.on = False
        self.broken: list[AssertionError] = []
        self.own: str = ""  # the folders of the tests
        self.writable: tuple[str, ...] = ()

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in ("socket.connect", "socket.sendto"):
            self._reach(args[1])
        elif event == "socket.getaddrinfo":
            self._reach((args[0],))
        elif event == "open":
            path, mode, flags = args
            # `os.open` does not tell of the folder that it was given; a bare name was made in one that was opened.
            if _is_writing(mode, flags) and not (mode is None and _is_bare(path)):
                self._write(path)
        elif event in _CHANGES:
            path, folder = _CHANGES[event]
            self._write(args[path], -1 if folder is None else args[folder])

    def _reach(self, address: Any) -> None:
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            self._break(YouForgotToUseAnEmulator(f"a connection to {address[0]!r}"))

    def _write(self, path: Any, folder: int = -1) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # a descriptor: how it was opened has been seen
        if folder != -1:
            try:
                path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), os.fsdecode(path))  # noqa: PTH115, PTH118  # as below
            except OSError:
                return  # no /proc, so nobody can say which folder that is
        name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # a Path here would be an event within an event
        if name.startswith(self.own) or any(f"{os.sep}{cache}" in name for cache in _CACHES):
            return
        if name.startswith(self.writable) and not name.startswith(_CHECKOUT):
            return
        self._break(YouForgotToUseTmpPath(f"a change at {name}"))

    def _break(self, fault: AssertionError) -> None:
        # Remembered as well as raised: code under test may well catch everything that a socket raises.
        self.broken.append(fault)
        raise fault


def _is_loopback(host: Any) -> bool:
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name.endswith(_ENDINGS_THAT_NEVER_RESOLVE):
        return True
    try:
        return ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        return False


def _is_bare(path: Any) -> bool:
    return isinstance(path, (str, bytes)) and os.sep not in os.fsdecode(path)


def _is_writing(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITES)


_GUARD = _Guard()
sys.addaudithook(_GUARD)  # it cannot be taken away again, only told to look elsewhere


@pytest.fixture(autouse=True)
def _guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Watch the test while it runs."""
    _GUARD.own = str(tmp_path_factory.getbasetemp()) + os.sep
    temporary = {tempfile.gettempdir(), os.path.realpath(tempfile.gettempdir()), os.devnull, "/dev/", "/proc/self/"}
    _GUARD.writable = tuple(temporary)
    _GUARD.broken.clear()
    _GUARD.on = True
    try:
        yield
    finally:
        _GUARD.on = False
    if _GUARD.broken:
        raise _GUARD.broken[0]


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty home, no keys, no settings, no proxies, and a terminal of the default kind."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(_OURS) or name in _COLOURS or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("TZ", "UTC")
    for name, folder in (
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_CACHE_HOME", ".cache"),
    ):
        monkeypatch.setenv(name, str(home / folder))
    return home


@pytest.fixture
def broken_guards() -> list[AssertionError]:
    """What the guards have seen in this test: for the tests of the guards, which empty it."""
    return _GUARD.broken
