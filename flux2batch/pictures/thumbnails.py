"""Small pictures for the sheet: made once of each picture, while the run goes on, in as many threads as there are."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from flux2batch.pictures.checking import MAX_BYTES, Flaw
from flux2batch.planning.references import formats
from flux2batch.planning.references.decoding import MAX_PIXELS, SIDEWAYS
from flux2batch.planning.references.plain_pixels import plain

if TYPE_CHECKING:
    from PIL import Image

SMALL, LARGE = 256, 640
"""The longer side: for a grid of many, and for a grid that is looked at closely or on a dense display."""

EXTENSION, MEDIA_TYPE = ".jpg", "image/jpeg"
"""Measured at equal likeness on 1 MP of fine texture: at 256 pixels JPEG and WebP weigh the same and JPEG is written
ten times as fast; at 640 WebP weighs a fifth less and takes 10 to 20 times as long, as long as all else together."""

_QUALITY = 82
_PAPER = (255, 255, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A small picture that is there, and the size of what it shows."""

    target: Path
    width: int | None  # of the picture, upright; None where the thumbnail was there before and nothing was opened
    height: int | None


def thumbnails(source: Path, targets: Mapping[int, Path]) -> tuple[Thumbnail, ...] | Flaw:
    """Several sizes of one picture, which is opened once. What is there already is not made again.

    Raises OSError where a thumbnail cannot be written: the sheet can do without, so the caller decides.
    """
    sizes = sorted(targets, reverse=True)
    if all(targets[size].is_file() for size in sizes):
        return tuple(Thumbnail(target=targets[size], width=None, height=None) for size in sizes)
    opened = _opened(source, at_least=sizes[0])
    if isinstance(opened, Flaw):
        return opened
    image, (width, height) = opened
    for size in sizes:
        image = _fitted(image, size)  # each from the one before, which is smaller and quicker to read
        _save(image, targets[size])
    return tuple(Thumbnail(target=targets[size], width=width, height=height) for size in sizes)


def _opened(source: Path, *, at_least: int) -> tuple[Image.Image, tuple[int, int]] | Flaw:
    try:
        with source.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as problem:
        return Flaw(reason=f"it cannot be read: {(problem.strerror or 'no reason given').lower()}")
    picture = formats.strip(content)
    if isinstance(picture, formats.Flaw):
        return Flaw(reason=f"it {picture.message}")
    if not 0 < picture.width * picture.height <= MAX_PIXELS[picture.format]:
        return Flaw(reason=f"it is {picture.width}x{picture.height}, and nothing of that size is opened")
    try:
        # A JPEG is decoded no larger than is needed. Half as large again looks no better and takes a third longer.
        image = plain(picture, at_least=_draft((picture.width, picture.height), at_least))
    except Exception:
        # Decoders raise almost anything for bytes that were made to break them.
        return Flaw(reason="it does not decode")
    sideways = picture.orientation in SIDEWAYS
    return image, (picture.height, picture.width) if sideways else (picture.width, picture.height)


def _draft(came: tuple[int, int], longer: int) -> tuple[int, int]:
    """The size of the picture in these proportions: a decoder takes both sides as the least it may give."""
    scale = min(1.0, longer / max(came))
    return max(1, round(came[0] * scale)), max(1, round(came[1] * scale))


def _fitted(image: Image.Image, size: int) -> Image.Image:
    from PIL.Image import Resampling

    scale = size / max(image.size)
    if scale >= 1:
        return image
    fitted = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    # LANCZOS takes nearly twice as long and is no better at these sizes.
    return image.resize(fitted, Resampling.BICUBIC, reducing_gap=2.0)


def _on_paper(image: Image.Image) -> Image.Image:
    """Without transparency, which JPEG has not."""
    if image.mode not in ("LA", "RGBA"):
        return image
    from PIL import Image as Images

    coloured = image.convert("RGBA")
    paper = Images.new("RGB", image.size, _PAPER)
    paper.paste(coloured, mask=coloured.getchannel("A"))
    return paper


def _save(image: Image.Image, target: Path) -> None:
    buffer = BytesIO()
    _on_paper(image).save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Two threads may make the same one: each writes its own file, and the later name stands.
    part = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        try:
            _put(buffer.getvalue(), part, target)
        except FileNotFoundError:
            _put(buffer.getvalue(), part, target)  # a run that began just now took it for a leftover
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _put(content: bytes, part: Path, target: Path) -> None:
    part.write_bytes(content)
    part.replace(target)  # not synced: after a power loss it is made again
