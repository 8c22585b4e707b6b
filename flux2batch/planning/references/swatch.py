"""Flat colour swatches, drawn here."""

from __future__ import annotations

import re
from io import BytesIO

SIDE = 1024
"""One megapixel exactly, which is what a service bills for a swatch of any size, and the size that is asked for where
the first reference decides (`match`)."""

_COLOUR = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def colour_of(text: str) -> str | None:
    """`#RRGGBB` in capitals, or None where the text is no colour. `#abc` is `#AABBCC`."""
    match = _COLOUR.fullmatch(text.strip())
    if match is None:
        return None
    digits = match[1].upper()
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


def swatch(colour: str) -> bytes:
    """A PNG of this colour and nothing else."""
    from PIL import Image

    red, green, blue = bytes.fromhex(colour[1:])
    buffer = BytesIO()
    Image.new("RGB", (SIDE, SIDE), (red, green, blue)).save(buffer, "PNG")
    return buffer.getvalue()
