"""How much room a text takes on a terminal, where a Chinese character is as wide as two Latin ones."""

from __future__ import annotations


def cells(text: str) -> int:
    """How many cells of a terminal the text takes."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # only where it is needed: it takes as long to import as the rest of start-up

    return max(0, wcswidth(text))


def shortened(text: str, width: int) -> str:
    """The text, cut with … where it takes more cells than there are."""
    if cells(text) <= width:
        return text
    taken, kept = 1, []
    for character in text:
        taken += cells(character)
        if taken > width:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"
