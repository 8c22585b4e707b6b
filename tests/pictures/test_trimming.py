"""`exact`: a picture of exactly the pixels that were asked for, out of one that covers them."""

from __future__ import annotations

import io

import pytest
from painting import FORMATS, painted
from PIL import Image

from flux2batch.pictures.checking import Checked, check
from flux2batch.pictures.trimming import trim


@pytest.mark.parametrize("size", [(1080, 1350), (1080, 1080), (500, 1300), (1088, 100), (1, 1), (2000, 1500)])
@pytest.mark.parametrize("kind", FORMATS)
def test_the_picture_has_exactly_the_size_and_its_own_format(kind: str, size: tuple[int, int]) -> None:
    trimmed = trim(painted(kind, (1088, 1360)), size)

    checked = check(trimmed, asked_format=kind.split()[0], asked_size=size)

    assert isinstance(checked, Checked)
    assert checked.remark is None


def test_what_fits_already_is_not_touched() -> None:
    content = painted("jpeg", (96, 64))

    assert trim(content, (96, 64)) == content


def test_both_sides_are_trimmed_alike() -> None:
    """A mark in the middle stays in the middle, to a pixel, whichever side is cut."""
    image = Image.new("RGB", (300, 200))
    image.paste((255, 255, 255), (140, 90, 160, 110))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")

    for size in ((200, 200), (300, 100), (150, 100), (101, 99)):
        with Image.open(io.BytesIO(trim(buffer.getvalue(), size))) as trimmed:
            left, top, right, bottom = trimmed.convert("L").point(lambda v: 255 * (v > 127)).getbbox() or (0,) * 4
        assert abs((left + right) - size[0]) <= 1
        assert abs((top + bottom) - size[1]) <= 1


def test_a_picture_on_its_side_is_turned_upright_and_its_shape_kept() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (400, 200), (10, 200, 30)).save(buffer, "JPEG", exif=exif)

    with Image.open(io.BytesIO(trim(buffer.getvalue(), (100, 200)))) as trimmed:
        assert trimmed.size == (100, 200)
        assert not trimmed.getexif()


def test_a_lossless_picture_stays_lossless() -> None:
    """One colour and an edge: a lossy encoding would blur the colour."""
    image = Image.new("RGB", (120, 120), (201, 7, 99))
    for kind in ("PNG", "WEBP"):
        buffer = io.BytesIO()
        image.save(buffer, kind, lossless=True)
        with Image.open(io.BytesIO(trim(buffer.getvalue(), (100, 100)))) as trimmed:
            assert trimmed.convert("RGB").getcolors() == [(10_000, (201, 7, 99))]
