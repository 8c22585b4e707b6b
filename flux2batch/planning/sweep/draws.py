"""Draws: one value a shot from a list, and seeds made of coordinates, the same on every machine.

Each line of a list stands at many places of a circle, and a shot draws the line that comes next after its own place. A
line that is added takes over only what lies just before its own places: all other shots keep what they drew, and a line
that is taken away leaves its shots to its neighbours. Finding the next place is one search in a sorted list, so drawing
from a thousand lines costs no more than from ten.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from flux2batch.planning.canonical import canonical_json, tagged
from flux2batch.planning.sweep.chance import chance

_PLACES = 256
"""Of each line: their shares of the circle then differ by about a sixteenth, less than chance itself does."""

_SEEDS = 2**31
"""Every service takes seeds below this."""


class Circle:
    """The lines of one drawn axis, by their ids."""

    def __init__(self, name: str, ids: Sequence[str]) -> None:
        self._name = tagged("draw") + canonical_json(name)
        placed = sorted((place, line) for line, id in enumerate(ids) for place in _places(id))
        self._places = array("Q", (place for place, _ in placed))
        self._lines = array("L", (line for _, line in placed))

    def draw(self, coordinates: bytes) -> int:
        """The index of the line that a shot with these coordinates draws."""
        here = int.from_bytes(sha256(self._name + coordinates).digest()[:8])
        after = bisect_left(self._places, here)
        return self._lines[after % len(self._lines)]


def seed_of(coordinates: Mapping[str, str]) -> int:
    """The seed that belongs to these coordinates, axis by id."""
    return chance("seed", coordinates) % _SEEDS


def _places(id: str) -> Iterator[int]:
    for turn in range(_PLACES // 4):
        yield from struct.unpack(">4Q", sha256(tagged("line") + canonical_json([id, turn])).digest())
