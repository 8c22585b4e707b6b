# ruff: noqa: E501  (the table of mistakes is laid out as a table)
"""References: what a job may name, what it gets for it, and what every mistake is answered with (B80–B89)."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from flux2batch.planning.files.folder import FileFault, JobFolder
from flux2batch.planning.models.catalogue import entry
from flux2batch.planning.references.collage import MAX_PIXELS, lay_out
from flux2batch.planning.references.given import reference_of
from flux2batch.planning.references.limits import check_reference
from flux2batch.planning.references.names import names_of
from flux2batch.planning.references.picture import Picture
from flux2batch.planning.references.preparing import prepare
from flux2batch.planning.references.recent import Recent
from flux2batch.planning.references.shelf import ReferenceShelf
from flux2batch.planning.templates.faults import Refusal
from flux2batch.reading.job import ReferenceSource
from flux2batch.reading.problems import Place, exit_code

HERE = Place(file="job.yaml", line=5, column=12, end_line=5, end_column=20, line_text="references: {}")


def source(name: str = "face", **set: object) -> ReferenceSource:
    """A reference as a job writes it: `source(path="a.png")`."""
    empty = {"path": None, "glob": None, "max": None, "color": None, "collage": None, "optional": False}
    return ReferenceSource(name=name, steps=("references", name), **{**empty, **set})


def picture(size=(160, 96), mode="RGB", colours=None) -> Image.Image:
    """A picture in which every corner is another colour, so that a turn shows."""
    image = Image.new("RGB", (2, 2))
    image.putdata(colours or [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)])
    return image.resize(size, Image.Resampling.NEAREST).convert(mode)


def saved(image: Image.Image, format: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **how)
    return buffer.getvalue()


def sideways(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / "refs").mkdir()
    (tmp_path / "refs" / "face.png").write_bytes(saved(picture(), "PNG"))
    for number in (1, 2, 3):
        (tmp_path / "refs" / f"view-{number}.jpg").write_bytes(saved(picture((64 * number, 64)), "JPEG"))
    return tmp_path


@pytest.fixture
def shelf(root) -> ReferenceShelf:
    return ReferenceShelf(JobFolder(root))


def one(shelf: ReferenceShelf, **set: object):
    references, problems = shelf.resolve(source(**set))
    assert problems == ()
    (reference,) = references
    return reference


def sent(shelf: ReferenceShelf, **set: object) -> Picture:
    prepared = prepare(one(shelf, **set), shelf)
    assert isinstance(prepared, Picture), prepared
    return prepared


def seen(prepared: Picture) -> Image.Image:
    assert prepared.content is not None
    return Image.open(io.BytesIO(prepared.content))


# --- what a reference is, and how it enters an identity ---


def test_a_file_is_described_by_its_content_and_not_by_its_name(root, shelf):
    (root / "refs" / "copy.png").write_bytes((root / "refs" / "face.png").read_bytes())

    face, copy = one(shelf, path="refs/face.png"), one(shelf, path="refs/copy.png")

    assert (face.kind, face.source, face.width, face.height) == ("file", "refs/face.png", 160, 96)
    assert face.sources == (str(root / "refs/face.png"),)
    assert face.file_bytes == (root / "refs/face.png").stat().st_size
    assert face.digest.startswith("file:1:")
    assert copy.digest == face.digest


def test_touching_one_byte_of_a_file_changes_its_digest(root, shelf):
    before = one(shelf, path="refs/face.png")
    with (root / "refs" / "face.png").open("ab") as file:
        file.write(b"\0")  # behind the end: the same picture, and all the same another file

    after = one(ReferenceShelf(JobFolder(root)), path="refs/face.png")
    assert after.digest != before.digest


def test_a_file_is_read_once_however_often_it_is_asked_for(root, shelf):
    first = one(shelf, path="refs/face.png")
    (root / "refs" / "face.png").unlink()

    assert one(shelf, path="./refs/face.png") == first
    assert one(shelf, name="other", glob="refs/view-1.jpg").name == "other"


def test_a_url_is_taken_as_it_stands(shelf):
    url = "https://example.com/a%20b.png?sig=1#x"

    reference = one(shelf, path=url)

    assert (reference.kind, reference.digest, reference.width, reference.file_bytes) == ("url", f"url:{url}", None, 0)
    assert prepare(reference, shelf) == Picture(content=None, media_type=None, url=url)


@pytest.mark.parametrize(
    ("written", "colour", "pixel"),
    [("#0047AB", "#0047AB", (0, 71, 171)), ("#0047ab", "#0047AB", (0, 71, 171)), (" #abc", "#AABBCC", (170, 187, 204))],
)
def test_a_swatch_is_one_megapixel_of_exactly_this_colour(shelf, written, colour, pixel):
    reference = one(shelf, color=written)
    image = seen(sent(shelf, color=written))

    assert (reference.source, reference.digest) == (colour, f"color:{colour}:1024x1024")
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (1024, 1024))
    assert (reference.width, reference.height) == image.size
    assert image.getcolors() == [(1024 * 1024, pixel)]


def test_a_glob_gives_its_files_in_order_and_no_more_than_its_max(shelf):
    references, problems = shelf.resolve(source("views", glob="refs/view-*.jpg", max=2))

    assert problems == ()
    assert [(r.name, r.source, r.width) for r in references] == [
        ("views", "refs/view-1.jpg", 64),
        ("views", "refs/view-2.jpg", 128),
    ]


@pytest.mark.parametrize(
    ("rendered", "paths"),
    [
        ("refs/face.png", ["refs/face.png"]),
        (["refs/view-2.jpg", "refs/face.png"], ["refs/view-2.jpg", "refs/face.png"]),
        (("refs/face.png", "", None), ["refs/face.png"]),
        ([], []),
        (None, []),
        ("  ", []),
    ],
)
def test_a_reference_may_render_to_several_paths_or_to_none(shelf, rendered, paths):
    look = source("look", path="{{ look.images }}", optional=True)

    references, problems = shelf.resolve(look, path=rendered)

    assert problems == ()
    assert [reference.source for reference in references] == paths


def test_what_renders_to_nothing_is_an_error_unless_it_is_optional(shelf):
    _, (problem,) = shelf.resolve(source("logo", path="{{ product.logo }}"), path="", where=HERE)

    assert (problem.code, problem.where, problem.steps) == ("FB413", HERE, ("references", "logo"))
    assert "optional: true" in problem.help
    assert shelf.resolve(source("logo", path="x", optional=True), path="") == ((), ())
    assert shelf.resolve(source("views", glob="none/*.png", optional=True)) == ((), ())


def test_optional_excuses_an_empty_cell_and_no_misspelt_one(shelf):
    _, (problem,) = shelf.resolve(source("logo", path="x", optional=True), path="refs/fase.png")

    assert problem.code == "FB401"


def test_uploads_lists_every_local_file_once_with_what_happens_to_it(root, shelf):
    (root / "refs" / "phone.jpg").write_bytes(saved(picture(), "JPEG", exif=sideways()))
    references = [
        one(shelf, path="refs/phone.jpg"),
        one(shelf, color="#abc"),
        one(shelf, path="https://example.com/x.png"),
        one(shelf, collage=("refs/phone.jpg", "refs/face.png")),
    ]

    uploads = shelf.uploads(references)

    assert [(u.path, u.width, u.height, u.remarks) for u in uploads] == [
        ("refs/phone.jpg", 96, 160, ("turned upright",)),
        ("refs/face.png", 160, 96, ()),
    ]
    assert [u.file_bytes for u in uploads] == [(root / u.path).stat().st_size for u in uploads]


# --- collages ---


def test_a_collage_is_known_by_its_sources_and_their_order(root, shelf):
    board = one(shelf, collage=("refs/view-1.jpg", "refs/view-2.jpg"))
    turned_round = one(shelf, collage=("refs/view-2.jpg", "refs/view-1.jpg"))

    assert board.digest.startswith("collage:1:grid-1:")
    assert board.digest != turned_round.digest
    assert board.sources == (str(root / "refs/view-1.jpg"), str(root / "refs/view-2.jpg"))


def test_a_collage_shows_each_picture_at_its_place_on_white(root, shelf):
    colours = {"a": (255, 0, 0), "b": (0, 128, 0), "c": (0, 0, 255)}
    for name, colour in colours.items():
        (root / "refs" / f"{name}.png").write_bytes(saved(Image.new("RGB", (200, 100), colour), "PNG"))
    paths = ("refs/a.png", "refs/b.png", "refs/c.png")

    board = seen(sent(shelf, collage=paths))

    layout = lay_out([(200, 100)] * 3)
    middles = [(slot.left + slot.width // 2, slot.top + slot.height // 2) for slot in layout.slots]
    assert [board.getpixel(middle) for middle in middles] == list(colours.values())
    assert board.getpixel((middles[0][0], layout.slots[0].top + layout.slots[0].height + 8)) == (255, 255, 255)
    assert board.size == (layout.width, layout.height)


def test_a_collage_shows_white_through_what_is_transparent_and_turns_what_lies(root, shelf):
    (root / "refs" / "clear.png").write_bytes(saved(Image.new("RGBA", (100, 100), (255, 0, 0, 0)), "PNG"))
    (root / "refs" / "lying.jpg").write_bytes(saved(picture((160, 96)), "JPEG", exif=sideways()))

    assert seen(sent(shelf, collage=("refs/clear.png",))).getpixel((50, 50)) == (255, 255, 255)
    (slot,) = lay_out([(96, 160)]).slots
    board = seen(sent(shelf, collage=("refs/lying.jpg",)))
    assert board.getpixel((slot.left + 4, slot.top + 4))[2] > 200  # blue was below on the left


@pytest.mark.parametrize(
    "sizes",
    [
        [(100, 100)],
        [(4000, 3000)] * 5,
        [(1080, 1920)] * 4,
        [(8000, 64), (64, 8000)],
        [(1, 1)] * 36,
        [(1024, 1024), (300, 100), (768, 1024)],
    ],
)
def test_a_board_holds_every_picture_unenlarged_within_four_megapixels(sizes):
    board = lay_out(sizes)

    assert board.width * board.height <= MAX_PIXELS
    assert board.width % 16 == board.height % 16 == 0
    assert min(board.width, board.height) >= 64
    boxes = [(s.left, s.top, s.left + s.width, s.top + s.height) for s in board.slots]
    assert all(
        left >= 0 and top >= 0 and right <= board.width and low <= board.height for left, top, right, low in boxes
    )
    assert all(
        slot.width <= width and slot.height <= height for slot, (width, height) in zip(board.slots, sizes, strict=True)
    )
    for index, (left, top, right, low) in enumerate(boxes):
        assert not any(left < r and l < right and top < b and t < low for l, t, r, b in boxes[:index])  # noqa: E741  # l, t, r, b as in a box


# --- what is sent ---


@pytest.mark.parametrize("how", [("PNG", {}), ("JPEG", {}), ("WEBP", {}), ("WEBP", {"lossless": True})], ids=str)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_plain_picture_keeps_its_pixels_as_they_were_encoded(root, shelf, how, mode):
    format, options = how
    if format == "JPEG" and mode == "RGBA":
        pytest.skip("JPEG has no transparency")
    image = picture(mode=mode)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    original = saved(image, format, **options)
    (root / "x.bin").write_bytes(original)

    prepared = sent(shelf, path="x.bin")

    assert prepared.media_type == f"image/{format.lower()}"
    assert seen(prepared).tobytes() == Image.open(io.BytesIO(original)).tobytes()
    assert len(prepared.content) <= len(original)


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_on_its_side_is_turned_upright(root, shelf, format, orientation):
    original = saved(picture(), format, exif=sideways(orientation))
    (root / "x.bin").write_bytes(original)
    from PIL import ImageOps

    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(original)))

    reference = one(shelf, path="x.bin")
    turned = seen(sent(shelf, path="x.bin"))

    assert (reference.width, reference.height) == turned.size == expected.size
    assert not turned.getexif()
    for corner in ((8, 8), (turned.width - 8, 8), (8, turned.height - 8)):
        assert turned.getpixel(corner) == pytest.approx(expected.getpixel(corner), abs=6)


def test_colours_are_brought_to_srgb_where_a_profile_says_that_they_are_others(root, shelf):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Exchange the red and green primaries of sRGB: what was red must arrive as green.
    swapped = profile.replace(b"rXYZ", b"tmp!").replace(b"gXYZ", b"rXYZ").replace(b"tmp!", b"gXYZ")
    red = Image.new("RGB", (64, 64), (255, 0, 0))
    for name, icc in (("plain", profile), ("swapped", swapped)):
        (root / f"{name}.png").write_bytes(saved(red, "PNG", icc_profile=icc))

    assert seen(sent(shelf, path="plain.png")).getpixel((9, 9)) == (255, 0, 0)
    assert seen(sent(shelf, path="swapped.png")).getpixel((9, 9)) == pytest.approx((0, 255, 0), abs=3)
    assert "icc_profile" not in seen(sent(shelf, path="swapped.png")).info


def test_a_broken_profile_costs_nothing_but_itself(root, shelf):
    (root / "x.png").write_bytes(saved(picture(), "PNG", icc_profile=b"no profile at all"))

    assert seen(sent(shelf, path="x.png")).tobytes() == picture().tobytes()


def test_cmyk_and_16_bits_are_brought_to_plain_colours(root, shelf):
    (root / "print.jpg").write_bytes(saved(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG"))
    (root / "deep.png").write_bytes(saved(Image.new("I;16", (64, 64), 0x80FF), "PNG"))

    for name, mode, pixel in (("print.jpg", "RGB", (255, 0, 0)), ("deep.png", "L", 0x80)):
        references, (problem,) = shelf.resolve(source(path=name))
        assert (problem.code, problem.severity) == ("FB407", "warning")
        image = seen(prepare(references[0], shelf))
        assert image.mode == mode
        assert image.getpixel((9, 9)) == pytest.approx(pixel, abs=3)


def test_a_file_that_changed_since_the_plan_is_not_sent(root, shelf):
    reference = one(shelf, path="refs/face.png")
    board = one(shelf, collage=("refs/face.png", "refs/view-1.jpg"))
    (root / "refs" / "face.png").write_bytes(saved(picture((64, 64)), "PNG"))

    for planned in (reference, board):
        fault = prepare(planned, shelf)
        assert isinstance(fault, FileFault)
        assert (fault.code, fault.help) == ("FB411", "plan again")
    (root / "refs" / "face.png").unlink()
    assert prepare(reference, shelf).code == "FB401"


def test_a_picture_is_prepared_once_for_many_shots(root, shelf):
    first = sent(shelf, path="refs/face.png")
    (root / "refs" / "face.png").unlink()

    assert sent(shelf, path="refs/face.png") is first


def test_what_was_sent_last_is_kept_within_its_bytes():
    recent = Recent(max_bytes=10)
    a, b, c = (Picture(content=size * b"x", media_type="image/png", url=None) for size in (4, 4, 4))
    recent.put("a", a)
    recent.put("b", b)
    assert recent.get("a") is a
    recent.put("c", c)

    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (a, None, c)
    recent.put("d", Picture(content=11 * b"x", media_type="image/png", url=None))
    assert recent.get("d") is None
    assert recent.get("a") is a


# --- numbering ---


def test_ref_and_refs_count_in_the_order_of_the_request(shelf):
    references = [one(shelf, name=name, color="#abc") for name in ("logo", "views", "views", "pose", "views")]
    ref, refs = names_of(references, declared=["logo", "views", "pose", "badge"])

    assert (ref("logo"), ref("pose")) == ("image 1", "image 4")
    assert (refs("views"), refs("pose"), refs("badge")) == ("images 2, 3 and 5", "image 4", "")
    assert names_of(references[:3])[1]("views") == "images 2 and 3"


@pytest.mark.parametrize(
    ("name", "code", "help"),
    [("lgoo", "FB301", "logo"), ("views", "FB305", "refs('views')"), ("badge", "FB413", "if refs")],
)
def test_ref_refuses_what_is_not_one_picture(shelf, name, code, help):
    references = [one(shelf, name=name, color="#abc") for name in ("logo", "views", "views")]
    ref, _ = names_of(references, declared=["badge"])

    with pytest.raises(Refusal) as refusal:
        ref(name)
    assert refusal.value.code == code
    assert help in refusal.value.help


# --- B80 to B89 ---


def png_of(width: int, height: int) -> bytes:
    """A whole PNG of this size with one bit a pixel, made without holding it unpacked."""
    squeeze = zlib.compressobj(1)
    row = bytes(1 + -(-width // 8))
    rows = b"".join([*(squeeze.compress(row) for _ in range(height)), squeeze.flush()])

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
AVIF = b"\0\0\0\x1cftypavif\0\0\0\0mif1avif"
NOISE = saved(Image.effect_noise((200, 150), 80), "PNG")
PHOTO = saved(Image.effect_noise((200, 150), 80), "JPEG")

FILES = {
    "refs/big.png": png_of(5000, 5000),
    "refs/heavy.jpg": PHOTO[:2] + 310 * (b"\xff\xfe\xff\xff" + 65533 * b"x") + PHOTO[2:],
    "refs/tiny.png": png_of(8, 8),
    "refs/empty.png": b"",
    "refs/note.png": b"remember the milk",
    "refs/phone.heic": HEIC,
    "refs/new.avif": AVIF,
    "refs/logo.svg": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "refs/art.psd": b"8BPS\0\1" + bytes(20),
    "refs/lfs.png": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "refs/moving.gif": saved(picture(), "GIF", save_all=True, append_images=[picture(colours=[(0, 0, 0)] * 4)]),
    "refs/moving.webp": saved(picture(), "WEBP", save_all=True, append_images=[picture(colours=[(0, 0, 0)] * 4)]),
    "refs/moving.png": saved(picture(), "PNG", save_all=True, append_images=[picture(colours=[(0, 0, 0)] * 4)]),
    "refs/cut.jpg": PHOTO[: len(PHOTO) // 2],
    "refs/cut.png": NOISE[: len(NOISE) // 2],
    "refs/cut.webp": saved(picture(), "WEBP")[:-5],
    "refs/broken.png": NOISE[:500] + bytes([NOISE[500] ^ 1]) + NOISE[501:],
}

MISTAKES = [
    # row   written                                     code     exit  says                                    help
    ("B80", {"path": "refs/fase.png"},                  "FB401", 3, "no such file 'refs/fase.png'",             "did you mean 'refs/face.png'?"),
    ("B80", {"path": "refs/face.jpg"},                  "FB401", 3, "no such file",                             "did you mean 'refs/face.png'?"),
    ("B80", {"collage": ("refs/face.png", "fase.png")}, "FB401", 3, "no such file 'fase.png'",                  None),
    ("B81", {"glob": "refs/*.tiff"},                    "FB402", 3, "nothing matches 'refs/*.tiff'",            None),
    ("B81", {"glob": "refs/view-*.JPG"},                "FB402", 3, "nothing matches 'refs/view-*.JPG'",        "3 match 'refs/view-*.jpg'"),
    ("B82", {"glob": "many/*"},                         "FB403", 3, "700 files match 'many/*'",                 "narrower"),
    ("B83", {"path": "refs"},                           "FB404", 3, "'refs' is a folder",                       "did you mean 'refs/*'?"),
    ("B84", {"path": "refs/empty.png"},                 "FB405", 3, "it is empty",                              "export"),
    ("B84", {"path": "refs/note.png"},                  "FB405", 3, "it is text",                               "export"),
    ("B84", {"path": "refs/phone.heic"},                "FB405", 3, "not a PNG, JPEG or WebP picture (it starts like HEIC)", "export it as JPEG"),
    ("B84", {"path": "refs/new.avif"},                  "FB405", 3, "it starts like AVIF",                      "export"),
    ("B84", {"path": "refs/logo.svg"},                  "FB405", 3, "it starts like SVG",                       "export"),
    ("B84", {"path": "refs/art.psd"},                   "FB405", 3, "it starts like a Photoshop document",      "export"),
    ("B84", {"path": "refs/lfs.png"},                   "FB405", 3, "a pointer of Git LFS",                     "git lfs pull"),
    ("B84", {"path": "refs/moving.gif"},                "FB405", 3, "it starts like GIF",                       "export"),
    ("B84", {"path": "refs/moving.webp"},               "FB405", 3, "is an animated WebP",                      "one of its frames"),
    ("B84", {"path": "refs/moving.png"},                "FB405", 3, "is an animated PNG",                       "one of its frames"),
    ("B85", {"path": "refs/cut.jpg"},                   "FB406", 3, f"cut off: it ends after {len(PHOTO) // 2:,} bytes", "copy or download"),
    ("B85", {"path": "refs/cut.png"},                   "FB406", 3, f"cut off: it ends after {len(NOISE) // 2:,} bytes", "copy or download"),
    ("B85", {"path": "refs/cut.webp"},                  "FB406", 3, "bytes are there",                          "copy or download"),
    ("B85", {"path": "refs/broken.png"},                "FB406", 3, "a checksum does not match",                "copy or download"),
    ("B86", {"path": "refs/heavy.jpg"},                 "FB407", 3, "is 20.3 MB, and at most 20 MB are read",   None),
    ("B87", {"path": "../x.png"},                       "FB702", 4, "'../x.png' is outside the job's folder",   "--allow-path"),
    ("B87", {"path": "/etc/hosts"},                     "FB702", 4, "'/etc/hosts' is outside",                  "--allow-path /etc"),
    ("B87", {"path": "~/.ssh/id_rsa"},                  "FB702", 4, "begins with '~'",                          "copy"),
    ("B87", {"path": "file:///etc/hosts"},              "FB702", 4, "is a file URL",                            "path"),
    ("B87", {"path": "refs/link.png"},                  "FB702", 4, "'refs/link.png' is a symlink",             "copy"),
    ("B87", {"glob": "refs/l*k.png"},                   "FB702", 4, "'refs/link.png' is a symlink",             "copy"),
    ("B88", {"path": "http://example.com/a.png"},       "FB703", 4, "is http",                                  "https"),
    ("B88", {"path": "https://192.168.1.7/a.png"},      "FB703", 4, "names an address",                         "anyone can open"),
    ("B88", {"path": "https://2130706433/a.png"},       "FB703", 4, "names an address",                         "anyone can open"),
    ("B88", {"path": "https://0x7f.1/a.png"},           "FB703", 4, "names an address",                         "anyone can open"),
    ("B88", {"path": "https://[::1]/a.png"},            "FB703", 4, "names an address",                         "anyone can open"),
    ("B88", {"path": "https://localhost/a.png"},        "FB703", 4, "not public",                               "anyone can open"),
    ("B88", {"path": "https://nas.local/a.png"},        "FB703", 4, "not public",                               "anyone can open"),
    ("B88", {"path": "https://me:pw@example.com/a"},    "FB703", 4, "carries a user name",                      "'@'"),
    ("B88", {"path": "https://example.com:22/a.png"},   "FB703", 4, "names port 22",                            "anyone can open"),
    ("B88", {"path": "ftp://example.com/a.png"},        "FB408", 3, "not an https URL",                         "https"),
    ("B88", {"path": "https:///a.png"},                 "FB408", 3, "names no host",                            None),
    ("B88", {"path": "https://exa mple.com/a.png"},     "FB408", 3, "no valid URL",                             "%20"),
    ("B88", {"path": "https://exämple.com/a.png"},      "FB408", 3, "no valid URL",                             "%20"),
    ("B88", {"path": "https://[::1/a.png"},             "FB408", 3, "no valid URL",                             None),
    ("B88", {"path": "data:image/png;base64,AAAA"},     "FB408", 3, "inside the job file",                      "save it"),
    ("B88", {"collage": ("https://example.com/a",)},    "FB408", 3, "a collage is made of files",               "save"),
    ("—",   {"color": "cobalt"},                        "FB410", 3, "'cobalt' is not a colour",                 '"#0047AB"'),
    ("—",   {"color": "0047ab"},                        "FB410", 3, "'0047ab' is not a colour",                 'write "#0047AB"'),
    ("—",   {"collage": ("refs/face.png",) * 37},       "FB403", 3, "has 37 pictures",                          "two collages"),
]  # fmt: skip


@pytest.fixture
def mistakes(root) -> ReferenceShelf:
    for name, content in FILES.items():
        (root / name).write_bytes(content)
    (root / "refs" / "link.png").symlink_to("face.png")
    (root / "many").mkdir()
    for number in range(700):
        (root / "many" / f"{number}.jpg").touch()
    return ReferenceShelf(JobFolder(root))


def test_every_mistake_has_its_code_its_exit_code_and_its_remedy(mistakes):
    for row, written, code, exit, says, remedy in MISTAKES:
        references, problems = mistakes.resolve(source(**written), where=HERE)

        assert references == (), (row, written)
        (problem,) = problems
        assert (problem.code, problem.where, exit_code(problems)) == (code, HERE, exit), (row, problem.headline)
        assert says in problem.message, (row, problem.message)
        assert (remedy in (problem.help or "")) if remedy else problem.help is None, (row, problem.help)
        assert "pw" not in problem.headline


@pytest.mark.parametrize(
    ("size", "severity", "says", "remedy"),
    [
        ((8, 8), "error", "is 8x8, and the model wants at least 64 pixels on each side", "larger"),
        ((5000, 5000), "error", "is 5000x5000, 25 MP, and the model takes at most 20 MP", "scale it down"),
        (
            (4000, 3000),
            "warning",
            "is 4000x3000, 12 MP, and is shrunk to 4 MP before the model sees it",
            "scale it down",
        ),
        ((1080, 1350), "warning", "is 1080x1350, and is cropped to 1072x1344 before the model sees it", None),
        ((2048, 2048), None, None, None),
    ],
    ids=str,
)
def test_a_model_says_what_it_refuses_and_what_its_service_changes(root, shelf, size, severity, says, remedy):
    (root / "x.png").write_bytes(png_of(*size))

    problems = check_reference(entry("bfl/flux-2-pro"), one(shelf, path="x.png"), where=HERE)

    assert [(p.code, p.severity, p.message, p.where) for p in problems] == (
        [("FB407", severity, f"'x.png' {says}", HERE)] if severity else []
    )
    assert all((remedy in (p.help or "")) if remedy else p.help is None for p in problems)


def test_a_model_refuses_a_file_of_more_bytes_than_it_takes_and_a_strip(shelf):
    pro = entry("bfl/flux-2-pro")
    small = replace(pro, references=replace(pro.references, max_bytes=100, max_aspect=1))

    messages = [p.message for p in check_reference(small, one(shelf, path="refs/face.png"), where=None)]

    assert [message.partition(", and")[0] for message in messages] == [
        "'refs/face.png' is 315 bytes",
        "'refs/face.png' is 160x96",
    ]
    assert check_reference(small, one(shelf, path="https://example.com/a.png"), where=None) == ()


# --- pictures from Python ---


def test_python_may_hand_over_a_picture_in_any_form(root, shelf, monkeypatch):
    monkeypatch.chdir(root)
    content = (root / "refs" / "face.png").read_bytes()
    encoded = base64.b64encode(content).decode()
    forms = {
        "text": "refs/face.png",
        "absolute": str(root / "refs/face.png"),
        "Path": Path("refs/face.png"),
        "bytes": content,
        "bytearray": bytearray(content),
        "base64": encoded,
        "data URI": f"data:image/png;base64,{encoded}",
        "file": io.BytesIO(content),
        "Pillow": picture(),
    }

    for form, value in forms.items():
        reference = reference_of(value, shelf, name="images")
        assert not isinstance(reference, FileFault), (form, reference)
        assert (reference.width, reference.height) == (160, 96), form
        prepared = prepare(reference, shelf)
        assert isinstance(prepared, Picture), (form, prepared)
        assert seen(prepared).convert("RGB").tobytes() == picture().tobytes(), form

    url = reference_of("https://example.com/a.png", shelf, name="images")
    assert (url.kind, url.source) == ("url", "https://example.com/a.png")


@pytest.mark.parametrize(
    ("value", "code", "says"),
    [
        ("nowhere.png", "FB401", "no such file"),
        ("http://example.com/a.png", "FB703", "http"),
        (b"no picture", "FB405", "it is text"),
        ("data:image/png;base64,????", "FB405", "base64"),
        ("/9j/" + 80 * "A", "FB406", "cut off"),
        (io.StringIO("text"), "FB405", "open as text"),
        (42, "FB405", "what was given is neither a path nor a picture"),
    ],
)
def test_python_is_told_what_is_wrong_with_a_picture(shelf, value, code, says):
    fault = reference_of(value, shelf, name="images")

    assert isinstance(fault, FileFault)
    assert fault.code == code
    assert says in fault.message
