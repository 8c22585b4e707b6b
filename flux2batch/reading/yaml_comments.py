"""Comments that were meant as text: what stands behind ' #' never arrives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flux2batch.reading.problems import Problem, error, warning
from flux2batch.reading.source import Source

_COMMENT = re.compile(r"[ \t]+(#[^\r\n]*)")
HEX_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})(?![0-9A-Za-z_])")
# '#1', '#sale': a comment that is meant as one has a space after its sign. '# 1' behind a sentence counts as well.
_GLUED = re.compile(r"#[^\s#!=*-]")
_NUMBER = re.compile(r"# ?\d")
_FEW_WORDS = 3
_SHORT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Swallowed:
    """A comment that was meant as text: the problem, and the text that was meant."""

    problem: Problem
    text: str


def swallowed_text(source: Source, text: str, value: Any, end: int) -> Swallowed | None:
    """The problem with the comment behind an unquoted value that ends at `end`, if it looks like part of the value."""
    found = _COMMENT.match(source.text, end)
    if found is None or (text and not isinstance(value, str)):
        return None
    comment, words = found[1], len(text.split())
    where = source.place(found.start(1), found.end(1))
    meant = f"{text} {comment}".strip()
    message, help = "text after ' #' is a comment and is dropped", quoted_help(meant)
    if HEX_COLOUR.match(comment) and words < _FEW_WORDS:
        return Swallowed(problem=error("FB121", message, where=where, help=help), text=meant)
    is_text = _GLUED.match(comment) or (words >= _FEW_WORDS and _NUMBER.match(comment))
    if not text or not is_text:
        return None
    return Swallowed(problem=warning("FB121", message, where=where, help=help), text=meant)


def quoted_help(text: str) -> str:
    """How to write a text so that YAML takes it as it stands."""
    text = text.strip()
    if len(text) > _SHORT or "\\" in text:
        return "put the whole value in quotes"
    if '"' not in text:
        return f'quote it: "{text}"'
    return f"quote it: '{text}'" if "'" not in text else "put the whole value in quotes"
