"""`{exact: WxH}`: bring a picture to exactly these pixels, scaled to cover them and trimmed alike on both sides."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from flux2batch.planning.references import formats
from flux2batch.planning.references.formats import Stripped
from flux2batch.planning.references.plain_pixels import JPEG_QUALITY, plain

if TYPE_CHECKING:
    from PIL import Image

_WEBP_QUALITY = 95


def trim(content: bytes, size: tuple[int, int]) -> bytes:
    """The picture in this size, upright, in sRGB and in the format it came in. One that fits already is not touched.

    The bytes have passed `check`. Metadata and content credentials stay with the picture as it came: they speak of
    other pixels.
    """
    picture = formats.strip(content)
    assert isinstance(picture, Stripped), "BUG: only what `check` has passed is trimmed"
    if (picture.width, picture.height) == size and picture.orientation == 1:
        return content

    from PIL.Image import Resampling

    image = plain(picture)
    # One resampling does both: what is scaled first and cut afterwards is trimmed by whole pixels, and so unevenly.
    return _encoded(image.resize(size, Resampling.LANCZOS, box=_kept(image.size, size)), picture)


def _kept(came: tuple[int, int], wanted: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest part of the picture that has the wanted shape, in its middle."""
    scale = min(came[0] / wanted[0], came[1] / wanted[1])
    width, height = wanted[0] * scale, wanted[1] * scale
    left, top = (came[0] - width) / 2, (came[1] - height) / 2
    return max(left, 0), max(top, 0), min(left + width, came[0]), min(top + height, came[1])


def _encoded(image: Image.Image, like: Stripped) -> bytes:
    buffer = BytesIO()
    match like.format:
        case "PNG":
            image.save(buffer, "PNG")
        case "JPEG":
            image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        case "WEBP":
            image.save(buffer, "WEBP", lossless=not like.is_lossy, quality=_WEBP_QUALITY if like.is_lossy else 80)
    return buffer.getvalue()
