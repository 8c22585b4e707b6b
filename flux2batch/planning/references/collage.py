"""Boards: several pictures laid out as one, on white, in a grid, in their order.

The layout is whole numbers from whole numbers, so that it is the same on every machine. Changing it changes what is
sent under an old identity: raise LAYOUT with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

LAYOUT = "grid-1"
MAX_PICTURES = 36
MAX_PIXELS = 4 * 1024 * 1024  # what services take without shrinking
MULTIPLE_OF = 16  # what they would crop the sides to

_GUTTER = 16
_MIN_SIDE = 64

Size = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where one picture stands, and at which size."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A layout: the whole, and a slot for each picture in its order."""

    width: int
    height: int
    slots: tuple[Slot, ...]


def lay_out(sizes: Sequence[Size]) -> Board:
    """The grid that is nearest to a square. No picture is enlarged, and the board has at most four megapixels."""
    return min((_grid(sizes, columns) for columns in range(len(sizes), 0, -1)), key=_shape)


def draw(board: Board, pictures: Iterable[Image.Image]) -> Image.Image:
    """The board with its pictures, which are taken one at a time. What is transparent shows the white."""
    from PIL import Image as Images

    canvas = Images.new("RGB", (board.width, board.height), (255, 255, 255))
    for slot, picture in zip(board.slots, pictures, strict=True):
        size = (slot.width, slot.height)
        # The mode with alpha must be scaled as one, or edges take on the colour that lies under what is transparent.
        scaled = picture if picture.size == size else picture.resize(size, Images.Resampling.LANCZOS, reducing_gap=3.0)
        mask = scaled.getchannel("A") if scaled.mode in ("LA", "RGBA") else None
        canvas.paste(scaled.convert("RGB"), (slot.left, slot.top), mask)
    return canvas


def _shape(board: Board) -> int:
    """How far the board is from a square: a strip would be cropped or shrunk to nothing by whoever looks at it."""
    return max(board.width, board.height) * 1000 // min(board.width, board.height)


def _grid(sizes: Sequence[Size], columns: int) -> Board:
    rows = -(-len(sizes) // columns)
    # A cell has the mean shape of the pictures and room for the widest and the highest of them, if the board has it.
    shape_w, shape_h = sum(width for width, _ in sizes), sum(height for _, height in sizes)
    cell_w = max(max(width, height * shape_w // shape_h) for width, height in sizes)
    cell_h = max(1, cell_w * shape_h // shape_w)
    cell_w, cell_h = _fitting(cell_w, cell_h, columns, rows)

    width = _rounded_up(columns * cell_w + (columns - 1) * _GUTTER)
    height = _rounded_up(rows * cell_h + (rows - 1) * _GUTTER)
    slots = tuple(
        _slot(
            size,
            left=(width - columns * cell_w - (columns - 1) * _GUTTER) // 2 + (index % columns) * (cell_w + _GUTTER),
            top=(height - rows * cell_h - (rows - 1) * _GUTTER) // 2 + (index // columns) * (cell_h + _GUTTER),
            cell=(cell_w, cell_h),
        )
        for index, size in enumerate(sizes)
    )
    return Board(width=width, height=height, slots=slots)


def _fitting(cell_w: int, cell_h: int, columns: int, rows: int) -> Size:
    """The cell, made smaller in its shape until the board is small enough."""

    def fits(width: int) -> bool:
        height = max(1, width * cell_h // cell_w)
        board_w = _rounded_up(columns * width + (columns - 1) * _GUTTER)
        board_h = _rounded_up(rows * height + (rows - 1) * _GUTTER)
        return board_w * board_h <= MAX_PIXELS

    # No board holds more than MAX_PIXELS of cells, so the search can begin there.
    low, high = 1, min(cell_w, isqrt(MAX_PIXELS * cell_w // (cell_h * columns * rows)) + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low, max(1, low * cell_h // cell_w)


def _slot(size: Size, *, left: int, top: int, cell: Size) -> Slot:
    width, height = size
    if width > cell[0] or height > cell[1]:
        if width * cell[1] >= height * cell[0]:
            width, height = cell[0], max(1, height * cell[0] // width)
        else:
            width, height = max(1, width * cell[1] // height), cell[1]
    return Slot(left=left + (cell[0] - width) // 2, top=top + (cell[1] - height) // 2, width=width, height=height)


def _rounded_up(side: int) -> int:
    return max(_MIN_SIDE, -(-side // MULTIPLE_OF) * MULTIPLE_OF)
