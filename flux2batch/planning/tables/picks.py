"""What was picked in a sheet, for every command that selects shots by `--picks FILE`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flux2batch.errors import InvalidInput
from flux2batch.planning.tables.content import MAX_BYTES, DataFile
from flux2batch.planning.tables.from_yaml import Entries, is_pick, pick_entries
from flux2batch.planning.templates.values import as_key
from flux2batch.reading.problems import Place, error, has_errors

_SHORTEST_ID = 8  # of an id that is written by hand, with its end left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What was said of one picture. It is known by its shot, or else by its path, or else by where it stands."""

    shot: str | None
    path: str | None
    coordinates: Mapping[str, str]
    frame: int | None  # from 1; None where the shot has one
    rating: int | None  # 1 to 5
    note: str | None
    picked: bool  # False: it was only rated or given a note
    rejected: bool


@dataclass(frozen=True, kw_only=True)
class Picks:
    """A file of picks."""

    file: str
    run: str | None
    all: tuple[Pick, ...]

    @property
    def chosen(self) -> tuple[Pick, ...]:
        """Those that were picked."""
        return tuple(pick for pick in self.all if pick.picked)

    def said_of(self, shot: str, *, paths: tuple[str, ...], coordinates: Mapping[str, str], frame: int) -> Pick | None:
        """What the file says of one picture; rejected or not."""
        for pick in self._about(shot, paths, coordinates):
            if pick.frame is None or pick.frame == frame:
                return pick
        return None

    def _about(self, shot: str, paths: tuple[str, ...], coordinates: Mapping[str, str]) -> Iterator[Pick]:
        yield from self._by_shot.get(shot, ())
        for pick in self._cut_short:
            if pick.shot and shot.startswith(pick.shot):
                yield pick
        for path in paths:
            yield from self._by_path.get(path, ())
        for pick in self._by_point:
            if all(coordinates.get(axis) == value for axis, value in pick.coordinates.items()):
                yield pick

    @cached_property
    def _by_shot(self) -> Mapping[str, list[Pick]]:
        found: dict[str, list[Pick]] = {}
        for pick in self.all:
            if pick.shot:
                found.setdefault(pick.shot, []).append(pick)
        return found

    @cached_property
    def _cut_short(self) -> tuple[Pick, ...]:
        return tuple(pick for pick in self.all if pick.shot and _SHORTEST_ID <= len(pick.shot) < 32)

    @cached_property
    def _by_path(self) -> Mapping[str, list[Pick]]:
        found: dict[str, list[Pick]] = {}
        for pick in self.all:
            if pick.path and not pick.shot:
                found.setdefault(pick.path, []).append(pick)
        return found

    @cached_property
    def _by_point(self) -> tuple[Pick, ...]:
        return tuple(pick for pick in self.all if not pick.shot and not pick.path and pick.coordinates)


def read_picks(path: Path) -> Picks:
    """The picks in a file; raises InvalidInput with everything that is wrong with it."""
    place = Place(file=str(path), line=1, column=1, end_line=1, end_column=1, line_text=None)
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        help = "export it from the contact sheet: the button Picks, or the key E"
        raise InvalidInput([error("FB001", f"no such file '{path}'", where=None, help=help)]) from None
    except OSError as refused:
        reason = (refused.strerror or "no reason given").lower()
        raise InvalidInput([error("FB002", f"'{path}' cannot be read: {reason}", where=None)]) from None
    if len(content) > MAX_BYTES:
        raise InvalidInput([error("FB314", f"larger than {MAX_BYTES // 1024**2} MB", where=place)])
    file = DataFile(content, path=str(path), name=str(path), code="FB314")
    entries = pick_entries(file)
    picks = tuple(_picks(file, entries)) if entries is not None else ()
    if has_errors(file.problems):
        raise InvalidInput(file.problems)
    return Picks(file=str(path), run=entries.run if entries else None, all=picks)


def _picks(file: DataFile, entries: Entries) -> Iterator[Pick]:
    for line, entry in entries.numbered:
        if not isinstance(entry, Mapping):
            file.complain("expected a mapping", line=line, help="a pick is written - {id: …, rating: 4}")
            continue
        pick = _pick(entry)
        if pick.shot is None and pick.path is None and not pick.coordinates:
            file.complain("the pick names no shot", line=line, help="give it an id, a path or coordinates")
            continue
        rating = entry.get("rating")
        if rating is not None and pick.rating is None:
            file.complain(f"the rating is {as_key(rating)}", line=line, help="a rating is a whole number, 1 to 5")
            continue
        yield pick


def _pick(entry: Mapping[str, Any]) -> Pick:
    shot = entry.get("id", entry.get("shot"))
    path, note, frame, rating = (entry.get(name) for name in ("path", "note", "frame", "rating"))
    coordinates = entry.get("coordinates")
    return Pick(
        shot=as_key(shot) or None,
        path=path if isinstance(path, str) and path else None,
        coordinates={str(axis): _id_of(value) for axis, value in coordinates.items()}
        if isinstance(coordinates, Mapping)
        else {},
        frame=frame if type(frame) is int and frame > 0 else None,
        rating=rating if type(rating) is int and 1 <= rating <= 5 else None,
        note=as_key(note) or None if isinstance(note, (str, int, float)) else None,
        picked=is_pick(entry),
        rejected=entry.get("rejected") is True,
    )


def _id_of(value: Any) -> str:
    return as_key(value.get("id", value.get("value"))) if isinstance(value, Mapping) else as_key(value)
