"""Draw stand-in pictures in which everything that was asked for can be seen.

Seed decides the composition and the hue, the model the style, guidance the strength of the colours, steps how far
the picture has come out of coarse blocks. The colours that a prompt names are used as named, its words are printed
below, references stand in the picture as cards, and a corner says that nobody should take it for the real thing.

A picture is drawn as indices into a palette of 256 colours: filling shapes then costs next to nothing, and grading
is arithmetic on the palette and not on a million pixels. The same wish gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from flux2batch.emulator.colours import colours_in
from flux2batch.emulator.files import encode
from flux2batch.emulator.painting.cards import Card, lay_cards
from flux2batch.emulator.painting.lettering import mark, panel_height, print_caption
from flux2batch.emulator.painting.palette import INK, SKY, palette_of, pleasant
from flux2batch.emulator.painting.scene import Dice, draw_scene, motif_for
from flux2batch.emulator.painting.styles import style_of

__all__ = ["Card", "Wish", "black_frame", "draw", "paint"]


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


def paint(wish: Wish, media: str) -> bytes:
    """The finished file, as jpeg, png or webp."""
    return encode(draw(wish), media, model=wish.model)


def draw(wish: Wish) -> Image.Image:
    """The picture, with a palette."""
    style = style_of(wish.model)
    dice = Dice(f"{wish.seed}/{wish.frame}")
    hue = pleasant(dice.of("hue").random() + style.hue)
    named = colours_in(wish.prompt)
    finished = 1.0 if wish.steps is None else min(wish.steps / wish.most_steps, 1.0)
    panel = panel_height(wish.width, wish.height)

    # The scene is drawn small where few steps were taken, and comes out in blocks.
    block = max(1.0, max(wish.width, wish.height) * 0.034 * (1 - finished) ** 1.6)
    size = max(8, round(wish.width / block)), max(8, round((wish.height - panel) / block))
    scene = Image.new("L", size, SKY)
    draw_scene(scene, style, dice, finished=finished, motif=motif_for(wish.prompt))
    canvas = Image.new("L", (wish.width, wish.height), INK)
    canvas.paste(scene.resize((wish.width, wish.height - panel), Image.Resampling.NEAREST), (0, 0))

    palette = palette_of(style, hue, dice.of("turn").choice((-0.11, 0.11)), named, wish.guidance)
    lay_cards(canvas, palette, wish.cards, top=wish.height - panel)
    print_caption(canvas, wish.prompt, wish.caption, panel=panel, swatches=len(named))
    mark(canvas)
    canvas.putpalette(palette)
    return canvas


def black_frame(width: int, height: int) -> Image.Image:
    """What fal hands out for a picture that its checker flagged."""
    return Image.new("RGB", (width, height))
