"""Judge a picture that came from a service: whole, decodable, of the size and format that were asked for, or not kept.

No single check sees everything. Decoders accept a PNG without its end and half a JPEG; a walk through the file's
structure does not see that its pixels are nonsense. So both are done: every chunk and segment to the trailer, every
checksum, and only when the size that the header names is within a limit, a decode to the last pixel of the very bytes
that are kept, by the one decoder that they call for. Nothing here touches a global (such as the filters of warnings):
several threads check at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

from flux2batch.pictures import parts
from flux2batch.planning.references import formats
from flux2batch.planning.references.decoding import MAX_PIXELS, SIDEWAYS
from flux2batch.planning.references.formats.stripped import Format, Stripped

MAX_BYTES = 64_000_000
"""What a download may weigh. The largest picture of these models, uncompressed, has a quarter of it."""

MEDIA_TYPES: Mapping[Format, str] = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
EXTENSIONS: Mapping[Format, str] = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A picture that decodes whole. `content` is what to keep: as it came, without what followed the picture's end."""

    content: bytes
    width: int  # when upright
    height: int
    media_type: str
    extension: str  # with its dot, by what the bytes are
    remark: str | None  # not what was asked for: to be said, and no reason to throw a paid picture away


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Why these bytes are no picture. The reason is said of the download: "it is cut off …"."""

    reason: str


def check(content: bytes, *, asked_format: str, asked_size: tuple[int, int] | None) -> Checked | Flaw:
    """Whether these bytes may become a file of the run directory. `asked_format` is png, jpeg or webp."""
    if len(content) > MAX_BYTES:
        return Flaw(reason=f"it is {len(content) / 1e6:.0f} MB, and a picture has at most {MAX_BYTES / 1e6:.0f} MB")
    stripped = formats.strip(content)
    if isinstance(stripped, formats.Flaw):
        return Flaw(reason=_said(stripped))
    end = parts.end(content)
    if isinstance(end, parts.Broken):
        return Flaw(reason=f"it is damaged: {end.reason}")
    kept = content[:end]
    reason = _too_large(stripped) or _does_not_decode(kept, stripped)
    if reason is not None:
        return Flaw(reason=reason)

    sideways = stripped.orientation in SIDEWAYS
    width, height = (stripped.height, stripped.width) if sideways else (stripped.width, stripped.height)
    return Checked(
        content=kept,
        width=width,
        height=height,
        media_type=MEDIA_TYPES[stripped.format],
        extension=EXTENSIONS[stripped.format],
        remark=_remark(stripped.format, (width, height), len(content) - end, asked_format, asked_size),
    )


def _too_large(picture: Stripped) -> str | None:
    pixels = picture.width * picture.height
    if not pixels:
        return "it is damaged: its width or height is 0"
    if pixels <= MAX_PIXELS[picture.format]:
        return None
    return (
        f"it is {picture.width}x{picture.height}, and nothing above "
        f"{MAX_PIXELS[picture.format] / 1e6:.0f} megapixels is opened"
    )


def _does_not_decode(content: bytes, picture: Stripped) -> str | None:
    from PIL import Image

    size = picture.width, picture.height
    if picture.format == "WEBP" and _canvas(content) not in (None, size):
        return "it is damaged: it says two different sizes"  # and the decoder would make room for the larger
    try:
        with Image.open(BytesIO(content), formats=(picture.format,)) as image:
            if image.size != size:
                return "it is damaged: it says two different sizes"
            # An eighth of the size still reads a JPEG to its end, in a fraction of the memory and of the time.
            image.draft(image.mode, (max(1, size[0] // 8), max(1, size[1] // 8)))
            image.load()
    except Exception:
        # Decoders raise almost anything for bytes that were made to break them. Whatever it was: it is not kept.
        return "it is damaged: its picture does not decode whole"
    return None


def _canvas(content: bytes) -> tuple[int, int] | None:
    """The size that the extended form of a WebP announces."""
    found = parts.take_apart(content)
    assert not isinstance(found, parts.Broken)
    head = next((part.body(content) for part in found if part.kind == "VP8X"), None)
    if head is None:
        return None
    return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1


def _said(flaw: formats.Flaw) -> str:
    # They judge references, and say so of an animation.
    return f"it {flaw.message.removesuffix(', and a reference is one picture')}"


def _remark(
    came: Format, size: tuple[int, int], after: int, asked_format: str, asked_size: tuple[int, int] | None
) -> str | None:
    remarks = []
    asked = {"jpg": "jpeg"}.get(asked_format.lower(), asked_format.lower())
    if came.lower() != asked:
        remarks.append(f"{asked} was asked for, {came.lower()} came")
    if asked_size is not None and size != asked_size:
        remarks.append(f"{asked_size[0]}x{asked_size[1]} was asked for, {size[0]}x{size[1]} came")
    if after:
        remarks.append(f"{after:,} bytes after the end of the picture were left out")
    return "; ".join(remarks) or None
