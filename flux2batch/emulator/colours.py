"""Find the colours that a prompt names: hex codes and the common English names."""

from __future__ import annotations

import colorsys
import re

Rgb = tuple[int, int, int]

# Everyday names and the few that marketing texts love; shades as most people would paint them.
_NAMED: dict[str, Rgb] = {
    "amber": (255, 191, 0),
    "aqua": (0, 200, 200),
    "beige": (222, 207, 178),
    "black": (24, 24, 27),
    "blue": (37, 99, 216),
    "bronze": (176, 116, 54),
    "brown": (121, 79, 47),
    "burgundy": (121, 21, 48),
    "charcoal": (54, 60, 66),
    "copper": (184, 106, 62),
    "coral": (255, 127, 96),
    "cream": (250, 240, 214),
    "crimson": (200, 22, 56),
    "cyan": (20, 196, 224),
    "emerald": (20, 158, 98),
    "gold": (226, 176, 36),
    "golden": (232, 184, 60),
    "gray": (128, 130, 134),
    "green": (46, 150, 72),
    "grey": (128, 130, 134),
    "indigo": (66, 44, 150),
    "ivory": (250, 246, 230),
    "khaki": (186, 174, 116),
    "lavender": (182, 160, 224),
    "lime": (160, 214, 40),
    "magenta": (216, 38, 160),
    "maroon": (122, 26, 36),
    "mint": (146, 222, 186),
    "mustard": (214, 170, 42),
    "navy": (24, 40, 96),
    "olive": (116, 122, 46),
    "orange": (246, 134, 32),
    "peach": (255, 198, 160),
    "pink": (246, 134, 176),
    "plum": (118, 52, 108),
    "purple": (122, 52, 178),
    "red": (214, 40, 40),
    "rose": (236, 92, 132),
    "rust": (178, 74, 34),
    "sage": (154, 172, 142),
    "salmon": (250, 140, 118),
    "scarlet": (224, 36, 24),
    "silver": (188, 192, 198),
    "sky": (124, 186, 234),
    "tan": (206, 174, 132),
    "teal": (16, 130, 130),
    "terracotta": (202, 98, 66),
    "turquoise": (48, 196, 184),
    "violet": (140, 76, 210),
    "white": (248, 248, 250),
    "yellow": (248, 208, 40),
}
_WORD = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b|[A-Za-z]+")


def colours_in(prompt: str, *, most: int = 4) -> tuple[Rgb, ...]:
    """The colours of a prompt in the order of their first mention, hex codes before names."""
    words = [found[0] for found in _WORD.finditer(prompt)]
    hexes = [_from_hex(word) for word in words if word.startswith("#")]
    names = [_NAMED[word.lower()] for word in words if word.lower() in _NAMED]
    return tuple(dict.fromkeys(hexes + names))[:most]


def _from_hex(code: str) -> Rgb:
    digits = code[1:] if len(code) == 7 else "".join(digit * 2 for digit in code[1:])
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """A colour between two, `share` of the way to the other."""
    return (
        round(one[0] + (other[0] - one[0]) * share),
        round(one[1] + (other[1] - one[1]) * share),
        round(one[2] + (other[2] - one[2]) * share),
    )


def from_hls(hue: float, lightness: float, saturation: float) -> Rgb:
    """A colour from hue (turns), lightness and saturation (0 to 1, clipped)."""
    red, green, blue = colorsys.hls_to_rgb(hue % 1, min(max(lightness, 0), 1), min(max(saturation, 0), 1))
    return round(red * 255), round(green * 255), round(blue * 255)


def to_hls(colour: Rgb) -> tuple[float, float, float]:
    """Hue, lightness and saturation of a colour."""
    return colorsys.rgb_to_hls(colour[0] / 255, colour[1] / 255, colour[2] / 255)
