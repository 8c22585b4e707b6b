"""One heap for all threads of a run: each having its own, as glibc gives them, doubles the memory that a run holds."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

_M_ARENA_MAX = -8  # of glibc's malloc.h


def share_one_heap() -> None:
    """Ask the C library for it, where it is one that can be asked. Nothing depends on the answer."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # a C library without it
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
