"""Before a run begins: pictures go where the plan wants them, and what changed since the last run is noted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TextIO

from flux2batch.durable import sync_folder
from flux2batch.engine.events import Event, Missed, Moved, Saved, Withdrawn
from flux2batch.engine.journal import Journal, Standing
from flux2batch.engine.lifecycle import Life, Phase
from flux2batch.engine.reconciling import Move, Reconciliation, earlier_path, to_earlier
from flux2batch.errors import Refused
from flux2batch.pictures.placing import Conflict, Gallery, Unusable
from flux2batch.planning.shot import Shot, ShotId
from flux2batch.running.feed import phase_of

Fact = tuple[ShotId | None, Event]


def refuse_foreign(plan: Iterable[Shot], standing: Standing, reconciled: Reconciliation, root: Path) -> None:
    """Raise Refused where a new picture's place is taken by a file that this run directory knows nothing of.

    Before anything is paid for: it may be somebody's work, or all that is left of a run whose journal was deleted.
    """
    ours = {path for one in standing.ended.values() for path in one.paths} | reconciled.displaced.keys()
    taken = [
        path
        for shot in plan
        if phase_of(standing, shot.id) is Phase.PLANNED
        for path in shot.paths
        if path not in ours and os.path.lexists(root / path)
    ]
    if taken:
        more = f" and {len(taken) - 1:,} more" if len(taken) > 1 else ""
        raise Refused(
            f"{root / taken[0]}{more} is there already, and this run directory's journal knows nothing of it. Nothing"
            " was sent. Move it away, or choose another folder with --out."
        )


Record = Callable[[Sequence[Fact]], None]
"""Makes facts durable: each as soon as it is one, so that a crash in the middle leaves no picture unaccounted for."""


def put_in_order(
    gallery: Gallery, journal: Journal, standing: Standing, reconciled: Reconciliation, root: Path, record: Record
) -> None:
    """Sweep, take back, move, remove the folders that this emptied, note what is missing."""
    gallery.sweep()
    record([(shot, Withdrawn()) for shot in reconciled.withdrawn])
    moves = tuple(_in_steps(reconciled.moves))
    for move in moves:
        fact = _make(gallery, move, journal.life(move.shot))
        record([(move.shot, fact)] if fact else [])
    gallery.tidy(path for move in moves for path in move.old)
    for shot, one in standing.ended.items():
        if one.phase is Phase.DONE and any(not (root / path).is_file() for path in one.paths):
            record([(shot, Missed(path=path)) for path in _gone(journal.life(shot), root)])


def _in_steps(moves: Sequence[Move]) -> Iterator[Move]:
    """The moves in an order in which no picture stands in another's way: those that do step aside first."""
    leaving = {path: move for move in moves for path in move.old}
    aside: dict[ShotId, Move] = {}
    for move in moves:
        for path in move.new:
            other = leaving.get(path)
            if other is not None and other.shot != move.shot and other.shot not in aside:
                aside[other.shot] = to_earlier(other.shot, other.old)
    yield from aside.values()
    for move in moves:
        yield replace(move, old=aside[move.shot].new) if move.shot in aside else move


def _gone(life: Life, root: Path) -> list[str]:
    """Paths of its pictures where nothing is any more, and that were not noted before."""
    paths = [path for saved in life.saved for path in (saved.path, *saved.copies)]
    return [path for path in paths if path not in life.missing and not (root / path).is_file()]


def _make(gallery: Gallery, move: Move, life: Life) -> Moved | None:
    """Move a shot's pictures. None where they are not what the journal says: then they are reported as missing."""
    frames = len(life.saved)
    for number, (old, new) in enumerate(zip(move.old, move.new, strict=True)):
        if old == new:
            continue
        sha256 = life.saved[number % frames].sha256
        came = gallery.move(old, new, sha256=sha256)
        if isinstance(came, Unusable):
            # A crash may have left it where it had stepped aside to.
            came = gallery.move(earlier_path(old, move.shot), new, sha256=sha256)
        if isinstance(came, Unusable):
            return None
        if isinstance(came, Conflict):
            raise Refused(
                f"{old} belongs at {came.path} by now, but {came.reason}. Move that file away, then run again."
            )
    return Moved(saved=_as_moved(life.saved, move))


def _as_moved(saved: tuple[Saved, ...], move: Move) -> tuple[Saved, ...]:
    frames = len(saved)
    return tuple(
        replace(one, path=move.new[number], copies=tuple(move.new[number + frames :: frames]))
        for number, one in enumerate(saved)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Occupant:
    shot: ShotId
    move: Move
    life: Life


class Doorman:
    """Makes way for new pictures: what an earlier plan left at a path goes to `earlier/`, just before.

    Workers call `make_way`; the owner of the journal collects the facts, in the same commit as the new picture's.
    """

    def __init__(self, gallery: Gallery, occupants: Mapping[str, _Occupant]) -> None:
        self._gallery = gallery
        self._occupants = occupants
        self._facts: SimpleQueue[Fact] = SimpleQueue()

    @classmethod
    def of(cls, gallery: Gallery, journal: Journal, standing: Standing, displaced: Mapping[str, ShotId]) -> Doorman:
        """The doorman for these paths, with all that a worker must know read beforehand."""
        return cls(
            gallery,
            {
                path: _Occupant(shot=shot, move=to_earlier(shot, standing.ended[shot].paths), life=journal.life(shot))
                for path, shot in displaced.items()
            },
        )

    def make_way(self, path: str) -> None:
        """Move the picture at this path out of the way, where it is one of ours that the plan no longer wants there."""
        occupant = self._occupants.get(path)
        if occupant is None:
            return
        fact = _make(self._gallery, occupant.move, occupant.life)
        if fact is not None:
            self._facts.put((occupant.shot, fact))

    def facts(self) -> Iterator[Fact]:
        """What was moved since the last time."""
        with suppress(Empty):
            while True:
                yield self._facts.get_nowait()


def replace_file(path: Path, chunks: Iterable[str]) -> None:
    """Write a text file beside its place and put it there whole."""
    with replacing(path) as file:
        file.writelines(chunks)


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """The same, of a file that is written piece by piece: it is put there when the block ends well."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)  # never written through: in a run directory from somebody else it may be a link
    with part.open("x", encoding="utf-8", newline="\n") as file:
        yield file
    part.replace(path)
    sync_folder(path.parent)
