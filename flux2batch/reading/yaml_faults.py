"""Where and why the text stops being YAML, in words for people.

PyYAML says what its grammar expected. A person wants to know which character to change: each detector below knows one
mistake that people make, and the first that recognises it answers. Where the mistake can be painted over without
touching the lines around it, the fault says so, and the reading goes on behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from yaml.error import MarkedYAMLError

from flux2batch.reading.problems import Note, Place, Problem, error
from flux2batch.reading.source import Source
from flux2batch.reading.yaml_comments import HEX_COLOUR, quoted_help
from flux2batch.reading.yaml_events import TabIndentation
from flux2batch.reading.yaml_tree import Tree

_INDICATORS = "@`%*&!|>-?,[]{}#"
_QUOTES = "\"'"
_LINES_ABOVE = 200  # that are looked at for the column a line should have

_LINE_KEY = re.compile(
    r" *+(?:- ++)*+"
    r"(?:(?P<key>[^\s#\"'\[\]{},&*!|>%@`-][^:#\r\n\0]*+(?::[^\s\0][^:#\r\n\0]*+)*+"
    r"|\"[^\"\r\n\0]*+\"|'[^'\r\n\0]*+')"
    r" *+:(?=[ \t\r\n\0]|\Z))?[ \t]*+"
)
_COMMENT = re.compile(r"(?<![ \t])[ \t]+#[ \t].*\Z")
_INDENT = re.compile(r" *+")
_TEMPLATE = re.compile(r"\{\{|\{%|\{#")
_FLOW_VALUE = re.compile(r"[^,\[\]{}\r\n\0]*+")
_FLOW_TEMPLATE = re.compile(r"\{\{[^\r\n\0]*?\}\}[^,\]}\r\n\0]*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A stretch to paint over, so that the reading can go on, and with what."""

    start: int
    end: int
    paint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One mistake, and how to read on in spite of it."""

    problem: Problem
    patch: Patch | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spot:
    """What is known about the place where PyYAML gave up."""

    source: Source
    text: str
    said: str
    index: int
    context: int  # where the construct began that PyYAML was in
    line: int
    line_start: int
    line_end: int
    value_start: int  # of the first value on this line: behind 'key: ' or '- '
    has_key: bool
    brackets: tuple[int, ...]
    quoted: Mapping[int, int]
    is_tab: bool

    def place(self, start: int, end: int) -> Place:
        return self.source.place(start, min(max(end, start), len(self.source.text)))

    @property
    def character(self) -> str:
        return self.text[self.index : self.index + 1]

    @property
    def starts_line(self) -> bool:
        return not self.text[self.line_start : self.index].strip(" \t")

    @property
    def rest_of_value(self) -> Patch | None:
        """All of the value on this line; inside of brackets nobody knows where it ends."""
        if self.brackets or not self.line_start <= self.value_start < self.line_end:
            return None
        is_whole_line = not self.text[self.line_start : self.value_start].strip(" ")
        return Patch(start=self.value_start, end=self.line_end, paint="#" if is_whole_line else "x")

    def words(self, start: int, end: int | None = None) -> str:
        """What is written from start to the end of the line, without a comment that is meant as one."""
        return _COMMENT.sub("", self.text[start : self.line_end if end is None else end])


_Detector = Callable[[_Spot], Fault | None]


def diagnose(source: Source, text: str, failure: MarkedYAMLError, tree: Tree) -> Fault:
    """The fault at which the reading of `text` stopped."""
    spot = _spot(source, text, failure, tree)
    return next(fault for detect in _DETECTORS if (fault := detect(spot)))


def _spot(source: Source, text: str, failure: MarkedYAMLError, tree: Tree) -> _Spot:
    mark = failure.problem_mark or failure.context_mark
    index = min(mark.index, len(text)) if mark else 0
    line, _ = source.position(index)
    start, end = source.line_span(line)
    key = _LINE_KEY.match(text, start, end)
    return _Spot(
        source=source,
        text=text,
        said=failure.problem or "",
        index=index,
        context=failure.context_mark.index if failure.context_mark else index,
        line=line,
        line_start=start,
        line_end=end,
        value_start=key.end() if key else start,
        has_key=bool(key and key["key"]),
        brackets=tree.brackets,
        quoted=tree.quoted,
        is_tab=isinstance(failure, TabIndentation),
    )


def _fault(
    spot: _Spot,
    message: str,
    start: int,
    end: int,
    *,
    help: str,
    code: str = "FB100",
    patch: Patch | None = None,
    notes: list[Note | str] | None = None,
) -> Fault:
    problem = error(code, message, where=spot.place(start, end), help=help, notes=notes or ())
    return Fault(problem=problem, patch=patch)


# --- tabs, templates, what is never closed ------------------------------------------------------------------------


def _tab(spot: _Spot) -> Fault | None:
    if not spot.is_tab:
        return None
    indented = re.finditer(r"(?:\A|(?<=[\r\n])) *\t+[^\s#]", spot.text)
    others = [line for found in indented if (line := spot.source.position(found.end() - 1)[0]) != spot.line]
    notes: list[Note | str] = [f"the same in line {_some(others)}"] if others else []
    return _fault(spot, "a tab is used for indentation", spot.index, spot.index + 1, help="use spaces", notes=notes)


def _some(lines: list[int]) -> str:
    shown = ", ".join(map(str, lines[:8]))
    return f"{shown} and {len(lines) - 8:,} more" if len(lines) > 8 else shown


def _template(spot: _Spot) -> Fault | None:
    """`prompt: {{ subject }} cat`: to YAML a mapping inside of a mapping."""
    at = _template_start(spot)
    if at is None:
        return None
    if any(bracket >= at for bracket in spot.brackets[:1]):
        spot = replace(spot, brackets=())  # the only brackets are the template's own
    if spot.brackets and (found := _FLOW_TEMPLATE.match(spot.text, at, spot.line_end)):
        patch: Patch | None = Patch(start=at, end=found.end(), paint="x")
    else:
        patch = replace(spot, brackets=()).rest_of_value if spot.value_start <= at else None
        patch = patch if all(bracket >= at for bracket in spot.brackets) else None
    first = at if spot.brackets and spot.brackets[0] < at else spot.value_start
    closed = spot.text.find("}}", at, spot.line_end)
    end = closed + 2 if closed >= 0 else at + 2
    value = spot.text[at : patch.end] if spot.brackets and patch else spot.words(min(first, at))
    return _fault(spot, "a template must stand in quotes", at, end, help=quoted_help(value), code="FB112", patch=patch)


def _template_start(spot: _Spot) -> int | None:
    if _TEMPLATE.match(spot.text, spot.value_start) and spot.value_start <= spot.index + 1:
        return spot.value_start
    for at in (spot.index, spot.index - 1):
        if at >= spot.line_start and _TEMPLATE.match(spot.text, at):
            return at
    before = spot.text.rfind("{{", spot.line_start, spot.index)
    if before >= 0 and spot.text[:before].rstrip(" \t")[-1:] in tuple("[,:{-"):
        return before
    return None


def _open_quote(spot: _Spot) -> Fault | None:
    if spot.said != "never closed":
        return None
    at = spot.context
    quote = spot.text[at]
    return _fault(spot, "the quote opened here is never closed", at, at + 1, help=_close_it(quote))


def _close_it(quote: str) -> str:
    if quote == '"':
        return 'close it with "'
    return "close it with ', or put the text in double quotes if this is an apostrophe"


_FLOW_WORD = re.compile(
    r"\"[^\"\\\0]*+(?:\\[^\0][^\"\\\0]*+)*+\"|'[^'\0]*+(?:''[^'\0]*+)*+'|(?<=[ \t\r\n\[\]{},])(?P<comment>#[^\r\n\0]*+)"
    r"|(?P<open>[\[{])|(?P<close>[\]}])|[,:]|\s++|[^\s,\[\]{}\0]++"
)
_CLOSER = {"[": "]", "{": "}"}


def _open_bracket(spot: _Spot) -> Fault | None:
    if not spot.brackets:
        return None
    opened: list[int] = []
    swallowed: int | None = None
    for found in _FLOW_WORD.finditer(spot.text, spot.brackets[0]):
        if found["comment"] and swallowed is None and re.search(r"[\]}]", found[0]):
            if HEX_COLOUR.match(found[0]):
                return _swallowed_colour(spot, found.start(), found.end())
            swallowed = found.start()
        if found["open"]:
            opened.append(found.start())
        elif found["close"]:
            if _CLOSER[spot.text[opened[-1]]] != found[0]:
                break
            opened.pop()
            if not opened:
                return None
    if not opened:
        return None
    at = opened[-1]
    bracket, closer = spot.text[at], _CLOSER[spot.text[at]]
    notes: list[Note | str] = []
    if swallowed is not None:
        where = spot.place(swallowed, spot.source.line_span(spot.source.position(swallowed)[0])[1])
        notes = [Note(text=f"' #' in line {where.line} makes a comment of what follows it; quote it", where=where)]
    help = f"close it with '{closer}'"
    return _fault(spot, f"'{bracket}' opened here is never closed", at, at + 1, help=help, notes=notes)


def _swallowed_colour(spot: _Spot, start: int, end: int) -> Fault:
    """`[blue, #ff0000 red]`: the comment takes the bracket with it."""
    found = _FLOW_VALUE.match(spot.text, start, end)
    colour = found.end() if found else end
    help = quoted_help(spot.text[start:colour])
    patch = Patch(start=start, end=colour, paint="x")
    message = "text after ' #' is a comment and is dropped"
    return _fault(spot, message, start, end, help=help, code="FB121", patch=patch)


def _extra_bracket(spot: _Spot) -> Fault | None:
    if spot.said != "closes nothing":
        return None
    message = f"'{spot.character}' closes nothing"
    return _fault(
        spot,
        message,
        spot.index,
        spot.index + 1,
        help="take it away, or quote the value if it is part of a text",
        patch=spot.rest_of_value,
    )


# --- inside of brackets -------------------------------------------------------------------------------------------


def _in_brackets(spot: _Spot) -> Fault | None:
    if not spot.brackets or "expected ','" not in spot.said:
        return None
    if spot.character == ":":
        return _fault(
            spot,
            "':' does not fit here",
            spot.index,
            spot.index + 1,
            help="a comma is missing before it, or the value must be quoted",
        )
    closed = _quote_before(spot)
    if closed is not None:
        return _fault(spot, "text after a closing quote", closed, closed + 1, help=_inner_quotes(spot.text[closed]))
    return _fault(
        spot, "a comma is missing before this", spot.index, _word_end(spot), help="write ',' between two values"
    )


# --- values that must be quoted -----------------------------------------------------------------------------------


def _starter(spot: _Spot) -> Fault | None:
    """A value that begins with a character to which YAML gives a meaning."""
    at = spot.index
    if "cannot start any token" in spot.said or ("are not allowed here" in spot.said and spot.character in "-?"):
        at = spot.index
    elif "expected alphabetic or numeric" in spot.said or spot.said == "not a block header":
        at = spot.context
    elif spot.said == "closes nothing" and spot.index == spot.value_start:
        at = spot.index
    elif spot.said.startswith("expected <block end>"):
        if spot.starts_line or spot.text[spot.value_start : spot.value_start + 1] not in tuple(_INDICATORS):
            return None
        at = spot.value_start
    else:
        return None
    character = spot.text[at : at + 1]
    patch = spot.rest_of_value
    if spot.brackets and (found := _FLOW_VALUE.match(spot.text, at + 1, spot.line_end)):
        patch = Patch(start=at, end=found.end(), paint="x")
    help = quoted_help(spot.words(at, patch.end if patch else None))
    if character in "|>":
        help += f", or put the text on the lines below '{character}'"
    return _fault(spot, f"'{character}' cannot start a plain value", at, at + 1, help=help, patch=patch)


def _directive(spot: _Spot) -> Fault | None:
    at = spot.context
    if "document start" in spot.said:
        at = spot.text.rfind("%", 0, spot.index)
    if at < 0 or not spot.text.startswith("%", at) or spot.text[max(at - 1, 0) : at] not in ("", "\n", "\r"):
        return None
    return _fault(spot, "'%' cannot start a line", at, at + 1, help="take the line away; a job needs no directives")


def _quote_inside(spot: _Spot) -> Fault | None:
    closed = _quote_before(spot)
    if closed is None or spot.brackets:
        return None
    opened = spot.quoted[closed + 1]
    quote = spot.text[closed]
    if spot.source.position(opened)[0] != spot.source.position(closed)[0]:
        message = "the quote opened here is closed lines below, in the middle of something else"
        return _fault(spot, message, opened, opened + 1, help=_close_it(quote))
    help = _inner_quotes(quote)
    return _fault(spot, "text after a closing quote", closed, closed + 1, help=help, patch=spot.rest_of_value)


def _quote_before(spot: _Spot) -> int | None:
    """The closing quote directly before the place, if there is one on this line."""
    before = len(spot.text[spot.line_start : spot.index].rstrip(" \t")) + spot.line_start
    return before - 1 if before in spot.quoted else None


def _inner_quotes(quote: str) -> str:
    if quote == '"':
        return 'write a quote inside of the text as \\", or put the whole in single quotes'
    return "write an apostrophe inside of the text as '', or put the whole in double quotes"


def _after_closed(spot: _Spot) -> Fault | None:
    """`key: [a] b`, where the bracket belongs to a text."""
    if spot.starts_line or not spot.said.startswith("expected <block end>"):
        return None
    return _fault(
        spot,
        "this does not belong to the value before it",
        spot.index,
        _word_end(spot),
        help="put the whole value in quotes",
        patch=spot.rest_of_value,
    )


def _colon_in_value(spot: _Spot) -> Fault | None:
    if "mapping values are not allowed" not in spot.said or not spot.has_key or spot.index < spot.value_start:
        return None
    help = quoted_help(spot.words(spot.value_start))
    return _fault(
        spot,
        "': ' inside of a value that is not quoted",
        spot.index,
        spot.index + 1,
        help=help,
        patch=spot.rest_of_value,
    )


def _no_key(spot: _Spot) -> Fault | None:
    """`: a`, a value whose key was forgotten."""
    if not spot.starts_line or spot.character != ":":
        return None
    patch = Patch(start=spot.index, end=spot.line_end, paint="#")
    message, help = "keys must be words, and this one is empty", "write a word before the ':'"
    return _fault(spot, message, spot.index, spot.index + 1, help=help, code="FB112", patch=patch)


# --- lines that stand in the wrong column -------------------------------------------------------------------------


def _missing_colon(spot: _Spot) -> Fault | None:
    if "could not find expected ':'" not in spot.said:
        return None
    _, end = spot.source.line_span(spot.source.position(spot.context)[0])
    return _no_colon(spot, spot.context, end)


def _no_colon(spot: _Spot, start: int, end: int) -> Fault:
    words = spot.text[start:end].rstrip(" \t")
    patch = Patch(start=start, end=end, paint="#")
    glued = re.match(r"[\w.-]+:(?=[^\s/])", words)
    if glued:
        at = start + glued.end() - 1
        return _fault(spot, "a space is missing after ':'", at, at + 1, help=f"write '{glued[0]} …'", patch=patch)
    first = words.split(" ", 1)[0]
    help = f"write '{first}: …'" if re.fullmatch(r"\w+", first) else "write 'key: value'"
    help += ", or indent it if it belongs to the text above"
    message = "this line is neither a key nor part of a value: ':' is missing"
    return _fault(spot, message, start, start + len(words), help=help, patch=patch)


def _wrong_column(spot: _Spot) -> Fault | None:
    colon = "mapping values are not allowed" in spot.said
    if not colon and not spot.said.startswith("expected <block end>"):
        return None
    found = _INDENT.match(spot.text, spot.line_start, spot.line_end)
    at = found.end() if found else spot.line_start
    column = at - spot.line_start
    is_item = spot.text.startswith("-", at)
    expected = _expected_column(spot, column, is_item=is_item)
    if expected is None:
        return None
    wanted, line = expected
    if wanted == column and colon:
        start, end = spot.source.line_span(line)
        return _no_colon(spot, start + column, end)
    if wanted == column:
        what = "a list item stands where a key is expected" if is_item else "a key stands where a list item is expected"
        return _fault(spot, what, at, at + 1, help="a mapping holds 'key: value' lines, a list holds '- ' lines")
    what = "list item" if is_item else "line"
    help = f"expected column {wanted + 1}, like line {line}"
    if colon:
        help += "; or quote the text, if it is part of the value above"
    return _fault(spot, f"this {what} stands in column {column + 1} and fits no line above it", at, at + 1, help=help)


def _expected_column(spot: _Spot, column: int, *, is_item: bool) -> tuple[int, int] | None:
    """The nearest column in which an open block above has its lines, and the line that shows it."""
    candidates: list[tuple[int, int]] = []
    open_to = 1 << 30
    for number in range(spot.line - 1, max(0, spot.line - _LINES_ABOVE), -1):
        start, end = spot.source.line_span(number)
        words = spot.text[start:end].strip(" \t")
        if not words or words.startswith("#"):
            continue
        for at, dash in _columns(spot.text[start:end]):
            if at < open_to:
                open_to = at
                if dash == is_item:
                    candidates.append((at, number))
        if open_to == 0:
            break
    if not candidates:
        return None
    return min(candidates, key=lambda candidate: (abs(candidate[0] - column), -candidate[1]))


def _columns(line: str) -> list[tuple[int, bool]]:
    """The columns in which this line begins a list item or a key, the deepest first, and which it is."""
    columns: list[tuple[int, bool]] = []
    at = len(line) - len(line.lstrip(" "))
    while line.startswith("- ", at) or line[at:] == "-":
        columns.append((at, True))
        at += 1 + len(line[at + 1 :]) - len(line[at + 1 :].lstrip(" "))
    if at < len(line):
        columns.append((at, False))
    return columns[::-1]


# --- the rest -----------------------------------------------------------------------------------------------------


def _second_document(spot: _Spot) -> Fault | None:
    if "document start" not in spot.said:
        return None
    return _fault(
        spot,
        "more than one YAML document",
        spot.index,
        spot.index + 1,
        code="FB102",
        help="one file holds one job; put each into its own",
    )


def _anything(spot: _Spot) -> Fault:
    return _fault(
        spot,
        "YAML cannot read on from here",
        spot.index,
        _word_end(spot),
        help="quote the value if it is text",
        patch=spot.rest_of_value,
    )


def _word_end(spot: _Spot) -> int:
    found = re.compile(r"[^\s,\[\]{}\0]+").match(spot.text, spot.index)
    return found.end() if found else spot.index + 1


_DETECTORS: tuple[_Detector, ...] = (
    _tab,
    _template,
    _open_quote,
    _open_bracket,
    _in_brackets,
    _colon_in_value,
    _quote_inside,
    _starter,
    _extra_bracket,
    _directive,
    _no_key,
    _after_closed,
    _missing_colon,
    _wrong_column,
    _second_document,
    _anything,
)
