"""EXIF with our texts in it, and everything that was there before untouched.

Offsets in EXIF count from its beginning, and the notes of camera makers hold more of them than anybody knows. So what
is there stays byte for byte, and at its end is put a new directory that lists the old entries and ours. A trailer says
where the old one was, so that ours comes off again without leaving a word of a prompt behind.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from flux2batch.pictures.description import caption, parameters, software

PREFIX = b"Exif\0\0"
"""What stands before EXIF in a JPEG, and sometimes in a WebP."""

_EMPTY = b"MM\0*\0\0\0\0"
_TRAILER = b"f2bexif1"
_ASCII, _LONG, _UNDEFINED = 2, 4, 7
_DESCRIPTION, _SOFTWARE, _EXIF_IFD, _VERSION, _COMMENT = 0x010E, 0x0131, 0x8769, 0x9000, 0x9286
_ENTRY = 12
_MAX_ENTRIES = 1000
_DESCRIPTION_CHARACTERS, _COMMENT_CHARACTERS = 2_000, 20_000

_Entries = dict[int, bytes]  # tag → its twelve bytes


def described(existing: bytes, told: Mapping[str, Any]) -> bytes | None:
    """EXIF with the prompt as its description; `existing` may be empty. None where it is too broken to be added to."""
    block = existing or _EMPTY
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return None
    try:
        return _Writer(block, order, had=len(existing)).with_texts(told)
    except struct.error:
        return None


def undone(block: bytes) -> bytes:
    """EXIF as it was before; empty where there was none."""
    if not block.endswith(_TRAILER) or len(block) < 8 + 8 + len(_TRAILER):
        return block
    length, first = struct.unpack_from(">II", block, len(block) - len(_TRAILER) - 8)
    if length > len(block):
        return block
    order = "<" if block.startswith(b"II") else ">"
    return block[:4] + struct.pack(f"{order}I", first) + block[8:length] if length else b""


class _Writer:
    def __init__(self, block: bytes, order: str, *, had: int) -> None:
        self._block = bytearray(block)
        self._order = order
        self._had = had

    def with_texts(self, told: Mapping[str, Any]) -> bytes:
        (first,) = struct.unpack_from(f"{self._order}I", self._block, 4)
        main, following = self._entries(first)
        inner: _Entries = {}
        if _EXIF_IFD in main:
            (at,) = struct.unpack_from(f"{self._order}I", main[_EXIF_IFD], 8)
            inner, _ = self._entries(at)

        comment = parameters(told)
        if comment is not None:
            # EXIF's own way to say that a comment is more than ASCII.
            code = "utf-16-le" if self._order == "<" else "utf-16-be"
            text = b"UNICODE\0" + comment[:_COMMENT_CHARACTERS].encode(code, errors="replace")
            inner.setdefault(_VERSION, self._entry(_VERSION, _UNDEFINED, b"0232"))
            inner[_COMMENT] = self._entry(_COMMENT, _UNDEFINED, text)
            main[_EXIF_IFD] = self._pointer(_EXIF_IFD, self._directory(inner, 0))
        if _SOFTWARE not in main:
            main[_SOFTWARE] = self._entry(_SOFTWARE, _ASCII, software(told).encode() + b"\0")
        shown = caption(told)
        if shown is not None and _DESCRIPTION not in main:
            text = shown[:_DESCRIPTION_CHARACTERS].encode(errors="replace") + b"\0"
            main[_DESCRIPTION] = self._entry(_DESCRIPTION, _ASCII, text)

        start = self._directory(main, following)
        struct.pack_into(f"{self._order}I", self._block, 4, start)
        self._block += struct.pack(">II", self._had, first) + _TRAILER
        return bytes(self._block)

    def _entries(self, at: int) -> tuple[_Entries, int]:
        if not at:
            return {}, 0
        (number,) = struct.unpack_from(f"{self._order}H", self._block, at)
        if number > _MAX_ENTRIES:
            raise struct.error("too many entries")
        found: _Entries = {}
        for index in range(number):
            (raw,) = struct.unpack_from(f"{_ENTRY}s", self._block, at + 2 + _ENTRY * index)
            (tag,) = struct.unpack_from(f"{self._order}H", raw)
            found[tag] = raw
        (following,) = struct.unpack_from(f"{self._order}I", self._block, at + 2 + _ENTRY * number)
        return found, following

    def _entry(self, tag: int, kind: int, value: bytes) -> bytes:
        where = self._add(value) if len(value) > 4 else None
        packed = struct.pack(f"{self._order}I", where) if where is not None else value.ljust(4, b"\0")
        return struct.pack(f"{self._order}HHI", tag, kind, len(value)) + packed

    def _pointer(self, tag: int, at: int) -> bytes:
        return struct.pack(f"{self._order}HHII", tag, _LONG, 1, at)

    def _directory(self, entries: _Entries, following: int) -> int:
        body = b"".join(entries[tag] for tag in sorted(entries))
        count = struct.pack(f"{self._order}H", len(entries))
        return self._add(count + body + struct.pack(f"{self._order}I", following))

    def _add(self, value: bytes) -> int:
        if len(self._block) % 2:  # everything in a TIFF begins at an even place
            self._block += b"\0"
        at = len(self._block)
        self._block += value
        return at
