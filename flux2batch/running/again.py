"""Shots that had ended and are asked for again: what a person chose, and how the run directory looks with them open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from flux2batch.engine.events import Retried
from flux2batch.engine.journal import Journal, Standing
from flux2batch.engine.lifecycle import Life, Phase, advance, may_follow
from flux2batch.engine.reconciling import earlier_path
from flux2batch.pictures.placing import Gallery
from flux2batch.planning.shot import Shot, ShotId
from flux2batch.reporting.sheet_choice import Chooses
from flux2batch.reporting.sheet_story import KnownShot
from flux2batch.running.recorded_run import Present

STATES = (Phase.FAILED, Phase.MODERATED, Phase.REJECTED, Phase.LOST)
"""Ends without a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """The shots that a person asks for again."""

    shots: frozenset[ShotId]
    by: str


def choose_again(
    shots: Iterable[KnownShot],
    *,
    states: Collection[Phase],
    missing: bool,
    present: Present,
    chooses: Chooses,
) -> Iterator[KnownShot]:
    """The shots in these states, and with `missing` those with a picture that is no longer there."""
    for shot in shots:
        is_gone = missing and shot.life.phase is Phase.DONE and not all(map(present, _places(shot.life)))
        if (is_gone or shot.life.phase in states) and any(chooses(shot, frame) for frame in range(1, shot.frames + 1)):
            yield shot


def asked_again(journal: Journal, again: Again, *, at: datetime) -> dict[ShotId, Life]:
    """The lives of these shots as they will be; without those that something has happened to meanwhile."""
    event = Retried(by=again.by)
    lives = ((shot, journal.life(shot)) for shot in sorted(again.shots))
    return {shot: advance(life, event, at=at) for shot, life in lives if may_follow(life.phase, event)}


def with_lives(standing: Standing, lives: Mapping[ShotId, Life]) -> Standing:
    """The standing as it is once these ended shots are open again."""
    ended = {shot: one for shot, one in standing.ended.items() if shot not in lives}
    return Standing(open={**standing.open, **lives}, ended=ended, events=standing.events)


def clear_away(gallery: Gallery, present: Present, lives: Mapping[ShotId, Life]) -> None:
    """Move what is left of these shots' pictures to `earlier/`: another picture is to come to their paths."""
    for shot, life in lives.items():
        for saved in life.saved:
            for path in filter(present, (saved.path, *saved.copies)):
                gallery.move(path, earlier_path(path, shot), sha256=saved.sha256)


def _places(life: Life) -> Iterator[str]:
    for saved in life.saved:
        yield from (saved.path, *saved.copies)


class OnlySome:
    """Of a plan the shots that are asked for again; the rest of it is left as it is."""

    def __init__(self, plan: Iterable[Shot], shots: Collection[ShotId]) -> None:
        self._plan = plan
        self._shots = shots

    def __iter__(self) -> Iterator[Shot]:
        return (shot for shot in self._plan if shot.id in self._shots)
