"""Letters that the font has not, made of those that it has: an accent is drawn over its letter, ß is ss.

Pillow's own font knows little beyond ASCII, and draws a box for every other sign. Shipping a larger one would cost more
than it is worth for a picture that nobody keeps.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import ImageDraw, ImageFont

BEYOND_ASCII = "©«°±´·»‘’“”…‹›⁄™"
"""What the font has besides ASCII; a test holds it against the font."""
_STAND_INS = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i", "–": "-", "—": "-", "‐": "-", "‑": "-",
        "−": "-", "„": ",,", "‚": ",", "€": "EUR", "£": "GBP", "×": "x", "¿": "?", "¡": "!", "•": "·", "→": ">",
        "←": "<", "′": "'", "″": '"',
    }
)  # fmt: skip
_ABOVE = {
    "\u0300": "`",
    "\u0301": "´",
    "\u0303": "~",
    "\u0304": "-",
    "\u0307": ".",
    "\u0308": "..",
    "\u030a": "°",
    "\u030b": '"',
}
_BELOW = {"\u0323": ".", "\u0326": ",", "\u0327": ",", "\u0328": ","}
_DOTTED = "ij"  # their dot is in the way of any mark


def in_signs_of_the_font(text: str) -> str:
    """The same text without a box: what the font cannot show in any way is a dot in the middle of the line."""
    if text.isascii() and text.isprintable():
        return text
    spelt = unicodedata.normalize("NFC", text.translate(_STAND_INS))
    return "".join(map(_shown, spelt))


def _shown(sign: str) -> str:
    if sign == "\n" or _has(sign):
        return sign
    base, *marks = list(unicodedata.normalize("NFD", sign))
    if _has(base) and marks:
        return unicodedata.normalize("NFC", base + "".join(mark for mark in marks if mark in _ABOVE or mark in _BELOW))
    if sign.isspace():
        return " "
    if unicodedata.category(sign) in ("Mn", "Cf"):
        return ""
    spelt = unicodedata.normalize("NFKD", sign)
    return spelt if all(map(_has, spelt)) else "·"


def _has(sign: str) -> bool:
    return " " <= sign <= "~" or sign in BEYOND_ASCII


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A mark and the letter that it belongs to."""

    line: int
    before: str  # of the same line
    letter: str
    sign: str
    is_above: bool


def apart(text: str) -> tuple[str, tuple[Mark, ...]]:
    """A text in signs of the font without its marks, and the marks."""
    if text.isascii():
        return text, ()
    bare = "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))
    return bare, tuple(_marks(text))


def _marks(text: str) -> Iterator[Mark]:
    for number, line in enumerate(text.split("\n")):
        before = ""
        for sign in unicodedata.normalize("NFD", line):
            if not unicodedata.combining(sign):
                before += sign
                continue
            letter = before[-1:]
            drawn = _ABOVE.get(sign) or _BELOW.get(sign)
            if drawn and letter not in _DOTTED:
                yield Mark(line=number, before=before[:-1], letter=letter, sign=drawn, is_above=sign in _ABOVE)


def draw_marks(
    pen: ImageDraw.ImageDraw, marks: tuple[Mark, ...], *, font: ImageFont.FreeTypeFont, spacing: int, gap: int
) -> None:
    """Draw them over a text that `multiline_text` has put at the upper left corner."""
    one, two = (pen.multiline_textbbox((0, 0), lines, font=font, spacing=spacing)[3] for lines in ("A", "A\nA"))
    ascent, _ = font.getmetrics()
    for mark in marks:
        middle = font.getlength(mark.before) + font.getlength(mark.letter) / 2
        baseline = ascent + mark.line * (two - one)
        if mark.is_above:
            top = font.getbbox(mark.letter, anchor="ls")[1]
            baseline += top - gap - _lowest(mark.sign, font)
        pen.text((middle, baseline), mark.sign, fill=255, font=font, anchor="ms")


def _lowest(sign: str, font: ImageFont.FreeTypeFont) -> float:
    """How far its ink reaches down from the baseline; less than nothing for what hangs in the air."""
    ink = font.getmask(sign).getbbox()
    return font.getbbox(sign, anchor="ms")[1] + (ink[3] if ink else 0)
