"""Draw a sheet: choose what is shown of recorded runs, see to its thumbnails, and make the page's data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flux2batch.errors import UsageError
from flux2batch.money import ZERO, Money
from flux2batch.pictures.troubles import machine_error
from flux2batch.planning.tables.picks import Picks
from flux2batch.reporting.sheet_choice import Chooses, choice_of, said_of
from flux2batch.reporting.sheet_data import Remark, Remarks, ShownRun, sheet_data
from flux2batch.reporting.sheet_story import KnownShot
from flux2batch.running.recorded_run import Present, RecordedRun, ReferenceThumbnails, thumbnails_wanted
from flux2batch.running.thumbnail_folder import FOLDER, ThumbnailFolder, Wanted, names_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What of the run directories is shown."""

    earlier: bool
    only: str | None
    picks: Picks | None


EVERYTHING = Selected(earlier=False, only=None, picks=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A sheet that is ready to be written."""

    data: dict[str, Any]
    thumbnails: ThumbnailFolder
    names: tuple[str, ...]  # the thumbnails' files
    originals: tuple[tuple[str, Path], ...]  # (path from the page, file)
    remarks: tuple[str, ...]

    @property
    def pictures(self) -> int:
        return int(self.data["state_counts"].get("done", 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the run directories lie, seen from the page."""

    names: tuple[str, ...]  # no two are equal
    paths: tuple[str, ...]

    @classmethod
    def beside(cls, roots: Sequence[Path], folder: Path) -> Layout:
        try:
            paths = [os.path.relpath(root.resolve(), folder.resolve()).replace(os.sep, "/") for root in roots]
        except ValueError as error:
            raise UsageError(f"The sheet and its pictures must lie on one drive: {error}.") from error
        return cls(names=_told_apart([root.resolve().name for root in roots]), paths=tuple(paths))

    @classmethod
    def packed(cls, runs: Sequence[RecordedRun]) -> Layout:
        names = _told_apart([run.name for run in runs])
        return cls(names=names, paths=names if len(names) > 1 else (".",))


def _told_apart(names: Sequence[str]) -> tuple[str, ...]:
    apart: list[str] = []
    for name in names:
        number, free = 2, name
        while free in apart:
            free, number = f"{name}-{number}", number + 1
        apart.append(free)
    return tuple(apart)


def draw(
    runs: Sequence[RecordedRun],
    layout: Layout,
    *,
    folder: ThumbnailFolder,
    selected: Selected,
    finished: bool = True,
    refresh_s: int | None = None,
    waits: bool = True,
) -> Drawn:
    """Choose what is shown, see to the thumbnails, and write the data.

    `waits` makes all that are missing; without it they are begun, and the page shows those that are there.
    """
    known = [run.shots() for run in runs]
    chooses = choice_of((shot for shots in known for shot in shots), only=selected.only, picks=selected.picks)
    shown: list[ShownRun] = []
    originals: dict[str, Path] = {}
    hidden, hidden_usd = 0, ZERO
    for run, shots, name, path in zip(runs, known, layout.names, layout.paths, strict=True):
        present = run.pictures()
        chosen = [shot for shot in shots if (selected.earlier or not shot.version) and _any_frame(chooses, shot)]
        if not selected.earlier:
            earlier = [shot.life for shot in shots if shot.version]
            hidden += sum(present(saved.path) for life in earlier for saved in life.saved)
            hidden_usd = Money(sum((life.charged for life in earlier), hidden_usd))
        wanted = list(thumbnails_wanted(chosen, present))
        folder.take_over(run.root / FOLDER, (one.key for one in wanted))
        see_to(folder, wanted, waits=waits)
        originals.update(_originals(chosen, chooses, present, "" if path == "." else f"{path}/"))
        shown.append(
            ShownRun(
                name=name,
                path=path,
                command=run.command,
                directory_id=run.directory_id,
                story=run.story,
                shots=chosen,
                is_there=present,
                reference_thumbnail=ReferenceThumbnails(run, folder),
            )
        )
    data = sheet_data(
        shown,
        written=datetime.now(UTC),
        finished=finished,
        refresh_s=refresh_s,
        shows=chooses,
        has_thumbnail=folder.has,
        earlier_hidden=hidden,
        earlier_usd=hidden_usd,
        remarks=None if selected.picks is None else _remarks(selected.picks),
    )
    return Drawn(
        data=data,
        thumbnails=folder,
        names=tuple(names_in(data, folder)),
        originals=tuple(originals.items()),
        remarks=tuple(remark for run in runs for remark in run.remarks),
    )


def _any_frame(chooses: Chooses, shot: KnownShot) -> bool:
    return any(chooses(shot, frame) for frame in range(1, shot.frames + 1))


def _originals(
    shots: Iterable[KnownShot], chooses: Chooses, present: Present, prefix: str
) -> Iterator[tuple[str, Path]]:
    """The pictures that are shown: their paths from the page, and where they are."""
    for shot in shots:
        for saved in shot.life.saved:
            file = present.file(saved.path)
            if file is not None and chooses(shot, saved.frame + 1):
                yield prefix + saved.path, file


def see_to(folder: ThumbnailFolder, wanted: Sequence[Wanted], *, waits: bool) -> None:
    """Make the thumbnails that are missing; without `waits` they are begun."""
    if not waits:
        for one in wanted:
            folder.begin(one)
        return
    try:
        folder.make(wanted)
    except OSError as problem:
        raise machine_error(problem, folder.path, "", needed=20_000 * len(wanted)) from problem


def _remarks(picks: Picks) -> Remarks:
    def of(shot: KnownShot, frame: int) -> Remark | None:
        pick = said_of(picks, shot, frame)
        if pick is None:
            return None
        return Remark(rating=pick.rating, note=pick.note, picked=pick.picked, rejected=pick.rejected)

    return of


def names_in(data: Mapping[str, Any], folder: ThumbnailFolder) -> Iterable[str]:
    """The thumbnails that the page with this data refers to, each once."""
    at = data["columns"].index("thumb")
    keys = dict.fromkeys(row[at] for row in data["shots"] if row[at] is not None)
    for key in keys:
        yield from (name for name in names_of(key) if folder.has_file(name))
    yield from dict.fromkeys(one["thumb"] for one in data["references"] if one["thumb"] is not None)
