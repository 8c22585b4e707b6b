"""Take a WebP apart into its chunks and keep those that draw the picture."""

from __future__ import annotations

import struct

from flux2batch.planning.references.formats.exif import orientation
from flux2batch.planning.references.formats.stripped import (
    COPY,
    MAX_PROFILE_BYTES,
    Flaw,
    Stripped,
    animated,
    cut_off,
    damaged,
)

_ANIMATED, _ALPHA = 0x02, 0x10
_FRAMES = frozenset({b"ANIM", b"ANMF"})
_MAX_CHUNKS = 10_000


def strip(content: bytes) -> Stripped | Flaw:
    """The picture alone: one frame, and its transparency where that lies beside it."""
    chunks = _chunks(content)
    if isinstance(chunks, Flaw):
        return chunks
    extended = chunks.get(b"VP8X", b"")
    if _FRAMES & chunks.keys() or (extended and extended[0] & _ANIMATED):
        return animated("WebP")

    frame = _lossless(chunks) or _lossy(chunks)
    if frame is None:
        return damaged(12, "there is no picture in it")
    kind, width, height = frame
    body = _chunk(kind, chunks[kind])
    if kind == b"VP8 " and b"ALPH" in chunks:
        canvas = struct.pack("<I", _ALPHA) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = _chunk(b"VP8X", canvas) + _chunk(b"ALPH", chunks[b"ALPH"]) + body

    profile = chunks.get(b"ICCP")
    return Stripped(
        format="WEBP",
        content=b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body,
        width=width,
        height=height,
        orientation=orientation(chunks.get(b"EXIF", b"")),
        profile=profile if profile and len(profile) <= MAX_PROFILE_BYTES else None,
        is_cmyk=False,
        is_deep=False,
        is_lossy=kind == b"VP8 ",
    )


def _chunks(content: bytes) -> dict[bytes, bytes] | Flaw:
    """The first chunk of each kind, within the size that the file says it has."""
    end = 8 + struct.unpack_from("<I", content, 4)[0]
    if end > len(content):
        return Flaw(code="FB406", message=f"is cut off: {len(content):,} of its {end:,} bytes are there", help=COPY)
    chunks: dict[bytes, bytes] = {}
    position = 12
    for _ in range(_MAX_CHUNKS):
        if position + 8 > end:
            return chunks
        kind, length = struct.unpack_from("<4sI", content, position)
        if position + 8 + length > end:
            return cut_off(content)
        chunks.setdefault(kind, content[position + 8 : position + 8 + length])
        if kind in _FRAMES:
            return chunks  # however many follow: it is not taken
        position += 8 + length + length % 2
    return damaged(position, "it has too many chunks")


def _lossy(chunks: dict[bytes, bytes]) -> tuple[bytes, int, int] | None:
    body = chunks.get(b"VP8 ", b"")
    if len(body) < 10 or body[3:6] != b"\x9d\x01\x2a":
        return None
    width, height = struct.unpack_from("<HH", body, 6)
    return b"VP8 ", width & 0x3FFF, height & 0x3FFF


def _lossless(chunks: dict[bytes, bytes]) -> tuple[bytes, int, int] | None:
    body = chunks.get(b"VP8L", b"")
    if len(body) < 5 or body[0] != 0x2F:
        return None
    (packed,) = struct.unpack_from("<I", body, 1)
    return b"VP8L", (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
