"""Fixtures of the tests of commands around a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_runs import Runs


@pytest.fixture
def runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runs:
    """A folder to run a tiny job in, which is also the current folder."""
    monkeypatch.chdir(tmp_path)
    return Runs(tmp_path, capsys)
