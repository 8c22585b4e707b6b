"""What the readers of data files give: rows as they stand in the file, or one mapping, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flux2batch.reading.problems import Note, Place, Problem, error, warning

MAX_BYTES = 32 * 1024 * 1024
MAX_ROWS = 100_000
MAX_COLUMNS = 1_000
MAX_CELL = 65_536
MAX_FAULTS = 50
"""Of one file: whoever has more has one fault that shows in every row."""
_LISTED_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One row as read. A cell that is empty or not written is None."""

    line: int
    cells: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRows:
    """The rows of a table file, under the names of its columns."""

    columns: tuple[str, ...]
    rows: tuple[FileRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMapping:
    """The one mapping of a file that is no table."""

    value: Mapping[str, Any]


class DataFile:
    """A data file that is being read, and its problems so far."""

    def __init__(self, content: bytes, *, path: str, name: str, code: str) -> None:
        self.content = content
        self.path = path  # as written in the job
        self.name = name  # as the user would name it from where the command runs
        self.problems: list[Problem] = []
        self.left_out = 0
        self._code = code
        self._text: str | None = None

    def decoded(self, text: str) -> str:
        """Note the text, so that problems can show its lines."""
        self._text = text
        self.__dict__.pop("_lines", None)
        return text

    def complain(
        self,
        message: str,
        *,
        line: int,
        column: int = 1,
        help: str | None = None,
        code: str | None = None,
        report: Callable[..., Problem] = error,
        note: tuple[str, int] | None = None,
    ) -> None:
        """One thing that is wrong at this line; `note` is a second line worth seeing."""
        if len(self.problems) >= MAX_FAULTS:
            self.left_out += 1
            return
        notes = [Note(text=note[0], where=self.place(note[1]))] if note else []
        self.problems.append(
            report(code or self._code, message, where=self.place(line, column), steps=(), help=help, notes=notes)
        )

    def warn(self, code: str, message: str, *, line: int, column: int = 1, help: str | None = None) -> None:
        """One thing that is worth saying about this line."""
        self.complain(message, line=line, column=column, help=help, code=code, report=warning)

    def place(self, line: int, column: int = 1) -> Place:
        """A place in this file: the rest of the line from the column on."""
        text = self._lines[line - 1] if self._text is not None and 0 < line <= len(self._lines) else None
        end = column + 1 if text is None else max(column + 1, len(text) + 1)
        return Place(file=self.name, line=line, column=column, end_line=line, end_column=end, line_text=text)

    @cached_property
    def _lines(self) -> list[str]:
        return [line.rstrip("\r") for line in (self._text or "").replace("\r\n", "\n").split("\n")]


def and_lines(lines: Sequence[int]) -> str:
    """What a warning about one row says of further rows of which the same is true."""
    if not lines:
        return ""
    listed = ", ".join([*map(str, lines[:_LISTED_LINES]), *["…"] * (len(lines) > _LISTED_LINES)])
    return f"; the same in line {listed}" if len(lines) == 1 else f"; the same in {len(lines):,} lines: {listed}"
