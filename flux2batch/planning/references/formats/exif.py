"""Read the one fact of EXIF that matters to a picture: which way up it is."""

from __future__ import annotations

import struct

_ORIENTATION = 0x0112
_SHORT = 3
_MAX_ENTRIES = 1000


def orientation(exif: bytes) -> int:
    """1 to 8, and 1 (upright) where EXIF does not say or says nonsense."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for index in range(min(count, _MAX_ENTRIES)):
            tag, kind, number, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * index)
            if tag == _ORIENTATION:
                return value if (kind, number) == (_SHORT, 1) and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
