"""How each model paints: a style by a part of the model's name."""

from __future__ import annotations

from typing import NamedTuple


class Style(NamedTuple):
    """What the model decides of a scene."""

    part: str  # of the model's name
    sky: str  # bands, rings, rays, columns
    bands: int
    sun: str  # disc, striped, ring, crescent, halo
    ridge: str  # waves, peaks, blocks, dunes
    ridges: int
    water: bool
    hue: float  # turns, added to the seed's
    saturation: float
    dusk: float  # how dark the sky is at its top


# The first whose part stands in the name decides.
_STYLES = (
    Style("klein-4b",    "bands",   5,  "disc",     "dunes",  3, False, 0.02, 0.62, 0.18),
    Style("klein",       "bands",   9,  "ring",     "dunes",  4, False, 0.06, 0.78, 0.22),
    Style("flash",       "rays",    12, "disc",     "peaks",  4, False, 0.10, 0.95, 0.20),
    Style("turbo",       "rays",    24, "striped",  "dunes",  4, False, 0.55, 0.95, 0.34),
    Style("max",         "rings",   40, "halo",     "peaks",  7, True,  0.00, 1.00, 0.42),
    Style("flex",        "bands",   28, "striped",  "waves",  5, True,  0.00, 1.00, 0.30),
    Style("pro-preview", "rings",   26, "crescent", "waves",  5, False, 0.08, 0.92, 0.36),
    Style("pro",         "bands",   36, "disc",     "waves",  6, False, 0.00, 0.92, 0.26),
    Style("",            "columns", 30, "ring",     "blocks", 4, True,  0.04, 0.90, 0.45),
)  # fmt: skip


def style_of(model: str) -> Style:
    """The style in which this model paints."""
    return next(style for style in _STYLES if style.part in model)
