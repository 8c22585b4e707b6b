"""The data of a sheet: what run directories tell, as the page reads it (schema_version 1).

The page of 10,000 pictures must stay small, so shots are rows of columns and every text stands once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PureWindowsPath
from typing import Any

from flux2batch.engine.lifecycle import ENDED, Life, Phase
from flux2batch.money import Money
from flux2batch.reporting.sheet_axes import SheetAxis, axes_of, first_view
from flux2batch.reporting.sheet_story import KnownShot, ReferenceNamed, RunStory

SCHEMA_VERSION = 1

COLUMNS = (
    "id", "c", "state", "file", "thumb", "w", "h", "prompt", "final", "reason", "params", "refs", "seed", "usd",
    "at_risk", "seconds", "task", "index",
)  # fmt: skip

_SAFE_INTEGER = 2**53 - 1  # beyond it a browser rounds
_STATES: Mapping[Phase, str] = {
    Phase.PLANNED: "planned",
    Phase.INTENT: "in_flight",
    Phase.SENDING: "in_flight",
    Phase.ACCEPTED: "in_flight",
    Phase.READY: "in_flight",
    Phase.UNKNOWN: "unknown",
    Phase.DONE: "done",
    Phase.REJECTED: "rejected",
    Phase.MODERATED: "moderated",
    Phase.FAILED: "failed",
    Phase.LOST: "lost",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRun:
    """One run directory on the page."""

    name: str
    path: str  # from the page to the run directory: ".", or "../other-run"
    command: str  # what makes it again
    directory_id: str
    story: RunStory
    shots: Sequence[KnownShot]  # those that are shown
    is_there: Callable[[str], bool]  # whether a picture of the run directory may be linked to
    reference_thumbnail: Callable[[ReferenceNamed], str | None]  # the file's name beside the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a person said of a picture in an earlier look."""

    rating: int | None
    note: str | None
    picked: bool
    rejected: bool


Remarks = Callable[[KnownShot, int], Remark | None]
"""What was said of a shot's frame (from 1)."""


def picture_key(sha256: str) -> str | None:
    """The name that a picture's thumbnails begin with; None where a journal holds something else than a hash."""
    key = sha256[:16]
    return key if len(key) == 16 and all(letter in "0123456789abcdef" for letter in key) else None


def sheet_data(
    runs: Sequence[ShownRun],
    *,
    written: datetime,
    finished: bool,
    refresh_s: int | None,
    shows: Callable[[KnownShot, int], bool],
    has_thumbnail: Callable[[str], bool],
    earlier_hidden: int,
    earlier_usd: Money,
    remarks: Remarks | None,
) -> dict[str, Any]:
    """Everything that the page shows, but for the pictures.

    `shows` is asked of each shot and frame (from 1), `has_thumbnail` by `picture_key`. `earlier_hidden` pictures of
    earlier plans are left out, and what they cost is told all the same.
    """
    axes = axes_of([(run.name, run.story.axes()) for run in runs], [run.shots for run in runs])
    began = next((run.story.began for run in runs if run.story.began is not None), None)
    tables = _Tables()
    said: list[list[Any]] = []
    rows: list[list[Any]] = []
    for number, run in enumerate(runs):
        write = _RowWriter(run, number, axes, tables, finished=finished, has_thumbnail=has_thumbnail)
        for shot in run.shots:
            for frame in range(shot.frames):
                if not shows(shot, frame + 1):
                    continue
                remark = remarks(shot, frame + 1) if remarks is not None else None
                if remark is not None:
                    said.append([len(rows), remark.rating, remark.note, remark.picked, remark.rejected])
                rows.append(write.row(shot, frame))
    return {
        "schema_version": SCHEMA_VERSION,
        "title": _title(runs),
        "written": written.isoformat(timespec="seconds"),
        "finished": finished,
        "emulated": any(run.story.began.emulated for run in runs if run.story.began is not None),
        "refresh_s": refresh_s,
        "storage_key": "flux2batch:" + "+".join(run.directory_id for run in runs),
        "runs": [{"name": run.name, "path": run.path, "command": run.command} for run in runs],
        "axes": [axis.written() for axis in axes],
        "view": first_view(axes, began.sheet if began is not None else {}),
        "texts": list(tables.texts),
        "params": tables.params,
        "references": tables.references,
        "columns": list(COLUMNS),
        "shots": rows,
        "state_counts": dict(Counter(row[2] for row in rows)),
        "earlier_hidden": earlier_hidden,
        "earlier_usd": f"{earlier_usd:f}",
        "picks": said or None,
        "inline": None,
    }


def _title(runs: Sequence[ShownRun]) -> str:
    if len(runs) > 1:
        return " · ".join(run.name for run in runs)
    began = runs[0].story.began if runs else None
    if began is None:
        return runs[0].name if runs else ""
    asked = began.sheet.get("title")
    return asked if isinstance(asked, str) and asked else began.job_name


class _Tables:
    """What many shots share, each thing once."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}
        self.params: list[dict[str, Any]] = []
        self.references: list[dict[str, Any]] = []
        self._params: dict[str, int] = {}
        self._references: dict[tuple[int, ReferenceNamed], int] = {}

    def text(self, text: str | None) -> int:
        return self.texts.setdefault(text, len(self.texts)) if text else -1

    def param(self, shot: KnownShot) -> int:
        set_of = {"model": shot.model, **{name: value for name, value in shot.params.items() if name != "seed"}}
        key = repr(set_of)  # not sorted: one job writes its parameters in one order
        index = self._params.setdefault(key, len(self.params))
        if index == len(self.params):
            self.params.append({name: _number_as_it_is(value) for name, value in set_of.items()})
        return index

    def reference(self, run: int, reference: ReferenceNamed, thumbnail: Callable[[ReferenceNamed], str | None]) -> int:
        key = (run, reference)
        if key not in self._references:
            self._references[key] = len(self.references)
            self.references.append(
                {
                    "name": reference.name,
                    "kind": reference.kind,
                    "source": _at_home(reference.source),
                    "thumb": thumbnail(reference),
                }
            )
        return self._references[key]


def _at_home(source: str) -> str:
    """A source without the folders of this machine, where --allow-path let it be an absolute path."""
    return last_name(source) if _ABSOLUTE.match(source) else source


_ABSOLUTE = re.compile(r"[A-Za-z]:[\\/]|[\\/~]")


def last_name(path: str) -> str:
    """The last name of a path of this machine, whichever system that is."""
    return PureWindowsPath(path).name or path


def _number_as_it_is(value: Any) -> Any:
    return str(value) if type(value) is int and abs(value) > _SAFE_INTEGER else value


class _RowWriter:
    """Writes the cells of one run."""

    def __init__(
        self,
        run: ShownRun,
        number: int,
        axes: Sequence[SheetAxis],
        tables: _Tables,
        *,
        finished: bool,
        has_thumbnail: Callable[[str], bool],
    ) -> None:
        self._run = run
        self._number = number
        self._tables = tables
        self._finished = finished
        self._has_thumbnail = has_thumbnail
        self._places = [(axis, {id: index for index, id in enumerate(axis.values)}) for axis in axes]
        self._prefix = "" if run.path == "." else f"{run.path}/"

    def row(self, shot: KnownShot, frame: int) -> list[Any]:
        """One cell. What a shot cost stands with its first frame alone, so that sums are right."""
        life, tables = shot.life, self._tables
        saved = next((one for one in life.saved if one.frame == frame), None)
        state = self._state(life, saved.path if saved else None)
        there = saved is not None and state == "done"
        key = picture_key(saved.sha256) if saved is not None and there else None
        rendered, is_first = life.rendered, frame == 0
        seed = rendered.seed if rendered is not None and rendered.seed is not None else shot.params.get("seed")
        final = rendered.prompt if rendered is not None and rendered.prompt != shot.prompt else None
        return [
            shot.id,
            [self._place(axis, places, shot, frame) for axis, places in self._places],
            state,
            self._prefix + saved.path if saved is not None and there else None,
            key if key is not None and self._has_thumbnail(key) else None,
            *_size(shot, (saved.width, saved.height) if saved is not None else None),
            tables.text(shot.prompt),
            tables.text(final),
            tables.text(_reason(life, state, saved.remark if saved else None)),
            tables.param(shot),
            [tables.reference(self._number, one, self._run.reference_thumbnail) for one in shot.references],
            _number_as_it_is(seed) if isinstance(seed, int) else None,
            _usd(life) if is_first else None,
            f"{life.at_risk:f}" if is_first and life.at_risk else None,
            _seconds(life) if is_first else None,
            life.ticket.task_id if life.ticket is not None else None,
            shot.index,
        ]

    def _state(self, life: Life, path: str | None) -> str:
        if life.phase is Phase.DONE:
            is_there = path is not None and path not in life.missing and self._run.is_there(path)
            return "done" if is_there else "missing"
        if life.stalled and life.phase not in ENDED:
            return "stalled"
        if life.phase is Phase.INTENT and self._finished:
            return "planned"  # never sent, and nobody is about to
        return _STATES[life.phase]

    def _place(self, axis: SheetAxis, places: Mapping[str, int], shot: KnownShot, frame: int) -> int:
        match axis.kind:
            case "job":
                at = shot.coordinates.get(axis.name)
                return -1 if at is None else places.get(at[0], -1)
            case "run":
                return self._number
            case "repeat":
                return places.get(str(shot.repeat), -1)
            case "frame":
                return frame
            case "version":
                return shot.version  # its values are in this order


def _size(shot: KnownShot, saved: tuple[int, int] | None) -> tuple[int | None, int | None]:
    """That of the file; before there is one, what it will be."""
    if saved is not None:
        return saved
    if shot.trim is not None:
        return shot.trim
    width, height = shot.params.get("width"), shot.params.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) else (None, None)


def _reason(life: Life, state: str, remark: str | None) -> str | None:
    if state == "missing":
        return "it is no longer where it was put; `flux2batch retry --missing` buys it again"
    if state == "done":
        came = f"taken over from {last_name(life.source)}, and not paid for here" if life.source else None
        return "; ".join(one for one in (remark, came) if one) or None
    return life.reason


def _usd(life: Life) -> str | None:
    """What is known to be charged, over all takes; None where nothing is known yet."""
    return None if life.charge is None and not life.spent else f"{life.charged:f}"


def _seconds(life: Life) -> float | None:
    """From the intent to the end, as a person waits for it."""
    if life.began_at is None or life.since is None or life.phase not in ENDED or life.source is not None:
        return None
    return round((life.since - life.began_at).total_seconds(), 1)
