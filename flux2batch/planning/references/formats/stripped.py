"""What taking a picture file apart gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Format = Literal["PNG", "JPEG", "WEBP"]

MAX_PROFILE_BYTES = 4 * 1024 * 1024
"""A colour profile is a few kilobytes, of a printer one or two megabytes; a larger one is not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripped:
    """A picture file without anything that does not draw the picture. Width and height are as stored."""

    format: Format
    content: bytes
    width: int
    height: int
    orientation: int  # of EXIF, 1 to 8; 1 is upright
    profile: bytes | None  # the ICC colour profile, which is not in `content`
    is_cmyk: bool
    is_deep: bool  # 16 bits a channel
    is_lossy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with a file. The message is said of the file: "is cut off …"."""

    code: str
    message: str
    help: str


EXPORT = "export it as JPEG or PNG and name that file"
COPY = "copy or download the file again"


def cut_off(content: bytes) -> Flaw:
    """The file ends where more must come."""
    return Flaw(
        code="FB406", message=f"is cut off: it ends after {len(content):,} bytes, before the picture does", help=COPY
    )


def damaged(where: int, what: str) -> Flaw:
    """The file goes on, but not as a picture."""
    return Flaw(code="FB406", message=f"is damaged at byte {where:,}: {what}", help=COPY)


def animated(kind: str) -> Flaw:
    """Which frame should be sent?"""
    return Flaw(
        code="FB405",
        message=f"is an animated {kind}, and a reference is one picture",
        help="save one of its frames and name that file",
    )
