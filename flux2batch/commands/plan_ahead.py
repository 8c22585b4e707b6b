"""How a plan meets its run directory and those beside it: read, and nothing changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flux2batch.commands.changed_defaults import changed_defaults
from flux2batch.engine.journal import Standing
from flux2batch.engine.lifecycle import Phase
from flux2batch.engine.policy import Budgets
from flux2batch.engine.reconciling import reconcile
from flux2batch.engine.run_directory import is_run_directory, look_into
from flux2batch.money import ZERO, Money, show
from flux2batch.planning.configuration import Bound, bounds
from flux2batch.planning.models.pricing import Estimate
from flux2batch.planning.over_budget import over_budget
from flux2batch.planning.plan import Plan
from flux2batch.planning.shot import ShotId
from flux2batch.reading.problems import Problem, warning
from flux2batch.running.feed import phase_of
from flux2batch.running.outlook import Outlook, look_ahead
from flux2batch.running.services import on_this_machine

if TYPE_CHECKING:
    from flux2batch.running.reuse import Neighbourhood


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What is there already, and what the rest would cost."""

    states: dict[str, int]  # new, done, reused, left
    to_pay: Estimate
    committed: Money  # spent, or in doubt, by earlier calls
    problems: tuple[Problem, ...]
    too_dear: tuple[Problem, ...]  # why it is more than may be spent; () where it is not


def run_directory_of(plan: Plan, out: Path | None) -> Path:
    """Where a run of this plan would put its pictures."""
    if out is not None:
        return out
    return plan.job.folder / "runs" / (f"{plan.run_name}.emulated" if on_this_machine(plan) else plan.run_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A run directory of the job beside its own, and what a run would cost that goes on there."""

    root: Path
    emulated: bool
    ahead: Ahead
    own: Path  # where a run goes that is not told where


def elsewhere(plan: Plan, place: Path, *, own: Path) -> Elsewhere | None:
    """What a run that goes on in this place would find; None where it is none of the job's, or its own."""
    if not is_run_directory(place) or place.resolve() == own.resolve():
        return None
    with look_into(place) as directory:
        is_of_the_job = directory.journal.meta("job_name") == plan.name
        emulated = directory.journal.meta("kind") == "emulated"
    if not is_of_the_job:
        return None
    return Elsewhere(root=place, emulated=emulated, ahead=ahead_of(plan, place, reuse=(), fresh=True), own=own)


def left_over(plan: Plan) -> str:
    """What the shots are that a run directory holds and this plan does not name; behind their number."""
    whose = "from earlier versions of the job" if len(plan) == plan.all_shots else "outside this selection"
    return f"more there already {whose}"


def nothing_yet(plan: Plan) -> Ahead:
    """Where there is no run directory all shots are new."""
    states = {"new": len(plan), "done": 0, "reused": 0, "left": 0}
    return Ahead(states=states, to_pay=plan.cost, committed=ZERO, problems=(), too_dear=())


def ahead_of(plan: Plan, root: Path, *, reuse: Sequence[Path], fresh: bool) -> Ahead:
    """Compare the plan with its run directory, and with those where its pictures may lie already."""
    from flux2batch.running.reuse import NOBODY

    standing = _standing(root)
    around = NOBODY if fresh or on_this_machine(plan) else _around(plan, root, standing, reuse)
    reconciled = reconcile(plan, standing)
    outlook = look_ahead(
        plan,
        standing,
        reconciled,
        found=around.finds,
        budgets=_budgets(bounds(plan.configuration, plan.job.budget.max_usd)),
        root=root,
    )
    return Ahead(
        states={"new": outlook.new, "done": outlook.done, "reused": outlook.reused, "left": outlook.left},
        to_pay=Estimate(min=outlook.min_usd, max=outlook.max_usd, shots=outlook.new, unknown=0),
        committed=outlook.committed_usd,
        too_dear=() if outlook.fits else (too_dear(plan, outlook),),
        problems=(
            *_in_doubt(plan, around),
            *_missing(plan, outlook),
            *_changed(plan, root, reconciled.left),
        ),
    )


def _standing(root: Path) -> Standing:
    if not is_run_directory(root):
        return Standing(open={}, ended={}, events=0)
    with look_into(root) as directory:
        return directory.journal.standing()


def _changed(plan: Plan, root: Path, left: Sequence[ShotId]) -> list[Problem]:
    if not left:
        return []
    with look_into(root) as directory:
        return changed_defaults(plan, directory.journal, left)


def _around(plan: Plan, root: Path, standing: Standing, reuse: Sequence[Path]) -> Neighbourhood:
    from flux2batch.running.reuse import NOBODY, look_around, neighbours

    places = list(neighbours(root, (*reuse, *plan.configuration.reuse)))
    if not places:
        return NOBODY
    wanted = (shot.id for shot in plan if phase_of(standing, shot.id) is Phase.PLANNED)
    return look_around(wanted, places)


def _budgets(all_bounds: Sequence[Bound]) -> Budgets:
    return Budgets(
        run_directory_usd=min((bound.usd for bound in all_bounds if bound.counts_all_calls), default=None),
        call_usd=min((bound.usd for bound in all_bounds if not bound.counts_all_calls), default=None),
    )


def too_dear(plan: Plan, outlook: Outlook) -> Problem:
    """That what is new costs more than may be spent (FB610)."""
    return over_budget(
        plan.job.document,
        bounds(plan.configuration, plan.job.budget.max_usd),
        new=outlook.new,
        most=outlook.max_usd,
        committed=outlook.committed_usd,
        fitting=outlook.fitting,
    )


def _in_doubt(plan: Plan, around: Neighbourhood) -> list[Problem]:
    """Shots that a run beside this one may be paying for at this moment."""
    if not around.pending:
        return []
    at_risk = sum((amount for _, amount in around.pending.values()), start=ZERO)
    roots = sorted({str(root) for root, _ in around.pending.values()})
    count = len(around.pending)
    shots = "1 shot is" if count == 1 else f"{count:,} shots are"
    return [
        warning(
            "FB608",
            f"{shots} in flight or unknown in {', '.join(roots)} ({show(Money(at_risk))})",
            where=plan.job.document.whole,
            help="let that run end first, or they are paid for twice",
        )
    ]


def _missing(plan: Plan, outlook: Outlook) -> list[Problem]:
    """Pictures that were deleted by hand are not bought again without being asked."""
    if not outlook.missing:
        return []
    count = len(outlook.missing)
    pictures = "1 picture is" if count == 1 else f"{count:,} pictures are"
    return [
        warning(
            "FB505",
            f"{pictures} no longer where the run put them, such as '{outlook.missing[0]}'",
            where=plan.job.document.whole,
            help="flux2batch retry --missing buys them again",
        )
    ]
