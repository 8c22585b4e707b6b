"""Pictures as Python hands them over: a path, a URL, bytes, base64, an open file, an image of Pillow."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

from flux2batch.planning.files.folder import MAX_BYTES, FileFault, JobFolder, OpenFile, in_megabytes
from flux2batch.planning.references import recipes
from flux2batch.planning.references.shelf import ReferenceShelf
from flux2batch.planning.references.urls import is_url, judge_url
from flux2batch.planning.shot import Reference


def reference_of(value: Any, shelf: ReferenceShelf, *, name: str) -> Reference | FileFault:
    """The reference that this value is, or why it is none. Bytes stay on the shelf until the shelf goes.

    Whoever calls this from Python may name any file of the machine: the rules for job files do not hold here. What is
    read must be a picture all the same.
    """
    if isinstance(value, str):
        return _of_text(value, shelf, name)
    if isinstance(value, os.PathLike):
        return _of_path(os.fsdecode(value), shelf, name)
    if isinstance(value, bytes | bytearray | memoryview):
        return _of_bytes(bytes(value), shelf, name)
    if hasattr(value, "read"):
        return _of_bytes(_read(value), shelf, name)
    if hasattr(value, "save") and hasattr(value, "getexif"):
        return _of_image(value, shelf, name)
    return FileFault(
        code="FB405",
        message="what was given is neither a path nor a picture",
        help="give a path, an https URL, bytes, base64, an open file or an image of Pillow",
    )


def _read(file: Any) -> Any:
    """What an open file holds. One that stands at its end was just written to, and is read from its beginning."""
    content = file.read(MAX_BYTES + 1)
    if content or not hasattr(file, "seek"):
        return content
    file.seek(0)
    return file.read(MAX_BYTES + 1)


def _of_text(text: str, shelf: ReferenceShelf, name: str) -> Reference | FileFault:
    if text.startswith("data:"):
        _, comma, encoded = text.partition(";base64,")
        return _of_base64(encoded if comma else "", shelf, name)
    if is_url(text):
        return judge_url(text) or recipes.from_url(name, text)
    if _begins_like_a_picture(text):
        return _of_base64(text, shelf, name)
    return _of_path(text, shelf, name)


def _begins_like_a_picture(text: str) -> bool:
    """Whether it is base64 of a picture: `iVBORw0KGgo`, `/9j/` and `UklGR` are how the three formats begin in it."""
    return len(text) >= 64 and text.lstrip().startswith(("iVBORw0KGgo", "/9j/", "UklGR"))


def _of_base64(text: str, shelf: ReferenceShelf, name: str) -> Reference | FileFault:
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return FileFault(code="FB405", message="the text is not base64 of a picture", help=None)
    return _of_bytes(content, shelf, name)


def _of_path(path: str, shelf: ReferenceShelf, name: str) -> Reference | FileFault:
    real = Path(os.path.realpath(Path(path).expanduser()))
    if not real.parent.is_dir():
        return FileFault(code="FB401", message=f"no such file '{path}'", help=f"there is no folder '{real.parent}'")
    file = JobFolder(real.parent).open(real.name) if real.name else _no_file(path)
    if isinstance(file, FileFault):
        return replace(file, message=file.message.replace(f"'{real.name}'", f"'{path}'"))
    return shelf.keep(file.content, name=name, source=path, absolute=str(real))


def _no_file(path: str) -> OpenFile | FileFault:
    return FileFault(code="FB404", message=f"'{path}' is a folder", help=None)


def _of_bytes(content: Any, shelf: ReferenceShelf, name: str) -> Reference | FileFault:
    if not isinstance(content, bytes):
        return FileFault(code="FB405", message="the file is open as text", help='open it with "rb"')
    if len(content) > MAX_BYTES:
        return FileFault(code="FB407", message=f"a picture has at most {in_megabytes(MAX_BYTES)}", help="scale it down")
    return shelf.keep(content, name=name, source=f"{len(content):,} bytes", absolute=None)


def _of_image(image: Any, shelf: ReferenceShelf, name: str) -> Reference | FileFault:
    """As PNG, which loses nothing. Its EXIF goes along for the orientation alone and is stripped with the rest."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    buffer = BytesIO()
    savable = upright if upright.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else upright.convert("RGB")
    savable.save(buffer, "PNG", icc_profile=image.info.get("icc_profile"))
    return _of_bytes(buffer.getvalue(), shelf, name)
