"""Small silhouettes for the things that prompts are usually about, for stand-in pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Patch:
    """A polygon, or an ellipse in the box of two points; -1 to 1, y downwards, shade from 0 dark to 3 light."""

    shade: int
    points: tuple[Point, ...]
    round: bool = False


def _disc(shade: int, x: float, y: float, rx: float, ry: float | None = None) -> Patch:
    ry = rx if ry is None else ry
    return Patch(shade, ((x - rx, y - ry), (x + rx, y + ry)), round=True)


def _box(shade: int, x0: float, y0: float, x1: float, y1: float) -> Patch:
    return Patch(shade, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


def _shape(shade: int, *points: Point) -> Patch:
    return Patch(shade, points)


MOTIFS: dict[str, tuple[Patch, ...]] = {
    "boat": (
        _shape(1, (-0.9, 0.25), (0.9, 0.25), (0.55, 0.75), (-0.55, 0.75)),
        _shape(3, (-0.05, -0.9), (-0.05, 0.2), (-0.75, 0.2)),
        _shape(2, (0.05, -0.7), (0.7, 0.2), (0.05, 0.2)),
    ),
    "bottle": (
        _box(0, -0.14, -0.98, 0.14, -0.8),
        _shape(
            1,
            (-0.12, -0.8),
            (0.12, -0.8),
            (0.12, -0.45),
            (0.38, -0.15),
            (0.38, 0.95),
            (-0.38, 0.95),
            (-0.38, -0.15),
            (-0.12, -0.45),
        ),
        _box(3, -0.38, 0.1, 0.38, 0.6),
        _box(2, -0.26, -0.1, -0.16, 0.05),
    ),
    "cup": (
        _disc(0, 0.55, 0.05, 0.38, 0.36),
        _disc(3, 0.55, 0.05, 0.22, 0.2),
        _shape(1, (-0.65, -0.4), (0.6, -0.4), (0.42, 0.7), (-0.47, 0.7)),
        _disc(2, -0.02, -0.4, 0.63, 0.14),
        _disc(0, -0.02, -0.4, 0.5, 0.09),
    ),
    "bird": (
        _disc(1, 0, 0.1, 0.55, 0.36),
        _disc(1, 0.5, -0.22, 0.26),
        _shape(3, (0.7, -0.28), (1.0, -0.16), (0.7, -0.08)),
        _shape(0, (-0.45, 0.1), (-1.0, -0.1), (-0.95, 0.25)),
        _shape(2, (-0.3, 0.0), (0.25, 0.0), (-0.15, 0.4), (-0.5, 0.3)),
        _disc(3, 0.56, -0.28, 0.05),
    ),
    "cat": (
        _disc(1, 0, 0.45, 0.5, 0.55),
        _disc(1, 0, -0.3, 0.4, 0.36),
        _shape(1, (-0.38, -0.4), (-0.34, -0.92), (-0.06, -0.58)),
        _shape(1, (0.38, -0.4), (0.34, -0.92), (0.06, -0.58)),
        _shape(2, (-0.3, -0.55), (-0.28, -0.8), (-0.14, -0.6)),
        _shape(2, (0.3, -0.55), (0.28, -0.8), (0.14, -0.6)),
        _disc(3, -0.15, -0.34, 0.07, 0.09),
        _disc(3, 0.15, -0.34, 0.07, 0.09),
        _shape(0, (-0.06, -0.2), (0.06, -0.2), (0, -0.12)),
        _disc(2, 0, 0.6, 0.26, 0.32),
    ),
    "fox": (
        _shape(1, (-0.85, -0.75), (-0.25, -0.4), (0.25, -0.4), (0.85, -0.75), (0.7, 0.05), (0, 0.85), (-0.7, 0.05)),
        _shape(3, (-0.68, 0.05), (-0.18, 0.1), (0, 0.82)),
        _shape(3, (0.68, 0.05), (0.18, 0.1), (0, 0.82)),
        _shape(0, (-0.75, -0.6), (-0.45, -0.4), (-0.68, -0.2)),
        _shape(0, (0.75, -0.6), (0.45, -0.4), (0.68, -0.2)),
        _disc(0, -0.28, 0.0, 0.07),
        _disc(0, 0.28, 0.0, 0.07),
        _disc(0, 0, 0.78, 0.1),
    ),
    "fish": (
        _disc(1, -0.1, 0, 0.65, 0.4),
        _shape(2, (0.4, 0), (0.95, -0.45), (0.95, 0.45)),
        _shape(0, (-0.1, -0.35), (0.3, -0.65), (0.25, -0.3)),
        _disc(3, -0.45, -0.1, 0.09),
        _disc(0, -0.45, -0.1, 0.04),
    ),
    "flower": (
        _box(0, -0.04, 0.1, 0.04, 1.0),
        _shape(0, (0.02, 0.75), (0.45, 0.4), (0.35, 0.75)),
        *(
            _disc(shade, x, y - 0.3, 0.3)
            for shade, x, y in ((1, 0, -0.38), (2, 0.36, -0.12), (1, 0.23, 0.3), (2, -0.23, 0.3), (2, -0.36, -0.12))
        ),
        _disc(3, 0, -0.3, 0.2),
    ),
    "house": (
        _box(1, -0.6, -0.1, 0.6, 0.8),
        _shape(0, (-0.78, -0.1), (0, -0.8), (0.78, -0.1)),
        _box(2, -0.15, 0.3, 0.15, 0.8),
        _box(3, -0.48, 0.1, -0.26, 0.35),
        _box(3, 0.26, 0.1, 0.48, 0.35),
    ),
    "tree": (
        _box(0, -0.1, 0.2, 0.1, 0.95),
        _disc(1, 0, -0.25, 0.58, 0.6),
        _disc(2, -0.2, -0.4, 0.32),
        _disc(3, -0.28, -0.5, 0.13),
    ),
    "clock": (
        _disc(0, 0, 0, 0.85),
        _disc(3, 0, 0, 0.7),
        _shape(1, (-0.05, 0.05), (-0.03, -0.55), (0.03, -0.55), (0.05, 0.05)),
        _shape(1, (0, -0.05), (0.45, 0.2), (0.42, 0.27), (-0.03, 0.06)),
        _disc(2, 0, 0, 0.08),
    ),
    "car": (
        _shape(2, (-0.5, 0.05), (-0.28, -0.35), (0.3, -0.35), (0.55, 0.05)),
        _shape(1, (-0.95, 0.05), (0.85, 0.05), (0.98, 0.45), (-0.95, 0.45)),
        _shape(3, (-0.35, 0.02), (-0.22, -0.25), (-0.02, -0.25), (-0.02, 0.02)),
        _disc(0, -0.5, 0.48, 0.22),
        _disc(0, 0.52, 0.48, 0.22),
        _disc(3, -0.5, 0.48, 0.08),
        _disc(3, 0.52, 0.48, 0.08),
    ),
    "shoe": (
        _shape(1, (-0.9, -0.5), (-0.3, -0.5), (0.05, -0.05), (0.8, 0.12), (0.95, 0.4), (-0.9, 0.4)),
        _box(3, -0.92, 0.4, 0.96, 0.56),
        _shape(2, (-0.2, -0.3), (0.05, -0.05), (-0.05, 0.05), (-0.32, -0.2)),
        _box(0, -0.9, -0.5, -0.3, -0.38),
    ),
    "person": (
        _disc(2, 0, -0.65, 0.27),
        _shape(1, (-0.42, -0.3), (0.42, -0.3), (0.55, 0.95), (-0.55, 0.95)),
        _shape(3, (-0.12, -0.36), (0.12, -0.36), (0, 0.1)),
        _disc(0, 0, -0.78, 0.28, 0.16),
    ),
    "robot": (
        _box(0, -0.03, -0.95, 0.03, -0.7),
        _box(1, -0.45, -0.7, 0.45, -0.1),
        _disc(3, -0.2, -0.42, 0.11),
        _disc(3, 0.2, -0.42, 0.11),
        _box(2, -0.55, -0.02, 0.55, 0.8),
        _box(0, -0.25, 0.2, 0.25, 0.5),
        _disc(3, 0, -0.95, 0.08),
    ),
    "book": (
        _shape(1, (-0.9, -0.45), (0, -0.25), (0, 0.6), (-0.9, 0.4)),
        _shape(0, (0.9, -0.45), (0, -0.25), (0, 0.6), (0.9, 0.4)),
        _shape(3, (-0.78, -0.36), (-0.06, -0.2), (-0.06, 0.45), (-0.78, 0.28)),
        _shape(3, (0.78, -0.36), (0.06, -0.2), (0.06, 0.45), (0.78, 0.28)),
    ),
    "gem": (
        _shape(1, (-0.8, -0.2), (0, 0.9), (0.8, -0.2)),
        _shape(2, (-0.8, -0.2), (-0.45, -0.65), (0.45, -0.65), (0.8, -0.2)),
        _shape(3, (-0.3, -0.2), (0, -0.65), (0.3, -0.2)),
        _shape(0, (0.3, -0.2), (0.8, -0.2), (0, 0.9)),
    ),
    "arch": (
        _disc(1, 0, -0.1, 0.7, 0.75),
        _box(1, -0.7, -0.1, 0.7, 0.9),
        _disc(3, 0, 0.1, 0.42, 0.5),
        _box(3, -0.42, 0.1, 0.42, 0.9),
        _disc(2, 0.0, 0.62, 0.24),
    ),
    "stones": (
        _disc(0, 0, 0.7, 0.75, 0.25),
        _disc(1, 0.05, 0.3, 0.58, 0.22),
        _disc(2, -0.05, -0.05, 0.42, 0.18),
        _disc(3, 0.03, -0.33, 0.28, 0.13),
    ),
    "orb": (
        _disc(0, 0, 0, 0.8),
        _disc(1, -0.06, -0.06, 0.7),
        _disc(2, -0.14, -0.14, 0.5),
        _disc(3, -0.26, -0.28, 0.2),
    ),
}

_WORDS = {
    "bottle": "bottle perfume wine flask serum lotion jar vase shampoo",
    "boat": "boat ship sail sailing yacht paper sea ocean harbour harbor",
    "cup": "cup mug coffee tea espresso bowl teapot",
    "bird": "bird sparrow owl eagle parrot robin duck penguin hummingbird",
    "cat": "cat kitten tiger lion leopard",
    "fox": "fox dog wolf puppy bear",
    "fish": "fish whale shark koi dolphin",
    "flower": "flower rose tulip orchid bouquet garden sunflower lotus",
    "house": "house cabin cottage villa barn hut home lighthouse",
    "tree": "tree forest oak pine woods bonsai",
    "clock": "clock watch time dial",
    "car": "car automobile truck van taxi bus convertible",
    "shoe": "shoe sneaker shoes sneakers boot boots trainer",
    "person": "person woman man portrait girl boy model dancer anna ben face",
    "robot": "robot android machine cyborg",
    "book": "book poster magazine menu card label",
    "gem": "gem ring diamond crystal jewel jewellery necklace emerald",
}
_MOTIF_OF = {word: motif for motif, words in _WORDS.items() for word in words.split()}
_ABSTRACT = ("arch", "stones", "orb", "gem")


def motif_of(prompt: str, *, otherwise: int) -> tuple[Patch, ...]:
    """The silhouette for the first thing that a prompt names, or one of the abstract ones."""
    for word in re.findall(r"[a-z]+", prompt.lower()):
        motif = _MOTIF_OF.get(word) or _MOTIF_OF.get(word.removesuffix("s"))
        if motif is not None:
            return MOTIFS[motif]
    return MOTIFS[_ABSTRACT[otherwise % len(_ABSTRACT)]]
