"""Blanks around a cell that nobody sees, and that decide what a filter makes of its row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from flux2batch.planning.tables.content import DataFile, FileRow, and_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A row that the filter judges otherwise without its blanks."""

    row: FileRow
    columns: tuple[str, ...]  # whose cells have a blank
    is_kept: bool


def without_blanks(row: FileRow, columns: Iterable[str]) -> tuple[FileRow, tuple[str, ...]]:
    """The row with these cells stripped, and the columns where that changed something."""
    cells = {name: row.cells[name] for name in columns}
    stripped = {name: cell.strip() for name, cell in cells.items() if isinstance(cell, str) and cell != cell.strip()}
    return replace(row, cells={**row.cells, **stripped}) if stripped else row, tuple(stripped)


def warn_of_blanks(file: DataFile, decided: Sequence[Decided]) -> None:
    """Say it once, at the first row: whoever has one such row mostly has more."""
    if not decided:
        return
    first = decided[0]
    cells = " and ".join(f"{name} is '{_short(first.row.cells[name])}'" for name in first.columns)
    what = "kept" if first.is_kept else "left out"
    file.warn(
        "FB319",
        f"this row is {what} because of a blank: {cells}{and_lines([each.row.line for each in decided[1:]])}",
        line=first.row.line,
        help=f"remove the blank, or compare with {first.columns[0]} | trim",
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"…{text[-39:]}"
