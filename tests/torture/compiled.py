"""Compile the package once: what is killed at any moment writes no modules, and each run would compile them all."""

from __future__ import annotations

import compileall
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2] / "flux2batch"


def compile_package() -> None:
    """What is compiled and not older than its source is left alone."""
    compileall.compile_dir(_PACKAGE, quiet=2)
