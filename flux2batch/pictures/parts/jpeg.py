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
    found = [_bare("SOI", 0, 2)]
    position = 2
    while len(found) < _MAX_SEGMENTS:
        if position + 2 > len(content):
            return Broken(reason="it ends before its last segment")
        marker = content[position + 1]
        if content[position] != 0xFF or marker == 0x00:
            # Decoders look on for the next one; but something was lost here.
            return Broken(reason=f"at byte {position:,} a segment should begin")
        if marker == _EOI:
            found.append(_bare("EOI", position, 2))
            return tuple(found)
        if marker == 0xFF or marker in _ALONE:
            found.append(_bare("filler", position, 1 if marker == 0xFF else 2))
            position = found[-1].end
            continue
        if marker == _SOI or position + 4 > len(content):
            return Broken(reason="its segments do not follow one another")
        body_end = end = position + 2 + struct.unpack_from(">H", content, position + 2)[0]
        if end < position + 4 or end > len(content):
            return Broken(reason="it ends inside a segment")
        if marker == _SOS:
            after = _AFTER_SCAN.search(content, end)
            if after is None:
                return Broken(reason="it ends inside its picture")
            end = after.start()
        found.append(Part(kind=_name(marker), start=position, end=end, body_start=position + 4, body_end=body_end))
        position = end
    return Broken(reason="it has too many segments")


def segment(marker: int, body: bytes) -> bytes:
    """A segment as it stands in a file."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _bare(kind: str, start: int, length: int) -> Part:
    """What has no body: markers that stand alone, and fillers."""
    return Part(kind=kind, start=start, end=start + length, body_start=start + length, body_end=start + length)


def _name(marker: int) -> str:
    return f"APP{marker - 0xE0}" if 0xE0 <= marker <= 0xEF else f"{marker:02X}"
