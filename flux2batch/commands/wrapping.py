"""Break a line that is wider than the terminal between words, where the terminal itself would break within them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from flux2batch.text_width import cells

_Style = TypeVar("_Style")
_Piece = tuple[str, _Style]

_WORDS = re.compile(r" +|[^ ]+")
_COMMAND = re.compile(r"\bflux2batch [a-z]")
_GAP = 2  # blanks that part one thing from the next; a single one may stand within a command


def broken(parts: Sequence[_Piece[_Style]], width: int) -> Iterator[list[_Piece[_Style]]]:
    """The line as one or more, each no wider than `width` where its words allow it; the further ones are indented.

    A line with a command is broken only where a gap parts the command from a remark, so that it can still be copied.
    """
    text = "".join(part for part, _ in parts)
    if cells(text) <= width:
        yield list(parts)
        return
    gap = _GAP if _COMMAND.search(text) else 1
    indent = " " * (len(text) - len(text.lstrip(" ")) + 2)
    line: list[_Piece[_Style]] = []
    used = 0
    for chunk in _chunks(parts, gap):
        blanks, length = _leading(chunk), sum(cells(word) for word, _ in chunk)
        if line and used > len(indent) and used + length > width and blanks:
            yield line
            line, used = [(indent, chunk[0][1])], len(indent)
            chunk, length = chunk[1:], length - blanks
        line += chunk
        used += length
    yield line


def _chunks(parts: Iterable[_Piece[_Style]], gap: int) -> Iterator[list[_Piece[_Style]]]:
    """What must stay on one line: each begins with the blanks at which the line may be broken before it."""
    chunk: list[_Piece[_Style]] = []
    for text, style in parts:
        for word in _WORDS.findall(text):
            if word.isspace() and len(word) >= gap and chunk:
                yield chunk
                chunk = []
            chunk.append((word, style))
    if chunk:
        yield chunk


def _leading(chunk: Sequence[_Piece[_Style]]) -> int:
    first = chunk[0][0]
    return len(first) if first.isspace() else 0
