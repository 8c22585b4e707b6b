"""Where the shots of a plan, or of a whole run directory, stand: counts for people and programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from flux2batch.engine.journal import Journal, Standing
from flux2batch.engine.lifecycle import Phase
from flux2batch.money import Money
from flux2batch.planning.shot import Shot, ShotId
from flux2batch.running.feed import phase_of

STATES = ("done", "moderated", "rejected", "failed", "lost", "in_flight", "stalled", "unknown")
"""What may have become of a shot that was begun, by the names of the counts."""


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

    @property
    def shots(self) -> int:
        """All of them."""
        begun: list[int] = [getattr(self, state) for state in STATES]
        return self.planned + sum(begun)


def count(plan: Iterable[Shot], journal: Journal) -> Counts:
    """The counts of a plan's shots; the money is that of the whole run directory."""
    standing = journal.standing()
    return _count(((shot.id, phase_of(standing, shot.id)) for shot in plan), standing)


def count_by_plan(standing: Standing, plan: Collection[ShotId] | None) -> tuple[Counts, Mapping[str, int]]:
    """The counts of a plan's shots, and apart from them how those stand that only earlier plans asked for.

    Where the plan cannot be read (None) every shot that the run directory knows counts as its. The money is that of
    the whole run directory. What an earlier plan asked for and was never begun is asked for no more, and not counted.
    """
    begun = [(shot, one.phase) for shot, one in standing.ended.items()]
    begun += [(shot, life.phase) for shot, life in standing.open.items() if life.phase is not Phase.PLANNED]
    if plan is None:
        return _count(begun, standing), {}
    earlier = _count(((shot, phase) for shot, phase in begun if shot not in plan), standing)
    counts = _count(((shot, phase_of(standing, shot)) for shot in plan), standing)
    return counts, {name: number for name in STATES if (number := getattr(earlier, name))}


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
