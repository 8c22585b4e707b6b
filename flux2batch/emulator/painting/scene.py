"""The scene: all that is shape."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from flux2batch.emulator.motifs import motif_of
from flux2batch.emulator.painting.palette import (
    BANDS,
    MOTIF,
    RIDGE,
    RIDGE_SHADES,
    RIDGES,
    SKY,
    SPARK,
    SPARKS,
    SUN,
    SUN_SHADES,
    WATER,
    WATER_SHADES,
)
from flux2batch.emulator.painting.styles import Style

Motif = Callable[[ImageDraw.ImageDraw, float, float, float], None]


@dataclass(frozen=True, slots=True)
class Dice:
    """Chance for each part of the scene by itself, so that more detail in one moves nothing in another."""

    name: str

    def of(self, part: str) -> Random:
        return Random(f"{self.name}/{part}")


def draw_scene(
    scene: Image.Image,
    style: Style,
    dice: Dice,
    *,
    finished: float,
    motif: Motif,
) -> None:
    """Sky, sun, ridges, water and the motif; `finished` is how far the steps have brought it."""
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
        pen.ellipse((x - r, y - r, x + r, y + r), fill=SPARK + rng.randrange(SPARKS))
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
            tone=round(near * (RIDGES - 1)),
            fine=finished,
        )
    if style.water:
        _draw_water(pen, dice.of("water"), width, height, top=height * 0.86, sun_x=sun_x, fine=finished)

    stand = height * (0.84 if style.water else 0.80)
    motif(pen, place * width, stand - scale * 0.8, scale)

    rng = dice.of("noise")
    for _ in range(round(260 * (1 - finished))):  # what is left of the noise
        x, y = rng.randrange(width), rng.randrange(height)
        pen.point((x, y), fill=rng.choice((SKY + 4, SUN, RIDGE + 3, SPARK + 2, RIDGE + 28)))


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
    return SKY + min(max(round((BANDS - 1) * band / max(bands - 1, 1)), 0), BANDS - 1)


def _draw_sun(pen: ImageDraw.ImageDraw, kind: str, x: float, y: float, radius: float) -> None:
    def disc(reach: float, fill: int, aside: float = 0.0) -> None:
        pen.ellipse((x - reach + aside, y - reach, x + reach + aside, y + reach), fill=fill)

    if kind == "halo":
        for ring in range(5, 0, -1):
            disc(radius * (1 + ring * 0.16), SUN + min(ring + 2, SUN_SHADES - 1))
    disc(radius, SUN + (2 if kind == "striped" else 0))
    if kind == "ring":
        disc(radius * 0.74, SUN + 6)
    if kind == "crescent":
        disc(radius * 0.82, SKY + BANDS - 8, aside=radius * 0.36)
    if kind == "striped":
        for stripe in range(5):
            top = y + radius * (-0.05 + stripe * 0.22)
            pen.rectangle((x - radius, top, x + radius, top + radius * (0.04 + stripe * 0.022)), fill=SKY + BANDS - 10)


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
    body = RIDGE + tone * RIDGE_SHADES
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
                            (left, upper, left + wide * 0.1, upper + wide * 0.12), fill=SUN + rng.randrange(4)
                        )
        x += wide


def _draw_water(
    pen: ImageDraw.ImageDraw, rng: Random, width: int, height: int, *, top: float, sun_x: float, fine: float
) -> None:
    for band in range(WATER_SHADES):
        y = top + (height - top) * band / WATER_SHADES
        pen.rectangle((0, y, width, height), fill=WATER + WATER_SHADES - 1 - band)
    for _ in range(8 + round(46 * fine)):
        deep = rng.random()
        y, half = top + (height - top) * deep, width * rng.uniform(0.01, 0.05) * (0.5 + deep)
        x = rng.gauss(sun_x, width * 0.07) if rng.random() < 0.6 else rng.uniform(0, width)
        thick = max(0.5, height * 0.0025 * (0.5 + deep))
        pen.rectangle((x - half, y, x + half, y + thick), fill=SUN + rng.randrange(4))


def motif_for(prompt: str) -> Motif:
    """What the prompt is about, ready to be put in its place."""
    # Words in quotes are to be written on the picture: another headline, or another language, is the same thing still.
    about = re.sub(r'"[^"]*"', "", prompt)
    pick = hashlib.sha256(about.encode("utf-8", "surrogatepass")).digest()[0]
    patches = motif_of(about, otherwise=pick)

    def place(pen: ImageDraw.ImageDraw, x: float, y: float, scale: float) -> None:
        pen.ellipse((x - scale * 0.8, y + scale * 0.78, x + scale * 0.8, y + scale * 0.98), fill=RIDGE + 28)
        for patch in patches:
            points = [(x + px * scale, y + py * scale) for px, py in patch.points]
            fill = MOTIF + patch.shade
            pen.ellipse(points, fill=fill) if patch.round else pen.polygon(points, fill=fill)

    return place
