"""The palette: all that is colour, and where each colour lives among the 256."""

from __future__ import annotations

from collections.abc import Sequence

from flux2batch.emulator.colours import Rgb, from_hls, mix, to_hls
from flux2batch.emulator.painting.styles import Style

SKY, BANDS = 0, 48
SUN, SUN_SHADES = 48, 8
RIDGE, RIDGES, RIDGE_SHADES = 56, 8, 4
MOTIF, MOTIF_SHADES = 88, 4
WATER, WATER_SHADES = 92, 8
SPARK, SPARKS = 100, 8
INK, INKS = 108, 16
FRAME, SHADOW = 124, 125
SWATCH, SWATCHES = 126, 4
CARDS, CARD_COLOURS = 130, 126


def palette_of(style: Style, hue: float, turning: float, named: Sequence[Rgb], guidance: float | None) -> bytearray:
    """The 256 colours, three bytes each, of one picture."""
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
    for band in range(BANDS):
        colours[SKY + band] = sky[round(band * (style.bands - 1) / (BANDS - 1))]
    for shade in range(SUN_SHADES):
        colours[SUN + shade] = tone(sky_hue + turning * (1 + shade * 0.1), 0.97 - shade * 0.035, 0.95)
    for ridge in range(RIDGES):
        near = ridge / (RIDGES - 1)
        for shade in range(RIDGE_SHADES):
            lightness = 0.66 - 0.46 * near + shade * 0.045
            turn = sky_hue + turning + _way(sky_hue + turning, land_hue) * near
            colours[RIDGE + ridge * RIDGE_SHADES + shade] = tone(turn, lightness, land_full * (0.55 + 0.45 * near))
    for shade, share in enumerate((-0.45, 0.0, 0.34, 0.78)):
        end = (255, 255, 255) if share > 0 else (12, 12, 20)
        colours[MOTIF + shade] = mix(subject, end, abs(share))
    for shade in range(WATER_SHADES):
        colours[WATER + shade] = tone(sky_hue + 0.03, 0.30 + shade * 0.055, sky_full * 0.9)
    for spark in range(SPARKS):
        colours[SPARK + spark] = graded(named[spark % len(named)], 0.8) if named else tone(hue + 0.1 * spark, 0.88, 0.8)
    paper, ink = from_hls(hue + 0.6, 0.105, 0.18), (246, 244, 238)
    for shade in range(INKS):
        colours[INK + shade] = mix(paper, ink, shade / (INKS - 1))
    colours[FRAME], colours[SHADOW] = (250, 250, 247), mix(paper, (0, 0, 0), 0.3)
    for number, colour in enumerate(named[:SWATCHES]):
        colours[SWATCH + number] = colour
    return bytearray(value for colour in colours for value in colour)


def pleasant(turn: float) -> float:
    """A hue for a sky: the circle without its greens, which no evening has."""
    shrunk = turn % 1 * 0.76
    return shrunk if shrunk < 0.17 else shrunk + 0.24


def _way(start: float, end: float) -> float:
    """The shorter way around the circle of hues."""
    return (end - start + 0.5) % 1 - 0.5
