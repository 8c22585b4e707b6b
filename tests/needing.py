"""What is installed apart for a test: without it the test is skipped, and in CI, which may skip none, it fails."""

from __future__ import annotations

import os

import pytest


def needs(found: bool, what: str) -> None:
    """Go on only where it was found; `what` says what is missing."""
    if found:
        return
    missing = f"{what}: run `make peers`"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)  # on a machine of one's own nobody has to install other people's programs
