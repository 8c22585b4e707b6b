"""Running a plan from Python: the same engine as the command's, and what became of each shot.

report = flux2batch.run(plan, max_usd=5)
for shot in report:
    print(shot.coordinates, shot.state, shot.image, shot.cost)
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from platformdirs import user_state_path

from flux2batch.engine.executor import Observer, Progress
from flux2batch.engine.lifecycle import UNBORN, Life, Phase
from flux2batch.engine.policy import Unknowns
from flux2batch.engine.run_directory import look_into
from flux2batch.engine.work import Moment
from flux2batch.errors import Refused
from flux2batch.money import Money, show
from flux2batch.planning.flat_rows import Row
from flux2batch.planning.plan import Plan
from flux2batch.planning.shot import Shot, ShotId
from flux2batch.running.run import Report as _Ran
from flux2batch.running.run import Wishes, open_run
from flux2batch.running.services import on_this_machine
from flux2batch.running.standings import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One shot and what became of it."""

    shot: Shot
    coordinates: Mapping[str, str]  # axis → id of its value
    state: str  # done, moderated, rejected, failed, unknown, lost, planned, or where it is on its way
    image: Path | None  # the first picture
    images: tuple[Path, ...]
    cost: Money  # what the service charged for it, over all takes
    seed: int | None
    reason: str | None  # why there is no picture


class Report:
    """What became of a run: `len()`, iteration over the shots of the plan, and the counts."""

    root: Path  # the run directory
    counts: Counts  # the shots of the plan by state, and what they cost
    exit_code: int  # what the command would have ended with
    sheet: Path  # the contact sheet

    def __init__(self, plan: Plan, ran: _Ran) -> None:
        self._plan = plan
        self.root = ran.root
        self.counts = ran.counts
        self.exit_code = ran.exit_code
        self.sheet = ran.root / "index.html"

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[Outcome]:
        with look_into(self.root) as directory:
            lives = dict(directory.journal.lives())
        return (self._outcome(shot, lives.get(shot.id, UNBORN)) for shot in self._plan)

    @property
    def cost(self) -> Money:
        """What the run directory has cost so far, over all runs."""
        return self.counts.charged_usd

    @property
    def ledger(self) -> list[Row]:
        """Every take of the run directory as flat rows, for pandas and the like (see flux2batch.ledger)."""
        from flux2batch.library_ledger import ledger

        return ledger(self.root)

    def _repr_html_(self) -> str:
        """The report as a notebook shows it."""
        from flux2batch.library_report_html import report_html

        return report_html(self)

    def __repr__(self) -> str:
        return f"<Report {self.counts.done} of {len(self)} done, {show(self.cost)}, {self.root}>"

    def _outcome(self, shot: Shot, life: Life) -> Outcome:
        images = tuple(self.root / path for saved in life.saved for path in (saved.path, *saved.copies))
        return Outcome(
            shot=shot,
            coordinates={axis: one.id for axis, one in shot.coordinates.items()},
            state="stalled" if life.stalled else life.phase.value,
            image=images[0] if images else None,
            images=images,
            cost=life.charged,
            seed=life.rendered.seed if life.rendered else None,
            reason=None if life.phase is Phase.DONE else life.reason,
        )


def run(
    plan: Plan,
    *,
    out: str | os.PathLike[str] | None = None,
    max_usd: Decimal | float | int | str | None = None,
    up_to_budget: bool = False,
    emulate: bool = False,
    observer: Observer | None = None,
) -> Report:
    """Run a plan, going on where an earlier run was; what is there already is not bought again.

    It costs money, so it needs `max_usd` or a budget in the job, unless everything is emulated. Raises Refused where
    the plan does not fit, AccountError where a key is missing, MachineError where this machine cannot do it.
    """
    emulated = emulate or on_this_machine(plan)
    bound = None if max_usd is None else Money(Decimal(str(max_usd)))
    if not emulated and bound is None and plan.job.budget.max_usd is None and plan.cost.max:
        raise Refused("flux2batch.run needs max_usd=…, or a budget in the job: it spends money without asking.")
    wishes = Wishes(
        root=Path(out) if out is not None else plan.job.folder / "runs" / (plan.name + ".emulated" * emulated),
        emulate=emulate,
        emulated=emulated,
        command="run",
        flags=(),
        max_usd=bound,
        unknowns=Unknowns(rule="hold", most=0),
        fresh=False,
        reuse=(),
        moderated_ok=False,
        state_folder=user_state_path("flux2batch", appauthor=False),
        accept_rollback=False,
        fork=False,
        webhook=None,
    )
    with open_run(plan, wishes, environ=os.environ, now=datetime.now(UTC)) as opened:
        outlook = opened.outlook
        if not outlook.fits and not (up_to_budget and outlook.fitting):
            raise Refused(
                f"{outlook.new} new shots cost up to {show(outlook.max_usd)}; {outlook.fitting} of them fit."
                " Pass up_to_budget=True to run those."
            )
        return Report(plan, opened.go(observer or _Nobody()))


class _Nobody:
    """Watches nothing."""

    def saw(self, shot: ShotId, event: object, life: Life, now: Moment) -> None: ...

    def standing(self, standing: Progress, now: Moment) -> None: ...
