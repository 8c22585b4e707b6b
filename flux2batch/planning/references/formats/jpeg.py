"""Take a JPEG apart into its segments and keep those that draw the picture."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

from flux2batch.planning.references.formats.exif import orientation
from flux2batch.planning.references.formats.stripped import MAX_PROFILE_BYTES, Flaw, Stripped, cut_off, damaged

SIGNATURE = b"\xff\xd8\xff"

_SOI, _EOI, _SOS, _DNL = 0xD8, 0xD9, 0xDA, 0xDC
_DHT, _JPG, _DAC = 0xC4, 0xC8, 0xCC
_DQT, _DRI = 0xDB, 0xDD
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_DHT, _JPG, _DAC}
_DRAWN = _FRAMES | {_DHT, _DAC, _DQT, _DRI, _DNL}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length

# What ends the data of a scan: any marker but a stuffed zero and the restarts, which belong to the data.
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")

# Each pass over a large picture costs a decoder a second or so, and an encoder makes about ten: more are an attack.
_MAX_SCANS = 100

# JFIF and Adobe's segment decide how colours are read, so they are kept, each in its barest form.
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"


@dataclass(slots=True)
class _Parts:
    kept: list[memoryview] = field(default_factory=list)
    frame: tuple[int, int, int] | None = None  # width, height, components
    scans: int = 0
    has_jfif: bool = False
    adobe_transform: int | None = None
    orientation: int = 1
    profile: dict[int, bytes] = field(default_factory=dict)
    profile_pieces: int = 0


def strip(content: bytes) -> Stripped | Flaw:
    """The picture alone: what applications wrote (EXIF, profiles, thumbnails) and what follows stay behind."""
    parts = _Parts()
    flaw = _take_apart(content, parts)
    if flaw is not None:
        return flaw
    if parts.frame is None or not parts.scans:
        return damaged(len(content), "there is no picture in it")

    width, height, components = parts.frame
    head = [b"\xff\xd8"]
    if parts.has_jfif:
        head.append(_JFIF)
    if parts.adobe_transform is not None:
        head.append(_ADOBE + bytes([parts.adobe_transform]))
    return Stripped(
        format="JPEG",
        content=b"".join([*head, *parts.kept, b"\xff\xd9"]),
        width=width,
        height=height,
        orientation=parts.orientation,
        profile=_profile(parts),
        is_cmyk=components == 4,
        is_deep=False,
        is_lossy=True,
    )


def _take_apart(content: bytes, parts: _Parts) -> Flaw | None:
    view = memoryview(content)
    position = 2
    while True:
        position = content.find(b"\xff", position)
        if position < 0 or position + 2 > len(content):
            return cut_off(content)
        marker = content[position + 1]
        if marker == _EOI:
            return None
        if marker in (0x00, 0xFF) or marker in _ALONE:  # fillers, and strays between the segments
            position += 1
            continue
        if marker == _SOI:
            return damaged(position, "a second picture begins inside the first")

        if position + 4 > len(content):
            return cut_off(content)
        (length,) = struct.unpack_from(">H", content, position + 2)
        end = position + 2 + length
        if length < 2:
            return damaged(position, "a segment has no length")
        if end > len(content):
            return cut_off(content)

        body = content[position + 4 : end]
        if marker == _SOS:
            parts.scans += 1
            if parts.scans > _MAX_SCANS:
                return damaged(position, f"it draws its picture in more than {_MAX_SCANS} passes")
            found = _AFTER_SCAN.search(content, end)
            if found is None:
                return cut_off(content)
            end = found.start()
        elif marker in _FRAMES:
            if parts.frame is not None or len(body) < 6:
                return damaged(position, "a picture has one frame")
            height, width, components = struct.unpack_from(">HHB", body, 1)
            parts.frame = (width, height, components)
        else:
            _note(parts, marker, body)
        if marker in _DRAWN or marker == _SOS:
            parts.kept.append(view[position:end])
        position = end


def _note(parts: _Parts, marker: int, body: bytes) -> None:
    """What a segment that is not kept says about the picture."""
    if marker == 0xE0 and body.startswith(b"JFIF\0"):
        parts.has_jfif = True
    elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
        parts.orientation = orientation(body)
    elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
        parts.profile[body[12]] = body[14:]
        parts.profile_pieces = body[13]
    elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        parts.adobe_transform = body[11]


def _profile(parts: _Parts) -> bytes | None:
    numbers = range(1, parts.profile_pieces + 1)
    if not numbers or any(number not in parts.profile for number in numbers):
        return None
    profile = b"".join(parts.profile[number] for number in numbers)
    return profile if len(profile) <= MAX_PROFILE_BYTES else None
