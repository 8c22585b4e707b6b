"""What a run directory tells of its shots: its journal folded, beside the plan that was last run in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from sys import intern
from typing import Any, Protocol

from flux2batch.engine.events import Event, RunBegan, RunEnded
from flux2batch.engine.lifecycle import UNBORN, Life, Phase, advance
from flux2batch.planning.shot import ShotId

EARLIER = "earlier/"
"""The folder for pictures whose path now belongs to another shot."""

Order = Mapping[str, tuple[tuple[str, str], ...]]
"""Axis → (id, label) of its values, in order."""

_NO_LIFE = UNBORN
_MOST_FRAMES = 64


class Recorded(Protocol):
    """An event as a journal has it."""

    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def shot(self) -> ShotId | None: ...
    @property
    def event(self) -> Event: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceNamed:
    """A reference as plan and journal write it down: never its bytes."""

    name: str
    kind: str  # file, url, color, collage
    source: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownShot:
    """A shot as a run directory knows it, whether it was ever sent or not."""

    id: str
    index: int
    model: str
    endpoint: str
    prompt: str
    params: Mapping[str, Any]
    references: tuple[ReferenceNamed, ...]
    coordinates: Mapping[str, tuple[str, str]]  # axis → (id, label)
    repeat: int
    frames: int
    paths: tuple[str, ...]  # where its pictures lie, or are to lie: the frames of its first place
    trim: tuple[int, int] | None  # `exact`: what the picture is trimmed to after it came
    life: Life
    version: int  # 0: of the present plan; 1: what stood in its place before, 2: what stood there before that


class RunStory:
    """One run directory, told by its journal. It can be told more at any time: a running run adds to it."""

    def __init__(self) -> None:
        self.lives: dict[ShotId, Life] = {}
        self.began: RunBegan | None = None
        self.seq = 0
        self._ended = True
        self._orders: list[Order] = []

    @property
    def ended(self) -> bool:
        """Whether the last run came to its end: it did not where it was killed, or still goes on."""
        return self._ended

    def saw(self, entries: Iterable[Recorded]) -> int:
        """Take in what happened since; how many events that was."""
        before = self.seq
        lives = self.lives
        for entry in entries:
            self.seq = entry.seq
            event = entry.event
            if entry.shot is not None:
                life = lives.get(entry.shot, _NO_LIFE)
                lives[entry.shot] = advance(life, event, at=entry.at)  # type: ignore[arg-type]  # a shot's, by its entry
            elif isinstance(event, RunBegan):
                self._begin(event)
            elif isinstance(event, RunEnded):
                self._ended = True
        return self.seq - before

    def _begin(self, event: RunBegan) -> None:
        self._ended = False
        # A call that settles shots plans nothing: what is known of axes and layout comes from the runs.
        if event.axes or self.began is None:
            self.began = event
        if event.axes:
            self._orders.append(event.axes)

    def axes(self) -> dict[str, dict[str, str]]:
        """The axes of the last run, with the values of all runs in the order of the job. Some may have no picture."""
        if not self._orders:
            return {}
        found: dict[str, dict[str, str]] = {name: dict(values) for name, values in self._orders[-1].items()}
        for earlier in reversed(self._orders[:-1]):
            for name in found.keys() & earlier.keys():
                found[name] = merged(found[name], dict(earlier[name]))
        return found

    def shots(self, plan: Sequence[PlannedShot]) -> list[KnownShot]:
        """Every shot of the plan in its order, then what else the directory holds, newest first.

        A run with --only leaves a plan of its own behind. So what the plan does not name still belongs to the present,
        unless another picture took its place: its path, or its point of the sweep.
        """
        labels = self.axes()
        planned = [_planned(row, self.lives, labels) for row in plan]
        ids = {shot.id for shot in planned}
        others = [(shot, life) for shot, life in self.lives.items() if shot not in ids and _is_worth_showing(life)]
        others.sort(key=_when, reverse=True)
        taken: dict[object, int] = {_point(shot): 1 for shot in planned}
        known = planned
        for number, (id, life) in enumerate(others, start=len(planned)):
            shot = _recorded(id, life, number)
            point = _point(shot)
            is_past = _is_moved_away(life) or (labels and set(shot.coordinates) != set(labels))
            version = taken.get(point, 1 if is_past else 0)
            taken[point] = version + 1
            known.append(replace(shot, version=version) if version else shot)
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedShot:
    """A row of `plan.jsonl`, in little room: of a hundred thousand most texts are those of others."""

    id: str
    index: int
    model: str
    endpoint: str
    prompt: str
    params: Mapping[str, Any]
    references: tuple[ReferenceNamed, ...]
    coordinates: Mapping[str, str]
    repeat: int
    paths: tuple[str, ...]
    trim: tuple[int, int] | None


def planned_shot(row: Mapping[str, Any]) -> PlannedShot:
    """The row, which has the form that it should."""
    return PlannedShot(
        id=intern(row["id"]),
        index=row["index"],
        model=intern(row["model"]),
        endpoint=intern(row["endpoint"]),
        prompt=intern(row["prompt"]),
        params={intern(name): value for name, value in row["params"].items()},
        references=tuple(ReferenceNamed(**{key: intern(one[key]) for key in _REFERENCE}) for one in row["references"]),
        coordinates={intern(axis): intern(id) for axis, id in row["coordinates"].items()},
        repeat=row["repeat"],
        paths=tuple(map(intern, row["paths"])),
        trim=_trim(row.get("trim")),
    )


def _trim(written: object) -> tuple[int, int] | None:
    """`1080x1350`; None for no trim, and for what somebody else may have written there."""
    read = re.fullmatch(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", written, re.ASCII) if isinstance(written, str) else None
    return (int(read[1]), int(read[2])) if read else None


class PlanUnreadable(ValueError):
    """`plan.jsonl` was changed by hand, or by somebody who means ill: the journal alone is believed."""


def plan_rows(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """The rows of `plan.jsonl`. Raises PlanUnreadable."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise PlanUnreadable(f"line {number}: {error}") from error
        if not isinstance(row, dict) or not all(_has_form(row.get(name), form) for name, form in _FORM.items()):
            raise PlanUnreadable(f"line {number} is no shot")
        texts = [*row["coordinates"].values(), *row["paths"]]
        texts += [one.get(key) if isinstance(one, dict) else None for one in row["references"] for key in _REFERENCE]
        if not all(isinstance(text, str) for text in texts):
            raise PlanUnreadable(f"line {number} is no shot")
        yield row


_FORM: Mapping[str, type] = {
    "id": str, "index": int, "model": str, "endpoint": str, "prompt": str, "params": dict, "references": list,
    "coordinates": dict, "repeat": int, "paths": list,
}  # fmt: skip
_REFERENCE = ("name", "kind", "source", "digest")


def _has_form(value: object, form: type) -> bool:
    return type(value) is form


def merged(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """The values of both: those of `first` in their order, and each that it lacks behind its neighbour in `second`."""
    if all(value in first for value in second):
        return dict(first)
    order = list(first)
    before: str | None = None
    for value in second:
        if value not in first:
            order.insert(order.index(before) + 1 if before is not None else 0, value)
        before = value
    return {value: first[value] if value in first else second[value] for value in order}


def _point(shot: KnownShot) -> object:
    return (*((axis, id) for axis, (id, _) in sorted(shot.coordinates.items())), shot.repeat)


def _is_worth_showing(life: Life) -> bool:
    """What was withdrawn, or never came to more than an intent, is not worth a place beside the plan."""
    return life.intended is not None and (bool(life.saved) or life.phase not in (Phase.PLANNED, Phase.INTENT))


def _when(one: tuple[ShotId, Life]) -> float:
    """When it was asked for, or taken over."""
    at = one[1].began_at or one[1].since
    return at.timestamp() if at else 0.0


def _is_moved_away(life: Life) -> bool:
    return bool(life.saved) and all(saved.path.startswith(EARLIER) for saved in life.saved)


def _planned(row: PlannedShot, lives: Mapping[ShotId, Life], labels: Mapping[str, Mapping[str, str]]) -> KnownShot:
    life = lives.get(ShotId(row.id), _NO_LIFE)
    frames = _bounded(life.intended.frames if life.intended else row.params.get("num_images", 1))
    return KnownShot(
        id=row.id,
        index=row.index,
        model=row.model,
        endpoint=row.endpoint,
        prompt=row.prompt,
        params=row.params,
        references=row.references,
        coordinates={axis: (id, labels.get(axis, {}).get(id, id)) for axis, id in row.coordinates.items()},
        repeat=row.repeat,
        frames=frames,
        paths=row.paths[:frames],
        trim=row.trim,
        life=life,
        version=0,
    )


def _bounded(frames: object) -> int:
    """Frames are places on the page: a directory from somebody else must not ask for a million."""
    return min(frames, _MOST_FRAMES) if type(frames) is int and frames > 0 else 1


def _recorded(id: ShotId, life: Life, number: int) -> KnownShot:
    """What the journal alone says."""
    intended = life.intended
    assert intended is not None, "BUG: only what was intended or adopted has come to something"
    return KnownShot(
        id=id,
        index=number,
        model=intended.model,
        endpoint=intended.endpoint,
        prompt=intended.prompt,
        params=intended.params,
        references=tuple(_reference(line) for line in intended.references),
        coordinates=intended.coordinates,
        repeat=intended.repeat,
        frames=_bounded(intended.frames),
        paths=intended.paths[: intended.frames],
        trim=intended.trim,
        life=life,
        version=0,
    )


def _reference(line: str) -> ReferenceNamed:
    """`name source digest`; a source may hold blanks, a name and a digest do not."""
    name, _, rest = line.partition(" ")
    source, _, digest = rest.rpartition(" ")
    return ReferenceNamed(name=name, kind=digest.partition(":")[0], source=source, digest=digest)
