"""Take a PNG apart into its chunks and keep those that draw the picture."""

from __future__ import annotations

import struct
import zlib

from flux2batch.planning.references.formats.exif import orientation
from flux2batch.planning.references.formats.stripped import (
    EXPORT,
    MAX_PROFILE_BYTES,
    Flaw,
    Stripped,
    animated,
    cut_off,
    damaged,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_DRAWN = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_MAX_CHUNKS = 100_000


def strip(content: bytes) -> Stripped | Flaw:
    """The picture alone, with every checksum of what is kept compared."""
    view = memoryview(content)
    kept: list[bytes | memoryview] = [SIGNATURE]
    header, upright, profile = b"", 1, None
    position = len(SIGNATURE)

    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(content):
            return cut_off(content)
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        if not kind.isalpha():
            return damaged(position, "no chunk of a PNG begins there")
        if end > len(content):
            return cut_off(content)
        if (kind == b"IHDR") != (not header) or (kind == b"IHDR" and length != 13):
            return damaged(position, "a PNG begins with its one header")

        body = view[position + 8 : end - 4]
        if kind in _DRAWN:
            if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
                return damaged(position, "a checksum does not match")
            kept.append(view[position:end])
        elif kind[:1].isupper():
            return Flaw(code="FB405", message="is a PNG with parts that no reader knows", help=EXPORT)

        if kind == b"IHDR":
            header = bytes(body)
        elif kind == b"acTL" and length >= 4 and int.from_bytes(body[:4], "big") > 1:
            return animated("PNG")
        elif kind == b"eXIf":
            upright = orientation(bytes(body))
        elif kind == b"iCCP":
            profile = _profile(bytes(body))
        elif kind == b"IEND":
            break
        position = end
    else:
        return damaged(position, "it has too many chunks")

    width, height, depth = struct.unpack_from(">IIB", header)
    return Stripped(
        format="PNG",
        content=b"".join(kept),
        width=width,
        height=height,
        orientation=upright,
        profile=profile,
        is_cmyk=False,
        is_deep=depth == 16,
        is_lossy=False,
    )


def _profile(body: bytes) -> bytes | None:
    _, _, rest = body.partition(b"\0")
    unpack = zlib.decompressobj()
    try:
        profile = unpack.decompress(rest[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if unpack.eof else None
