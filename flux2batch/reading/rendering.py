"""Show problems to people, editors and machines: one function for each form."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args
from urllib.parse import quote

from flux2batch.reading import codes
from flux2batch.reading.codes.code import Code
from flux2batch.reading.problems import Note, Place, Problem, in_order
from flux2batch.safe_text import safe, safe_line
from flux2batch.text_width import cells

Format = Literal["text", "concise", "json", "github", "sarif"]
FORMATS: tuple[Format, ...] = get_args(Format)
FOR_MACHINES: frozenset[Format] = frozenset(("json", "github", "sarif"))

MOST_SHOWN = 50  # of a thousand problems nobody reads the thousandth; programs get them all
_WINDOW = 120  # characters of a line around the fault
_NARROWEST = 40
_TAB = "    "
_SCHEMA_VERSION = 1


def render(problems: Sequence[Problem], *, format: Format, colour: bool, width: int) -> str:
    """The problems in the order of their files, ending in a newline; "" where there is nothing to say."""
    ordered = in_order(problems)
    match format:
        case "json":
            return _json(ordered)
        case "sarif":
            return _sarif(ordered)
        case "github":
            return "".join(f"{_github(problem)}\n" for problem in ordered)
        case "concise":
            return _capped(ordered, lambda problem: _concise(problem, colour=colour), between="\n")
        case "text":
            few = _alike_once(ordered)
            return _capped(few, lambda problem: _text(problem, colour=colour, width=width), between="\n\n")


def _alike_once(problems: Sequence[Problem]) -> list[Problem]:
    """Warnings of one kind at one place as one: two hundred photographs of one column are one thing to know."""
    groups: dict[tuple[object, ...], list[Problem]] = {}
    for number, problem in enumerate(problems):
        # What is about a file as a whole has no place of its own to be alike at.
        alike = problem.severity == "warning" and problem.where and problem.where.line_text is not None
        key = (problem.code, problem.where) if alike else (number,)
        groups.setdefault(key, []).append(problem)
    return [_with_count(first, len(others)) for first, *others in groups.values()]


def _with_count(problem: Problem, others: int) -> Problem:
    if not others:
        return problem
    like = "one more like it" if others == 1 else f"{others:,} more like it"
    return replace(problem, notes=(*problem.notes, Note(text=f"{like} here; --format concise lists each", where=None)))


def _capped(problems: Sequence[Problem], show: Callable[[Problem], str], *, between: str) -> str:
    if not problems:
        return ""
    shown = [show(problem) for problem in problems[:MOST_SHOWN]]
    left = len(problems) - len(shown)
    return between.join([*shown, f"… {left} more"] if left else shown) + "\n"


# Text: the layout of rustc


def _text(problem: Problem, *, colour: bool, width: int) -> str:
    paint = _painted if colour else _plain
    hue = "red" if problem.severity == "error" else "yellow"
    place = problem.where
    digits = len(str(place.line)) if place and place.line_text is not None else 1
    margin = " " * digits

    lines = [paint(f"{problem.severity}[{problem.code}]", hue) + paint(f": {safe_line(problem.message)}", "bold")]
    if place:
        lines.append(f"{paint(f'{margin}-->', 'blue')} {_spot(place)}")
    if place and place.line_text is not None:
        source, indent, carets = _source_and_carets(place, width=max(_NARROWEST, min(_WINDOW, width - digits - 5)))
        bar = paint(f"{margin} |", "blue")
        lines.append(bar)
        lines.append(f"{paint(f'{place.line} |', 'blue')} {source}".rstrip())
        lines.append(f"{bar} {indent}{paint(carets, hue)}")
    said = [("help", problem.help)] if problem.help else []
    said += [("note", _note(note, place)) for note in problem.notes]
    for label, text in said:
        first, *further = text.split("\n")
        lines.append(f"{paint(f'{margin} =', 'blue')} {paint(f'{label}:', 'bold')} {safe_line(first)}")
        lines += [f"{margin}         {safe_line(line)}".rstrip() for line in further]
    return "\n".join(lines)


def _note(note: Note, beside: Place | None) -> str:
    if note.where is None:
        return note.text
    if beside and note.where.file == beside.file:
        return note.text if "line " in note.text else f"{note.text} (line {note.where.line})"
    return f"{note.text} ({_spot(note.where)})"


def _spot(place: Place) -> str:
    return f"{safe_line(place.file)}:{place.line}:{place.column}"


def _source_and_carets(place: Place, *, width: int) -> tuple[str, str, str]:
    """The part of the line around the fault as a terminal shows it, and the indent and carets to stand below it."""
    line = place.line_text or ""
    start = min(place.column - 1, len(line))
    end = place.end_column - 1 if place.end_line == place.line else len(line)
    left, right = _window(len(line), start, max(start, end), width=width)
    end = max(start, min(end, right))

    before = ("…" if left > 0 else "") + _shown(line[left:start])
    fault = _shown(line[start:end])
    after = _shown(line[end:right]) + ("…" if right < len(line) else "")
    return before + fault + after, " " * cells(before), "^" * max(1, cells(fault))


def _window(length: int, start: int, end: int, *, width: int) -> tuple[int, int]:
    if length <= width:
        return 0, length
    if end <= width * 2 // 3:
        return 0, width
    # A third of the room goes to what stands before the fault, more where the line ends soon after it.
    left = max(0, min(start - width // 3, length - width))
    return left, min(length, left + width)


def _shown(text: str) -> str:
    return safe_line(text.replace("\t", _TAB))


_SGR = {"red": "1;31", "yellow": "1;33", "blue": "1;34", "bold": "1"}


def _painted(text: str, style: str) -> str:
    return f"\x1b[{_SGR[style]}m{text}\x1b[0m"


def _plain(text: str, _style: str) -> str:
    return text


# One line each


def _concise(problem: Problem, *, colour: bool) -> str:
    paint = _painted if colour else _plain
    hue = "red" if problem.severity == "error" else "yellow"
    spot = f"{_spot(problem.where)}: " if problem.where else ""
    severity = "" if problem.severity == "error" else "warning: "
    help = f" ({safe_line(problem.help)})" if problem.help else ""
    return f"{spot}{paint(problem.code, hue)} {severity}{safe_line(problem.message)}{help}"


def _github(problem: Problem) -> str:
    """A workflow command: GitHub shows it at the line of the pull request."""
    properties = {"title": f"{problem.code} {codes.ALL[problem.code].title}"}
    if problem.where:
        place = problem.where
        spot = {"file": place.file, "line": str(place.line), "col": str(place.column), "endLine": str(place.end_line)}
        if place.end_line == place.line:
            spot["endColumn"] = str(max(place.column, place.end_column - 1))
        properties = spot | properties
    said = "\n".join([problem.message, *_remarks(problem)])
    told = ",".join(f"{name}={_percent(safe(value), ':,')}" for name, value in properties.items())
    return f"::{problem.severity} {told}::{_percent(safe(said))}"


def _percent(text: str, further: str = "") -> str:
    for character in "%\r\n" + further:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


# For programs


def _json(problems: Sequence[Problem]) -> str:
    document = {
        "schema_version": _SCHEMA_VERSION,
        "errors": sum(problem.severity == "error" for problem in problems),
        "warnings": sum(problem.severity == "warning" for problem in problems),
        "problems": [
            {
                "code": problem.code,
                "severity": problem.severity,
                **_json_place(problem.where),
                "path": _pointer(problem),
                "message": problem.message,
                "help": problem.help,
                "notes": [{"text": note.text, **_json_place(note.where)} for note in problem.notes],
                "docs": f"flux2batch explain {problem.code}",
            }
            for problem in problems
        ],
    }
    return _dumped(document)


def _json_place(place: Place | None) -> dict[str, Any]:
    if place is None:
        return dict.fromkeys(("file", "line", "col", "end_line", "end_col"))
    return {
        "file": place.file,
        "line": place.line,
        "col": place.column,
        "end_line": place.end_line,
        "end_col": place.end_column,
    }


def _pointer(problem: Problem) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in problem.steps)


def _sarif(problems: Sequence[Problem]) -> str:
    from flux2batch import __version__

    named = sorted({problem.code for problem in problems})
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "flux2batch",
                        "version": __version__,
                        "rules": [_sarif_rule(codes.ALL[name]) for name in named],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(problem, rule=named.index(problem.code)) for problem in problems],
            }
        ],
    }
    return _dumped(document)


def _sarif_rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.name,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.cause},
        "help": {"text": f"{code.cause}\n\nFor example:\n{code.example}\n\nInstead:\n{code.fix}"},
    }


def _sarif_result(problem: Problem, *, rule: int) -> dict[str, Any]:
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": problem.severity,
        "message": {"text": "\n".join([problem.message, *_remarks(problem)])},
        "locations": [_sarif_location(problem.where)] if problem.where else [],
        "relatedLocations": [
            {"id": number, **_sarif_location(note.where), "message": {"text": note.text}}
            for number, note in enumerate(problem.notes)
            if note.where
        ],
    }


def _sarif_location(place: Place) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(place.file.replace("\\", "/"), safe="/", errors="surrogatepass")},
            "region": {
                "startLine": place.line,
                "startColumn": place.column,
                "endLine": place.end_line,
                "endColumn": place.end_column,
            },
        }
    }


def _remarks(problem: Problem) -> list[str]:
    help = [f"help: {problem.help}"] if problem.help else []
    return help + [f"note: {_note(note, problem.where)}" for note in problem.notes]


def _dumped(document: object) -> str:
    # ASCII alone: no terminal can be steered by it, and no console's encoding can break it.
    return json.dumps(document, ensure_ascii=True, indent=2) + "\n"
