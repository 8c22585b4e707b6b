"""Read YAML: a list of mappings is a table, one mapping a constant, and `picks.yaml` what was picked in a sheet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flux2batch.planning.table_content import DataFile, FileMapping, FileRow, FileRows
from flux2batch.planning.tables_json import rows_of
from flux2batch.reading.document import Document, read_document
from flux2batch.reading.problems import has_errors


def read_yaml(file: DataFile) -> FileRows | FileMapping | None:
    """The table or the mapping of a YAML file; None where it cannot be read."""
    document = _document(file)
    if document is None:
        return None
    match document.data:
        case list():
            return rows_of(file, _numbered(document, document.data, ()))
        case dict():
            return FileMapping(value=document.data)
        case _:
            file.complain("expected a list of mappings, or one mapping", line=1, help="a row is written - {…: …}")
            return None


def read_picks(file: DataFile) -> FileRows | None:
    """What was picked in a sheet: a row for each entry, the coordinates as columns beside the entry's own keys."""
    document = _document(file)
    if document is None:
        return None
    steps: tuple[str, ...] = ("picks",) if isinstance(document.data, dict) and "picks" in document.data else ()
    entries = document.data["picks"] if steps else document.data
    if not isinstance(entries, list):
        file.complain("expected a list of picks", line=1, help="export it from the contact sheet")
        return None
    whole = rows_of(file, _numbered(document, entries, steps))
    return None if whole is None else _spread(whole)


def _spread(picks: FileRows) -> FileRows:
    columns: dict[str, None] = {}
    spread: list[FileRow] = []
    for row in picks.rows:
        own = dict(row.cells)
        if "id" in own and "shot" not in own:
            own["shot"] = own.pop("id")
        coordinates = own.get("coordinates")
        cells = (
            {name: _coordinate(value) for name, value in coordinates.items()}
            if isinstance(coordinates, Mapping)
            else {}
        )
        cells |= own
        columns.update(dict.fromkeys(cells))
        spread.append(FileRow(line=row.line, cells=cells))
    rows = tuple(FileRow(line=row.line, cells={name: row.cells.get(name) for name in columns}) for row in spread)
    return FileRows(columns=tuple(columns), rows=rows)


def _coordinate(value: Any) -> Any:
    """A coordinate as one value: what was swept, or its id where it is a row or an object."""
    if not isinstance(value, Mapping):
        return value
    inner = value.get("value")
    return value.get("id") if inner is None or isinstance(inner, (Mapping, list)) else inner


def _document(file: DataFile) -> Document | None:
    document, problems = read_document(file.content, name=file.name, expected="anything")
    file.problems.extend(problems)
    return None if has_errors(problems) else document


def _numbered(document: Document, entries: list[Any], steps: tuple[str, ...]) -> list[tuple[int, Any]]:
    places = (document.place((*steps, index)) for index in range(len(entries)))
    return [(place.line if place else 1, entry) for place, entry in zip(places, entries, strict=True)]
