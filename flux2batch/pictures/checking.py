"""Judge a picture that came from a service: whole, decodable, of the size and format that were asked for, or not kept.

No single check sees everything. Decoders accept a PNG without its end and half a JPEG; a walk through the file's
structure does not see that its pixels are nonsense. So both are done: every chunk and segment to the trailer, every
checksum, then a decode to the last pixel. The decoder is given only the parts that draw the picture, so that its
parsers of EXIF, XMP and text never meet what a stranger wrote, and only after the size that the header names was
compared with a limit. Nothing here touches a global (such as the filters of warnings): several threads check at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flux2batch.pictures import parts
from flux2batch.planning import formats
from flux2batch.planning.decoding import SIDEWAYS, examine
from flux2batch.planning.formats.stripped import Format

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
    seen = examine(stripped.content)
    if isinstance(seen, formats.Flaw):
        return Flaw(reason=_said(seen))

    sideways = stripped.orientation in SIDEWAYS  # which the stripped bytes do not know any more
    width, height = (seen.height, seen.width) if sideways else (seen.width, seen.height)
    return Checked(
        content=content[:end],
        width=width,
        height=height,
        media_type=MEDIA_TYPES[stripped.format],
        extension=EXTENSIONS[stripped.format],
        remark=_remark(stripped.format, (width, height), len(content) - end, asked_format, asked_size),
    )


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
