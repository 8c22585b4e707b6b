"""What run directories come to that are joined: whether they may be, the story of each shot, and the plan of all.

Rules that hold this file together:
- nothing is written, and nobody's journal is believed to be harmless: it may come from another machine;
- every event of every directory is kept, so that what was charged adds up;
- a shot that two directories know keeps both of its stories, one after the other, and the one with the picture last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from pathlib import Path

from flux2batch.engine.events import Intended, Retried, RunBegan, Saved, ShotEvent, Withdrawn
from flux2batch.engine.journal import Entry, Journal, Standing
from flux2batch.engine.lifecycle import ENDED, UNBORN, IllegalEvent, Life, Phase, advance
from flux2batch.errors import MachineError, Refused
from flux2batch.money import Money
from flux2batch.planning.shot import ShotId
from flux2batch.running.going_on import last_asked
from flux2batch.running.recorded_run import PLAN

MERGED_FROM = "merged_from"
"""The journal's note of which run directories, by their ids, have gone into this one."""
_BY = "merge"
_SETTLED = ENDED | {Phase.PLANNED, Phase.INTENT}
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the run directories."""

    root: Path
    journal: Journal
    standing: Standing

    @classmethod
    def of(cls, root: Path, journal: Journal) -> Part:
        """The part that this open journal is of."""
        return cls(root=root, journal=journal, standing=journal.standing())

    @property
    def id(self) -> str:
        """What tells it from all others, wherever it is copied to."""
        return self.journal.run_directory_id

    @property
    def contains(self) -> frozenset[str]:
        """The ids of all run directories that are in it, its own among them."""
        with suppress(ValueError):
            listed = json.loads(self.journal.meta(MERGED_FROM) or "[]")
            if isinstance(listed, list):
                return frozenset({self.id, *(str(one) for one in listed)})
        return frozenset({self.id})

    @property
    def shots(self) -> frozenset[ShotId]:
        """The shots that it has a story of."""
        return frozenset(self.standing.ended.keys() | self.standing.open.keys())

    @property
    def began(self) -> tuple[RunBegan, ...]:
        """Its runs, the first one first."""
        return tuple(entry.event for entry in self.journal.run_entries() if isinstance(entry.event, RunBegan))


# Whether they may be joined.


def refuse_what_cannot_be_joined(parts: Sequence[Part]) -> None:
    """Raise Refused, with what to do, where the parts are not parts of one job, or are not at rest."""
    first = parts[0]
    for part in parts:
        if part.journal.meta("kind") != first.journal.meta("kind"):
            real, emulated = (first, part) if first.journal.meta("kind") == "real" else (part, first)
            raise Refused(f"{real.root} holds real pictures, and {emulated.root} emulated ones: they are not joined.")
        if part.journal.meta("job_name") != first.journal.meta("job_name"):
            raise Refused(
                f"{first.root} is of the job '{first.journal.meta('job_name')}', and {part.root} of"
                f" '{part.journal.meta('job_name')}'. Only run directories of one job are joined;"
                " flux2batch sheet lays others side by side."
            )
        _refuse_unrest(part)
    for number, part in enumerate(parts):
        for other in parts[:number]:
            if part.contains & other.contains:
                raise Refused(
                    f"{other.root} and {part.root} have the same run directory in them: what it cost would be counted"
                    " twice. Leave one of them out."
                )


def _refuse_unrest(part: Part) -> None:
    """Shots on their way belong to the directory that sent them: two would fetch and count them."""
    moving = [life for life in part.standing.open.values() if life.phase not in _SETTLED]
    unknown = sum(life.phase is Phase.UNKNOWN for life in moving)
    if unknown:
        raise Refused(f"{unknown} shots of {part.root} are unknown: flux2batch resolve {part.root} settles them first.")
    if moving:
        command = last_asked(part.root, part.journal).command()
        raise Refused(f"{len(moving)} shots of {part.root} are on their way: {command} brings them home first.")


# The story of each shot.


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One shot after the merge: what its story comes to, and the directory that has its pictures."""

    shot: ShotId
    phase: Phase
    charged: Money
    saved: tuple[Saved, ...]
    owners: tuple[Part, ...]  # in the order in which they are told: what counts in the end comes last

    @property
    def home(self) -> Part:
        """Where its pictures lie."""
        return self.owners[-1]

    @property
    def paths(self) -> list[str]:
        """Where all of its pictures lie there, and will lie here."""
        return [path for saved in self.saved for path in (saved.path, *saved.copies)]


def stories(parts: Sequence[Part], *, at: datetime) -> Iterator[Told]:
    """Every shot once. Raises Refused where two parts have different pictures of one."""
    quarrels: list[str] = []
    known: set[ShotId] = set()
    for part in parts:
        for shot in sorted(part.shots - known):
            known.add(shot)
            owners = tuple(other for other in parts if shot in other.shots)
            quarrel = _quarrel(shot, owners) if len(owners) > 1 else None
            if quarrel is None:
                yield _told(shot, tuple(sorted(owners, key=lambda owner: _is_done(owner, shot))), at=at)
            else:
                quarrels.append(quarrel)
    if quarrels:
        more = [f"and {len(quarrels) - _MOST_NAMED:,} more"] if len(quarrels) > _MOST_NAMED else []
        remedy = "A shot has one picture: leave one of the directories out."
        raise Refused("\n".join([*quarrels[:_MOST_NAMED], *more, remedy]))


def _quarrel(shot: ShotId, owners: Sequence[Part]) -> str | None:
    """What two parts disagree about, where they do."""
    first: tuple[Part, tuple[str, ...]] | None = None
    for part in owners:
        if not _is_done(part, shot):
            continue
        pictures = tuple(saved.sha256 for saved in part.journal.life(shot).saved)
        if first is not None and pictures != first[1]:
            path = part.standing.ended[shot].paths[0]
            return f"{path} (shot {shot[:8]}) is another picture in {part.root} than in {first[0].root}."
        first = first or (part, pictures)
    return None


def _told(shot: ShotId, owners: tuple[Part, ...], *, at: datetime) -> Told:
    life = reduce(lambda _, step: step[1], _walk(shot, owners, at=at), UNBORN)
    return Told(shot=shot, phase=life.phase, charged=life.charged, saved=life.saved, owners=owners)


def retold(told: Told, *, at: datetime) -> Iterator[Entry]:
    """All events of a shot as one story."""
    return (entry for entry, _ in _walk(told.shot, told.owners, at=at))


def _walk(shot: ShotId, owners: Sequence[Part], *, at: datetime) -> Iterator[tuple[Entry, Life]]:
    """The events of each owner after those of the one before, with the life after each."""
    life = UNBORN
    for part in owners:
        takes = life.takes
        if life.phase in ENDED:
            life = advance(life, Retried(by=_BY), at=at)
            yield Entry(seq=0, at=at, shot=shot, event=Retried(by=_BY)), life
        for entry in part.journal.entries(shot=shot):
            event = entry.event
            if isinstance(event, Intended):
                event = replace(event, take=event.take + takes)
            assert isinstance(event, ShotEvent)
            try:
                life = advance(life, event, at=entry.at)
            except IllegalEvent as error:
                raise MachineError(f"The journal of {part.root} is damaged: {error}.") from error
            yield replace(entry, event=event), life
        if life.phase is Phase.INTENT:
            # It was never sent: whoever runs the merged directory begins with it anew.
            life = advance(life, Withdrawn(), at=at)
            yield Entry(seq=0, at=at, shot=shot, event=Withdrawn()), life


def _is_done(part: Part, shot: ShotId) -> bool:
    ended = part.standing.ended.get(shot)
    return ended is not None and ended.phase is Phase.DONE


def refuse_shared_places(told: Iterable[Told]) -> None:
    """Raise Refused where the pictures of two shots would lie at one path."""
    places: dict[str, Told] = {}
    for one in told:
        if one.phase is not Phase.DONE:
            continue
        for path in one.paths:
            other = places.setdefault(path.casefold(), one)
            if other.shot != one.shot:
                raise Refused(
                    f"{path} is shot {other.shot[:8]} in {other.home.root} and shot {one.shot[:8]} in {one.home.root}:"
                    " they were run from different versions of the job. Run the older one again with the job as it"
                    " is now, which moves its pictures, then merge."
                )


# The plan of all.


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The lines of the parts' plans as one plan, and the axes that they have between them."""

    lines: tuple[str, ...]
    axes: Mapping[str, tuple[tuple[str, str], ...]]


def joined_rows(parts: Sequence[Part]) -> Rows:
    """Every shot's line once, in the order of the whole plan. What is not as flux2batch wrote it is left out."""
    found: dict[str, tuple[int, str, Mapping[str, object]]] = {}
    for part in parts:
        with suppress(OSError, UnicodeDecodeError), (part.root / PLAN).open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                with suppress(ValueError, KeyError, TypeError):
                    row = json.loads(line)
                    coordinates = row["coordinates"]
                    found.setdefault(str(row["id"]), (int(row["index"]), line, dict(coordinates)))
    rows = sorted(found.values(), key=lambda row: row[0])
    return Rows(lines=tuple(line for _, line, _ in rows), axes=_axes(parts, [places for _, _, places in rows]))


def _axes(parts: Sequence[Part], places: Iterable[Mapping[str, object]]) -> dict[str, tuple[tuple[str, str], ...]]:
    """The values of each axis in the order in which the plan comes to them, with their labels."""
    labels: dict[str, dict[str, str]] = {}
    for part in parts:
        for began in part.began:
            for axis, values in began.axes.items():
                labels.setdefault(axis, {}).update(values)
    seen: dict[str, dict[str, str]] = {axis: {} for axis in labels}
    for coordinates in places:
        for axis, id in coordinates.items():
            if axis in seen:
                seen[axis].setdefault(str(id), labels[axis].get(str(id), str(id)))
    return {axis: tuple((seen[axis] or labels[axis]).items()) for axis in labels}
