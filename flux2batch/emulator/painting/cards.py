"""References as cards that lie on the picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw

from flux2batch.emulator.painting.lettering import words
from flux2batch.emulator.painting.palette import (
    CARD_COLOURS,
    CARDS,
    FRAME,
    SHADOW,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A reference as it is shown: a small JPEG of it, or the text of its address."""

    sha256: str
    thumbnail: bytes | None
    label: str


def lay_cards(canvas: Image.Image, palette: bytearray, cards: Sequence[Card], *, top: int) -> None:
    """Lay the references over the top of the scene; their colours enter the palette."""
    if not cards:
        return
    pen = ImageDraw.Draw(canvas)
    gap = max(2, canvas.width // 64)
    side = min((canvas.width - gap * (len(cards) + 1)) // len(cards), canvas.width * 2 // 7, top * 2 // 5, 288)
    if side < 8:
        return
    share = CARD_COLOURS // len(cards)
    edge = max(1, side // 24)
    for number, card in enumerate(cards):
        left, upper = gap + number * (side + gap), gap
        inner = side - 2 * edge
        if card.thumbnail is None:
            _draw_frame(pen, left, upper, inner, inner, edge)
            canvas.paste(
                words(card.label, size=max(8, side // 9), width=inner, height=inner), (left + edge, upper + edge)
            )
            continue
        first = CARDS + number * share
        pixels, colours, (wide, high) = _indexed(card.sha256, card.thumbnail, inner, first, share)
        palette[first * 3 : first * 3 + len(colours)] = colours
        _draw_frame(pen, left, upper, wide, high, edge)
        canvas.paste(Image.frombytes("L", (wide, high), pixels), (left + edge, upper + edge))


def _draw_frame(pen: ImageDraw.ImageDraw, left: int, upper: int, wide: int, high: int, edge: int) -> None:
    right, lower, shade = left + wide + 2 * edge, upper + high + 2 * edge, max(1, edge // 2)
    pen.rectangle((left + shade, upper + shade, right + shade, lower + shade), fill=SHADOW)
    pen.rectangle((left, upper, right, lower), fill=FRAME)


@lru_cache(maxsize=256)
def _indexed(sha256: str, thumbnail: bytes, side: int, first: int, share: int) -> tuple[bytes, bytes, tuple[int, int]]:
    """A reference in `share` colours that begin at `first` in the palette; `sha256` is the key that matters."""
    del sha256
    with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as opened:
        small = opened.convert("RGB")
    scale = side / max(small.size)
    small = small.resize((max(1, round(small.width * scale)), max(1, round(small.height * scale))))
    drawn = small.quantize(share, method=Image.Quantize.MEDIANCUT)
    colours = bytes(drawn.getpalette() or b"")[: share * 3]
    return drawn.tobytes().translate(bytes(min(first + n, 255) for n in range(256))), colours, drawn.size
