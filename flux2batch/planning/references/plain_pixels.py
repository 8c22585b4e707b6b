"""Bring a picture to the form that every service reads alike: upright, sRGB, 8 bits a channel."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from itertools import product
from typing import TYPE_CHECKING

from flux2batch.planning.references.decoding import opened
from flux2batch.planning.references.formats import Stripped

if TYPE_CHECKING:
    from PIL import Image

JPEG_QUALITY = 95
MAX_ENCODED_BYTES = 20_000_000
"""What a lossless encoding may weigh before a lossy one is better than a refusal by the service."""


def can_go_as_it_is(picture: Stripped) -> bool:
    """Whether the stripped bytes can be sent without touching a pixel, which loses nothing: the usual case."""
    if picture.orientation != 1 or picture.is_cmyk or picture.is_deep:
        return False
    return picture.profile is None or _means_srgb(picture.profile)


def plain(picture: Stripped, *, at_least: tuple[int, int] | None = None) -> Image.Image:
    """The pixels, upright and in L, LA, RGB or RGBA. `at_least` lets a JPEG be read smaller, if not below that."""
    with opened(picture) as image:
        if at_least is not None:
            image.draft(image.mode, at_least)
        image.load()
        pixels = _upright(_in_srgb(_eight_bits(image), picture.profile), picture.orientation)
    pixels.info.clear()  # Pillow would write the profile that it remembers there into whatever is saved from it
    return pixels


def encode(image: Image.Image, *, lossy: bool) -> tuple[bytes, str]:
    """The bytes of plain pixels and their media type: JPEG for what was lossy before, PNG for the rest."""
    has_alpha = image.mode in ("LA", "RGBA")
    if not lossy or has_alpha:
        content = _as_png(image)
        if has_alpha or len(content) <= MAX_ENCODED_BYTES:
            return content, "image/png"
    # Full colour resolution: a reference is looked at closely, and halved colour shows on red and on thin lines.
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue(), "image/jpeg"


def _as_png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey: Pillow's own conversion would clip them at 255
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    if image.mode in ("L", "RGB") and "transparency" in image.info:
        return image.convert("LA" if image.mode == "L" else "RGBA")
    return image if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK") else image.convert("RGB")


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    from PIL.Image import Transpose

    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours as the profile means them. A profile that makes no sense is ignored, as browsers do."""
    if profile is None or image.mode in ("L", "LA"):
        return _without_profile(image)
    try:
        return _converted(image, profile)
    except Exception:
        # Profiles are written by hundreds of programs; a broken one must not cost the picture.
        return _without_profile(image)


def _without_profile(image: Image.Image) -> Image.Image:
    return image.convert("RGB") if image.mode == "CMYK" else image


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    from PIL import Image as Images

    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = image.convert("RGB") if alpha is not None else image
    converted = _to_srgb(profile, colours.mode)(colours)
    if alpha is None:
        return converted
    return Images.merge("RGBA", (*converted.split(), alpha))


def _to_srgb(profile: bytes, mode: str) -> Callable[[Image.Image], Image.Image]:
    from PIL import ImageCms

    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return lambda image: ImageCms.applyTransform(image, transform) or image


# All corners of the colour cube and a grid inside: profiles that agree on these are one to the eye.
_PROBES = bytes(level for colour in product((0, 64, 128, 192, 255), repeat=3) for level in colour)
_SAME_TO_THE_EYE = 2


def _means_srgb(profile: bytes) -> bool:
    """Whether leaving the profile out changes no colour, judged by what it does and not by what it is called."""
    from PIL import Image as Images

    probes = Images.frombytes("RGB", (len(_PROBES) // 3, 1), _PROBES)
    try:
        seen = _to_srgb(profile, "RGB")(probes).tobytes()
    except Exception:
        return True  # of grey, or broken: it is ignored all the same
    return all(abs(a - b) <= _SAME_TO_THE_EYE for a, b in zip(_PROBES, seen, strict=True))
