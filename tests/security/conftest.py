"""Hosts that seem to be out in the world, for every test that asks who is spoken to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from fake_hosts import FakeHosts

from flux2batch.providers import transport

NAMES = (
    "api.bfl.ai", "api.eu2.bfl.ai", "queue.fal.run",          # may see the key
    "delivery-eu1.bfl.ai", "cdn.evil.test", "api.bfl.ai.evil.test",  # may not
    "v3b.fal.media", "fal.run", "169.254.169.254",
)  # fmt: skip


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHosts]:
    """Nine names that are really here, trusted as the real ones are."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, and the fake hosts need certificates")
    made = FakeHosts(NAMES, tmp_path)
    monkeypatch.setattr("socket.getaddrinfo", made.resolve)
    monkeypatch.setattr(certifi, "where", lambda: str(made.certificate))
    transport._tls_context.cache_clear()
    yield made
    transport._tls_context.cache_clear()
    made.close()


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake hosts stand on loopback and play hosts out in the world."""
    monkeypatch.setattr(transport, "is_public_address", lambda address: address == "127.0.0.1")
