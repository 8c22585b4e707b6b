"""Characters that make a text look different from what it is: zero width, and direction changes."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from flux2batch.reading.problems import Problem, error, warning
from flux2batch.reading.source import Source

# Soft hyphen, grapheme joiner, the Arabic letter mark, Hangul and Mongolian fillers, zero-width characters, marks,
# embeddings, overrides and isolates of direction, line and paragraph separators, the word joiner and its kin, the byte
# order mark inside a text, interlinear marks, and the invisible copies of ASCII.
HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_JOINERS = "\u200c\u200d"
_FLAG = "\U0001f3f4"  # Wales, Scotland and England are this flag and then invisible letters
_MAX = 50


def hidden_characters(source: Source, keys: Sequence[tuple[int, int]]) -> Iterator[Problem]:
    """A warning for each hidden character, an error where it stands in a key; `keys` are spans in order."""
    starts = [start for start, _ in keys]
    seen: set[tuple[int, str]] = set()
    for found in HIDDEN.finditer(source.text):
        at = found.start()
        line, _ = source.position(at)
        if (line, found[0]) in seen or is_ordinary(source.text, at):
            continue
        seen.add((line, found[0]))
        number = bisect_right(starts, at) - 1
        in_key = number >= 0 and at < keys[number][1]
        yield _problem(source, at, in_key=in_key)
        if len(seen) >= _MAX:
            return


def hidden_name(character: str) -> str:
    """'U+202E RIGHT-TO-LEFT OVERRIDE'."""
    return f"U+{ord(character):04X} {unicodedata.name(character, 'INVISIBLE CHARACTER')}"


def _problem(source: Source, at: int, *, in_key: bool) -> Problem:
    character = source.text[at]
    where = source.place(at, at + 1)
    message = f"{hidden_name(character)} cannot be seen"
    if in_key:
        return error("FB120", f"{message} and stands in a key", where=where, help="delete it")
    escape = f"\\u{ord(character):04X}" if ord(character) < 0x10000 else f"\\U{ord(character):08X}"
    return warning("FB120", message, where=where, help=f"delete it, or write it as {escape} in double quotes")


def is_ordinary(text: str, at: int) -> bool:
    """Whether it does honest work here: joins emoji or letters of scripts that need it, or makes a flag."""
    if text[at] in _JOINERS:
        neighbours = text[at - 1 : at], text[at + 1 : at + 2]
        return all(n > "\x7f" and not HIDDEN.match(n) for n in neighbours)
    if text[at] >= "\U000e0020":
        before = text[max(0, at - 8) : at].rstrip("".join(map(chr, range(0xE0020, 0xE0080))))
        return before.endswith(_FLAG)
    return False
