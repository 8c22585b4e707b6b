"""Read CSV and TSV as spreadsheets really write them.

Excel puts `;` between cells where a comma is the decimal sign, writes Windows-1252 unless asked for UTF-8, UTF-16 as
"Unicode Text", a byte order mark now and then, empty lines below the table and commas behind the last column; it leaves
out trailing commas in some rows, and reads a first line `sep=;` as the choice of the separator.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping

from flux2batch.planning.tables.content import MAX_CELL, MAX_COLUMNS, MAX_ROWS, DataFile, FileRow, FileRows, and_lines

_SEPARATORS = ",;\t|"


def read_csv(file: DataFile, *, tabs: bool) -> FileRows | None:
    """The rows of the file; None where it cannot be read at all."""
    text = _text(file)
    if text is None:
        return None
    separator, skipped = _separator(text, tabs=tabs)
    records = _records(file, text, separator, skipped)
    header = next(records, None)
    if header is None:
        if not file.problems:
            file.complain("the table is empty", line=1, help="the first line names the columns, such as sku,name,image")
        return None
    columns = _columns(file, *header)
    if columns is None:
        return None
    return FileRows(columns=tuple(name for name in columns if name), rows=_rows(file, columns, records))


def _text(file: DataFile) -> str | None:
    content = file.content
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(mark):
            try:
                return file.decoded(content[2:].decode(encoding))
            except UnicodeDecodeError:
                _refuse(file, "it begins as UTF-16 and does not go on so")
                return None
    content = content.removeprefix(codecs.BOM_UTF8)
    if content.startswith(b"PK\x03\x04"):
        _refuse(file, "it is an XLSX workbook or another zip file")
        return None
    if b"\0" in content:
        _refuse(file, "it holds bytes that no text has")
        return None
    try:
        return file.decoded(content.decode())
    except UnicodeDecodeError as broken:
        return _windows_text(file, content, broken.start)


_SAVE_AS = "in Excel: save as 'CSV UTF-8 (comma delimited)'"


def _refuse(file: DataFile, reason: str) -> None:
    file.complain(f"this is not a CSV file: {reason}", line=1, help=_SAVE_AS)


def _windows_text(file: DataFile, content: bytes, first: int) -> str | None:
    """The text in Excel's old encoding: what is not UTF-8 is that, as a rule, and the user is told."""
    line = content[:first].count(b"\n") + 1
    try:
        text = file.decoded(content.decode("cp1252"))
    except UnicodeDecodeError as broken:
        line = content[: broken.start].count(b"\n") + 1
        file.complain(f"byte 0x{content[broken.start]:02X} is neither UTF-8 nor Windows-1252", line=line, help=_SAVE_AS)
        return None
    column = first - (content.rfind(b"\n", 0, first) + 1) + 1
    file.warn(
        "FB318",
        f"the file is not UTF-8 and was read as Windows-1252: is '{text[first]}' the right letter?",
        line=line,
        column=column,
        help=_SAVE_AS,
    )
    return text


_CHOICE = re.compile(r"\s*sep=(.)[ \t]*(?:\r\n|\r|\n|$)", re.IGNORECASE)


def _separator(text: str, *, tabs: bool) -> tuple[str, int]:
    """The sign between cells, and how many lines stand before the header."""
    if chosen := _CHOICE.match(text):
        return chosen[1], 1
    if tabs:
        return "\t", 0
    first = next((line for line in re.split(r"\r\n|\r|\n", text[:MAX_CELL]) if line.strip(" ,;\t|")), "")
    outside_quotes = re.sub(r'"(?:[^"]|"")*"?', "", first)
    return max(_SEPARATORS, key=outside_quotes.count), 0


def _records(file: DataFile, text: str, separator: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line where it begins; those without a word in them are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    end = 0
    while True:
        begin = end + 1
        try:
            cells = next(reader, None)
        except csv.Error as broken:
            file.complain(_csv_fault(str(broken)), line=begin, help='inside quotes, a quote is written twice: ""')
            return
        end = reader.line_num
        if cells is None:
            return
        if begin > skipped and any(cell.strip() for cell in cells):
            yield begin, cells


def _csv_fault(reason: str) -> str:
    if "unexpected end of data" in reason:
        return "a quote is opened here and never closed"
    if "field larger than field limit" in reason:
        return "a cell is too long: a quote is opened here and never closed, perhaps"
    return "text follows a closing quote"


def _columns(file: DataFile, line: int, cells: list[str]) -> list[str] | None:
    """The names of the columns, "" for those without a name behind the last one."""
    names = [unicodedata.normalize("NFC", cell).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    before = len(file.problems)
    if len(names) > MAX_COLUMNS:
        file.complain(f"{len(names):,} columns, and at most {MAX_COLUMNS:,} are read", line=line)
    for position, name in enumerate(names, start=1):
        if not name:
            file.complain(f"column {position} has no name", line=line, help="the first line names the columns")
        elif re.fullmatch(r"[-+]?\d+([.,]\d+)?", name):
            file.complain(f"'{name}' is no name of a column", line=line, help="the first line names the columns")
        elif name in names[: position - 1]:
            first = names.index(name) + 1
            file.complain(f"columns {first} and {position} are both called '{name}'", line=line, help="rename one")
    return names if len(file.problems) == before else None


def _rows(file: DataFile, columns: list[str], records: Iterator[tuple[int, list[str]]]) -> tuple[FileRow, ...]:
    rows: list[FileRow] = []
    short: dict[int, int] = {}  # the lines with too few cells, and how many they have
    for line, cells in records:
        if len(rows) >= MAX_ROWS:
            file.complain(f"more than {MAX_ROWS:,} rows", line=line, help="split the table")
            break
        while len(cells) > len(columns) and not cells[-1].strip():
            cells.pop()
        if len(cells) > len(columns) or len(cells) == 1 < len(columns) - 1:
            count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
            file.complain(f"{count}, header has {len(columns)}", line=line, help=_ragged_help(cells, columns))
            continue
        if any(len(cell) > MAX_CELL for cell in cells):
            file.complain(f"a cell is longer than {MAX_CELL:,} characters", line=line)
            continue
        if len(cells) < len(columns):
            short[line] = len(cells)
        padded = [*cells, *[""] * (len(columns) - len(cells))]
        filled = ((name, cell if cell.strip() else None) for name, cell in zip(columns, padded, strict=True))
        rows.append(FileRow(line=line, cells=dict(filled)))
    if short:
        _warn_of_short_rows(file, columns, rows, short)
    return tuple(rows)


def _warn_of_short_rows(file: DataFile, columns: list[str], rows: list[FileRow], short: Mapping[int, int]) -> None:
    """A spreadsheet leaves out empty cells at the end of a row. Where no whole row has them empty, one is missing
    further to the left more likely, and all behind it stand in the wrong column."""
    whole = [row for row in rows if row.line not in short]
    never_empty = [name for name in columns if whole and all(row.cells[name] is not None for row in whole)]
    told = [line for line, count in short.items() if set(columns[count:]).intersection(never_empty)]
    if not told:
        return
    count = short[told[0]]
    empty = columns[count:]
    cells = "1 cell" if count == 1 else f"{count} cells"
    are = "is" if len(empty) == 1 else "are"
    message = f"{cells}, header has {len(columns)}, so {' and '.join(empty)} {are} empty here{and_lines(told[1:])}"
    help = "an empty cell keeps its separator: without it, all cells behind it slip to the left"
    file.warn("FB313", message, line=told[0], help=help)


def _ragged_help(cells: list[str], columns: list[str]) -> str | None:
    if len(cells) > len(columns):
        return 'a cell with the separator in it stands in quotes: "a mug, a spoon"'
    return None
