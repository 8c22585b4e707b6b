"""Judge the bytes of a reference: a PNG, JPEG or WebP that decodes to its last pixel, or not sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from flux2batch.planning.references.formats import Flaw, Stripped, strip
from flux2batch.planning.references.formats.stripped import COPY, EXPORT, Format

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS: Mapping[Format, int] = {"PNG": 40_000_000, "JPEG": 40_000_000, "WEBP": 15_000_000}
"""Nothing larger is decoded, whatever a model takes: it is compared with the file's own header before any decoder runs.
Pillow's limit is higher, and below twice that limit it only warns. WebP is unpacked into several copies at once, 18
bytes a pixel where PNG takes 5, so that these limits all stay below 300 MB."""

SIDEWAYS = frozenset({5, 6, 7, 8})
"""The orientations of EXIF that exchange width and height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A picture that decodes. Width and height are of the picture when upright."""

    width: int
    height: int
    is_turned: bool
    is_cmyk: bool
    has_profile: bool
    is_deep: bool


def examine(content: bytes) -> Examined | Flaw:
    """Whether the bytes may be sent as a reference, and what they show."""
    picture = strip(content)
    if isinstance(picture, Flaw):
        return picture
    flaw = _too_large(picture) or _does_not_decode(picture)
    if flaw is not None:
        return flaw
    sideways = picture.orientation in SIDEWAYS
    return Examined(
        width=picture.height if sideways else picture.width,
        height=picture.width if sideways else picture.height,
        is_turned=picture.orientation != 1,
        is_cmyk=picture.is_cmyk,
        has_profile=picture.profile is not None,
        is_deep=picture.is_deep,
    )


def opened(picture: Stripped) -> Image.Image:
    """The picture as Pillow sees it, by the one decoder that its first bytes call for."""
    from PIL import Image

    return Image.open(BytesIO(picture.content), formats=(picture.format,))


def _too_large(picture: Stripped) -> Flaw | None:
    if not picture.width or not picture.height:
        return Flaw(code="FB406", message="is damaged: its width or height is 0", help=COPY)
    pixels = picture.width * picture.height
    limit = MAX_PIXELS[picture.format]
    if pixels <= limit:
        return None
    return Flaw(
        code="FB407",
        message=f"is {picture.width}x{picture.height}, {pixels / 1e6:.0f} million pixels, "
        f"and no {picture.format} above {limit / 1e6:.0f} million is opened",
        help="scale it down",
    )


def _does_not_decode(picture: Stripped) -> Flaw | None:
    from PIL import UnidentifiedImageError

    try:
        with opened(picture) as image:
            if image.size != (picture.width, picture.height):
                return Flaw(code="FB406", message="is damaged: it says two different sizes", help=COPY)
            # An eighth of the size still reads a JPEG to its end, in a fraction of the memory and of the time.
            image.draft(image.mode, (max(1, picture.width // 8), max(1, picture.height // 8)))
            image.load()
    except UnidentifiedImageError:
        return Flaw(code="FB405", message=f"is a kind of {picture.format} that cannot be decoded", help=EXPORT)
    except Exception as problem:
        # Decoders raise almost anything for bytes that were made to break them. Whatever it was: it is not sent.
        cut = "truncated" in str(problem) or "incomplete" in str(problem)
        return Flaw(
            code="FB406", message=f"is {'cut off' if cut else 'damaged'}: its picture does not decode whole", help=COPY
        )
    return None
