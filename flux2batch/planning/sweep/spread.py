"""An order that covers a sweep evenly: however early one stops, every axis has been seen in all its breadth.

Walk the diagonal of the grid, one step on every axis at a time, and every axis is covered in as many steps as it has
values, whatever the others do: one of each first. After as many steps as the longest axis has values, go on elsewhere,
or axes of one length would keep in step: on a later part of the diagonal, and on one that is shifted. Which part and
which shifts come next is the same question in a smaller grid. Along each axis the values are taken as halving would
visit them, so that a few of a hundred seeds or guidances lie far apart.

Nothing is random in it: the same grid has the same order for ever, and the first ten are among the first twenty.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from math import gcd, lcm


def spread(radices: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every point of a grid with axes of these lengths, each once, in an order that covers it evenly."""
    if not radices:
        yield ()
        return
    longest = max(radices)
    if longest == 1:
        yield (0,) * len(radices)
        return
    visits = [far_apart(length) for length in radices]
    for part, *shifts in spread((lcm(*radices) // longest, *_freedoms(radices))):
        walk = list(zip(visits, (0, *shifts), radices, strict=True))
        for step in range(part * longest, (part + 1) * longest):
            yield tuple(visit[(step + shift) % length] for visit, shift, length in walk)


def ranks(radices: Sequence[int]) -> array[int]:
    """For each point, by its number in the written order, its place in the spread order."""
    placed = array("Q", bytes(8 * _total(radices)))
    for place, point in enumerate(spread(radices)):
        number = 0
        for index, length in zip(point, radices, strict=True):
            number = number * length + index
        placed[number] = place
    return placed


def far_apart(length: int) -> array[int]:
    """The numbers below `length`, each as far from those before it as halving allows."""
    bits = max(1, (length - 1).bit_length())
    reversed_bits = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(1 << bits))
    return array("Q", (number for number in reversed_bits if number < length))


def _freedoms(radices: Sequence[int]) -> list[int]:
    """How many shifts of each axis but the first lead to points that no other shift reaches."""
    freedoms, closed = [], radices[0]
    for length in radices[1:]:
        freedoms.append(gcd(closed, length))
        closed = lcm(closed, length)
    return freedoms


def _total(radices: Sequence[int]) -> int:
    total = 1
    for length in radices:
        total *= length
    return total
