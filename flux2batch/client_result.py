"""What the client hands back for one call: the pictures as they came, and what the service said about them."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from flux2batch.engine.events import Ticket
from flux2batch.money import Money
from flux2batch.planning.shot import Quote

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_ENDINGS = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
_NEARLY_BLACK = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultImage:
    """One picture that decodes whole."""

    content: bytes = field(repr=False)  # as the service made it, with the marks of its origin that stand in it
    media_type: str
    width: int
    height: int
    nsfw: bool  # flagged by the service

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture, whole or not at all, and say where.

        The bytes are written as they came. Only where the name ends in another of the three formats is the picture
        encoded again, and where it ends in nothing its own ending is added.
        """
        target = Path(path).expanduser()
        ending = target.suffix.lower()
        if not ending:
            target = target.with_name(target.name + _ENDINGS[self.media_type])
        wanted = _FORMATS.get(ending)
        is_other = wanted is not None and _MEDIA_TYPES[wanted] != self.media_type
        _write(target, self._encoded(str(wanted)) if is_other else self.content)
        return target

    def pil(self) -> Image.Image:
        """The picture as an image of Pillow."""
        from PIL import Image

        image = Image.open(BytesIO(self.content), formats=tuple(_MEDIA_TYPES))
        image.load()
        return image

    @property
    def is_black(self) -> bool:
        """Whether there is nothing to see: fal answers so for what its checker withholds."""
        return all(most <= _NEARLY_BLACK for _, most in self.pil().convert("RGB").getextrema())  # type: ignore[misc]  # one pair a band

    def _encoded(self, wanted: str) -> bytes:
        buffer = BytesIO()
        image = self.pil()
        plain = image.convert("RGB") if wanted == "JPEG" and image.mode != "RGB" else image
        plain.save(buffer, wanted, quality=95, icc_profile=image.info.get("icc_profile"))
        return buffer.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The pictures of one call."""

    images: tuple[ResultImage, ...]
    cost: Money | None  # in US dollars, as the service says; None where it does not
    quote: Quote | None  # what was expected
    model: str
    seed: int | None
    prompt: str | None  # as it was drawn, where the service tells: upsampling changes it
    task_id: str
    ticket: Ticket = field(repr=False)
    remarks: tuple[str, ...]  # worth saying, and no reason to throw a paid picture away


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)  # the picture is paid for: it is not lost for want of a folder
    handle, beside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(0o666 & ~_umask())
        Path(beside).replace(target)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _umask() -> int:
    # There is no way to read it but to set it, and to set it is to set it for every thread.
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0o022
    line = next((line for line in status.splitlines() if line.startswith("Umask:")), "Umask:\t0022")
    return int(line.split()[1], 8)
