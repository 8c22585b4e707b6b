"""A picture file as its parts (chunks, segments), to change what is written beside the pixels and not the pixels.

What comes back covers the file without a gap, but for the few bytes of its signature: the parts put together again
are the file.
"""

from __future__ import annotations

from flux2batch.pictures.parts import jpeg, png, webp
from flux2batch.pictures.parts.part import Broken, Part
from flux2batch.planning.references.formats.stripped import Format

__all__ = ["Broken", "Part", "end", "format_of", "take_apart"]


def format_of(content: bytes) -> Format | None:
    """What the first bytes say. Whether the rest keeps the promise is another question."""
    if content.startswith(png.SIGNATURE):
        return "PNG"
    if content.startswith(jpeg.SIGNATURE):
        return "JPEG"
    return "WEBP" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


def take_apart(content: bytes) -> tuple[Part, ...] | Broken:
    """The parts of a PNG, JPEG or WebP, in order. What follows the end of the picture is in none of them."""
    match format_of(content):
        case "PNG":
            return png.take_apart(content)
        case "JPEG":
            return jpeg.take_apart(content)
        case "WEBP":
            return webp.take_apart(content)
        case None:
            return Broken(reason="it is not a PNG, JPEG or WebP picture")


def end(content: bytes) -> int | Broken:
    """Where the picture ends: what comes later in the file belongs to something else."""
    parts = take_apart(content)
    return parts if isinstance(parts, Broken) else parts[-1].end
