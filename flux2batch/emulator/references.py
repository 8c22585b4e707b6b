"""Read the references of a request: how large they are, and a small copy to show in the picture."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from dataclasses import dataclass

from flux2batch.emulator.books import Books

MAX_BYTES = 20_000_000
MAX_PIXELS = 20_000_000
MIN_SIDE = 64
MEGAPIXEL = 2**20
THUMBNAIL = 288


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One reference, read. An address that only the real service could fetch has no bytes and counts as a square."""

    sha256: str
    width: int
    height: int
    label: str
    has_thumbnail: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Why a reference cannot be used, and what kind of fault that is."""

    reason: str
    kind: str  # load, large, small


def is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def read_url(url: str) -> Reference:
    """A reference elsewhere. It is not fetched: the emulator talks to nobody."""
    return Reference(
        sha256=hashlib.sha256(url.encode("utf-8", "replace")).hexdigest(),
        width=1024,
        height=1024,
        label=url,
        has_thumbnail=False,
    )


def read_base64(text: str, books: Books) -> Reference | Unreadable:
    """A reference in the request itself."""
    if len(text) > MAX_BYTES * 4 // 3 + 4:
        return Unreadable(reason=f"image is larger than {MAX_BYTES // 1_000_000} MB", kind="large")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return Unreadable(reason="image is neither a URL nor valid base64", kind="load")
    return read_bytes(content, books)


def read_bytes(content: bytes, books: Books) -> Reference | Unreadable:
    """A reference from its bytes; one that was seen before is not decoded again."""
    sha256 = hashlib.sha256(content).hexdigest()
    known = books.blob(sha256, "thumbnail")
    if known is not None:
        width, height = (int(side) for side in known[0].split("x"))
        return Reference(sha256=sha256, width=width, height=height, label="", has_thumbnail=True)

    shrunk = _shrunk(content)
    if isinstance(shrunk, Unreadable):
        return shrunk
    width, height, thumbnail = shrunk
    books.keep(sha256, "thumbnail", f"{width}x{height}", thumbnail)
    return Reference(sha256=sha256, width=width, height=height, label="", has_thumbnail=True)


def _shrunk(content: bytes) -> tuple[int, int, bytes] | Unreadable:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP")) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                return Unreadable(reason=f"image has more than {MAX_PIXELS // 1_000_000} megapixels", kind="large")
            if min(width, height) < MIN_SIDE:
                return Unreadable(reason=f"image is smaller than {MIN_SIDE} pixels", kind="small")
            picture.draft("RGB", (THUMBNAIL * 2, THUMBNAIL * 2))
            small = picture.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return Unreadable(reason="image cannot be decoded", kind="load")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    sink = io.BytesIO()
    small.save(sink, "JPEG", quality=88)
    return width, height, sink.getvalue()
