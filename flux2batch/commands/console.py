"""What commands print: streams, colour, width, tables, and how problems end a command.

Data goes to stdout, everything else to stderr. Every text passes `safe_line()` here, at the sink, so that it can bring
neither escapes of its own nor a line that looks like ours; colour is added after it: hand over
`styled("done", "green")`, never a painted string.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TextIO

import click

from flux2batch.commands.wrapping import broken
from flux2batch.safe_text import legible, safe, safe_json, safe_line
from flux2batch.text_width import cells, shortened

if TYPE_CHECKING:
    from flux2batch.reading.problems import Problem
    from flux2batch.reading.rendering import Format

Style = Literal["bold", "dim", "red", "green", "yellow", "blue", "cyan"]
Choice = Literal["auto", "always", "never"]

_SGR: Mapping[Style, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
}
_WIDTH_IN_A_PIPE = 140
_AS_JSON = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps would make an encoder for every line
# Where the choices of the command line wait in click's context:
_COLOUR = "flux2batch.color"
_FORMAT = "flux2batch.format"
_DATA_FLAGS = ("as_json", "as_jsonl", "as_markdown")  # stdout has that then, and nothing else


@dataclass(frozen=True, slots=True)
class Styled:
    """A text and how it should look where colour is wanted."""

    text: str
    style: Style | None


Part = str | Styled


def styled(text: object, style: Style | None) -> Styled:
    """A text that is painted by the sink, after it was made safe."""
    return Styled(str(text), style)


# Policy


def colour_wanted(stream: TextIO, environ: Mapping[str, str], choice: Choice = "auto") -> bool:
    """Whether to paint on this stream: the flag, then NO_COLOR, FORCE_COLOR, CLICOLOR, then what the stream is."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    if environ.get("CLICOLOR") == "0" or environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person sits at the other end, as far as one can know."""
    try:
        return stream.isatty()
    except ValueError:  # a closed stream
        return False


def width_of(stream: TextIO, environ: Mapping[str, str]) -> int:
    """The columns there are: the terminal's, or COLUMNS; in a pipe more than a terminal has, for nothing wraps."""
    asked = environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    if not is_terminal(stream):
        return _WIDTH_IN_A_PIPE
    return shutil.get_terminal_size().columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Where a command prints: `print` to stdout, `say` to stderr."""

    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str]
    choice: Choice
    format: Format | Literal["junit"]  # of problems

    @property
    def width(self) -> int:
        """The columns of stdout."""
        return width_of(self.stdout, self.environ)

    def print(self, *parts: Part) -> None:
        """One line of the answer, on stdout."""
        self._write(self.stdout, parts)

    def say(self, *parts: Part) -> None:
        """One line about the answer, on stderr."""
        self._write(self.stderr, parts)

    def print_text(self, text: str) -> None:
        """An answer of several lines that this program itself has written, such as a schema."""
        self.stdout.write(safe(text) + "\n")

    def print_json(self, value: Any) -> None:
        """An object of the answer, in one line."""
        self.stdout.write(safe_json(_AS_JSON(value)) + "\n")

    def print_all(self, lines: Iterable[Sequence[Part]]) -> None:
        """Lines of the answer, such as a table's."""
        for line in lines:
            self.print(*line)

    def say_all(self, lines: Iterable[Sequence[Part]]) -> None:
        """Lines about the answer, such as a table's that is no answer itself."""
        for line in lines:
            self.say(*line)

    def show_problems(self, problems: Sequence[Problem], *, as_answer: bool = False) -> None:
        """The problems as --format asks: on stdout where they are the answer and a program reads it."""
        from flux2batch.reading.rendering import FOR_MACHINES, render

        if self.format == "junit":
            self._report(problems)
            return
        stream = self.stdout if as_answer and self.format in FOR_MACHINES else self.stderr
        colour = colour_wanted(stream, self.environ, self.choice)
        stream.write(render(problems, format=self.format, colour=colour, width=width_of(stream, self.environ)))

    def _report(self, problems: Sequence[Problem]) -> None:
        """A report of a test run is one document: where a command ends early, it holds what ended it."""
        from datetime import UTC, datetime

        from flux2batch.reading.junit import by_file, junit

        self.stdout.write(junit(by_file(problems), at=datetime.now(UTC)))

    def _write(self, stream: TextIO, parts: Iterable[Part]) -> None:
        colour = colour_wanted(stream, self.environ, self.choice)
        pieces = [_safely(part) for part in parts]
        lines = broken(pieces, width_of(stream, self.environ)) if is_terminal(stream) else [pieces]
        for line in lines:
            drawn = "".join(_drawn(text, style, colour) for text, style in line)
            stream.write(legible(drawn, getattr(stream, "encoding", None) or "utf-8") + "\n")


def _safely(part: Part) -> tuple[str, Style | None]:
    return (safe_line(part), None) if isinstance(part, str) else (safe_line(part.text), part.style)


def _drawn(text: str, style: Style | None, colour: bool) -> str:
    return f"\x1b[{_SGR[style]}m{text}\x1b[0m" if colour and style and text else text


def this_console() -> Console:
    """The console of the command that is running, with its choices of --color and --format."""
    context = click.get_current_context(silent=True)
    chosen = context.meta if context else {}
    return Console(
        stdout=sys.stdout,
        stderr=sys.stderr,
        environ=os.environ,
        choice=chosen.get(_COLOUR, "auto"),
        format=chosen.get(_FORMAT, "text"),
    )


def choose_colour(context: click.Context, _option: click.Parameter, value: Choice | None) -> None:
    """The callback of --color: remembers the choice for the whole command line."""
    if value is not None:
        context.meta[_COLOUR] = value


def choose_format(context: click.Context, _option: click.Parameter, value: str) -> str:
    """The callback of --format: problems that end the command anywhere take this form."""
    context.meta[_FORMAT] = value
    return value


# Ends


def fail(problems: Sequence[Problem], *, strict: bool = False) -> NoReturn:
    """Show the problems, as --format asks, and end the command with the exit code they ask for."""
    from flux2batch.reading.problems import exit_code

    context = click.get_current_context(silent=True)
    asked = context.params if context else {}
    has_data = any(asked.get(flag) for flag in _DATA_FLAGS) and asked.get("output") is None
    this_console().show_problems(problems, as_answer=not has_data)
    raise click.exceptions.Exit(exit_code(problems, strict=strict))


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number and its noun: "1 shot", "1,200 shots"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


# Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table; one that may shrink gives way when the table is wider than the terminal."""

    title: str
    right: bool  # numbers stand to the right
    shrinks: bool


def column(title: str, *, right: bool = False, shrinks: bool = False) -> Column:
    """A column, to the left and of full width unless told."""
    return Column(title=title, right=right, shrinks=shrinks)


def table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Part]],
    *,
    total: Sequence[Part] | None = None,
    width: int,
) -> list[tuple[Part, ...]]:
    """The lines of a table: titles, a light rule, the rows, and a total below a second rule."""
    body = [[_cell(part) for part in row] for row in rows]
    last = [[_cell(part) for part in total]] if total is not None else []
    widths = _widths(columns, body + last, width)
    rule = (styled(_GAP.join("─" * each for each in widths), "dim"),)

    lines: list[tuple[Part, ...]] = []
    if any(each.title for each in columns):
        titles = [styled(each.title, "dim") for each in columns]
        lines += [_row(columns, titles, widths), rule]
    lines += [_row(columns, row, widths) for row in body]
    if last:
        lines += [rule, _row(columns, last[0], widths)]
    return lines


_GAP = "  "
_NARROWEST = 8


def _cell(part: Part) -> Styled:
    plain = part if isinstance(part, Styled) else Styled(part, None)
    return Styled(safe_line(plain.text), plain.style)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Styled]], room: int) -> list[int]:
    widths = [max([cells(each.title), *(cells(row[index].text) for row in rows)]) for index, each in enumerate(columns)]
    excess = sum(widths) + len(_GAP) * (len(columns) - 1) - room
    while excess > 0:
        # The widest gives way first, a cell at a time would be slow: down to the next widest, or by all that is needed.
        shrinking = [i for i, each in enumerate(columns) if each.shrinks and widths[i] > _NARROWEST]
        if not shrinking:
            break
        widest = max(shrinking, key=lambda i: widths[i])
        next_widest = max((widths[i] for i in shrinking if i != widest), default=_NARROWEST)
        by = min(excess, max(1, widths[widest] - max(_NARROWEST, next_widest)))
        widths[widest] -= by
        excess -= by
    return widths


def _row(columns: Sequence[Column], row: Sequence[Styled], widths: Sequence[int]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for index, (each, cell, width) in enumerate(zip(columns, row, widths, strict=True)):
        text = shortened(cell.text, width)
        padding = " " * (width - cells(text))
        gap = _GAP if index and (text or index < len(columns) - 1) else ""
        is_last = index == len(columns) - 1
        if each.right:
            parts += [gap + padding, Styled(text, cell.style)]
        else:
            parts += [gap, Styled(text, cell.style), "" if is_last else padding]
    return tuple(parts)
