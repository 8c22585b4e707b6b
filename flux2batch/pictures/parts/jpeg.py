"""The segments of a JPEG; a scan and its data are one."""

from __future__ import annotations

import re
import struct

from flux2batch.pictures.parts.part import Broken, Part

SIGNATURE = b"\xff\xd8\xff"
MAX_BODY = 65_533
"""What fits into one segment beside its length."""

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_MAX_SEGMENTS = 10_000


def take_apart(content: bytes) -> tuple[Part, ...] | Broken:
    """From the start marker to the end marker."""
    found = [Part(kind="SOI", start=0, end=2, body_start=2, body_end=2)]
    position = 2
    while len(found) < _MAX_SEGMENTS:
        at = content.find(b"\xff", position)
        if at < 0 or at + 2 > len(content):
            return Broken(reason="it ends before its last segment")
        marker = content[at + 1]
        if marker == _EOI:
            found.append(Part(kind="EOI", start=position, end=at + 2, body_start=at + 2, body_end=at + 2))
            return tuple(found)
        if marker in (0x00, 0xFF) or marker in _ALONE:
            # Fillers between segments: skipped here, they stay in front of the next one.
            at += 1
            found.append(Part(kind="filler", start=position, end=at, body_start=at, body_end=at))
            position = at
            continue
        if marker == _SOI or at + 4 > len(content):
            return Broken(reason="its segments do not follow one another")
        end = at + 2 + struct.unpack_from(">H", content, at + 2)[0]
        if end < at + 4 or end > len(content):
            return Broken(reason="it ends inside a segment")
        body_end = end
        if marker == _SOS:
            after = _AFTER_SCAN.search(content, end)
            if after is None:
                return Broken(reason="it ends inside its picture")
            end = after.start()
        found.append(Part(kind=_name(marker), start=position, end=end, body_start=at + 4, body_end=body_end))
        position = end
    return Broken(reason="it has too many segments")


def segment(marker: int, body: bytes) -> bytes:
    """A segment as it stands in a file."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _name(marker: int) -> str:
    return f"APP{marker - 0xE0}" if 0xE0 <= marker <= 0xEF else f"{marker:02X}"
