"""Read the first sheet of an Excel workbook, where the extra is installed."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Iterator
from typing import Any

from flux2batch.planning.tables.content import MAX_CELL, MAX_COLUMNS, MAX_ROWS, DataFile, FileRow, FileRows

_MAX_UNPACKED = 256 * 1024 * 1024
_SAVE_AS = "in Excel: save it as 'CSV UTF-8 (comma delimited)' and name that file"


def read_xlsx(file: DataFile) -> FileRows | None:
    """The rows of the first visible sheet, every cell as the text that Excel would save as CSV."""
    try:
        import openpyxl
    except ImportError:
        file.complain(
            "reading XLSX needs an extra that is not installed",
            line=1,
            help=f"install flux2batch[xlsx], or {_SAVE_AS}",
        )
        return None
    if not _is_sound(file):
        return None
    try:
        values = _cells(openpyxl.load_workbook(io.BytesIO(file.content), read_only=True, data_only=True))
        formulas = _cells(openpyxl.load_workbook(io.BytesIO(file.content), read_only=True, data_only=False))
    except Exception:  # what a damaged workbook raises, openpyxl leaves to the many modules that it calls
        file.complain("this workbook cannot be read", line=1, help=_SAVE_AS)
        return None
    return _table(file, values, formulas)


def _is_sound(file: DataFile) -> bool:
    """Whether it is a zip file that unpacks to a size that fits into memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        file.complain("this is not an XLSX workbook", line=1, help=_SAVE_AS)
        return False
    if unpacked > _MAX_UNPACKED:
        file.complain(f"the workbook unpacks to {unpacked // 1_000_000:,} MB", line=1, help="keep only the table in it")
        return False
    return True


def _cells(workbook: Any) -> list[tuple[Any, ...]]:
    sheet = next(sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible")
    sheet.reset_dimensions()  # what a workbook says of its own size may be wrong
    rows: list[tuple[Any, ...]] = []
    for row in sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS):
        rows.append(row)
        if len(rows) > MAX_ROWS + 1:
            break
    return rows


def _table(file: DataFile, values: list[tuple[Any, ...]], formulas: list[tuple[Any, ...]]) -> FileRows | None:
    numbered = [(line, row) for line, row in enumerate(values, start=1) if any(_text(cell) for cell in row)]
    if not numbered:
        file.complain("the first sheet is empty", line=1, help="its first row names the columns")
        return None
    header_line, header = numbered[0]
    names = [(_text(cell) or "").strip() for cell in header]
    while names and not names[-1]:
        names.pop()
    for position, name in enumerate(names):
        if not name or name in names[:position]:
            what = f"is called '{name}', as another column is" if name else "has no name"
            file.complain(f"column {_letters(position)} {what}", line=header_line, column=position + 1)
    if file.problems:
        return None
    if len(numbered) > MAX_ROWS + 1:
        file.complain(f"more than {MAX_ROWS:,} rows", line=MAX_ROWS + 1, help="split the table")
        return None
    rows = [FileRow(line=line, cells=dict(_row(file, line, row, names, formulas))) for line, row in numbered[1:]]
    return FileRows(columns=tuple(names), rows=tuple(rows))


def _row(
    file: DataFile, line: int, row: tuple[Any, ...], names: list[str], formulas: list[tuple[Any, ...]]
) -> Iterator[tuple[str, str | None]]:
    for position, name in enumerate(names):
        value = row[position] if position < len(row) else None
        spot = f"cell {_letters(position)}{line}"
        formula = formulas[line - 1][position] if line <= len(formulas) and position < len(formulas[line - 1]) else None
        text = _text(value)
        if value is None and isinstance(formula, str) and formula.startswith("="):
            file.complain(
                f"{spot} ({name}) is a formula whose result is not saved",
                line=line,
                column=position + 1,
                help="open the file in Excel and save it, or put the value in place of the formula",
            )
        elif isinstance(value, str) and value in _ERRORS:
            file.complain(f"{spot} ({name}) is an error: {value}", line=line, column=position + 1)
        elif text is not None and len(text) > MAX_CELL:
            file.complain(f"{spot} ({name}) is longer than {MAX_CELL:,} characters", line=line, column=position + 1)
        yield name, text


_ERRORS = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!"})


def _text(value: Any) -> str | None:
    """The cell as text; None where nothing stands in it."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime.datetime():
            midnight = value.time() == datetime.time()
            return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            text = str(value)
            return text if text.strip() else None


def _letters(position: int) -> str:
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
