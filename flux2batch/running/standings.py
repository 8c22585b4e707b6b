"""Where the shots of a plan, or of a whole run directory, stand: counts for people and programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from flux2batch.engine.journal import Journal, Standing
from flux2batch.engine.lifecycle import Phase
from flux2batch.money import Money
from flux2batch.planning.shot import Shot, ShotId
from flux2batch.running.feed import phase_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of shots, and what they cost. A stalled shot is on its way, and waits for the next run."""

    planned: int
    done: int
    moderated: int
    rejected: int
    failed: int
    unknown: int
    stalled: int
    lost: int
    in_flight: int
    frames: int  # pictures that are there
    charged_usd: Money
    at_risk_usd: Money


def count(plan: Iterable[Shot], journal: Journal) -> Counts:
    """The counts of a plan's shots; the money is that of the whole run directory."""
    standing = journal.standing()
    return _count(((shot.id, phase_of(standing, shot.id)) for shot in plan), standing)


def count_all(journal: Journal, *, planned: int) -> Counts:
    """The counts of every shot that the run directory knows; `planned` more wait in its plan.

    A shot that was planned once and is not begun counts only with the plan: it may be asked for no more.
    """
    return count_standing(journal.standing(), planned=planned)


def count_standing(standing: Standing, *, planned: int) -> Counts:
    """`count_all` of a standing."""
    known = [(shot, one.phase) for shot, one in standing.ended.items()]
    known += [(shot, life.phase) for shot, life in standing.open.items() if life.phase is not Phase.PLANNED]
    waiting = [(ShotId(""), Phase.PLANNED)] * planned
    return _count([*known, *waiting], standing)


def _count(phases: Iterable[tuple[ShotId, Phase]], standing: Standing) -> Counts:
    counted: Counter[Phase] = Counter()
    stalled = frames = 0
    for shot, phase in phases:
        life = standing.open.get(shot)
        if life is not None and life.stalled:
            stalled += 1
            continue
        counted[phase] += 1
        if phase is Phase.DONE:
            frames += len(standing.ended[shot].paths)
    charged = standing.charged
    return Counts(
        planned=counted[Phase.PLANNED] + counted[Phase.INTENT],
        done=counted[Phase.DONE],
        moderated=counted[Phase.MODERATED],
        rejected=counted[Phase.REJECTED],
        failed=counted[Phase.FAILED],
        unknown=counted[Phase.UNKNOWN],
        stalled=stalled,
        lost=counted[Phase.LOST],
        in_flight=counted[Phase.SENDING] + counted[Phase.ACCEPTED] + counted[Phase.READY],
        frames=frames,
        charged_usd=charged,
        at_risk_usd=Money(standing.committed - charged),
    )
