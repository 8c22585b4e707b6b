"""Draw docs/images/emulator-sweeps.webp: what seed, guidance, steps and model do to the emulator's pictures.

python docs/sweeps.py
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from flux2batch.client import Client
from flux2batch.emulator.server import Emulator

TARGET = Path(__file__).parent / "images" / "emulator-sweeps.webp"
PROMPT = "a house on a cliff, color #E4572E, in a #2E86AB dusk"
FLEX: dict[str, Any] = {"model": "bfl/flux-2-flex", "seed": 11, "guidance": 5, "steps": 50}
MODELS = (
    "bfl/flux-2-klein-4b",
    "bfl/flux-2-klein-9b",
    "bfl/flux-2-pro",
    "bfl/flux-2-max",
    "fal/flux-2-flash",
    "fal/flux-2",
)
ROWS: tuple[tuple[str, list[dict[str, Any]]], ...] = (
    ("seed", [{**FLEX, "seed": seed} for seed in (11, 12, 13, 14, 15, 16)]),
    ("guidance", [{**FLEX, "guidance": guidance} for guidance in (1.5, 2.5, 4, 6, 8, 10)]),
    ("steps", [{**FLEX, "steps": steps} for steps in (1, 6, 14, 24, 36, 50)]),
    ("model", [{"model": model, "seed": 11} for model in MODELS]),
)
TILE, LABEL, GAP = 216, 20, 6


def main() -> None:
    with Emulator(active_limit=None) as emulator:
        pictures = draw(emulator)
    each = TILE + GAP
    board = Image.new("RGB", (6 * each + GAP, len(ROWS) * (each + LABEL) + GAP), "white")
    pen, font = ImageDraw.Draw(board), ImageFont.load_default(14)
    for number, (picture, words) in enumerate(pictures):
        left, top = GAP + number % 6 * each, GAP + number // 6 * (each + LABEL)
        pen.text((left, top + 1), words, fill="black", font=font)
        board.paste(picture.resize((TILE, TILE), Image.Resampling.LANCZOS), (left, top + LABEL))
    board.save(TARGET, "WEBP", quality=72, method=6)


def draw(emulator: Emulator) -> list[tuple[Image.Image, str]]:
    """All pictures, each with the words above it."""

    def one(axis: str, wanted: dict[str, Any]) -> tuple[Image.Image, str]:
        model, params = wanted["model"], {name: value for name, value in wanted.items() if name != "model"}
        base_url, key = (
            (emulator.bfl_base_url, emulator.bfl_api_key)
            if model.startswith("bfl/")
            else (emulator.fal_base_url, emulator.fal_key)
        )
        with Client(model, base_url=base_url, api_key=key) as client:
            result = client.generate(PROMPT, size="512x512", output_format="png", **params)
        return result.images[0].pil(), model if axis == "model" else f"{axis} {wanted[axis]}"

    wishes = [(axis, wanted) for axis, row in ROWS for wanted in row]
    with ThreadPoolExecutor(6) as pool:
        return list(pool.map(lambda wish: one(*wish), wishes))


if __name__ == "__main__":
    main()
