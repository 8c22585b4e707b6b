"""Reference pictures made bad: planned, prepared to be sent, and checked as if a service had delivered them."""

from __future__ import annotations

import random
import tempfile
from functools import cache
from io import BytesIO
from pathlib import Path

from mangle import mangled, mangled_png
from PIL import Image

from flux2batch.errors import InvalidInput
from flux2batch.pictures.checking import Checked, check
from flux2batch.planning.configuration import Configuration, load_configuration
from flux2batch.planning.plan import PlanOptions, plan_job
from flux2batch.planning.references.picture import Picture
from flux2batch.planning.references.preparing import prepare
from flux2batch.reading.load import load_job_text

_JOB = "flux2batch: 1\nprompt: a boat\nreferences: {style: picture}\n"
_ENDINGS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"RIFF": "webp"}


@cache
def _good() -> tuple[bytes, ...]:
    chance = random.Random(1)
    made = []
    for mode, file_format in (
        *(("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("1", "PNG"), ("I;16", "PNG")),
        *(("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGB", "WEBP"), ("RGBA", "WEBP")),
    ):
        noise = Image.frombytes("RGB", (72, 68), chance.randbytes(72 * 68 * 3)).resize((72, 68))
        picture = Image.new("I;16", (72, 68), 30_000) if mode == "I;16" else noise.convert(mode)
        more: dict[str, object] = {}
        if file_format != "WEBP" and mode == "RGB":
            exif = Image.Exif()
            exif[0x0112], exif[0x010E] = 6, "a boat, and where it lay"
            more = {"exif": exif}
        bound = BytesIO()
        picture.save(bound, file_format, **more)
        made.append(bound.getvalue())
    return tuple(made)


def case(seed: int, number: int) -> bytes:
    """The bytes of one picture."""
    chance = random.Random(f"{seed}/{number}")
    good = chance.choice(_good())
    if good.startswith(b"\x89PNG") and chance.random() < 0.5:
        return mangled_png(good, chance)
    return mangled(good, chance, _good())


@cache
def _configuration() -> Configuration:
    return load_configuration(environ={})


def judge(seed: int, number: int) -> str:
    """What became of it: sent, refused when planned, or refused when prepared. A picture that is sent can be opened."""
    content = case(seed, number)
    checked = check(content, asked_format="png", asked_size=None)
    if isinstance(checked, Checked):
        _opens(checked.content)
    ending = next((ending for start, ending in _ENDINGS.items() if content.startswith(start)), "png")
    with tempfile.TemporaryDirectory(prefix="picture-") as name:
        folder = Path(name)
        (folder / f"picture.{ending}").write_bytes(content)
        text = _JOB.replace("style: picture", f"style: picture.{ending}")
        job, problems = load_job_text(text.encode(), path=folder / "job.yaml", name="job.yaml")
        assert job is not None, problems
        try:
            plan = plan_job(job, configuration=_configuration(), options=PlanOptions(check_money=False))
        except InvalidInput:
            return "refused when planned"
        for shot in plan:
            for reference in shot.references:
                picture = prepare(reference, plan.shelf)
                if not isinstance(picture, Picture):
                    return "refused when prepared"
                assert picture.content is not None
                _opens(picture.content)
    return "sent"


def _opens(content: bytes) -> None:
    with Image.open(BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as picture:
        picture.load()
