"""Descriptions in JPEG: EXIF and XMP, each in its segment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flux2batch.pictures.embedding import exif, xmp
from flux2batch.pictures.parts import Part, jpeg

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_APP1 = 0xE1


def embed(content: bytes, parts: Sequence[Part], told: Mapping[str, Any]) -> bytes:
    """The file with the description in it. None of ours is there yet."""
    old_exif, old_xmp = _find(parts, content, exif.PREFIX), _find(parts, content, _XMP)
    block = exif.described(_after(old_exif, content, exif.PREFIX), told)
    new_exif = _segment(exif.PREFIX, block) if block is not None else None
    new_xmp = _fitting_xmp(_after(old_xmp, content, _XMP).decode("utf-8", errors="replace"), told)

    edits: list[tuple[int, int, bytes]] = []
    place = _start(parts)
    for old, new in ((old_exif, new_exif), (old_xmp, new_xmp)):
        if new is not None:
            edits.append((old.start, old.end, new) if old else (place, place, new))
        place = old.end if old else place
    return _edited(content, edits)


def record(content: bytes, parts: Sequence[Part]) -> str | None:
    """Our JSON."""
    return xmp.record(_after(_find(parts, content, _XMP), content, _XMP).decode("utf-8", errors="replace"))


def undone(content: bytes, parts: Sequence[Part]) -> bytes:
    """The file without ours."""
    edits: list[tuple[int, int, bytes]] = []
    for prefix, bare in ((exif.PREFIX, exif.undone), (_XMP, _bare_xmp)):
        part = _find(parts, content, prefix)
        body = _after(part, content, prefix)
        if part is not None and (before := bare(body)) != body:
            edits.append((part.start, part.end, _segment(prefix, before) or b"" if before else b""))
    return _edited(content, edits)


def _bare_xmp(body: bytes) -> bytes:
    text = body.decode("utf-8", errors="surrogateescape")
    return (xmp.undone(text) or "").encode("utf-8", errors="surrogateescape")


def _fitting_xmp(existing: str, told: Mapping[str, Any]) -> bytes | None:
    """A segment holds 64 kB. Of a prompt that is longer the beginning is told, and that it was cut."""
    write: Callable[[Mapping[str, Any]], str | None] = xmp.packet
    if existing:
        write = lambda facts: xmp.merged(existing, facts)  # noqa: E731  # the same choice, made once
    while True:
        text = write(told)
        if text is None:
            return None
        segment = _segment(_XMP, text.encode("utf-8", errors="replace"))
        longest = max(("prompt", "final_prompt"), key=lambda name: len(told.get(name) or ""))
        if segment is not None or len(told.get(longest) or "") < 100:
            return segment
        told = {**told, longest: told[longest][: len(told[longest]) * 3 // 4], "cut": True}


def _segment(prefix: bytes, body: bytes) -> bytes | None:
    whole = prefix + body
    return jpeg.segment(_APP1, whole) if len(whole) <= jpeg.MAX_BODY else None


def _find(parts: Sequence[Part], content: bytes, prefix: bytes) -> Part | None:
    return next((part for part in parts if part.kind == "APP1" and part.body(content).startswith(prefix)), None)


def _after(part: Part | None, content: bytes, prefix: bytes) -> bytes:
    return part.body(content)[len(prefix) :] if part else b""


def _start(parts: Sequence[Part]) -> int:
    """Behind JFIF's segment, which old readers want to be the first."""
    return parts[1].end if parts[1].kind == "APP0" else parts[0].end


def _edited(content: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    pieces: list[bytes] = []
    position = 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):  # stable: EXIF before XMP at one place
        pieces += [content[position:start], new]
        position = end
    return b"".join([*pieces, content[position:]])
