"""Pictures for tests: made here, small, and with enough in them that a flipped byte shows."""

from __future__ import annotations

import io
import struct
from functools import lru_cache

from PIL import Image

from flux2batch.pictures.description import Description
from flux2batch.pictures.parts import jpeg, png, webp

FORMATS = ("png", "jpeg", "webp", "webp lossless")
EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "webp lossless": ".webp"}


@lru_cache(maxsize=64)
def painted(kind: str, size: tuple[int, int] = (96, 64), seed: int = 1) -> bytes:
    """A file of this kind."""
    buffer = io.BytesIO()
    match kind:
        case "webp lossless":
            image(size, seed).save(buffer, "WEBP", lossless=True)
        case _:
            image(size, seed).save(buffer, kind.upper())
    return buffer.getvalue()


def image(size: tuple[int, int], seed: int = 1) -> Image.Image:
    """Soft colours that depend on the seed."""
    across = Image.linear_gradient("L").resize(size)
    down = across.transpose(Image.Transpose.ROTATE_180).resize(size)
    return Image.merge("RGB", (across, down, across.point(lambda v: (v * (3 + seed) + 40 * seed) % 256)))


def pixels(content: bytes) -> tuple[str, tuple[int, int], bytes]:
    """What a file shows."""
    with Image.open(io.BytesIO(content)) as opened:
        return opened.mode, opened.size, opened.tobytes()


def with_credentials(content: bytes) -> bytes:
    """The file with a C2PA manifest where its format keeps one (of the manifest only the outer box is there)."""
    uuid = bytes.fromhex("6332706100110010800000aa00389b71")
    told = _box(b"jumb", _box(b"jumd", uuid + b"\x03c2pa\0"))
    if content.startswith(png.SIGNATURE):
        return content[:33] + png.chunk(b"caBX", told) + content[33:]
    if content.startswith(jpeg.SIGNATURE):
        return content[:2] + jpeg.segment(0xEB, b"JP" + struct.pack(">HI", 1, 1) + told) + content[2:]
    return webp.file(content[12:] + webp.chunk(b"C2PA", told))


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def description(**changed: object) -> Description:
    """A description with everything in it."""
    told: dict[str, object] = {
        "version": "0.1.0",
        "emulated": False,
        "shot": "0123456789abcdef" * 2,
        "frame": 1,
        "model": "bfl/flux-2-flex",
        "seed": 7,
        "job": "study",
        "coordinates": {"subject": ("fox", "A fox")},
        "prompt": "a red fox asleep in snow",
        "final_prompt": "A red fox, asleep in fresh snow, soft light",
        "params": {"width": 96, "height": 64, "steps": 20, "guidance": 2.5},
        "references": (("logo", "ab" * 32),),
        "cost_usd": "0.06",
    }
    return Description(**{**told, **changed})
