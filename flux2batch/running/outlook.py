"""What a run would do and cost, before it does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

from flux2batch.engine.journal import Standing
from flux2batch.engine.lifecycle import Phase
from flux2batch.engine.policy import Budgets
from flux2batch.engine.reconciling import Reconciliation
from flux2batch.money import ZERO, Money
from flux2batch.planning.shot import Reference, Shot, ShotId
from flux2batch.running.feed import phase_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How the plan meets the run directory, in figures."""

    planned: int  # shots of the plan
    new: int  # to be bought
    done: int
    reused: int  # found in run directories beside this one
    moving: int  # done, and going to another path
    cut: int  # done pictures that are cut anew, to another exact size
    on_the_way: int  # left on their way by an earlier run
    unknown: int
    ended: int  # rejected, moderated, failed or lost: only `retry` asks for them again
    left: int  # done, and no longer asked for
    missing: tuple[str, ...]  # deleted by hand; not bought again unless asked
    min_usd: Money  # of what is new
    max_usd: Money
    committed_usd: Money  # by all calls so far
    fitting: int  # how many of the new fit the budget
    references: frozenset[Reference]  # that the new shots go with

    @property
    def fits(self) -> bool:
        """Whether all of it may be bought."""
        return self.fitting == self.new

    @property
    def has_work(self) -> bool:
        """Whether there is anything to send, poll or fetch."""
        return bool(self.new or self.on_the_way or self.moving or self.cut or self.reused)


def look_ahead(
    plan: Iterable[Shot],
    standing: Standing,
    reconciled: Reconciliation,
    *,
    found: Container[ShotId],
    budgets: Budgets,
    root: Path,
    cut: int = 0,
) -> Outlook:
    """Walk the plan once and count."""
    phases: Counter[Phase] = Counter()
    least = most = ZERO
    room = _room(budgets, standing.committed)
    fitting = reused = 0
    references: set[Reference] = set()
    for shot in plan:
        phase = phase_of(standing, shot.id)
        if phase is Phase.PLANNED and shot.id in found:
            reused += 1
            continue
        phases[phase] += 1
        if phase not in (Phase.PLANNED, Phase.INTENT):
            continue
        references.update(shot.references)
        assert shot.quote is not None, "BUG: a shot without a price reached the run"
        least, most = Money(least + shot.quote.min), Money(most + shot.quote.max)
        needed = ZERO if phase is Phase.INTENT else shot.quote.max  # an intent's price is reserved already
        if room is None or needed <= room:
            fitting += 1
            room = None if room is None else Money(room - needed)
    bad = (Phase.REJECTED, Phase.MODERATED, Phase.FAILED, Phase.LOST)
    return Outlook(
        planned=phases.total() + reused,
        new=phases[Phase.PLANNED] + phases[Phase.INTENT],
        done=phases[Phase.DONE],
        reused=reused,
        moving=len(reconciled.moves),
        cut=cut,
        on_the_way=phases[Phase.SENDING] + phases[Phase.ACCEPTED] + phases[Phase.READY],
        unknown=phases[Phase.UNKNOWN],
        ended=sum(phases[phase] for phase in bad),
        left=len(reconciled.left),
        missing=missing_pictures(standing, root),
        min_usd=least,
        max_usd=most,
        committed_usd=standing.committed,
        fitting=fitting,
        references=frozenset(references),
    )


def _room(budgets: Budgets, committed: Money) -> Money | None:
    """What may still be spent; None where nothing bounds it."""
    total = budgets.run_directory_usd
    rooms = [Money(total - committed)] if total is not None else []
    rooms += [budgets.call_usd] if budgets.call_usd is not None else []
    return min(rooms, default=None)


def missing_pictures(standing: Standing, root: Path) -> tuple[str, ...]:
    """Pictures of done shots that are no longer where they were put."""
    return tuple(
        path
        for one in standing.ended.values()
        if one.phase is Phase.DONE
        for path in one.paths
        if not (root / path).is_file()
    )
