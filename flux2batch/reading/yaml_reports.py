"""The problems of one reading: gathered, bounded, and silent inside of what is already reported as a whole."""

from __future__ import annotations

from collections.abc import Iterable

from flux2batch.reading.problems import Note, Problem, Steps, error, warning
from flux2batch.reading.source import Source

_MAX = 200  # more than are ever shown; a file of a megabyte could have a hundred thousand


class Reports:
    """Problems by offsets into one source; `steps` is where the reader is now."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.steps: Steps = ()
        self._silences = 0

    def error(self, code: str, message: str, start: int, end: int, *, help: str, notes: Iterable[Note] = ()) -> None:
        """An error at start..end."""
        if self.is_open:
            where = self.source.place(start, end)
            self.problems.append(error(code, message, where=where, steps=self.steps, help=help, notes=notes))

    def warning(self, code: str, message: str, start: int, end: int, *, help: str) -> None:
        """A warning at start..end."""
        if self.is_open:
            where = self.source.place(start, end)
            self.problems.append(warning(code, message, where=where, steps=self.steps, help=help))

    def add(self, problem: Problem | None) -> None:
        """A problem that somebody else made."""
        if problem and self.is_open:
            self.problems.append(problem)

    @property
    def is_open(self) -> bool:
        """Whether more is wanted: nothing is, inside of what is reported as a whole or after too many."""
        return not self._silences and len(self.problems) < _MAX

    def silence(self) -> None:
        """Take nothing until the matching `speak`."""
        self._silences += 1

    def speak(self) -> None:
        """Undo one `silence`."""
        self._silences -= 1

    def speak_up(self) -> None:
        """Undo every `silence`: the reading ended."""
        self._silences = 0


def short(text: str) -> str:
    """A text of the file, cut to fit into a message."""
    return text if len(text) <= 40 else f"{text[:39]}…"
