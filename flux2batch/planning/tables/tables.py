"""The tables of a job: files under `data:` as rows with a key, or as constants.

Cells are data: text that is never a template and never a range. What is wrong with a row names its file, its line and
its key, and all rows are looked at before anything is said.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flux2batch.planning.files.folder import FileFault, JobFolder
from flux2batch.planning.tables.blanks import Decided, warn_of_blanks, without_blanks
from flux2batch.planning.tables.content import MAX_BYTES, DataFile, FileMapping, FileRow, FileRows
from flux2batch.planning.tables.no_match import what_there_is
from flux2batch.planning.templates.column_names import cannot_stand_bare
from flux2batch.planning.templates.values import as_key
from flux2batch.planning.templating import (
    EmptyCell,
    Expression,
    KeyedTable,
    TemplateFault,
    compile_expression,
    is_static,
)
from flux2batch.reading.job import Job, TableSource
from flux2batch.reading.problems import Problem, error, has_errors
from flux2batch.reading.suggest import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row. Every column is in `data`, an empty cell as an EmptyCell."""

    data: dict[str, Any]
    id: str | None  # its key; None where the table has none
    line: int
    file: str
    about: str  # data/products.csv:4 (sku cap-03)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with its rows, those that `rows` leaves out not among them."""

    name: str
    file: str  # as written in the job
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: tuple[Row, ...]
    all_rows: int  # of the file
    is_filtered: bool

    @property
    def share(self) -> str | None:
        """How many rows the filter keeps, in words; None where there is no filter."""
        if not self.is_filtered:
            return None
        return f"{len(self.rows):,} of {self.all_rows:,} {'row' if self.all_rows == 1 else 'rows'} of {self.file}"

    @cached_property
    def keyed(self) -> KeyedTable:
        """The table as templates see it."""
        return KeyedTable(name=self.name, file=self.file, key=self.key, rows=tuple(row.data for row in self.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A YAML or JSON file that holds one mapping."""

    name: str
    file: str
    value: Mapping[str, Any]


def load_tables(
    job: Job, folder: JobFolder | None = None
) -> tuple[Mapping[str, Table | Constant], tuple[Problem, ...]]:
    """All tables of the job that could be read, and everything that is wrong with any of them."""
    folder = folder or JobFolder.of(job)
    tables: dict[str, Table | Constant] = {}
    problems: list[Problem] = []
    for source in job.data:
        table, found = _load(source, job, folder)
        problems += found
        if table is not None:
            tables[source.name] = table
    return tables, tuple(problems)


def scope_of(tables: Mapping[str, Table | Constant]) -> dict[str, Any]:
    """The tables by name, as templates see them."""
    return {name: table.keyed if isinstance(table, Table) else table.value for name, table in tables.items()}


def _load(source: TableSource, job: Job, folder: JobFolder) -> tuple[Table | Constant | None, list[Problem]]:
    path = source.picks or source.file or ""
    steps = (*source.steps, "picks" if source.picks else "file")
    code = _code(path)
    opened = folder.open(path, max_bytes=MAX_BYTES)
    if isinstance(opened, FileFault):
        mine = opened.code if opened.code.startswith("FB7") else code
        message = opened.message.replace("is read", "is read of a table")
        return None, [error(mine, message, where=job.document.place(steps), steps=steps, help=opened.help)]

    shown = posixpath.normpath(posixpath.join(posixpath.dirname(job.document.name.replace("\\", "/")), path))
    file = DataFile(opened.content, path=path, name=shown, code=code)
    content = _read(file, picks=source.picks is not None)
    table = _Loading(source, job, file).table(content)
    if file.left_out:
        last = file.problems[-1]
        more = f"… and {file.left_out} more like these in this file"
        return None, [*file.problems, error(last.code, more, where=last.where, steps=(), help=None)]
    return table, file.problems


def _code(path: str) -> str:
    return "FB314" if _suffix(path) in _STRUCTURED else "FB313"


_STRUCTURED = frozenset({".json", ".jsonl", ".ndjson", ".yaml", ".yml"})
_WORKBOOKS = frozenset({".xls", ".xlsb", ".ods", ".numbers"})


def _suffix(path: str) -> str:
    return posixpath.splitext(path)[1].lower()


def _read(file: DataFile, *, picks: bool) -> FileRows | FileMapping | None:
    # Each reader is imported when a file needs it: a job without tables pays for none of them.
    if picks:
        from flux2batch.planning.tables.from_yaml import read_picks

        return read_picks(file)
    match _suffix(file.path):
        case ".csv" | ".tsv" | ".tab" | ".txt" as suffix:
            from flux2batch.planning.tables.from_csv import read_csv

            return read_csv(file, tabs=suffix in (".tsv", ".tab"))
        case ".xlsx" | ".xlsm":
            from flux2batch.planning.tables.from_xlsx import read_xlsx

            return read_xlsx(file)
        case ".json":
            from flux2batch.planning.tables.from_json import read_json

            return read_json(file)
        case ".jsonl" | ".ndjson":
            from flux2batch.planning.tables.from_json import read_json_lines

            return read_json_lines(file)
        case ".yaml" | ".yml":
            from flux2batch.planning.tables.from_yaml import read_yaml

            return read_yaml(file)
        case suffix:
            what = "a spreadsheet that is not read" if suffix in _WORKBOOKS else "no kind of table that is known"
            file.complain(
                f"'{suffix or file.path}' is {what}",
                line=1,
                help="save it as CSV; .csv, .tsv, .xlsx, .json, .jsonl and .yaml are read",
            )
            return None


class _Loading:
    """Makes a table of what a file holds, and notes what is wrong with its rows."""

    def __init__(self, source: TableSource, job: Job, file: DataFile) -> None:
        self.source = source
        self.job = job
        self.file = file
        self.key = source.key or (("shot",) if source.picks else ())

    def table(self, content: FileRows | FileMapping | None) -> Table | Constant | None:
        if content is None:
            return None
        if isinstance(content, FileMapping):
            return self._constant(content)
        if not self._has_key_columns(content):
            return None
        rows = self._kept(content)
        made = tuple(self._row(row) for row in rows or ())
        self._check_keys(made)
        if rows is None or has_errors(self.file.problems):
            return None
        return Table(
            name=self.source.name,
            file=self.file.path,
            columns=content.columns,
            key=self.key,
            rows=made,
            all_rows=len(content.rows),
            is_filtered=self.source.rows is not None,
        )

    def _constant(self, content: FileMapping) -> Constant | None:
        for name, given in (("key", self.source.key), ("rows", self.source.rows)):
            if given:
                steps = (*self.source.steps, name)
                message = f"'{self.file.path}' is one mapping and has no rows"
                help = f"leave out '{name}', or write the file as a list"
                self.file.problems.append(
                    error("FB314", message, where=self.job.document.key_place(steps), steps=steps, help=help)
                )
        if has_errors(self.file.problems):
            return None
        return Constant(name=self.source.name, file=self.file.path, value=content.value)

    def _has_key_columns(self, content: FileRows) -> bool:
        absent = [name for name in self.source.key if name not in content.columns]
        steps = (*self.source.steps, "key")
        for name in absent:
            help = did_you_mean(name, content.columns) or f"the columns are {', '.join(content.columns[:20])}"
            at = (*steps, self.source.key.index(name)) if len(self.source.key) > 1 else steps
            message = f"'{self.file.path}' has no column '{name}'"
            where = self.job.document.place(at)
            self.file.problems.append(error(self._code, message, where=where, steps=steps, help=help))
        if self.source.picks and not self.source.key:
            # A shot of several frames stands once for each that was picked.
            named = "shot" in content.columns
            self.key = tuple(name for name in ("shot", "frame") if name in content.columns) if named else ()
        return not absent

    @property
    def _code(self) -> str:
        return _code(self.file.path)

    def _kept(self, content: FileRows) -> list[FileRow] | None:
        """The rows for which the filter is true; None where it cannot be asked."""
        if self.source.rows is None:
            return list(content.rows)
        steps = (*self.source.steps, "rows")
        try:
            wanted = compile_expression(self.source.rows)
        except TemplateFault as fault:
            self._complain_of_filter(fault)
            return None
        plain = {name: value for name, value in self.job.variables.items() if _is_plain(value)}
        constants = {**plain, "vars": plain}
        known = {*constants, *content.columns}
        for name in sorted(wanted.names - known, key=wanted.name_span):
            columns = f"a text stands in quotes: '{name}'; the columns are {', '.join(content.columns[:20])}"
            bare = cannot_stand_bare(wanted.text, wanted.name_span(name)[0], content.columns)
            help = bare or did_you_mean(name, known) or columns
            if name in self.job.variables:
                help = "it is a template, and constants are worked out after the rows are chosen"
            self._complain_of_filter(
                TemplateFault("FB301", f"unknown variable '{name}'", *wanted.name_span(name), help)
            )
        if wanted.names - known:
            return None

        kept: list[FileRow] = []
        decided: list[Decided] = []
        asked_about = sorted(wanted.names.intersection(content.columns), key=wanted.name_span)
        for row in content.rows:
            answer = self._asked(wanted, row, constants)
            if answer is None:
                return None
            if answer:
                kept.append(row)
            stripped, changed = without_blanks(row, asked_about)
            if changed and self._is_otherwise(answer, wanted, stripped, constants):
                decided.append(Decided(row=row, columns=changed, is_kept=answer))
        if content.rows and not kept:
            where = self.job.document.place(steps)
            message = f"none of the {len(content.rows)} rows of '{self.file.path}' matches"
            there = what_there_is(self.source.rows, asked_about, content.rows)
            self.file.problems.append(error("FB312", message, where=where, steps=steps, help=there))
        else:
            warn_of_blanks(self.file, decided)
        return kept

    def _asked(self, wanted: Expression, row: FileRow, constants: Mapping[str, Any]) -> bool | None:
        try:
            return bool(wanted.evaluate({**constants, **self._row(row).data}))
        except TemplateFault as fault:
            self._complain_of_filter(fault, note=f"in {self._about(row)}")
            return None

    def _is_otherwise(self, answer: bool, wanted: Expression, row: FileRow, constants: Mapping[str, Any]) -> bool:
        """Whether the filter judges this row, which nobody wrote so, otherwise. What it cannot judge says nothing."""
        with suppress(TemplateFault):
            return bool(wanted.evaluate({**constants, **self._row(row).data})) is not answer
        return False

    def _complain_of_filter(self, fault: TemplateFault, note: str | None = None) -> None:
        steps = (*self.source.steps, "rows")
        where = self.job.document.inside(steps, fault.start, fault.end)
        notes = [note] if note else []
        self.file.problems.append(
            error(fault.code, fault.message, where=where, steps=steps, help=fault.help, notes=notes)
        )

    def _row(self, row: FileRow) -> Row:
        about = self._about(row)
        data = {name: EmptyCell(about, name) if cell is None else cell for name, cell in row.cells.items()}
        parts = [as_key(row.cells[name]) for name in self.key]
        return Row(
            data=data,
            id="-".join(parts) if parts and all(parts) else None,
            line=row.line,
            file=self.file.path,
            about=about,
        )

    def _about(self, row: FileRow) -> str:
        keys = [f"{name} {as_key(row.cells[name])}" for name in self.key if row.cells.get(name) is not None]
        where = f"{self.file.path}:{row.line}"
        return f"{where} ({', '.join(keys)})" if keys else where

    def _check_keys(self, rows: Iterable[Row]) -> None:
        first: dict[tuple[str, ...], Row] = {}
        for row in rows:
            empty = [name for name in self.key if isinstance(row.data[name], EmptyCell)]
            if empty:
                self.file.complain(f"the row has no {' and no '.join(empty)}", line=row.line, help=_EMPTY_KEY)
                continue
            key = tuple(as_key(row.data[name]) for name in self.key)
            earlier = first.setdefault(key, row)
            if key and earlier is not row:
                shown = ", ".join(f"{name} {part}" for name, part in zip(self.key, key, strict=True))
                self.file.complain(
                    f"{shown} stands twice", line=row.line, note=(f"first at line {earlier.line}", earlier.line)
                )


def _is_plain(value: Any) -> bool:
    """Whether a constant is what it says: no text in it is a template."""
    match value:
        case str():
            return is_static(value)
        case dict():
            return all(map(_is_plain, value.values()))
        case list():
            return all(map(_is_plain, value))
        case _:
            return True


_EMPTY_KEY = "every row needs its key: it is the row's name in paths, rules and messages"
