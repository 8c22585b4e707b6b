"""Read YAML: a list of mappings is a table, one mapping a constant, and `picks.yaml` what was picked in a sheet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flux2batch.planning.tables.content import DataFile, FileMapping, FileRow, FileRows
from flux2batch.planning.tables.from_json import rows_of
from flux2batch.reading.document import Document, read_document
from flux2batch.reading.problems import has_errors

PICKS_VERSION = 1


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """The entries of a file of picks as they stand in it, each with its line."""

    run: str | None  # the run directory's name
    numbered: list[tuple[int, Any]]


def read_picks(file: DataFile) -> FileRows | None:
    """What was picked in a sheet: a row for each picture, the coordinates as columns beside the entry's own keys.

    What was rejected, or only rated, is no pick and has no row.
    """
    entries = pick_entries(file)
    if entries is None:
        return None
    kept = [(line, entry) for line, entry in entries.numbered if is_pick(entry)]
    whole = rows_of(file, kept)
    return None if whole is None else _spread(whole, entries.run)


def pick_entries(file: DataFile) -> Entries | None:
    """The entries of a file that the sheet exported, or of a list that somebody wrote."""
    document = _document(file)
    if document is None:
        return None
    data = document.data
    run = data.get("run") if isinstance(data, dict) else None
    steps: tuple[str, ...] = ()
    if isinstance(data, dict) and "shots" in data:
        version = data.get("picks", PICKS_VERSION)
        if type(version) is int and version > PICKS_VERSION:
            file.complain(f"a newer flux2batch wrote it (picks: {version})", line=1, help="install that one")
            return None
        steps = ("shots",)
    elif isinstance(data, dict) and "picks" in data:
        steps = ("picks",)
    entries = data[steps[0]] if steps else data
    if not isinstance(entries, list):
        file.complain("expected a list of picks", line=1, help="export it from the contact sheet")
        return None
    return Entries(run=run if isinstance(run, str) else None, numbered=_numbered(document, entries, steps))


def is_pick(entry: Any) -> bool:
    """Whether an entry says that its picture is wanted, which it does unless it says otherwise."""
    return not isinstance(entry, Mapping) or (entry.get("rejected") is not True and entry.get("picked") is not False)


def _spread(picks: FileRows, run: str | None) -> FileRows:
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
        own.pop("picked", None)
        own.pop("rejected", None)
        cells |= own
        if run is not None:
            cells.setdefault("run", run)  # where its picture lies: runs/{{ pick.run }}/{{ pick.path }}
        columns.update(dict.fromkeys(cells))
        spread.append(FileRow(line=row.line, cells=cells))
    rows = tuple(FileRow(line=row.line, cells={name: _cell(row, name) for name in columns}) for row in spread)
    return FileRows(columns=tuple(columns), rows=rows)


def _cell(row: FileRow, name: str) -> Any:
    cell = row.cells.get(name)
    # A shot of one frame has no number written for it, and a key has no holes.
    return 1 if cell is None and name == "frame" else cell


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
