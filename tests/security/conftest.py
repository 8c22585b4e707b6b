"""A key in the environment of every test that must be seen nowhere, and hosts that seem to be out in the world."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import canary
import certifi
import pytest
from fake_hosts import FakeHosts
from shop import Service, Shop

from flux2batch.providers import transport

MAY_SEE_THE_KEY = ("api.bfl.ai", "api.eu2.bfl.ai", "queue.fal.run")
NAMES = (
    *MAY_SEE_THE_KEY,
    "delivery-eu1.bfl.ai", "cdn.evil.test", "api.bfl.ai.evil.test",
    "v3b.fal.media", "fal.run", "169.254.169.254",
)  # fmt: skip


# The canary: in the environment of every test of this room, and in no file, stream, page or foreign host after it.


@pytest.fixture(autouse=True)
def _canary(tmp_path: Path, _nobody: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both keys are there to be leaked; afterwards every file of the test and of its home is searched for them."""
    monkeypatch.setenv("BFL_API_KEY", canary.BFL)
    monkeypatch.setenv("FAL_KEY", canary.FAL)
    yield
    canary.refuse_files([tmp_path, _nobody])


class _Watched:
    """pytest's own capture, whose every text is searched as it is read."""

    def __init__(self, inner: pytest.CaptureFixture[str]) -> None:
        self._inner = inner

    def readouterr(self) -> Any:
        said = self._inner.readouterr()
        canary.refuse(said.out, "stdout")
        canary.refuse(said.err, "stderr")
        return said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.fixture
def capsys(capsys: pytest.CaptureFixture[str]) -> Iterator[_Watched]:
    """What was printed, and not the key."""
    watched = _Watched(capsys)
    yield watched
    watched.readouterr()


@pytest.fixture
def capfd(capfd: pytest.CaptureFixture[str]) -> Iterator[_Watched]:
    """What was written to the descriptors, and not the key."""
    watched = _Watched(capfd)
    yield watched
    watched.readouterr()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test printed or logged without looking at it is searched as well."""
    del item
    report = yield
    seen = [name for name, text in report.sections if canary.is_in(text)]
    if seen and report.passed:
        report.outcome = "failed"
        report.longrepr = f"a key was seen in {', '.join(seen)}"
    return report


# A service on loopback, and hosts.


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """An emulator that is the service of every job in this test: it stands on loopback, so a run costs nothing."""
    with Service(latency="0.01") as opened:
        monkeypatch.setenv("BFL_BASE_URL", opened.bfl_base_url)
        monkeypatch.setenv("FAL_BASE_URL", opened.fal_base_url)
        yield opened


@pytest.fixture
def shop(tmp_path: Path, capsys: _Watched, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A folder to run commands in."""
    monkeypatch.chdir(tmp_path)
    return Shop(tmp_path, capsys)


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHosts]:
    """Nine names that are really here, trusted as the real ones are. A key at any but three of them is a failure."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, and the fake hosts need certificates")
    made = FakeHosts(NAMES, tmp_path)
    made.may_see_the_key.update(MAY_SEE_THE_KEY)
    monkeypatch.setattr("socket.getaddrinfo", made.resolve)
    monkeypatch.setattr(certifi, "where", lambda: str(made.certificate))
    transport._tls_context.cache_clear()
    yield made
    transport._tls_context.cache_clear()
    made.close()
    canary.refuse(made.everything(but=made.may_see_the_key), "a request to a foreign host")


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake hosts stand on loopback and play hosts out in the world."""
    monkeypatch.setattr(transport, "is_public_address", lambda address: address == "127.0.0.1")
