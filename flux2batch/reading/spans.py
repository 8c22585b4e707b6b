"""How YAML writes a text: each way of writing it decoded into pieces that know where they came from.

One decoder serves both the scanner, which wants the text, and `Document.inside`, which wants the place of one of its
characters, so the two cannot disagree.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

Style = Literal["plain", "single", "double", "literal", "folded"]


class Piece(NamedTuple):
    """Some characters of a value and the stretch of source they were written as.

    Where both are equally long they are the same characters one by one; an escape, a doubled quote or a folded line
    break is one piece of its own, all of which stands for all of it.
    """

    text: str
    offset: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockText:
    """A block scalar: its pieces, where its last written character ends, and where the next line begins."""

    pieces: list[Piece]
    end: int
    after: int


def text_of(pieces: Iterable[Piece]) -> str:
    """The value that the pieces make."""
    return "".join(piece.text for piece in pieces)


class Spans:
    """From characters of a value to characters of the source, for as many questions as one likes."""

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = pieces
        self._ends = list(accumulate(len(piece.text) for piece in pieces))

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Where characters start..end of the value stand; None where there are no such characters."""
        length = self._ends[-1] if self._ends else 0
        if not 0 <= start <= end <= length or not self._pieces:
            return None
        if start == length:
            last = self._pieces[-1]
            return last.offset + last.width, last.offset + last.width
        first, _ = self._character(start)
        return first, first if start == end else self._character(end - 1)[1]

    def _character(self, at: int) -> tuple[int, int]:
        number = bisect_right(self._ends, at)
        piece = self._pieces[number]
        if len(piece.text) != piece.width:
            return piece.offset, piece.offset + piece.width
        offset = piece.offset + at - (self._ends[number] - len(piece.text))
        return offset, offset + 1


# --- plain and quoted -------------------------------------------------------------------------------------------

_FOLD = r"[ \t]*+(?:\r\n|\r|\n)(?:[ \t]*+(?:\r\n|\r|\n))*+[ \t]*+"
_WORDS = r"[^{stops} \t\r\n]++(?:[ \t]++[^{stops} \t\r\n]++)*+|[ \t]++"
_BREAK = re.compile(r"\r\n|\r|\n")

_PLAIN = re.compile(rf"(?P<fold>{_FOLD})|{_WORDS.format(stops='')}")
_SINGLE = re.compile(rf"(?P<fold>{_FOLD})|(?P<quote>'')|{_WORDS.format(stops=chr(39))}")
_DOUBLE = re.compile(
    rf"(?P<fold>{_FOLD})"
    r"|\\(?P<join>(?:\r\n|\r|\n)(?:[ \t]*+(?:\r\n|\r|\n))*+[ \t]*+)"
    r"|\\x(?P<hex2>[0-9a-fA-F]{2})|\\u(?P<hex4>[0-9a-fA-F]{4})|\\U(?P<hex8>[0-9a-fA-F]{8})"
    r"|\\(?P<letter>[0abt\tnvfre \"/\\N_LP])"
    r"|(?P<unknown>\\[xuU]?)"
    rf"|{_WORDS.format(stops=chr(92) * 2)}"
)
_LETTERS = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "\t": "\t",
    "n": "\n",
    "v": "\v",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    " ": " ",
    '"': '"',
    "/": "/",
    "\\": "\\",
    "N": "\x85",
    "_": "\xa0",
    "L": "\u2028",
    "P": "\u2029",
}


def plain_pieces(text: str, start: int, end: int) -> list[Piece]:
    """An unquoted scalar that stands from start to end."""
    return list(_pieces(_PLAIN, text, start, end))


def single_pieces(text: str, start: int, end: int) -> list[Piece]:
    """What stands between the quotes of a 'single-quoted' scalar; start and end are inside of them."""
    return list(_pieces(_SINGLE, text, start, end))


def double_pieces(text: str, start: int, end: int) -> list[Piece]:
    """What stands between the quotes of a "double-quoted" scalar; an escape that YAML does not know stays as it is."""
    return list(_pieces(_DOUBLE, text, start, end))


def unknown_escapes(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where, between the quotes of a "double-quoted" scalar, a backslash begins nothing that YAML knows."""
    for found in _DOUBLE.finditer(text, start, end):
        code = found["hex8"]
        if found["unknown"]:
            yield found.start(), min(found.start() + 2, end)
        elif code and int(code, 16) > 0x10FFFF:
            yield found.span()


def _pieces(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[Piece]:
    for found in pattern.finditer(text, start, end):
        offset, width = found.start(), found.end() - found.start()
        match found.lastgroup:
            case None | "unknown":
                yield Piece(found[0], offset, width)
            case "fold":
                yield from _folded(text, offset, found.end())
            case "join":
                yield from _joined(text, offset, found.end())
            case "quote":
                yield Piece("'", offset, width)
            case "letter":
                yield Piece(_LETTERS[found["letter"]], offset, width)
            case group:
                code = int(found[group], 16)
                yield Piece(chr(code) if code <= 0x10FFFF else found[0], offset, width)


def _folded(text: str, start: int, end: int) -> Iterator[Piece]:
    """One line break is a space; of several, all but the first stay."""
    breaks = [found.span() for found in _BREAK.finditer(text, start, end)]
    if len(breaks) == 1:
        yield Piece(" ", breaks[0][0], breaks[0][1] - breaks[0][0])
        return
    for first, last in breaks[1:]:
        yield Piece("\n", first, last - first)


def _joined(text: str, start: int, end: int) -> Iterator[Piece]:
    """A break behind a backslash vanishes; further ones stay."""
    for first, last in [found.span() for found in _BREAK.finditer(text, start, end)][1:]:
        yield Piece("\n", first, last - first)


# --- block scalars ----------------------------------------------------------------------------------------------

BLOCK_HEADER = re.compile(r"[|>](?:(?P<keep>[+-])(?P<width>[1-9])?|(?P<width2>[1-9])(?P<keep2>[+-])?)?"
                          r"(?:[ \t]+#[^\r\n\0]*|[ \t]*)(?P<end>\r\n|\r|\n|\0|\Z)")  # fmt: skip
_BLOCK_LINE = re.compile(r"(?P<indent> *+)(?P<words>[^\r\n\0]*+)(?P<end>\r\n|\r|\n|)")


def block_text(text: str, start: int, parent_indent: int) -> BlockText | None:
    """A | or > scalar whose indicator stands at start, inside a block indented by parent_indent (-1 at the top).

    None where its header is none.
    """
    header = BLOCK_HEADER.match(text, start)
    if header is None:
        return None
    at_least = max(parent_indent + 1, 1)
    width = header["width"] or header["width2"]
    first = header.end() if header["end"] != "\0" else header.end() - 1
    indent = at_least + int(width) - 1 if width else max(at_least, _first_indent(text, first))
    reader = _BlockReader(text, indent, folds=text[start] == ">", begins_with_words=width is None)
    after = reader.read(first)
    keep = header["keep"] or header["keep2"] or ""
    return BlockText(pieces=reader.chomped(keep), end=reader.end or header.start("end"), after=after)


def _first_indent(text: str, at: int) -> int:
    for found in _BLOCK_LINE.finditer(text, at):
        if found["words"] or not found["end"]:
            return len(found["indent"]) if found["words"] else 0
    return 0


class _BlockReader:
    """Gathers the lines of one block scalar."""

    def __init__(self, text: str, indent: int, *, folds: bool, begins_with_words: bool) -> None:
        self._text = text
        self._indent = indent
        self._folds = folds
        self._has_begun = not begins_with_words  # else blank lines before the first words are empty, however long
        self._pieces: list[Piece] = []
        self._last_break: Piece | None = None
        self._blank: list[Piece] = []  # breaks of empty lines since the last line with words
        self._last_indented = False  # a line that begins with white space keeps its breaks
        self.end = 0

    def read(self, at: int) -> int:
        """Take lines for as long as they belong; where the first that does not begins."""
        for found in _BLOCK_LINE.finditer(self._text, at):
            depth = len(found["indent"])
            is_content = (depth > self._indent and self._has_begun) or bool(found["words"])
            if found["words"] and depth < self._indent:
                return found.start()
            if is_content:
                self._take(found)
            elif found["end"]:
                self._blank.append(Piece("\n", found.start("end"), len(found["end"])))
            if not found["end"]:
                return found.end()
        return len(self._text)

    def _take(self, found: re.Match[str]) -> None:
        self._has_begun = True
        start, end = found.start() + self._indent, found.end("words")
        indented = self._text[start] in " \t"
        self._join(indented)
        self._pieces.append(Piece(self._text[start:end], start, end - start))
        self._last_break = Piece("\n", end, len(found["end"])) if found["end"] else None
        self._last_indented = indented
        self.end = end

    def _join(self, indented: bool) -> None:
        line_break = self._last_break
        if line_break:
            if not self._folds or self._last_indented or indented:
                self._pieces.append(line_break)
            elif not self._blank:
                self._pieces.append(line_break._replace(text=" "))
        self._pieces += self._blank
        self._blank = []

    def chomped(self, keep: str) -> list[Piece]:
        """The pieces with the tail that the indicator asks for: - none, + all, else one break."""
        tail = [self._last_break] if self._last_break and keep != "-" else []
        return [*self._pieces, *tail, *(self._blank if keep == "+" else [])]
