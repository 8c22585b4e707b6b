"""Thumbnails: upright, in sRGB, made once, whole or not there."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from painting import EXTENSIONS, FORMATS, image, painted
from PIL import Image, ImageCms

from flux2batch.pictures.checking import Flaw
from flux2batch.pictures.thumbnails import LARGE, SMALL, Thumbnail, thumbnails


def saved(folder: Path, kind: str, size: tuple[int, int] = (900, 600)) -> Path:
    path = folder / f"a{EXTENSIONS[kind]}"
    path.write_bytes(painted(kind, size))
    return path


def thumbnail(source: Path, target: Path, size: int) -> Thumbnail | Flaw:
    made = thumbnails(source, {size: target})
    return made if isinstance(made, Flaw) else made[0]


@pytest.mark.parametrize("kind", FORMATS)
def test_both_sizes_are_made_in_one_go(tmp_path: Path, kind: str) -> None:
    targets = {size: tmp_path / ".sheet" / f"{size}.jpg" for size in (SMALL, LARGE)}

    made = thumbnails(saved(tmp_path, kind), targets)

    assert not isinstance(made, Flaw)
    assert {(one.width, one.height) for one in made} == {(900, 600)}
    for size, target in targets.items():
        with Image.open(target) as opened:
            assert opened.size == (size, round(size * 600 / 900))
    assert sorted(path.name for path in (tmp_path / ".sheet").iterdir()) == sorted(t.name for t in targets.values())


def test_a_thumbnail_shows_what_the_picture_shows(tmp_path: Path) -> None:
    for kind in FORMATS:
        target = tmp_path / f"{kind}.thumb"
        thumbnail(saved(tmp_path, kind), target, 256)

        wanted = image((900, 600)).resize((256, 171), Image.Resampling.LANCZOS)
        with Image.open(target) as opened:
            assert _distance(opened.convert("RGB"), wanted) < 6


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P"])
def test_pixels_of_every_kind_become_a_jpeg(tmp_path: Path, mode: str) -> None:
    image((300, 200)).convert(mode).save(tmp_path / "a.png")

    assert isinstance(thumbnail(tmp_path / "a.png", tmp_path / "t.jpg", SMALL), Thumbnail)
    with Image.open(tmp_path / "t.jpg") as opened:
        assert (opened.format, opened.size) == ("JPEG", (256, 171))


def test_a_picture_smaller_than_a_thumbnail_is_not_blown_up(tmp_path: Path) -> None:
    thumbnail(saved(tmp_path, "png", (40, 30)), tmp_path / "t.jpg", SMALL)

    with Image.open(tmp_path / "t.jpg") as opened:
        assert opened.size == (40, 30)


def test_a_picture_on_its_side_is_shown_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image((900, 600)).save(tmp_path / "a.jpg", exif=exif)

    made = thumbnail(tmp_path / "a.jpg", tmp_path / "t.jpg", SMALL)

    assert made == Thumbnail(target=tmp_path / "t.jpg", width=600, height=900)
    with Image.open(tmp_path / "t.jpg") as opened:
        assert opened.size == (171, 256)


def test_a_broken_profile_costs_no_thumbnail_and_none_is_carried_along(tmp_path: Path) -> None:
    image((300, 300)).save(tmp_path / "a.png", icc_profile=b"no profile")

    assert isinstance(thumbnail(tmp_path / "a.png", tmp_path / "t.jpg", SMALL), Thumbnail)
    with Image.open(tmp_path / "t.jpg") as opened:
        assert "icc_profile" not in opened.info


def test_colours_are_brought_to_srgb(tmp_path: Path) -> None:
    linear = _profile_without_gamma()
    Image.new("RGB", (300, 300), (55, 55, 55)).save(tmp_path / "a.png", icc_profile=linear)

    thumbnail(tmp_path / "a.png", tmp_path / "t.jpg", SMALL)

    with Image.open(tmp_path / "t.jpg") as opened:
        shown = opened.getpixel((128, 128))
    assert isinstance(shown, tuple)
    assert all(abs(value - 128) <= 3 for value in shown), "55 of 255 of the light is a mid grey in sRGB"


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (300, 300), (0, 0, 0, 0)).save(tmp_path / "a.png")

    thumbnail(tmp_path / "a.png", tmp_path / "t.jpg", SMALL)

    with Image.open(tmp_path / "t.jpg") as opened:
        assert opened.getpixel((128, 128)) == (255, 255, 255)


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "t.jpg").write_bytes(b"there")

    made = thumbnail(tmp_path / "gone.png", tmp_path / "t.jpg", SMALL)

    assert made == Thumbnail(target=tmp_path / "t.jpg", width=None, height=None)
    assert (tmp_path / "t.jpg").read_bytes() == b"there"


@pytest.mark.parametrize("content", [b"", b"<html>", painted("png")[:-500], painted("jpeg")[:700], None])
def test_what_is_no_picture_is_said_and_leaves_nothing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)

    made = thumbnail(tmp_path / "a.png", tmp_path / "t" / "t.jpg", SMALL)

    assert isinstance(made, Flaw)
    assert not (tmp_path / "t").exists()


def test_a_pool_of_threads_may_make_the_same_one(tmp_path: Path) -> None:
    source = saved(tmp_path, "png")

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: thumbnail(source, tmp_path / "out" / "t.jpg", SMALL), range(16)))

    assert all(isinstance(one, Thumbnail) for one in made)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["t.jpg"]
    assert Image.open(io.BytesIO((tmp_path / "out" / "t.jpg").read_bytes())).size == (256, 171)


def _distance(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of a channel."""
    pairs = zip(one.tobytes(), other.tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / len(one.tobytes())


def _profile_without_gamma() -> bytes:
    """sRGB's colours with a straight line for a curve."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    for index in range(count):
        at = 132 + 12 * index
        if profile[at : at + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            where = int.from_bytes(profile[at + 4 : at + 8], "big")
            profile[where : where + 12] = b"curv" + b"\0" * 8  # a curve of no points is a straight line
            profile[at + 8 : at + 12] = (12).to_bytes(4, "big")
    return bytes(profile)
