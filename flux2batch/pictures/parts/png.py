"""The chunks of a PNG, every checksum compared."""

from __future__ import annotations

import struct
import zlib

from flux2batch.pictures.parts.part import Broken, Part

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNKS = 100_000


def take_apart(content: bytes) -> tuple[Part, ...] | Broken:
    """All chunks up to the one that ends the picture. The signature comes before them."""
    view = memoryview(content)
    found: list[Part] = []
    position = len(SIGNATURE)
    while len(found) < _MAX_CHUNKS:
        if position + 12 > len(content):
            return Broken(reason="it ends before its last chunk")
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        if end > len(content):
            return Broken(reason="it ends inside a chunk")
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            return Broken(reason=f"the checksum of the chunk at byte {position:,} does not match")
        name = kind.decode("latin-1")
        found.append(Part(kind=name, start=position, end=end, body_start=position + 8, body_end=end - 4))
        if kind == b"IEND":
            return tuple(found)
        position = end
    return Broken(reason="it has too many chunks")


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk as it stands in a file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def text(keyword: str, value: str) -> bytes:
    """An iTXt chunk, uncompressed: UTF-8, read by every program that shows texts of a PNG."""
    return chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + value.encode("utf-8"))


def text_of(body: bytes) -> tuple[str, str] | None:
    """Keyword and text of an uncompressed iTXt chunk, and None where it is none."""
    keyword, _, rest = body.partition(b"\0")
    if rest[:1] != b"\0":  # compressed: nothing of ours is, and unpacking a stranger's is not worth the risk
        return None
    pieces = rest[2:].split(b"\0", 2)
    if len(pieces) != 3:
        return None
    return keyword.decode("latin-1"), pieces[2].decode("utf-8", errors="replace")
