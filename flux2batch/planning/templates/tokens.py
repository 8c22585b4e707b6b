"""Cut a template into tokens that know where they stand, and keep its plain text byte for byte.

Jinja's tokens carry the number of a line. Here they carry one more than the offset of their first character, and so
does everything that Jinja makes of them: the syntax tree, its errors, and the table that leads back from compiled code.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import Lexer, Token, TokenStream

_ENDS = {"variable_begin": "variable_end", "block_begin": "block_end"}


MAX_TOKENS = 2_500
"""More than any tree that is small enough can be read from."""


class TooManyTokens(Exception):
    """The template goes on beyond MAX_TOKENS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One token: text[start:end]. `kind` is Jinja's name for it."""

    start: int
    end: int
    kind: str
    value: str


class Tokens:
    """The tokens of one template, as far as it could be read."""

    def __init__(self, text: str, lexer: Lexer, *, state: str | None) -> None:
        self.text = text
        self.pieces: list[Piece] = []
        self._starts: list[int] = []
        self._lexer = lexer
        self._state = state

    def stream(self) -> TokenStream:
        """The tokens for Jinja's parser."""
        stand_in = _StandIn(self.text, comments=self._state is None)
        tokens = self._lexer.wrap(self._placed(stand_in.text))
        return TokenStream((stand_in.undo(token) for token in tokens), None, None)

    def _placed(self, source: str) -> Iterator[tuple[int, str, str]]:
        end = 0
        for kind, value in self._cut(source):
            # Between two tokens nothing is left out but white space that a "-" took away.
            start = source.index(value, end)
            end = start + len(value)
            if len(self.pieces) > MAX_TOKENS:
                raise TooManyTokens
            if kind != "whitespace":
                self.pieces.append(Piece(start=start, end=end, kind=kind, value=value))
                self._starts.append(start)
            yield start + 1, kind, _escaped(value) if kind == "string" else value

    def _cut(self, source: str) -> Iterator[tuple[str, str]]:
        try:
            for _, kind, value in self._lexer.tokeniter(source, None, None, self._state):
                yield kind, value
        except TemplateSyntaxError as fault:
            # Jinja's lexer counts lines: what it cannot cut stands behind the last token.
            end = self.pieces[-1].end if self.pieces else 0
            rest = source[end:]
            raise TemplateSyntaxError(fault.message or "", end + len(rest) - len(rest.lstrip()) + 1) from None

    def at(self, offset: int) -> Piece | None:
        """The token in which this character stands, or the last one before it."""
        index = bisect_right(self._starts, offset) - 1
        return self.pieces[index] if index >= 0 else None

    def after(self, offset: int) -> Piece | None:
        """The first token behind the one at this character."""
        index = bisect_right(self._starts, offset)
        return self.pieces[index] if index < len(self.pieces) else None

    def tag(self, offset: int) -> tuple[int, int]:
        """What stands between `{{` and `}}` around this character, without the spaces; all where there is no tag."""
        index = max(0, bisect_right(self._starts, offset) - 1)
        first = next((i for i in range(index, -1, -1) if self.pieces[i].kind in _ENDS), None)
        if first is None:
            return 0, len(self.text)
        end_kind = _ENDS[self.pieces[first].kind]
        last = next((piece.start for piece in self.pieces[first + 1 :] if piece.kind == end_kind), len(self.text))
        start = self.pieces[first].end
        inside = self.text[start:last]
        return start + len(inside) - len(inside.lstrip()), last - (len(inside) - len(inside.rstrip()))

    def word(self, name: str, start: int, end: int) -> tuple[int, int] | None:
        """Where this name stands between the two characters."""
        for piece in self.pieces:
            if start <= piece.start < end and name in (piece.value, piece.value[1:-1]):
                return piece.start, piece.end
        return None

    def opened(self, offset: int) -> Piece | None:
        """The `{{` or `{%` before this character."""
        return next((piece for piece in reversed(self.pieces) if piece.start <= offset and piece.kind in _ENDS), None)


# A backslash before a letter that means nothing stays a backslash; Python would warn about it. A pair is skipped whole.
_STRAY_ESCAPE = re.compile(r"(\\[\\'\"abfnrtvxuUN0-7\n])|\\")


def _escaped(value: str) -> str:
    return _STRAY_ESCAPE.sub(lambda match: match[1] or r"\\", value)


_COLOUR = re.compile(r"\{#(?=[0-9A-Fa-f]{3,8}\})")


class _StandIn:
    """A text of the same length in which Jinja finds nothing to change but tags.

    It makes one character of every kind of line end, and takes `{#` for the start of a comment even where none ends, or
    where a colour follows.
    """

    def __init__(self, text: str, *, comments: bool) -> None:
        unused = (chr(code) for code in (*range(0x1C, 0x20), *range(0xE000, 0xE100)) if chr(code) not in text)
        self._carriage_return = next(unused, " ") if "\r" in text else None
        self._hash = None
        if self._carriage_return:
            text = text.replace("\r", self._carriage_return)
        if comments and "{#" in text:
            self._hash = next((c for c in map(chr, range(0xE100, 0xE200)) if c not in text), "#")
            text = _COLOUR.sub("{" + self._hash, text)
            closed = text.rfind("#}") + 2 if "#}" in text else 0
            text = text[:closed] + text[closed:].replace("{#", "{" + self._hash)
        self.text = text

    def undo(self, token: Token) -> Token:
        """The token with its own characters again."""
        if token.type not in ("data", "string"):
            return token
        value = token.value
        if self._carriage_return:
            value = value.replace(self._carriage_return, "\r")
        if self._hash:
            value = value.replace(self._hash, "#")
        return Token(token.lineno, token.type, value)
