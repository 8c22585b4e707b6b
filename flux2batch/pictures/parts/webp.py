"""The chunks of a WebP."""

from __future__ import annotations

import struct

from flux2batch.pictures.parts.part import Broken, Part

_MAX_CHUNKS = 10_000


def take_apart(content: bytes) -> tuple[Part, ...] | Broken:
    """All chunks within the size that the file says it has. The header of twelve bytes comes before them."""
    whole = 8 + struct.unpack_from("<I", content, 4)[0]
    if whole > len(content):
        return Broken(reason=f"{len(content):,} of its {whole:,} bytes are there")
    if whole < 20:
        return Broken(reason="there is nothing in it")
    found: list[Part] = []
    position = 12
    while len(found) < _MAX_CHUNKS:
        if position == whole:
            return tuple(found)
        if position + 8 > whole:  # too few bytes for a chunk: no reader minds them
            found.append(Part(kind="tail", start=position, end=whole, body_start=whole, body_end=whole))
            return tuple(found)
        kind, length = struct.unpack_from("<4sI", content, position)
        body_end = position + 8 + length
        end = body_end + length % 2
        if body_end <= whole < end:
            end = whole  # some writers leave the last byte of padding out
        if end > whole:
            return Broken(reason="it ends inside a chunk")
        name = kind.decode("latin-1")
        found.append(Part(kind=name, start=position, end=end, body_start=position + 8, body_end=body_end))
        position = end
    return Broken(reason="it has too many chunks")


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk as it stands in a file, padded to an even length."""
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def file(chunks: bytes) -> bytes:
    """A file of these chunks."""
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks
