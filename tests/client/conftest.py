"""What the pages for people who write Python need to be run as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from flux2batch.emulator.server import Emulator


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A folder with the pictures that the pages name, and both services emulated."""
    for name in ("model", "top", "pants", "jacket", "shoes"):
        Image.new("RGB", (256, 192), "teal").save(tmp_path / f"{name}.jpg")
    (tmp_path / "outputs").mkdir()
    monkeypatch.chdir(tmp_path)
    with Emulator() as emulator:
        for name in ("bfl_base_url", "fal_base_url", "bfl_api_key", "fal_key"):
            monkeypatch.setenv(name.upper(), getattr(emulator, name))
        yield emulator
