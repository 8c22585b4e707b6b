"""What is wrong with an input, and where: the one form in which every room reports it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from flux2batch.reading import codes

Severity = Literal["error", "warning"]
Steps = tuple[str | int, ...]
"""The way to a value in a document: ("sweep", "seed", 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stretch of one file. Lines and columns count from 1; columns are characters, not cells of a terminal."""

    file: str  # as the user named it
    line: int
    column: int
    end_line: int
    end_column: int  # one past the last character
    line_text: str | None  # the whole line, for the caret; None where there is no text to show (a cell of a workbook)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A second thing worth knowing, perhaps with its own place ("first at line 1")."""

    text: str
    where: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong. `message` is plain words without a full stop; `help` is the smallest way out."""

    code: str
    severity: Severity
    message: str
    where: Place | None
    steps: Steps  # () where the problem is about the file as a whole
    help: str | None
    notes: tuple[Note, ...]

    @property
    def headline(self) -> str:
        """One line for logs and exceptions: `jobs/a.yaml:5:12: FB204 width must be …`."""
        spot = f"{self.where.file}:{self.where.line}:{self.where.column}: " if self.where else ""
        return f"{spot}{self.code} {self.message}" + (f" ({self.help})" if self.help else "")


def error(
    code: str,
    message: str,
    *,
    where: Place | None,
    steps: Steps = (),
    help: str | None = None,
    notes: Iterable[Note | str] = (),
) -> Problem:
    """A problem that stops the command."""
    return _problem("error", code, message, where, steps, help, notes)


def warning(
    code: str,
    message: str,
    *,
    where: Place | None,
    steps: Steps = (),
    help: str | None = None,
    notes: Iterable[Note | str] = (),
) -> Problem:
    """A problem that is only said, unless --strict."""
    return _problem("warning", code, message, where, steps, help, notes)


def _problem(
    severity: Severity,
    code: str,
    message: str,
    where: Place | None,
    steps: Steps,
    help: str | None,
    notes: Iterable[Note | str],
) -> Problem:
    assert code in codes.ALL, f"BUG: {code} has no entry in reading/codes"
    assert severity == "warning" or not codes.ALL[code].only_warns, f"BUG: {code} is explained as a mere warning"
    return Problem(
        code=code,
        severity=severity,
        message=message,
        where=where,
        steps=steps,
        help=help,
        notes=tuple(Note(text=note, where=None) if isinstance(note, str) else note for note in notes),
    )


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """The problems in the order of the files and their lines, each once."""
    unique = dict.fromkeys(problems)
    return sorted(unique, key=lambda p: (p.where.file, p.where.line, p.where.column) if p.where else ("", 0, 0))


def has_errors(problems: Iterable[Problem], *, strict: bool = False) -> bool:
    """Whether the command must stop."""
    return any(strict or problem.severity == "error" for problem in problems)


_RANK = (8, 7, 6, 5, 4, 3, 1)


def exit_code(problems: Iterable[Problem], *, strict: bool = False) -> int:
    """The exit code that these problems ask for: 0 where there are only warnings."""
    asked = {codes.ALL[p.code].exit_code for p in problems if strict or p.severity == "error"}
    return next((code for code in _RANK if code in asked), min(asked, default=0))
