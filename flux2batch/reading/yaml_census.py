"""A cheap count before the dear reading: a text that holds far too many values is answered without being read.

PyYAML needs ten microseconds and more for a value. Here values are counted by what must stand between them: a '- ' at
the head of a line, a key, a ',' inside of brackets. Texts in quotes and block scalars are passed over, so that a prompt
full of commas counts for nothing. No pattern is tried twice on the same stretch: what cannot be understood is passed
over.
"""

from __future__ import annotations

import re

_LEAST = 2  # characters that a value needs, its separator included

_BREAK = r"(?:\r\n|\r|\n)"
_LINE_BREAK = re.compile(_BREAK)
_LINE = re.compile(
    rf"(?:[ \t]*+(?:#[^\r\n]*+)?{_BREAK})*+"  # empty lines and comments before it
    r"(?P<indent> *+)(?P<dashes>(?:- ++)*+(?:-(?=[\r\n]))?)"
    r"(?P<key>[^\s#\"'\[\]{},&*!|>%@`-][^:#\r\n]*+:(?:[ \t]++|(?=[\r\n])))?"
    r"(?:[&!][^\s,\[\]{}]*+[ \t]++)*+"  # anchors and tags
    r"(?P<value>[^\r\n]?)"
)
_QUOTED = r"\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"|'[^']*+(?:''[^']*+)*+'"
_QUOTED_VALUE = re.compile(rf"(?:{_QUOTED})(?P<is_key>[ \t]*+:[ \t]++)?", re.DOTALL)
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]{0,2}(?:[ \t]++#[^\r\n]*+|[ \t]*+)(?=[\r\n])")
_IN_BRACKETS = re.compile(
    rf"(?P<mark>[\[\]{{}},])|{_QUOTED}|[\"']++|(?<=[ \t])#[^\r\n]*+|[^\s,\[\]{{}}\"'#][^,\[\]{{}}\r\n#]*+|[\s#]++",
    re.DOTALL,
)


def one_too_many(text: str, bound: int) -> int | None:
    """Where in `text` there are more than `bound` values; None where a reading must tell."""
    return _Census(text, bound).take() if len(text) >= bound * _LEAST else None


class _Census:
    def __init__(self, text: str, bound: int) -> None:
        self._text = text
        self._left = bound

    def take(self) -> int | None:
        at: int | None = 0
        while at is not None and at < len(self._text):
            line = _LINE.match(self._text, at)
            assert line, "BUG: the pattern also matches nothing"
            self._left -= line["dashes"].count("-") + (2 if line["key"] else 0)
            if self._left < 0:
                return line.end("dashes")
            at = self._after(line.start("value"), len(line["indent"]))
            if self._left < 0:
                return at
        return None

    def _after(self, at: int, indent: int) -> int | None:
        """Where the line behind this value begins; inside of brackets, where the count ran out."""
        while (quoted := _QUOTED_VALUE.match(self._text, at)) and quoted["is_key"]:
            at = quoted.end()
        if quoted:
            return self._next_line(quoted.end())
        if self._text.startswith(("[", "{"), at):
            return self._after_brackets(at)
        if header := _BLOCK_HEADER.match(self._text, at):
            return self._after_block(header.end(), indent)
        return self._next_line(at)

    def _after_block(self, at: int, indent: int) -> int | None:
        """Lines that are indented deeper than the one that opened the block, and empty ones, belong to it."""
        lines = re.compile(rf"(?:{_BREAK}(?: {{{indent + 1}}}[^\r\n]*+|[ \t]*+(?=[\r\n]|\Z)))*+")
        inside = lines.match(self._text, at)
        return self._next_line(inside.end() if inside else at)

    def _after_brackets(self, at: int) -> int | None:
        depth = 0
        for found in _IN_BRACKETS.finditer(self._text, at):
            match found["mark"]:
                case "[" | "{":
                    depth += 1
                case "]" | "}":
                    depth -= 1
                case ",":
                    self._left -= 1
            if not depth:
                return self._next_line(found.end())
            if self._left < 0:
                return found.end()
        return None

    def _next_line(self, at: int) -> int | None:
        found = _LINE_BREAK.search(self._text, at)
        return found.end() if found else None
