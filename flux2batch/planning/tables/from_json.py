"""Read JSON and JSON lines: a list of mappings is a table, one mapping is a constant."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from flux2batch.planning.tables.content import MAX_COLUMNS, MAX_ROWS, DataFile, FileMapping, FileRow, FileRows

_MAX_DEPTH = 32
_MAX_INT = 2**63


class _Broken(ValueError):
    """Something that JSON allows and a table does not."""


def read_json(file: DataFile) -> FileRows | FileMapping | None:
    """The table or the mapping of a `.json` file; None where it cannot be read."""
    text = _text(file)
    if text is None:
        return None
    begin = _after_space(text, 0)
    if begin == len(text):
        file.complain("the file is empty", line=1, help="a table is a list of mappings: [{…}, {…}]")
        return None
    if text[begin] == "{":
        return _mapping(file, text, begin)
    if text[begin] != "[":
        file.complain("expected a list of mappings, or one mapping", line=1, help="a table is written [{…}, {…}]")
        return None
    return _list(file, text, begin)


def read_json_lines(file: DataFile) -> FileRows | None:
    """The table of a `.jsonl` file: one mapping a line."""
    text = _text(file)
    if text is None:
        return None
    found: list[tuple[int, Any]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if len(found) >= MAX_ROWS:
            file.complain(f"more than {MAX_ROWS:,} rows", line=number, help="split the table")
            break
        decoded = _decoded(file, line, 0, first_line=number)
        if decoded is None:
            continue
        value, end = decoded
        rest = _after_space(line, end)
        if rest < len(line):
            file.complain("one line holds one mapping and no more", line=number, column=rest + 1)
            continue
        found.append((number, value))
    return rows_of(file, found)


def rows_of(file: DataFile, found: list[tuple[int, Any]]) -> FileRows | None:
    """The rows that these values are, each from its line."""
    columns: dict[str, None] = {}
    rows: list[FileRow] = []
    for line, value in found:
        if not isinstance(value, Mapping):
            file.complain(f"expected a mapping, got {_kind(value)}", line=line, help="a row is written {…: …}")
            continue
        columns.update(dict.fromkeys(value))
        rows.append(FileRow(line=line, cells=value))
    if len(columns) > MAX_COLUMNS:
        file.complain(f"{len(columns):,} different keys, and at most {MAX_COLUMNS:,} are read", line=1)
        return None
    if not rows and not file.problems:
        file.complain("the table has no rows", line=1)
    whole = tuple(FileRow(line=row.line, cells={name: row.cells.get(name) for name in columns}) for row in rows)
    return FileRows(columns=tuple(columns), rows=whole)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case _:
            return "a list"


def _text(file: DataFile) -> str | None:
    try:
        return file.decoded(str(file.content, "utf-8-sig"))
    except UnicodeDecodeError as broken:
        line = file.content[: broken.start].count(b"\n") + 1
        file.complain("the file is not UTF-8", line=line, help="save it as UTF-8")
        return None


def _mapping(file: DataFile, text: str, begin: int) -> FileMapping | None:
    decoded = _decoded(file, text, begin, first_line=1)
    if decoded is None:
        return None
    value, end = decoded
    rest = _after_space(text, end)
    if rest < len(text):
        line, column = _spot(text, rest)
        help = "a file with one mapping a line is called .jsonl" if text[rest] == "{" else None
        file.complain("something follows the end of the mapping", line=line, column=column, help=help)
        return None
    return FileMapping(value=value)


def _list(file: DataFile, text: str, begin: int) -> FileRows | None:
    found: list[tuple[int, Any]] = []
    here = _after_space(text, begin + 1)
    line, counted = 1, 0  # counted on from row to row: a long list is gone through once
    while here < len(text) and text[here] != "]":
        if len(found) >= MAX_ROWS:
            file.complain(f"more than {MAX_ROWS:,} rows", line=_spot(text, here)[0], help="split the table")
            return None
        line += text.count("\n", counted, here)
        counted = here
        decoded = _decoded(file, text, here, first_line=1)
        if decoded is None:
            return None
        value, end = decoded
        found.append((line, value))
        here = _after_space(text, end)
        if here < len(text) and text[here] == ",":
            here = _after_space(text, here + 1)
            if here < len(text) and text[here] == "]":
                _complain_at(file, text, here, "a comma stands before the end of the list")
                return None
        elif here < len(text) and text[here] != "]":
            _complain_at(file, text, here, "a comma is missing between two rows")
            return None
    if here >= len(text):
        _complain_at(file, text, begin, "'[' opened here is never closed")
        return None
    rest = _after_space(text, here + 1)
    if rest < len(text):
        _complain_at(file, text, rest, "something follows the end of the list")
        return None
    return rows_of(file, found)


def _complain_at(file: DataFile, text: str, offset: int, message: str) -> None:
    line, column = _spot(text, offset)
    file.complain(message, line=line, column=column)


_SPACE = re.compile(r"[ \t\r\n]*")


def _after_space(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    assert match is not None
    return match.end()


def _spot(text: str, offset: int) -> tuple[int, int]:
    """Line and column of a character."""
    return 1 + text.count("\n", 0, offset), offset - (text.rfind("\n", 0, offset) + 1) + 1


def _decoded(file: DataFile, text: str, begin: int, *, first_line: int) -> tuple[Any, int] | None:
    """The value that begins here and where it ends."""
    try:
        value, end = _DECODER.raw_decode(text, begin)
        _check_depth(value)
        _check_texts(value, text, begin, end)
        return value, end
    except json.JSONDecodeError as broken:
        file.complain(_in_words(broken, text), line=first_line + broken.lineno - 1, column=broken.colno)
    except _Broken as refused:
        line, column = _spot(text, begin)
        file.complain(str(refused), line=first_line + line - 1, column=column)
    except RecursionError:
        line, column = _spot(text, begin)
        file.complain(f"nested more than {_MAX_DEPTH} deep", line=first_line + line - 1, column=column)
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        line, column = _spot(text, begin)
        file.complain("a number is too long", line=first_line + line - 1, column=column)
    return None


_WORDS = (
    ("Expecting ',' delimiter", "a comma is missing here"),
    ("Expecting property name enclosed in double quotes", "a key in double quotes is missing here"),
    ("Illegal trailing comma", "a comma stands before the end"),
    ("Expecting ':' delimiter", "a colon is missing here"),
    ("Expecting value", "a value is missing here"),
    ("Unterminated string", "the text that begins here is never closed"),
    ("Invalid control character", "a line end or control character stands inside a text"),
    ("Invalid \\", "this escape is unknown"),
)


def _in_words(broken: json.JSONDecodeError, text: str) -> str:
    if text[broken.pos : broken.pos + 1] == "'":
        return "JSON puts texts in double quotes"
    return next((words for begin, words in _WORDS if broken.msg.startswith(begin)), "this is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise _Broken(f"key '{twice}' appears twice in this mapping")
    return mapping


def _whole(written: str) -> int:
    number = int(written)
    if abs(number) > _MAX_INT:
        raise _Broken(f"the number {written[:30]} is too large")
    return number


def _decimal(written: str) -> float:
    number = float(written)
    if number in (float("inf"), float("-inf")):
        raise _Broken(f"the number {written[:30]} is too large")
    return number


def _constant(written: str) -> Any:
    raise _Broken(f"{written} is not a number that JSON knows")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_whole, parse_float=_decimal, parse_constant=_constant)


_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def _check_texts(value: Any, text: str, begin: int, end: int) -> None:
    """JSON can write half a character, which nothing else can: no file, no request, no terminal."""
    if not _HALF.search(text, begin, end):
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as broken:
        half = ord(broken.object[broken.start])
        raise _Broken(f"half a character U+{half:04X} stands in a text") from None


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise _Broken(f"nested more than {_MAX_DEPTH} deep")
