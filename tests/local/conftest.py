"""Fixtures of the tests that draw with real libraries; where those are not installed there is nothing to collect."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

collect_ignore_glob = [] if find_spec("torch") and find_spec("diffusers") else ["test_*.py"]

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder of small weights for each kind of model: klein, base and dev."""
    from tiny_weights import save_dev, save_klein

    root = tmp_path_factory.mktemp("weights")
    save_klein(root / "klein", distilled=True)
    save_klein(root / "base", distilled=False)
    save_dev(root / "dev")
    return root
