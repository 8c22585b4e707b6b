"""How fal names things and moments."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid


def iso(moment: float) -> str:
    """A moment as fal writes it."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1e6):06d}Z"


def nanoid(name: str) -> str:
    """A file's name, as random as it looks and the same for the same picture."""
    return base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).decode()[:21]


def uuid7(at: float) -> str:
    """A UUID of version 7, as fal's request ids are: sorted by time."""
    number = uuid.uuid4().int
    number = (int(at * 1000) & (2**48 - 1)) << 80 | number & (2**80 - 1)
    number = number & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=number & ~(0x3 << 62) | 0x2 << 62))
