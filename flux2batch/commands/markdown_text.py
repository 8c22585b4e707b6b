"""Text from outside in a page of Markdown, where it is no cell, no tag, no link and no name of a person."""

from __future__ import annotations

from flux2batch.safe_text import safe_line


def escaped(text: str) -> str:
    """The text as itself, whatever it looks like."""
    kept = safe_line(text)
    for character in "\\`*_{}[]<>|#@!":
        kept = kept.replace(character, f"&#{ord(character)};" if character in "<>|@" else f"\\{character}")
    return kept
