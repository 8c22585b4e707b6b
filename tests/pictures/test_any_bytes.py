"""Any bytes are a picture or a flaw; whatever is taken for a picture can be described and shown."""

from __future__ import annotations

import random

import pytest
from painting import FORMATS, description, painted, pixels, with_credentials

from flux2batch.pictures.checking import Checked, Flaw, check
from flux2batch.pictures.describing import description_in, embed, without_description


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("seed", range(4))
def test_damaged_bytes_are_answered_and_never_raise(kind: str, seed: int) -> None:
    dice = random.Random(f"{kind} {seed}")
    whole = with_credentials(painted(kind))
    whole = embed(whole, description(), level="full").content if seed % 2 else whole

    for _ in range(60):
        damaged = _damaged(whole, dice)
        description_in(damaged)
        checked = check(damaged, asked_format=kind.split()[0], asked_size=None)
        assert isinstance(checked, (Checked, Flaw))
        if isinstance(checked, Checked):
            _is_usable(checked.content)


def _is_usable(content: bytes) -> None:
    for level in ("full", "minimal"):
        described = embed(content, description(), level=level).content
        assert pixels(described) == pixels(content)
        without_description(described)


def _damaged(content: bytes, dice: random.Random) -> bytes:
    changed = bytearray(content)
    match dice.randrange(4):
        case 0:  # bytes that are not what they were, as a rule near the beginning, where the structure is
            for _ in range(dice.randrange(1, 4)):
                changed[min(int(dice.expovariate(1 / 120)), len(changed) - 1)] = dice.randrange(256)
        case 1:
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        case 2:  # a hole
            start = dice.randrange(len(changed))
            del changed[start : start + dice.randrange(1, 40)]
        case 3:  # something twice
            start = dice.randrange(len(changed))
            changed[start:start] = changed[start : start + dice.randrange(1, 40)]
    return bytes(changed)
