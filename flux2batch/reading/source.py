"""A text and its lines: character offsets become places."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from flux2batch.reading.problems import Place

# YAML 1.2 knows these three line breaks and no others; str.splitlines would also break at U+2028, U+0085 and more.
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The text of one file, without its byte order mark, and the name its user knows it by."""

    name: str
    text: str
    _starts: list[int] = field(repr=False, compare=False)
    # A file may be one line of a megabyte with hundreds of problems: its places share one copy of that line.
    _lines: dict[int, str] = field(repr=False, compare=False)

    def place(self, start: int, end: int) -> Place:
        """The place of the characters from start up to, not including, end; zero characters are a place as well."""
        line, column = self.position(start)
        end_line, end_column = self.position(max(start, end))
        return Place(
            file=self.name,
            line=line,
            column=column,
            end_line=end_line,
            end_column=end_column,
            line_text=self.line_text(line),
        )

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a character, both from 1."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line_text(self, line: int) -> str:
        """The whole line without its break."""
        if line not in self._lines:
            start, end = self.line_span(line)
            self._lines[line] = self.text[start:end]
        return self._lines[line]

    def line_span(self, line: int) -> tuple[int, int]:
        """Where a line starts and ends, its break not included."""
        start = self._starts[line - 1]
        found = _LINE_BREAK.search(self.text, start)
        return start, found.start() if found else len(self.text)


def source_of(text: str, *, name: str) -> Source:
    """A source with its lines found."""
    starts = [0, *(found.end() for found in _LINE_BREAK.finditer(text))]
    return Source(name=name, text=text, _starts=starts, _lines={})
