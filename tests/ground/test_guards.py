"""The guards around all tests do guard."""

from __future__ import annotations

import os
import socket
import sqlite3
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

FAR = "192.0.2.1"  # reserved for documents: nobody is there
ROOT = Path(__file__).resolve().parents[2]


def _connect() -> None:
    with socket.socket() as line:
        line.settimeout(0.1)
        line.connect((FAR, 80))


def _send_a_packet() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.sendto(b"x", (FAR, 53))


REACHES: dict[str, Callable[[], object]] = {
    "a connection": _connect,
    "a name": lambda: socket.getaddrinfo("example.org", 443),
    "a request": lambda: urllib.request.urlopen("http://example.org/", timeout=1),
    "a packet": _send_a_packet,
}
# Should a guard fail one day, none of these does harm: what is changed does not exist.
STRAY = ROOT / "stray"
WRITES: dict[str, Callable[[], object]] = {
    "a new file": lambda: STRAY.write_text("x"),
    "a longer file": lambda: STRAY.open("a"),
    "a descriptor": lambda: os.open(STRAY, os.O_CREAT | os.O_WRONLY),
    "a folder": lambda: STRAY.mkdir(),
    "a rename": lambda: STRAY.rename(ROOT / "stray-too"),
    "a removal": lambda: STRAY.unlink(),
    "a link": lambda: STRAY.symlink_to("nowhere"),
}


@pytest.mark.parametrize("attempt", REACHES.values(), ids=REACHES)
def test_no_socket_leaves_this_machine(attempt: Callable[[], object], broken_guards: list[AssertionError]) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011  # urllib dresses it up; what was remembered counts
        attempt()

    assert type(broken_guards[0]).__name__ == "YouForgotToUseAnEmulator", raised
    broken_guards.clear()


@pytest.mark.parametrize("attempt", WRITES.values(), ids=WRITES)
def test_nothing_is_written_outside_of_the_tests_folders(
    attempt: Callable[[], object], broken_guards: list[AssertionError]
) -> None:
    with pytest.raises(AssertionError, match="a change at"):
        attempt()

    assert type(broken_guards.pop()).__name__ == "YouForgotToUseTmpPath"
    assert not STRAY.is_symlink()
    assert not STRAY.exists()


def test_loopback_and_the_own_folder_are_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("CREATE TABLE t (x)")
    database.close()
    (tmp_path / "b").write_text("x", encoding="utf-8")


def test_nobodys_keys_settings_or_home_are_seen() -> None:
    assert not [name for name in os.environ if name.startswith(("BFL_", "FAL_", "FLUX2BATCH_"))]
    assert list(Path.home().iterdir()) == []
