"""The three formats that services take, read down to the picture alone before any decoder sees a byte of them.

A file is taken apart by its own structure (chunks, segments) and put together again from the parts that draw the
picture: metadata, thumbnails, colour profiles and whatever follows the end stay behind. So what is decoded as a check
is exactly what will be sent, and the decoder's parsers of EXIF, XMP and text never meet a stranger's bytes.
"""

from __future__ import annotations

from flux2batch.planning.references.formats import jpeg, png, webp
from flux2batch.planning.references.formats.magic import looks_like
from flux2batch.planning.references.formats.stripped import EXPORT, Flaw, Stripped

__all__ = ["Flaw", "Stripped", "strip"]


def strip(content: bytes) -> Stripped | Flaw:
    """The picture alone, or why these bytes are none. The format is what the bytes say, whatever the file is called."""
    if content.startswith(png.SIGNATURE):
        return png.strip(content)
    if content.startswith(jpeg.SIGNATURE):
        return jpeg.strip(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return webp.strip(content)
    kind = looks_like(content)
    help = "fetch it: git lfs pull" if "Git LFS" in kind else EXPORT
    return Flaw(code="FB405", message=f"is not a PNG, JPEG or WebP picture ({kind})", help=help)
