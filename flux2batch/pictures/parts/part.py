"""One part of a picture file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A chunk or segment, by its name and the bytes that it spans in the file, frame included."""

    kind: str  # IHDR, APP1, EXIF …
    start: int
    end: int
    body_start: int
    body_end: int

    def body(self, content: bytes) -> bytes:
        """What it holds."""
        return content[self.body_start : self.body_end]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The file cannot be taken apart."""

    reason: str
