"""Write a drawn picture as the file that a service would deliver: JPEG, PNG or WebP."""

from __future__ import annotations

import io
import struct
import zlib
from functools import lru_cache

from PIL import Image

_SOFTWARE = "flux2batch emulator"


def encode(picture: Image.Image, media: str, *, model: str) -> bytes:
    """A picture as the services write it: JPEG with their kind of metadata, PNG in true colour, or WebP."""
    rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
    match media:
        case "png":
            return _png(rgb)
        case "webp":
            return _saved(rgb, "WEBP", quality=90, method=0)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = _SOFTWARE, model, f"{_SOFTWARE} (not a generated picture)"
    written = _saved(rgb, "JPEG", quality=92, exif=exif)
    return written[:2] + _provenance() + written[2:]


def _saved(rgb: Image.Image, kind: str, **how: object) -> bytes:
    sink = io.BytesIO()
    rgb.save(sink, kind, **how)
    return sink.getvalue()


def _png(rgb: Image.Image) -> bytes:
    """Written here, because Pillow tries five filters on each row: on flat colours that takes twice the time for more
    bytes, and zlib in one piece lets other threads work."""
    width, height = rgb.size
    pixels, row = rgb.tobytes(), 3 * width
    unfiltered = b"".join(b"\0" + pixels[start : start + row] for start in range(0, row * height, row))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits of red, green and blue, not interlaced
    chunks = (
        (b"IHDR", header),
        (b"tEXt", b"Software\0" + _SOFTWARE.encode("latin-1")),
        (b"IDAT", zlib.compress(unfiltered, 1)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@lru_cache(maxsize=1)
def _provenance() -> bytes:
    """An APP11 segment with a JUMBF box, where BFL's pictures carry C2PA; this one says only that it is emulated."""

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content) + 8) + kind + content

    uuid = bytes.fromhex("6332706100110010800000aa00389b71")  # the C2PA manifest store's type
    json_uuid = bytes.fromhex("6a736f6e00110010800000aa00389b71")
    note = box(b"jumb", box(b"jumd", json_uuid + b"\x03note\0") + box(b"json", b'{"emulated":true}'))
    store = box(b"jumb", box(b"jumd", uuid + b"\x03c2pa\0") + note)
    segment = b"JP" + struct.pack(">HI", 1, 1) + store
    return b"\xff\xeb" + struct.pack(">H", len(segment) + 2) + segment
