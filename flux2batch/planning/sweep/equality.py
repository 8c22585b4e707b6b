"""Finds equal things among a million without keeping them: by eight bytes of their digests, confirmed afterwards."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import pairwise

_PARTS = 16
"""The digests are compared in so many parts, one after the other, which bounds the memory that sorting takes."""


class Digests:
    """Eight bytes of each thing, in the order in which they came."""

    def __init__(self) -> None:
        self._kept = array("Q")

    def add(self, digest: int) -> None:
        """One more thing."""
        self._kept.append(digest)

    def __len__(self) -> int:
        return len(self._kept)

    def repeated(self) -> frozenset[int]:
        """The digests that came more than once: nearly always of equal things, which is for the caller to confirm."""
        return frozenset(self._repeated())

    def _repeated(self) -> Iterator[int]:
        width = 2**64 // _PARTS
        parts = _PARTS if len(self._kept) > 65536 else 1
        for part in range(parts):
            low, high = (part * width, (part + 1) * width) if parts > 1 else (0, 2**64)
            chosen = sorted(digest for digest in self._kept if low <= digest < high)
            yield from (one for one, next_one in pairwise(chosen) if one == next_one)


def digest_of_text(text: str) -> int:
    """Eight bytes for a text. They differ from process to process; what is found with them does not."""
    return hash(text) & 0xFFFFFFFFFFFFFFFF
