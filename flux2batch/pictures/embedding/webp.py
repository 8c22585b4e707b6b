"""Descriptions in WebP: EXIF and XMP in chunks of their own, which the extended form of the file announces."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from flux2batch.pictures.embedding import exif, xmp
from flux2batch.pictures.parts import Part, webp

_EXTENDED, _EXIF, _XMP = "VP8X", "EXIF", "XMP "
_HAS_XMP, _HAS_EXIF, _HAS_ALPHA = 0x04, 0x08, 0x10


def embed(content: bytes, parts: Sequence[Part], told: Mapping[str, Any]) -> bytes:
    """The file with the description in it. None of ours is there yet."""
    old_exif, old_xmp = _body(parts, content, _EXIF), _body(parts, content, _XMP)
    prefix = exif.PREFIX if old_exif.startswith(exif.PREFIX) else b""
    block = exif.described(old_exif[len(prefix) :], told)
    existing = old_xmp.decode("utf-8", errors="replace")
    text = xmp.merged(existing, told) if existing else xmp.packet(told)
    return _rebuilt(
        content,
        parts,
        exif_block=old_exif if block is None else prefix + block,
        xmp_packet=old_xmp if text is None else text.encode("utf-8", errors="replace"),
    )


def record(content: bytes, parts: Sequence[Part]) -> str | None:
    """Our JSON."""
    return xmp.record(_body(parts, content, _XMP).decode("utf-8", errors="replace"))


def undone(content: bytes, parts: Sequence[Part]) -> bytes:
    """The file without ours. It keeps the extended form: the picture in it is the same."""
    if record(content, parts) is None:
        return content
    block = _body(parts, content, _EXIF)
    prefix = exif.PREFIX if block.startswith(exif.PREFIX) else b""
    bare = exif.undone(block[len(prefix) :])
    text = xmp.undone(_body(parts, content, _XMP).decode("utf-8", errors="replace"))
    return _rebuilt(
        content, parts, exif_block=prefix + bare if bare else b"", xmp_packet=(text or "").encode(errors="replace")
    )


def _rebuilt(content: bytes, parts: Sequence[Part], *, exif_block: bytes, xmp_packet: bytes) -> bytes:
    flags = (_HAS_EXIF if exif_block else 0) | (_HAS_XMP if xmp_packet else 0)
    kept = b"".join(
        webp.chunk(part.kind.encode("latin-1"), part.body(content))
        for part in parts
        if part.kind not in (_EXTENDED, _EXIF, _XMP, "tail")
    )
    head = bytearray(_body(parts, content, _EXTENDED) or _extended(content, parts))
    head[0] = head[0] & ~(_HAS_EXIF | _HAS_XMP) | flags
    chunks = webp.chunk(b"VP8X", bytes(head)) + kept
    if exif_block:
        chunks += webp.chunk(b"EXIF", exif_block)
    if xmp_packet:
        chunks += webp.chunk(b"XMP ", xmp_packet)
    return webp.file(chunks)


def _extended(content: bytes, parts: Sequence[Part]) -> bytes:
    """The head of the extended form, for a file that had the simple one: its one chunk says all of it."""
    lossless = _body(parts, content, "VP8L")
    if lossless:
        (packed,) = struct.unpack_from("<I", lossless, 1)
        width, height, alpha = packed & 0x3FFF, packed >> 14 & 0x3FFF, packed >> 28 & 1
    else:
        across, down = struct.unpack_from("<HH", _body(parts, content, "VP8 "), 6)
        width, height, alpha = (across & 0x3FFF) - 1, (down & 0x3FFF) - 1, 0
    flags = bytes([_HAS_ALPHA if alpha else 0, 0, 0, 0])
    return flags + int(width).to_bytes(3, "little") + int(height).to_bytes(3, "little")


def _body(parts: Sequence[Part], content: bytes, kind: str) -> bytes:
    return next((part.body(content) for part in parts if part.kind == kind), b"")
