"""What went into a request can be seen in its picture, and the same request gives the same bytes."""

from __future__ import annotations

import io
import subprocess
import sys
from itertools import groupby
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageFont, ImageStat

from flux2batch.emulator.bfl_rules import ENDPOINTS
from flux2batch.emulator.colours import colours_in
from flux2batch.emulator.painter import Card, Wish, draw, paint
from flux2batch.emulator.painting.lettering import mark, panel_height, print_caption, words
from flux2batch.emulator.painting.palette import INK, INKS
from flux2batch.emulator.painting.signs import BEYOND_ASCII, apart, in_signs_of_the_font
from flux2batch.pictures.trimming import trim


def wish(**changed: Any) -> Wish:
    told: dict[str, Any] = {
        "model": "flux-2-flex",
        "prompt": "a lighthouse in a storm",
        "seed": 101,
        "width": 384,
        "height": 256,
        "guidance": 4.0,
        "steps": 50,
        "most_steps": 50,
        "caption": "flux-2-flex",
        "frame": 0,
        "cards": (),
    }
    return Wish(**{**told, **changed})


def drawn(**changed: Any) -> Image.Image:
    return draw(wish(**changed)).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """The share of pixels that differ visibly."""
    grey = ImageChops.difference(one, other).convert("L").point(lambda value: 255 if value > 12 else 0)
    return ImageStat.Stat(grey).mean[0] / 255


def saturation(picture: Image.Image) -> float:
    return ImageStat.Stat(picture.convert("HSV")).mean[1]


def contrast(picture: Image.Image) -> float:
    return ImageStat.Stat(picture.convert("L")).stddev[0]


def roughness(picture: Image.Image, finished: Image.Image) -> float:
    """How far it is from the finished picture."""
    return sum(ImageStat.Stat(ImageChops.difference(picture, finished)).mean)


@pytest.mark.parametrize("media", ["jpeg", "png", "webp"])
def test_the_same_wish_gives_the_same_bytes_in_another_process(media: str) -> None:
    code = f"""
import hashlib, sys
from flux2batch.emulator.painter import Wish, paint
told = dict(model="flux-2-max", prompt="a #0047AB boat für Ärzte", seed=7, width=320, height=240, guidance=None,
            steps=None, most_steps=50, caption="c", frame=0, cards=())
print(hashlib.sha256(paint(Wish(**told), {media!r})).hexdigest())
"""
    twice = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }

    assert len(twice) == 1


def test_colours_grow_stronger_with_guidance() -> None:
    pictures = [drawn(guidance=guidance) for guidance in (1.5, 2.5, 3.5, 5, 7, 10, 20)]

    strengths, contrasts = [saturation(one) for one in pictures], [contrast(one) for one in pictures]

    assert strengths == sorted(strengths)
    assert contrasts == sorted(contrasts)
    assert strengths[-1] > 1.8 * strengths[0]


def test_a_picture_comes_out_of_its_blocks_with_steps() -> None:
    finished = drawn(steps=50)

    distances = [roughness(drawn(steps=steps), finished) for steps in (1, 5, 10, 20, 35, 50)]

    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 4 * distances[-2] > 0


def test_every_seed_has_its_own_composition() -> None:
    pictures = [drawn(seed=seed) for seed in range(6)]

    assert all(difference(one, other) > 0.25 for n, one in enumerate(pictures) for other in pictures[:n])


def test_every_model_has_its_own_style() -> None:
    names = [name for name in ENDPOINTS if name not in ("flux-2-klein-9b-preview",)]
    names += ["fal-ai/flux-2", "fal-ai/flux-2/flash", "fal-ai/flux-2/turbo"]
    pictures = [drawn(model=name, caption="") for name in names]

    assert all(difference(one, other) > 0.1 for n, one in enumerate(pictures) for other in pictures[:n])


def test_frames_of_one_request_differ() -> None:
    assert difference(drawn(frame=0), drawn(frame=1)) > 0.25


def share_of(picture: Image.Image, colour: tuple[int, int, int]) -> float:
    counted = picture.getcolors(1 << 24) or []
    return sum(count for count, seen in counted if seen == colour) / (picture.width * picture.height)


def test_a_hex_colour_of_the_prompt_stands_in_the_picture_exactly() -> None:
    assert share_of(drawn(prompt="a bottle in color #0047AB"), (0x00, 0x47, 0xAB)) > 0.01
    assert share_of(drawn(prompt="a bottle"), (0x00, 0x47, 0xAB)) == 0
    assert colours_in("a #F53 coral dress, #02eb3c, Reddish") == ((255, 85, 51), (2, 235, 60), (255, 127, 96))


def test_the_second_colour_rules_the_sky() -> None:
    def sky(prompt: str) -> tuple[float, ...]:
        return tuple(ImageStat.Stat(drawn(prompt=prompt).crop((0, 0, 300, 60))).mean)

    red, _, blue = sky("a white boat under a blue evening")
    assert blue > red + 30
    red, _, blue = sky("a white boat under a red evening")
    assert red > blue + 30


def card(name: str, colour: tuple[int, int, int]) -> Card:
    sink = io.BytesIO()
    Image.new("RGB", (200, 160), colour).save(sink, "JPEG", quality=90)
    return Card(sha256=name, thumbnail=sink.getvalue(), label="")


def test_references_appear_in_the_picture() -> None:
    without = drawn(width=512, height=512)
    pink, lime = card("pink", (250, 20, 160)), card("lime", (150, 250, 20))

    def near(picture: Image.Image, colour: tuple[int, int, int]) -> float:
        counted = picture.getcolors(1 << 24) or []
        close = sum(n for n, seen in counted if all(abs(a - b) < 10 for a, b in zip(seen, colour, strict=True)))
        return close / (picture.width * picture.height)

    both = drawn(width=512, height=512, cards=(pink, lime))

    assert near(without, (250, 20, 160)) < 0.001
    assert near(both, (250, 20, 160)) > 0.02
    assert near(both, (150, 250, 20)) > 0.02
    assert difference(both, drawn(width=512, height=512, cards=(lime, pink))) > 0.03


def test_the_words_of_the_prompt_are_printed() -> None:
    caption = lambda prompt: drawn(prompt=prompt, width=512, height=512).crop((0, 455, 512, 490))

    assert difference(caption("a stone"), caption("a stone with a long inscription")) > 0.01


@pytest.mark.parametrize("size", [(64, 64), (2048, 2048), (64, 2048), (2048, 80), (1088, 1360)])
def test_any_size_is_painted(size: tuple[int, int]) -> None:
    cards = tuple(card(str(number), (number * 20, 80, 90)) for number in range(8))
    prompt = 'ein "Hut", ネコ, \u202e\x1b[31m {} ' + "x" * 3000

    picture = Image.open(io.BytesIO(paint(wish(width=size[0], height=size[1], cards=cards, prompt=prompt), "jpeg")))

    picture.load()
    assert picture.size == size


def test_a_jpeg_carries_metadata_as_bfls_do_and_says_that_it_is_emulated() -> None:
    content = paint(wish(), "jpeg")

    picture = Image.open(io.BytesIO(content))
    assert content[:4] == b"\xff\xd8\xff\xeb"
    assert b"c2pa" in content[:200]
    assert "emulator" in picture.getexif()[0x0131]
    assert picture.mode == "RGB"


def test_a_png_is_in_true_colour_and_marked() -> None:
    picture = Image.open(io.BytesIO(paint(wish(), "png")))

    assert (picture.mode, picture.info["Software"]) == ("RGB", "flux2batch emulator")
    assert picture.tobytes() == drawn().tobytes()
    picture = Image.open(io.BytesIO(paint(wish(), "png")), formats=("PNG",))
    picture.verify()


def test_the_corner_of_every_picture_says_emulated() -> None:
    """The mark is the same shape over any scene; the corner beside it is not."""

    def corner(left: int, **changed: Any) -> bytes:
        return draw(wish(**changed)).crop((left, 16, left + 48, 16 + 12)).tobytes()

    other = {"seed": 7, "model": "fal-ai/flux-2/flash", "prompt": "a fox", "guidance": 9.0}

    mark_at = 384 - 24 - 48
    assert corner(mark_at) == corner(mark_at, **other)
    assert len(set(corner(mark_at))) > 3
    assert corner(0) != corner(0, **other)


# The last two are those of which most is cut away: a tenth, of one direction or the other.
@pytest.mark.parametrize("exact", [(1200, 628), (1080, 1350), (300, 250), (1000, 900), (900, 1000)])
def test_the_mark_is_whole_on_a_picture_that_is_trimmed(exact: tuple[int, int]) -> None:
    wide, high = (1000, 1000) if 1000 in exact else tuple(-(-side // 16) * 16 for side in exact)
    canvas = Image.new("L", (wide, high))
    mark(canvas)
    came = canvas.point(lambda value: 255 if value else 0)
    sink = io.BytesIO()
    came.convert("RGB").save(sink, "PNG")

    kept = Image.open(io.BytesIO(trim(sink.getvalue(), exact))).convert("L")

    left, top, right, bottom = kept.point(lambda value: 255 if value > 100 else 0).getbbox() or (0, 0, 0, 0)
    drawn = came.getbbox() or (0, 0, 0, 0)
    assert abs((right - left) - (drawn[2] - drawn[0])) <= 2
    assert abs((bottom - top) - (drawn[3] - drawn[1])) <= 2
    assert 0 < left < right < exact[0]
    assert 0 < top < bottom < exact[1]


@pytest.mark.parametrize("size", [(64, 64), (96, 96), (256, 256), (1200, 640)])
def test_prompts_that_differ_only_behind_what_is_printed_make_pictures_that_differ(size: tuple[int, int]) -> None:
    """A corrected headline is seen, and told by hash."""
    summer, autumn = (
        drawn(prompt=f"{LONG * 3} with the headline '{word}'", width=size[0], height=size[1])
        for word in ("Sommer", "Herbst")
    )

    box = ImageChops.difference(summer, autumn).getbbox()

    assert box is not None
    assert box[1] >= size[1] - max(panel_height(*size) // 2, 2), "only the sign below the words"


def printed(text: str, size: int = 20) -> Image.Image:
    return words(text, size=size, width=400, height=70)


def test_the_signs_that_are_printed_as_they_are_are_those_of_the_font() -> None:
    font = ImageFont.load_default(20)
    box = bytes(font.getmask("\uffff"))

    assert [sign for sign in map(chr, range(0xA1, 0x3000)) if bytes(font.getmask(sign)) != box] == list(BEYOND_ASCII)
    assert not [sign for sign in map(chr, range(0x21, 0x7F)) if bytes(font.getmask(sign)) == box]


# Every sign that a keyboard of Europe has, and some of others.
@pytest.mark.parametrize("sign", [*map(chr, range(0xA1, 0x180)), *"„“‚‘–—…€•→", *"ネПα🦊½ﬁ\u202e\ufeff\x1b\x85"])
def test_no_sign_is_printed_as_a_box(sign: str) -> None:
    bare, marks = apart(in_signs_of_the_font(f"a{sign}b"))

    assert all(" " <= one <= "~" or one in BEYOND_ASCII for one in bare + "".join(mark.sign for mark in marks))


@pytest.mark.parametrize(
    ("text", "bare"),
    [("grüne Mützen", "grune Mutzen"), ("ÄÖÜ", "AOU"), ("René à", "Rene a"), ("mañana", "manana"), ("på", "pa")],
)
@pytest.mark.parametrize("size", [9, 20, 40])
def test_a_mark_is_drawn_over_its_letter_and_the_letter_stays(text: str, bare: str, size: int) -> None:
    with_marks, without = printed(f"x\n{text}", size), printed(f"x\n{bare}", size)
    rows = [row for row in range(without.height) if without.crop((0, row, 400, row + 1)).getextrema()[1] > INK]
    below = next(row for row in rows if row - 1 not in rows and row > rows[0])  # where the second line begins

    added = ImageChops.subtract(with_marks, without).getbbox()

    assert added is not None
    assert added[1] > rows[0], "over the line above"
    assert added[3] <= below + size, "below its own line"
    assert ImageChops.subtract(without, with_marks).getbbox() is None


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Süße", "Süsse"),
        ("„Hallo“ – 5 €", ",,Hallo“ - 5 EUR"),
        ("1080×1350", "1080x1350"),
        ("Łódź, Æbelø", "Lódź, AEbelo"),
        ("Žižek, hôtel", "Zizek, hotel"),
        ("ネコ 🦊", "·· ·"),
        ("e\u0301 o\u0308", "é ö"),
        ("a\u202e\ufe0fb\tc", "ab c"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_what_the_font_has_not_is_spelt_with_what_it_has(text: str, plain: str) -> None:
    assert in_signs_of_the_font(text) == plain


LONG = "Advertising photograph of the enamel mug, its shape and colours unchanged, on a sunny jetty " * 3


# Red with the panel's height divided as before, where the second line of a landscape was cut in half.
@pytest.mark.parametrize("size", [(1456, 816), (1200, 640), (1024, 1024), (816, 1456), (512, 512)])
def test_no_line_of_a_caption_is_cut_off(size: tuple[int, int]) -> None:
    canvas = Image.new("P", size, color=0)
    panel = panel_height(*size)

    print_caption(canvas, LONG, "flux-2-pro · seed 1", panel=panel, swatches=0)

    rows = (canvas.crop((0, y, size[0], y + 1)).getextrema() for y in range(size[1] - panel, size[1]))
    inked = [most > INK + INKS // 2 for _, most in rows]
    bands = [sum(1 for _ in run) for ink, run in groupby(inked) if ink]
    assert len(bands) == 3, "the lines of the prompt, and the parameters, each apart"
    assert min(bands[:-1]) > 0.8 * max(bands[:-1])
