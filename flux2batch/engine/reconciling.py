"""What a plan and a run directory make of each other: what is done, what moves, what is wanted. Pure decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from flux2batch.engine.journal import Standing
from flux2batch.engine.lifecycle import Phase
from flux2batch.planning.shot import Shot, ShotId

EARLIER = "earlier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A done shot's pictures go from where they are to where they belong."""

    shot: ShotId
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """How the plan meets the run directory."""

    moves: tuple[Move, ...]  # to be made before the run
    displaced: Mapping[str, ShotId]  # path → the shot of an earlier plan that makes way when the new picture comes
    done: int
    wanted: int
    left: tuple[ShotId, ...]  # done, and no longer asked for
    withdrawn: tuple[ShotId, ...]  # intended, never sent, and no longer asked for


def reconcile(plan: Iterable[Shot], standing: Standing) -> Reconciliation:
    """Compare the plan's paths with those that the run directory's pictures have."""
    owner = {
        path: shot for shot, one in standing.ended.items() if one.phase is Phase.DONE for path in one.paths if path
    }
    asked: set[ShotId] = set()
    misplaced: dict[ShotId, Move] = {}
    claimed: dict[str, ShotId] = {}
    done = wanted = 0
    for shot in plan:
        asked.add(shot.id)
        summary = standing.ended.get(shot.id)
        if summary is not None and summary.phase is Phase.DONE:
            done += 1
            new = _with_true_extensions(shot.paths, summary.paths)
            if new != summary.paths:
                misplaced[shot.id] = Move(shot=shot.id, old=summary.paths, new=new)
        elif summary is None:
            wanted += 1
        for path in shot.paths:
            if owner.get(path, shot.id) != shot.id:
                claimed[path] = shot.id
    left = tuple(shot for shot, one in standing.ended.items() if one.phase is Phase.DONE and shot not in asked)
    displaced: dict[str, ShotId] = {}
    clearing: list[Move] = []
    for path, claimant in claimed.items():
        occupant = owner[path]
        if occupant in misplaced:
            continue  # it leaves for its own new place anyway
        if claimant in misplaced:
            clearing.append(to_earlier(occupant, standing.ended[occupant].paths))
        else:
            displaced[path] = occupant
    withdrawn = tuple(shot for shot, life in standing.open.items() if life.phase is Phase.INTENT and shot not in asked)
    return Reconciliation(
        moves=(*dict.fromkeys(clearing), *misplaced.values()),
        displaced=displaced,
        done=done,
        wanted=wanted,
        left=left,
        withdrawn=withdrawn,
    )


def to_earlier(shot: ShotId, paths: tuple[str, ...]) -> Move:
    """Where a picture goes whose path now belongs to another shot: it is never deleted."""
    return Move(shot=shot, old=paths, new=tuple(earlier_path(path, shot) for path in paths))


def earlier_path(path: str, shot: ShotId) -> str:
    """`fox/a.png` of shot 0123456789… is kept as `earlier/fox/a-01234567.png`."""
    pure = PurePosixPath(path)
    if pure.parts[:1] == (EARLIER,):
        return path
    return str(PurePosixPath(EARLIER) / pure.with_name(f"{pure.stem}-{shot[:8]}{pure.suffix}"))


def _with_true_extensions(planned: tuple[str, ...], actual: tuple[str, ...]) -> tuple[str, ...]:
    """The planned paths with the extensions that the pictures turned out to need (a JPEG that came as PNG)."""
    if len(planned) != len(actual):
        return planned
    return tuple(
        str(PurePosixPath(want).with_suffix(PurePosixPath(have).suffix))
        for want, have in zip(planned, actual, strict=True)
    )
