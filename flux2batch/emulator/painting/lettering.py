"""What is printed on a picture: the words it was asked for, its parameters, and that it is not real."""

from __future__ import annotations

import hashlib
import math
import textwrap
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from flux2batch.emulator.painting.palette import (
    INK,
    INKS,
    SWATCH,
    SWATCHES,
)
from flux2batch.emulator.painting.signs import apart, draw_marks, in_signs_of_the_font

_LINE = 1.25
"""The height of a printed line, in its size."""
_ALL_LINES = 3.7
"""That of two lines of prompt and a smaller one of parameters, so that none is cut off."""


def panel_height(width: int, height: int) -> int:
    """How much of the picture its words take; nothing of a very small one."""
    return 0 if min(width, height) < 96 else max(28, round(height * 0.115))


def print_caption(canvas: Image.Image, prompt: str, parameters: str, *, panel: int, swatches: int) -> None:
    """The prompt, the parameters, the sign of the whole prompt and the named colours, below the scene."""
    if not panel:
        _print_dots(canvas, sign_of(prompt))
        return
    top, margin, gap = canvas.height - panel, max(4, canvas.width // 64), max(2, panel // 12)
    size = max(8, min(round((panel - 3 * gap) / _ALL_LINES), round(canvas.width / 34)))
    room = canvas.width - 2 * margin - (swatches * size * 2)
    beside = round(size * _LINE) + gap  # of the parameters, below the prompt
    height = panel - beside - gap
    lines = _wrapped(in_signs_of_the_font(prompt), room, size, at_most=2 if height >= 2 * _LINE * size else 1)
    canvas.paste(words("\n".join(lines), size=size, width=room, height=height), (margin, top + gap))
    small = max(8, round(size * 0.86))
    # Put together of letters that are kept: every prompt has a sign of its own, and drawing one takes longer.
    letters = [_letter(letter, small, beside) for letter in sign_of(prompt)]
    left = canvas.width - margin - sum(letter.width for letter in letters)
    facts = words(parameters, size=small, width=left - gap - margin, height=beside, faint=True)
    canvas.paste(facts, (margin, canvas.height - beside))
    for letter in letters:
        canvas.paste(letter, (left, canvas.height - beside))
        left += letter.width
    pen = ImageDraw.Draw(canvas)
    for number in range(min(swatches, SWATCHES)):
        right = canvas.width - margin - number * size * 2
        pen.rectangle(
            (right - round(size * 1.6), top + gap, right, top + gap + round(size * 1.6)), fill=SWATCH + number
        )


def sign_of(prompt: str) -> str:
    """The whole prompt in six signs: two that begin alike can be told apart, where only their beginning is printed."""
    return hashlib.sha256(prompt.encode(errors="backslashreplace")).hexdigest()[:6]


@lru_cache(maxsize=1024)  # 16 letters in 64 sizes
def _letter(letter: str, size: int, height: int) -> Image.Image:
    return words(letter, size=size, width=math.ceil(_font(size).getlength(letter)), height=height, faint=True)


def _print_dots(canvas: Image.Image, sign: str) -> None:
    """The sign where there is no room for letters: its 24 bits along the lower edge."""
    side, bottom = max(1, canvas.width // 24), canvas.height - 1
    pen = ImageDraw.Draw(canvas)
    for number, bit in enumerate(f"{int(sign, 16):024b}"):
        ink = INK + INKS - 1 if bit == "1" else INK
        pen.rectangle((number * side, bottom - 1, (number + 1) * side - 1, bottom), fill=ink)


def _wrapped(prompt: str, room: int, size: int, *, at_most: int) -> list[str]:
    each = max(8, int(room / (size * 0.5)))
    lines = textwrap.wrap(" ".join(prompt.split()), each, max_lines=at_most, placeholder=" …", break_on_hyphens=False)
    return lines or [""]


@lru_cache(maxsize=128)  # a sweep prints the same prompt again and again
def words(text: str, *, size: int, width: int, height: int, faint: bool = False) -> Image.Image:
    """Printed words as palette indices, from paper to ink."""
    mask = Image.new("L", (max(1, width), max(1, height)))
    bare, marks = apart(in_signs_of_the_font(text))
    pen, font, spacing = ImageDraw.Draw(mask), _font(size), max(1, size // 6)
    pen.multiline_text((0, 0), bare, fill=255, font=font, spacing=spacing)
    if marks and isinstance(font, ImageFont.FreeTypeFont):  # a Pillow without FreeType has letters of one size alone
        draw_marks(pen, marks, font=font, spacing=spacing, gap=max(1, size // 16))
    return mask.point(_faint_ramp() if faint else _ink_ramp())


@lru_cache(maxsize=1)
def _ink_ramp() -> list[int]:
    return [INK + value * (INKS - 1) // 255 for value in range(256)]


@lru_cache(maxsize=1)
def _faint_ramp() -> list[int]:
    return [INK + value * (INKS - 5) // 255 for value in range(256)]


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


_INSET = 0.06
"""A little more than `{exact: WxH}` may cut away of each side: a tenth of the picture, half of it on either side."""


def mark(canvas: Image.Image) -> None:
    """Say near a corner that nobody should take it for the real thing, and where no trimming cuts it off."""
    size = max(8, min(canvas.size) // 48)
    if min(canvas.size) < 96:
        return
    label = _label(size)
    right, top = math.ceil(canvas.width * _INSET), math.ceil(canvas.height * _INSET)
    canvas.paste(label, (canvas.width - right - label.width, top))


@lru_cache(maxsize=64)
def _label(size: int) -> Image.Image:
    font = _font(size)
    width = round(font.getlength("EMULATED")) + size
    mask = Image.new("L", (width, round(size * 1.7)))
    ImageDraw.Draw(mask).text((size / 2, size * 0.2), "EMULATED", fill=255, font=font)
    return mask.point(_ink_ramp())
