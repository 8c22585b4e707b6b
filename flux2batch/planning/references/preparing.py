"""Turn a reference of the plan into the bytes that are sent: the plan's own picture, and nothing but the picture.

- A file is opened once. Its bytes are hashed, compared with the plan, and it is these bytes that are sent on: what is
  swapped in behind our back is refused, never sent.
- Whatever is not the picture stays here: EXIF with its place and time, XMP, comments, thumbnails, colour profiles, and
  what hides behind the end of the file.
- A picture that needs no change keeps its pixels as they were encoded. One that lies on its side, is meant in other
  colours than sRGB, in CMYK or in 16 bits, is decoded and encoded again. Sizes are left alone: services scale large
  pictures themselves, and the plan says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flux2batch.planning.files.folder import FileFault
from flux2batch.planning.references import collage, swatch
from flux2batch.planning.references.decoding import SIDEWAYS
from flux2batch.planning.references.formats import Flaw, Stripped, strip
from flux2batch.planning.references.picture import Picture
from flux2batch.planning.references.plain_pixels import can_go_as_it_is, encode, plain
from flux2batch.planning.references.recipes import collage_digest, file_digest
from flux2batch.planning.references.shelf import ReferenceShelf
from flux2batch.planning.shot import Reference

if TYPE_CHECKING:
    from PIL import Image

_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


def prepare(reference: Reference, shelf: ReferenceShelf) -> Picture | FileFault:
    """The picture as it is sent, or why it is not what was planned. May be called from any thread."""
    if reference.kind == "url":
        return Picture(content=None, media_type=None, url=reference.source)
    recent = shelf.recent.get(reference.digest)
    if recent is not None:
        return recent
    prepared = _prepare(reference, shelf)
    if isinstance(prepared, Picture):
        shelf.recent.put(reference.digest, prepared)
    return prepared


def _prepare(reference: Reference, shelf: ReferenceShelf) -> Picture | FileFault:
    match reference.kind:
        case "color":
            return Picture(content=swatch.swatch(reference.source), media_type="image/png", url=None)
        case "collage":
            return _collage(reference, shelf)
        case _:
            return _file(reference, shelf)


def _file(reference: Reference, shelf: ReferenceShelf) -> Picture | FileFault:
    content = shelf.given.get(reference.digest)
    if content is None:
        file = shelf.folder.reopen(reference.sources[0])
        if isinstance(file, FileFault):
            return file
        content = file.content
    if file_digest(hashlib.sha256(content).hexdigest()) != reference.digest:
        return _changed(reference)

    picture = strip(content)
    if isinstance(picture, Flaw):
        return _undrawable(reference, picture.message)
    if can_go_as_it_is(picture):
        return Picture(content=picture.content, media_type=_MEDIA_TYPES[picture.format], url=None)
    try:
        encoded, media_type = encode(plain(picture), lossy=picture.is_lossy)
    except (OSError, MemoryError) as problem:
        return _undrawable(reference, f"could not be turned or converted: {problem}")
    return Picture(content=encoded, media_type=media_type, url=None)


def _collage(reference: Reference, shelf: ReferenceShelf) -> Picture | FileFault:
    """The board. Its sources are stripped but still encoded until each is drawn, so that one at a time is unpacked."""
    pictures: list[Stripped] = []
    hashes: list[str] = []
    for absolute in reference.sources:
        file = shelf.folder.reopen(absolute)
        if isinstance(file, FileFault):
            return file
        hashes.append(hashlib.sha256(file.content).hexdigest())
        picture = strip(file.content)
        if isinstance(picture, Flaw):
            return _changed(reference)
        pictures.append(picture)
    if collage_digest(hashes) != reference.digest:
        return _changed(reference)

    board = collage.lay_out([_upright_size(picture) for picture in pictures])
    try:
        drawn = collage.draw(board, _unpacked(pictures, board.slots))
        encoded, media_type = encode(drawn, lossy=any(picture.is_lossy for picture in pictures))
    except (OSError, MemoryError) as problem:
        return _undrawable(reference, f"could not be drawn: {problem}")
    return Picture(content=encoded, media_type=media_type, url=None)


def _unpacked(pictures: Sequence[Stripped], slots: Sequence[collage.Slot]) -> Iterator[Image.Image]:
    for picture, slot in zip(pictures, slots, strict=True):
        sideways = picture.orientation in SIDEWAYS
        size = (slot.height, slot.width) if sideways else (slot.width, slot.height)
        yield plain(picture, at_least=size)


def _upright_size(picture: Stripped) -> tuple[int, int]:
    sideways = picture.orientation in SIDEWAYS
    return (picture.height, picture.width) if sideways else (picture.width, picture.height)


def _changed(reference: Reference) -> FileFault:
    return FileFault(code="FB411", message=f"'{reference.source}' changed since the plan was made", help="plan again")


def _undrawable(reference: Reference, why: str) -> FileFault:
    return FileFault(code="FB406", message=f"'{reference.source}' {why}", help="copy the file again")
