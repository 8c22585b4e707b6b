"""Draw stand-in pictures in which everything that was asked for can be seen.

Seed decides the composition and the hue, the model the style, guidance the strength of the colours, steps how far
the picture has come out of coarse blocks. The colours that a prompt names are used as named, its words are printed
below, references stand in the picture as cards, and a corner says that nobody should take it for the real thing.

A picture is drawn as indices into a palette of 256 colours: filling shapes then costs next to nothing, and grading
is arithmetic on the palette and not on a million pixels. The same wish gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from PIL import Image, ImageDraw, ImageFont

from flux2batch.emulator.colours import Rgb, colours_in, from_hls, mix, to_hls
from flux2batch.emulator.files import encode
from flux2batch.emulator.motifs import motif_of

# Where things live in the palette.
_SKY, _BANDS = 0, 48
_SUN, _SUN_SHADES = 48, 8
_RIDGE, _RIDGES, _RIDGE_SHADES = 56, 8, 4
_MOTIF, _MOTIF_SHADES = 88, 4
_WATER, _WATER_SHADES = 92, 8
_SPARK, _SPARKS = 100, 8
_INK, _INKS = 108, 16
_FRAME, _SHADOW = 124, 125
_SWATCH, _SWATCHES = 126, 4
_CARDS, _CARD_COLOURS = 130, 126


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A reference as it is shown: a small JPEG of it, or the text of its address."""

    sha256: str
    thumbnail: bytes | None
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a picture is drawn from; all of it shows."""

    model: str
    prompt: str
    seed: int
    width: int
    height: int
    guidance: float | None
    steps: int | None
    most_steps: int  # of this model: with as many the picture is finished
    caption: str  # the parameters as they are printed
    frame: int  # of several pictures for one request
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    sky: str  # bands, rings, rays, columns
    bands: int
    sun: str  # disc, striped, ring, crescent, halo
    ridge: str  # waves, peaks, blocks, dunes
    ridges: int
    water: bool
    hue: float  # turns, added to the seed's
    saturation: float
    dusk: float  # how dark the sky is at its top


_STYLES: tuple[tuple[str, _Style], ...] = (
    (
        "klein-4b",
        _Style(
            sky="bands", bands=5, sun="disc", ridge="dunes", ridges=3, water=False, hue=0.02, saturation=0.62, dusk=0.18
        ),
    ),
    (
        "klein",
        _Style(
            sky="bands", bands=9, sun="ring", ridge="dunes", ridges=4, water=False, hue=0.06, saturation=0.78, dusk=0.22
        ),
    ),
    (
        "flash",
        _Style(
            sky="rays", bands=12, sun="disc", ridge="peaks", ridges=4, water=False, hue=0.10, saturation=0.95, dusk=0.20
        ),
    ),
    (
        "turbo",
        _Style(
            sky="rays",
            bands=24,
            sun="striped",
            ridge="dunes",
            ridges=4,
            water=False,
            hue=0.55,
            saturation=0.95,
            dusk=0.34,
        ),
    ),
    (
        "max",
        _Style(
            sky="rings", bands=40, sun="halo", ridge="peaks", ridges=7, water=True, hue=0.0, saturation=1.0, dusk=0.42
        ),
    ),
    (
        "flex",
        _Style(
            sky="bands",
            bands=28,
            sun="striped",
            ridge="waves",
            ridges=5,
            water=True,
            hue=0.0,
            saturation=1.0,
            dusk=0.30,
        ),
    ),
    (
        "pro-preview",
        _Style(
            sky="rings",
            bands=26,
            sun="crescent",
            ridge="waves",
            ridges=5,
            water=False,
            hue=0.08,
            saturation=0.92,
            dusk=0.36,
        ),
    ),
    (
        "pro",
        _Style(
            sky="bands", bands=36, sun="disc", ridge="waves", ridges=6, water=False, hue=0.0, saturation=0.92, dusk=0.26
        ),
    ),
    (
        "",
        _Style(
            sky="columns",
            bands=30,
            sun="ring",
            ridge="blocks",
            ridges=4,
            water=True,
            hue=0.04,
            saturation=0.9,
            dusk=0.45,
        ),
    ),
)


def paint(wish: Wish, media: str) -> bytes:
    """The finished file, as jpeg, png or webp."""
    return encode(draw(wish), media, model=wish.model)


def draw(wish: Wish) -> Image.Image:
    """The picture, with a palette."""
    style = next(style for part, style in _STYLES if part in wish.model)
    dice = _Dice(f"{wish.seed}/{wish.frame}")
    hue = _pleasant(dice.of("hue").random() + style.hue)
    named = colours_in(wish.prompt)
    finished = 1.0 if wish.steps is None else min(wish.steps / wish.most_steps, 1.0)
    panel = _panel_height(wish.width, wish.height)

    # The scene is drawn small where few steps were taken, and comes out in blocks.
    block = max(1.0, max(wish.width, wish.height) * 0.034 * (1 - finished) ** 1.6)
    size = max(8, round(wish.width / block)), max(8, round((wish.height - panel) / block))
    scene = Image.new("L", size, _SKY)
    _draw_scene(scene, style, dice, finished=finished, motif=_motif(wish))
    canvas = Image.new("L", (wish.width, wish.height), _INK)
    canvas.paste(scene.resize((wish.width, wish.height - panel), Image.Resampling.NEAREST), (0, 0))

    palette = _palette(style, hue, dice.of("turn").choice((-0.11, 0.11)), named, wish.guidance)
    _lay_cards(canvas, palette, wish.cards, top=wish.height - panel)
    _print_caption(canvas, wish, panel=panel, swatches=len(named))
    _mark(canvas)
    canvas.putpalette(palette)
    return canvas


def black_frame(width: int, height: int) -> Image.Image:
    """What fal hands out for a picture that its checker flagged."""
    return Image.new("RGB", (width, height))


# The palette: all that is colour.


def _palette(style: _Style, hue: float, turning: float, named: Sequence[Rgb], guidance: float | None) -> bytearray:
    strength = 0.5 if guidance is None else max(guidance, 0.0) / (max(guidance, 0.0) + 4)
    vivid, contrast = 1.2 * strength * style.saturation, 0.5 + 0.85 * strength

    def tone(turn: float, lightness: float, saturation: float) -> Rgb:
        return from_hls(turn, 0.52 + (lightness - 0.52) * contrast, saturation * vivid)

    def graded(colour: Rgb, lightness: float) -> Rgb:
        turn, _, saturation = to_hls(colour)
        return tone(turn, lightness, max(saturation, 0.05))

    # A named colour is kept and the seed may only lean on it; without one the seed has the whole circle.
    if len(named) > 1:
        turning = -0.05 if 0.06 < to_hls(named[1])[0] < 0.5 else 0.05
    sky_hue = to_hls(named[1])[0] + (hue - 0.5) * 0.10 if len(named) > 1 else hue
    land_hue = to_hls(named[2])[0] if len(named) > 2 else hue + 0.46
    sky_full = 0.9 if len(named) < 2 else max(to_hls(named[1])[2], 0.05)
    land_full = 0.7 if len(named) < 3 else max(to_hls(named[2])[2], 0.05)
    subject = named[0] if named else tone(hue + 0.52, 0.55, 0.95)

    colours: list[Rgb] = [(0, 0, 0)] * 256
    shown = [number / max(style.bands - 1, 1) for number in range(style.bands)]
    sky = [tone(sky_hue + turning * up, style.dusk + (0.9 - style.dusk) * up**0.85, sky_full) for up in shown]
    for band in range(_BANDS):
        colours[_SKY + band] = sky[round(band * (style.bands - 1) / (_BANDS - 1))]
    for shade in range(_SUN_SHADES):
        colours[_SUN + shade] = tone(sky_hue + turning * (1 + shade * 0.1), 0.97 - shade * 0.035, 0.95)
    for ridge in range(_RIDGES):
        near = ridge / (_RIDGES - 1)
        for shade in range(_RIDGE_SHADES):
            lightness = 0.66 - 0.46 * near + shade * 0.045
            turn = sky_hue + turning + _way(sky_hue + turning, land_hue) * near
            colours[_RIDGE + ridge * _RIDGE_SHADES + shade] = tone(turn, lightness, land_full * (0.55 + 0.45 * near))
    for shade, share in enumerate((-0.45, 0.0, 0.34, 0.78)):
        end = (255, 255, 255) if share > 0 else (12, 12, 20)
        colours[_MOTIF + shade] = mix(subject, end, abs(share))
    for shade in range(_WATER_SHADES):
        colours[_WATER + shade] = tone(sky_hue + 0.03, 0.30 + shade * 0.055, sky_full * 0.9)
    for spark in range(_SPARKS):
        colours[_SPARK + spark] = (
            graded(named[spark % len(named)], 0.8) if named else tone(hue + 0.1 * spark, 0.88, 0.8)
        )
    paper, ink = from_hls(hue + 0.6, 0.105, 0.18), (246, 244, 238)
    for shade in range(_INKS):
        colours[_INK + shade] = mix(paper, ink, shade / (_INKS - 1))
    colours[_FRAME], colours[_SHADOW] = (250, 250, 247), mix(paper, (0, 0, 0), 0.3)
    for number, colour in enumerate(named[:_SWATCHES]):
        colours[_SWATCH + number] = colour
    return bytearray(value for colour in colours for value in colour)


def _pleasant(turn: float) -> float:
    """A hue for a sky: the circle without its greens, which no evening has."""
    shrunk = turn % 1 * 0.76
    return shrunk if shrunk < 0.17 else shrunk + 0.24


def _way(start: float, end: float) -> float:
    """The shorter way around the circle of hues."""
    return (end - start + 0.5) % 1 - 0.5


# The scene: all that is shape.


@dataclass(frozen=True, slots=True)
class _Dice:
    """Chance for each part of the scene by itself, so that more detail in one moves nothing in another."""

    name: str

    def of(self, part: str) -> Random:
        return Random(f"{self.name}/{part}")


def _draw_scene(
    scene: Image.Image,
    style: _Style,
    dice: _Dice,
    *,
    finished: float,
    motif: Callable[[ImageDraw.ImageDraw, float, float, float], None],
) -> None:
    width, height = scene.size
    pen = ImageDraw.Draw(scene)
    rng = dice.of("composition")
    horizon = height * rng.uniform(0.48, 0.68)
    sun_x, sun_y = width * rng.uniform(0.15, 0.85), horizon * rng.uniform(0.22, 0.72)
    radius = min(width, height) * rng.uniform(0.09, 0.17)
    place, scale = rng.uniform(0.26, 0.74), min(width, height) * rng.uniform(0.17, 0.25)
    if abs(place * width - sun_x) < radius:
        place = 1 - place

    _SKIES[style.sky](pen, width, height, style.bands, horizon, sun_x, sun_y)
    rng = dice.of("stars")
    for _ in range(round(70 * finished * (style.dusk > 0.25))):
        x, y, r = rng.uniform(0, width), rng.uniform(0, horizon * 0.8), width * rng.uniform(0.0006, 0.0018)
        pen.ellipse((x - r, y - r, x + r, y + r), fill=_SPARK + rng.randrange(_SPARKS))
    _draw_sun(pen, style.sun, sun_x, sun_y, radius)

    for number in range(style.ridges):
        near = number / (style.ridges - 1)
        if 0 < near < 1 and number % 2 and finished < 0.3:
            continue
        base = horizon + (height - horizon) * (0.75 if style.water else 0.9) * near**1.25
        tall = (height - horizon) * (0.30 - 0.12 * near)
        _draw_ridge(
            pen,
            style.ridge,
            dice.of(f"ridge {number}"),
            width,
            height,
            base,
            tall,
            tone=round(near * (_RIDGES - 1)),
            fine=finished,
        )
    if style.water:
        _draw_water(pen, dice.of("water"), width, height, top=height * 0.86, sun_x=sun_x, fine=finished)

    stand = height * (0.84 if style.water else 0.80)
    motif(pen, place * width, stand - scale * 0.8, scale)

    rng = dice.of("noise")
    for _ in range(round(260 * (1 - finished))):  # what is left of the noise
        x, y = rng.randrange(width), rng.randrange(height)
        pen.point((x, y), fill=rng.choice((_SKY + 4, _SUN, _RIDGE + 3, _SPARK + 2, _RIDGE + 28)))


def _sky_bands(
    pen: ImageDraw.ImageDraw, width: int, height: int, bands: int, horizon: float, sun_x: float, sun_y: float
) -> None:
    del height, sun_x, sun_y
    for band in range(bands):
        pen.rectangle(
            (0, horizon * 1.25 * band / bands, width, horizon * 1.25 * (band + 1) / bands), fill=_band(band, bands)
        )
    pen.rectangle((0, horizon * 1.25, width, horizon * 4), fill=_band(bands - 1, bands))


def _sky_rings(
    pen: ImageDraw.ImageDraw, width: int, height: int, bands: int, horizon: float, sun_x: float, sun_y: float
) -> None:
    del horizon
    far = math.hypot(max(sun_x, width - sun_x), max(sun_y, height - sun_y))
    for band in range(bands):
        reach = far * (1 - band / bands)
        pen.ellipse((sun_x - reach, sun_y - reach, sun_x + reach, sun_y + reach), fill=_band(band, bands))


def _sky_rays(
    pen: ImageDraw.ImageDraw, width: int, height: int, bands: int, horizon: float, sun_x: float, sun_y: float
) -> None:
    _sky_bands(pen, width, height, bands, horizon, sun_x, sun_y)
    far = float(width + height)
    for ray in range(0, 2 * bands, 2):
        one, other = math.tau * ray / (2 * bands), math.tau * (ray + 1) / (2 * bands)
        pen.polygon(
            [
                (sun_x, sun_y),
                (sun_x + far * math.cos(one), sun_y + far * math.sin(one)),
                (sun_x + far * math.cos(other), sun_y + far * math.sin(other)),
            ],
            fill=_band(round(bands * (0.35 + 0.5 * (ray % 8) / 8)), bands),
        )


def _sky_columns(
    pen: ImageDraw.ImageDraw, width: int, height: int, bands: int, horizon: float, sun_x: float, sun_y: float
) -> None:
    del sun_y
    for band in range(bands):
        x = width * band / bands
        near = 1 - abs(x + width / bands / 2 - sun_x) / max(sun_x, width - sun_x)
        for level in range(6):
            shade = round((bands - 1) * (0.15 + 0.5 * near + 0.07 * level))
            pen.rectangle((x, horizon * level / 5, x + width / bands, height), fill=_band(shade, bands))


_SKIES = {"bands": _sky_bands, "rings": _sky_rings, "rays": _sky_rays, "columns": _sky_columns}


def _band(band: int, bands: int) -> int:
    return _SKY + min(max(round((_BANDS - 1) * band / max(bands - 1, 1)), 0), _BANDS - 1)


def _draw_sun(pen: ImageDraw.ImageDraw, kind: str, x: float, y: float, radius: float) -> None:
    def disc(reach: float, fill: int, aside: float = 0.0) -> None:
        pen.ellipse((x - reach + aside, y - reach, x + reach + aside, y + reach), fill=fill)

    if kind == "halo":
        for ring in range(5, 0, -1):
            disc(radius * (1 + ring * 0.16), _SUN + min(ring + 2, _SUN_SHADES - 1))
    disc(radius, _SUN + (2 if kind == "striped" else 0))
    if kind == "ring":
        disc(radius * 0.74, _SUN + 6)
    if kind == "crescent":
        disc(radius * 0.82, _SKY + _BANDS - 8, aside=radius * 0.36)
    if kind == "striped":
        for stripe in range(5):
            top = y + radius * (-0.05 + stripe * 0.22)
            pen.rectangle(
                (x - radius, top, x + radius, top + radius * (0.04 + stripe * 0.022)), fill=_SKY + _BANDS - 10
            )


def _draw_ridge(
    pen: ImageDraw.ImageDraw,
    kind: str,
    rng: Random,
    width: int,
    height: int,
    base: float,
    tall: float,
    *,
    tone: int,
    fine: float,
) -> None:
    phases = [rng.uniform(0, math.tau) for _ in range(4)]
    body = _RIDGE + tone * _RIDGE_SHADES
    if kind == "blocks":
        _draw_blocks(pen, rng, width, height, base, tall, body=body, lit=fine > 0.5)
        return

    points = min(16 + round(64 * fine), max(16, width // 8))
    waves = {"waves": (1.3, 3.1, 7.0, 17.0), "dunes": (0.8, 1.7, 0.0, 0.0), "peaks": (1.1, 2.7, 6.1, 15.0)}[kind]
    line = []
    for number in range(points + 1):
        turn = math.tau * number / points
        swell = [math.sin(turn * wave + phase) for wave, phase in zip(waves, phases, strict=True)]
        if kind == "peaks":
            swell = [1 - 2 * abs(value) for value in swell]
        rise = swell[0] * 0.55 + swell[1] * 0.32 + (swell[2] * 0.10 + swell[3] * 0.04) * fine
        line.append((width * number / points, base - tall * rise))
    pen.polygon([*line, (width, height), (0, height)], fill=body + 1)
    lower = [(x, y + (height - y) * 0.16) for x, y in line]
    pen.polygon([*lower, (width, height), (0, height)], fill=body)
    pen.line(line, fill=body + 3, width=max(1, width // 400))


def _draw_blocks(
    pen: ImageDraw.ImageDraw,
    rng: Random,
    width: int,
    height: int,
    base: float,
    tall: float,
    *,
    body: int,
    lit: bool,
) -> None:
    x = -width * 0.03
    while x < width:
        wide, top = width * rng.uniform(0.035, 0.085), base - tall * rng.uniform(-0.2, 1.25)
        pen.rectangle((x, top, x + wide, height), fill=body + rng.randrange(2))
        if lit:
            for row in range(1, 6):
                for column in range(1, 4):
                    if rng.random() < 0.3:
                        left, upper = x + wide * column / 4, top + wide * row * 0.3
                        pen.rectangle(
                            (left, upper, left + wide * 0.1, upper + wide * 0.12), fill=_SUN + rng.randrange(4)
                        )
        x += wide


def _draw_water(
    pen: ImageDraw.ImageDraw, rng: Random, width: int, height: int, *, top: float, sun_x: float, fine: float
) -> None:
    for band in range(_WATER_SHADES):
        y = top + (height - top) * band / _WATER_SHADES
        pen.rectangle((0, y, width, height), fill=_WATER + _WATER_SHADES - 1 - band)
    for _ in range(8 + round(46 * fine)):
        deep = rng.random()
        y, half = top + (height - top) * deep, width * rng.uniform(0.01, 0.05) * (0.5 + deep)
        x = rng.gauss(sun_x, width * 0.07) if rng.random() < 0.6 else rng.uniform(0, width)
        thick = max(0.5, height * 0.0025 * (0.5 + deep))
        pen.rectangle((x - half, y, x + half, y + thick), fill=_SUN + rng.randrange(4))


def _motif(wish: Wish) -> Callable[[ImageDraw.ImageDraw, float, float, float], None]:
    pick = hashlib.sha256(wish.prompt.encode("utf-8", "surrogatepass")).digest()[0]
    patches = motif_of(wish.prompt, otherwise=pick)

    def place(pen: ImageDraw.ImageDraw, x: float, y: float, scale: float) -> None:
        pen.ellipse((x - scale * 0.8, y + scale * 0.78, x + scale * 0.8, y + scale * 0.98), fill=_RIDGE + 28)
        for patch in patches:
            points = [(x + px * scale, y + py * scale) for px, py in patch.points]
            fill = _MOTIF + patch.shade
            pen.ellipse(points, fill=fill) if patch.round else pen.polygon(points, fill=fill)

    return place


# What is laid over it: references, words, the mark.


def _lay_cards(canvas: Image.Image, palette: bytearray, cards: Sequence[Card], *, top: int) -> None:
    if not cards:
        return
    pen = ImageDraw.Draw(canvas)
    gap = max(2, canvas.width // 64)
    side = min((canvas.width - gap * (len(cards) + 1)) // len(cards), canvas.width * 2 // 7, top * 2 // 5, 288)
    if side < 8:
        return
    share = _CARD_COLOURS // len(cards)
    edge = max(1, side // 24)
    for number, card in enumerate(cards):
        left, upper = gap + number * (side + gap), gap
        inner = side - 2 * edge
        if card.thumbnail is None:
            _draw_frame(pen, left, upper, inner, inner, edge)
            canvas.paste(
                _words(card.label, size=max(8, side // 9), width=inner, height=inner), (left + edge, upper + edge)
            )
            continue
        first = _CARDS + number * share
        pixels, colours, (wide, high) = _indexed(card.sha256, card.thumbnail, inner, first, share)
        palette[first * 3 : first * 3 + len(colours)] = colours
        _draw_frame(pen, left, upper, wide, high, edge)
        canvas.paste(Image.frombytes("L", (wide, high), pixels), (left + edge, upper + edge))


def _draw_frame(pen: ImageDraw.ImageDraw, left: int, upper: int, wide: int, high: int, edge: int) -> None:
    right, lower, shade = left + wide + 2 * edge, upper + high + 2 * edge, max(1, edge // 2)
    pen.rectangle((left + shade, upper + shade, right + shade, lower + shade), fill=_SHADOW)
    pen.rectangle((left, upper, right, lower), fill=_FRAME)


@lru_cache(maxsize=256)
def _indexed(sha256: str, thumbnail: bytes, side: int, first: int, share: int) -> tuple[bytes, bytes, tuple[int, int]]:
    """A reference in `share` colours that begin at `first` in the palette; `sha256` is the key that matters."""
    del sha256
    with Image.open(io.BytesIO(thumbnail), formats=("JPEG",)) as opened:
        small = opened.convert("RGB")
    scale = side / max(small.size)
    small = small.resize((max(1, round(small.width * scale)), max(1, round(small.height * scale))))
    drawn = small.quantize(share, method=Image.Quantize.MEDIANCUT)
    colours = bytes(drawn.getpalette() or b"")[: share * 3]
    return drawn.tobytes().translate(bytes(min(first + n, 255) for n in range(256))), colours, drawn.size


def _panel_height(width: int, height: int) -> int:
    return 0 if min(width, height) < 96 else max(28, round(height * 0.115))


def _print_caption(canvas: Image.Image, wish: Wish, *, panel: int, swatches: int) -> None:
    if not panel:
        return
    top, margin = canvas.height - panel, max(4, canvas.width // 64)
    size = max(8, min(round(panel * 0.24), round(canvas.width / 34)))
    room = canvas.width - 2 * margin - (swatches * size * 2)
    lines = _wrapped(wish.prompt, room, size)
    text = "\n".join([*lines, *[""] * (2 - len(lines))])
    canvas.paste(_words(text, size=size, width=room, height=panel - size - margin), (margin, top + margin // 2))
    canvas.paste(
        _words(
            wish.caption,
            size=max(8, round(size * 0.86)),
            width=canvas.width - 2 * margin,
            height=size + margin // 2,
            faint=True,
        ),
        (margin, canvas.height - size - margin),
    )
    pen = ImageDraw.Draw(canvas)
    for number in range(min(swatches, _SWATCHES)):
        right = canvas.width - margin - number * size * 2
        pen.rectangle(
            (right - round(size * 1.6), top + margin, right, top + margin + round(size * 1.6)), fill=_SWATCH + number
        )


def _wrapped(prompt: str, room: int, size: int) -> list[str]:
    each = max(8, int(room / (size * 0.5)))
    lines = textwrap.wrap(" ".join(prompt.split()), each, max_lines=2, placeholder=" …", break_on_hyphens=False)
    return lines or [""]


@lru_cache(maxsize=128)  # a sweep prints the same prompt again and again
def _words(text: str, *, size: int, width: int, height: int, faint: bool = False) -> Image.Image:
    """Printed words as palette indices, from paper to ink."""
    mask = Image.new("L", (max(1, width), max(1, height)))
    printable = "".join(sign if sign.isprintable() or sign == "\n" else "·" for sign in text)
    ImageDraw.Draw(mask).multiline_text((0, 0), printable, fill=255, font=_font(size), spacing=max(1, size // 6))
    return mask.point(_faint_ramp() if faint else _ink_ramp())


@lru_cache(maxsize=1)
def _ink_ramp() -> list[int]:
    return [_INK + value * (_INKS - 1) // 255 for value in range(256)]


@lru_cache(maxsize=1)
def _faint_ramp() -> list[int]:
    return [_INK + value * (_INKS - 5) // 255 for value in range(256)]


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _mark(canvas: Image.Image) -> None:
    size = max(8, min(canvas.size) // 48)
    if min(canvas.size) < 96:
        return
    label = _label(size)
    canvas.paste(label, (canvas.width - label.width, 0))


@lru_cache(maxsize=64)
def _label(size: int) -> Image.Image:
    font = _font(size)
    width = round(font.getlength("EMULATED")) + size
    mask = Image.new("L", (width, round(size * 1.7)))
    ImageDraw.Draw(mask).text((size / 2, size * 0.2), "EMULATED", fill=255, font=font)
    return mask.point(_ink_ramp())
