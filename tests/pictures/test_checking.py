"""What a service sends becomes a file only when it is a whole picture."""

from __future__ import annotations

import io
import struct

import pytest
from painting import EXTENSIONS, FORMATS, image, painted
from PIL import Image, PngImagePlugin

from flux2batch.pictures import parts
from flux2batch.pictures.checking import Checked, Flaw, check
from flux2batch.pictures.parts import png, webp


def looked_at(content: bytes, asked: str = "png", size: tuple[int, int] | None = None) -> Checked | Flaw:
    return check(content, asked_format=asked, asked_size=size)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_whole_picture_is_kept_as_it_came(kind: str) -> None:
    content = painted(kind)

    checked = looked_at(content, kind.split()[0], (96, 64))

    assert isinstance(checked, Checked)
    assert (checked.width, checked.height, checked.remark) == (96, 64, None)
    assert (checked.content, checked.extension) == (content, EXTENSIONS[kind])


@pytest.mark.parametrize("kind", FORMATS)
def test_f64_f65_a_picture_cut_anywhere_is_refused(kind: str) -> None:
    content = painted(kind)
    cuts = {*range(0, len(content), max(1, len(content) // 150)), *range(len(content) - 24, len(content))}

    kept = [cut for cut in sorted(cuts) if isinstance(looked_at(content[:cut]), Checked)]

    assert kept == []


def test_f65_every_flipped_byte_of_a_png_is_seen() -> None:
    content = painted("png")
    flips = {*range(0, len(content), max(1, len(content) // 300)), *range(len(content) - 12, len(content))}

    kept = [at for at in sorted(flips) if isinstance(looked_at(_flipped(content, at)), Checked)]

    assert kept == []


def test_f65_a_flip_in_a_text_that_no_decoder_checks_is_seen() -> None:
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", "nobody looks here")
    buffer = io.BytesIO()
    image((32, 32)).save(buffer, "PNG", pnginfo=told)
    content = buffer.getvalue()
    at = content.index(b"nobody")

    assert isinstance(looked_at(content), Checked)
    assert isinstance(looked_at(_flipped(content, at)), Flaw)


@pytest.mark.parametrize(
    ("kind", "trailer"), [("png", 12), ("jpeg", 2)], ids=["PNG without IEND", "JPEG without its end marker"]
)
def test_f65_the_trailer_is_asked_for(kind: str, trailer: int) -> None:
    assert isinstance(looked_at(painted(kind)[:-trailer]), Flaw)
    assert isinstance(looked_at(_flipped(painted(kind), -1)), Flaw)


@pytest.mark.parametrize("kind", ["png", "webp", "webp lossless"])
def test_f65_a_file_with_every_part_in_order_and_half_of_its_pixels_is_seen(kind: str) -> None:
    """Chunks, sizes and checksums are right, as after a repair. Only a decode to the last pixel tells."""
    content = painted(kind, (300, 200))
    found = parts.take_apart(content)
    assert not isinstance(found, parts.Broken)
    chunks = []
    for part in found:
        body = part.body(content)
        if part.kind in ("IDAT", "VP8 ", "VP8L"):
            body = body[: len(body) // 2]
        kind_in_file = part.kind.encode()
        chunks.append(png.chunk(kind_in_file, body) if kind == "png" else webp.chunk(kind_in_file, body))
    halved = png.SIGNATURE + b"".join(chunks) if kind == "png" else webp.file(b"".join(chunks))

    assert not isinstance(parts.take_apart(halved), parts.Broken)
    assert isinstance(looked_at(halved), Flaw)


NO_PICTURES = [
    (b"", "it is empty"),
    (b"<!DOCTYPE html><html><body>Bad gateway</body></html>", "a web page"),
    (b"\n <html><script>alert(1)</script>", "a web page"),
    (b'{"detail": "Not found"}', "it is text"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "SVG"),
    (b"GIF89a\x01\0\x01\0\x80\0\0", "GIF"),
    (b"BM" + b"\0" * 60, "BMP"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    (b"\xff\xd8\xff\xe0 and then nothing", "it "),
    (b"\x89PNG\r\n\x1a\n<html>", "it "),
    (b"RIFF\x10\0\0\0WEBPVP8 \0\0\0\0", "it "),
]


@pytest.mark.parametrize(("content", "said"), NO_PICTURES)
def test_f66_what_is_no_picture_is_refused_and_named(content: bytes, said: str) -> None:
    flaw = looked_at(content)

    assert isinstance(flaw, Flaw)
    assert said in flaw.reason
    assert flaw.reason.startswith("it ")


def test_f68_a_small_file_that_unpacks_to_a_huge_picture_is_not_unpacked() -> None:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    bomb = png.SIGNATURE + png.chunk(b"IHDR", header) + png.chunk(b"IDAT", b"x" * 100) + png.chunk(b"IEND", b"")

    flaw = looked_at(bomb)

    assert isinstance(flaw, Flaw)
    assert "50000x50000" in flaw.reason


def test_f68_more_bytes_than_a_picture_has_are_not_looked_at() -> None:
    assert isinstance(looked_at(painted("png") + b"\0" * 64_000_001), Flaw)


@pytest.mark.parametrize(
    ("kind", "asked", "size", "remark"),
    [
        ("jpeg", "png", (96, 64), "png was asked for, jpeg came"),
        ("png", "png", (1024, 1024), "1024x1024 was asked for, 96x64 came"),
        ("webp", "jpeg", (64, 96), "jpeg was asked for, webp came; 64x96 was asked for, 96x64 came"),
        ("jpeg", "jpg", (96, 64), None),
        ("png", "png", None, None),
    ],
)
def test_f70_another_size_or_format_is_a_remark(
    kind: str, asked: str, size: tuple[int, int] | None, remark: str | None
) -> None:
    checked = looked_at(painted(kind), asked, size)

    assert isinstance(checked, Checked)
    assert (checked.remark, checked.extension) == (remark, EXTENSIONS[kind])


@pytest.mark.parametrize("kind", FORMATS)
def test_s37_of_a_file_that_is_two_things_only_the_picture_is_kept(kind: str) -> None:
    content = painted(kind)
    page = b"<html><script>alert(1)</script></html>"

    checked = looked_at(content + page, kind.split()[0])

    assert isinstance(checked, Checked)
    assert checked.content == content
    assert checked.remark == f"{len(page)} bytes after the end of the picture were left out"


def test_an_animation_is_not_the_picture_that_was_asked_for() -> None:
    buffer = io.BytesIO()
    image((32, 32)).save(buffer, "WEBP", save_all=True, append_images=[image((32, 32), seed=4)])

    flaw = looked_at(buffer.getvalue())

    assert flaw == Flaw(reason="it is an animated WebP")


def test_the_size_is_that_of_the_picture_when_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image((96, 64)).save(buffer, "JPEG", exif=exif)

    checked = looked_at(buffer.getvalue(), "jpeg", (64, 96))

    assert isinstance(checked, Checked)
    assert (checked.width, checked.height, checked.remark) == (64, 96, None)


def _flipped(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 0x55
    return bytes(changed)
