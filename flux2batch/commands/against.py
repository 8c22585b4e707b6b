"""`plan --against REV|DIR`: hold plans against what they were in a git revision, or in a run directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flux2batch.errors import UsageError

if TYPE_CHECKING:
    from flux2batch.commands.against_shown import Compared
    from flux2batch.commands.plan_ahead import Elsewhere
    from flux2batch.commands.why_shown import Fate
    from flux2batch.planning.configuration import Configuration
    from flux2batch.planning.plan import Plan, PlanOptions
    from flux2batch.planning.plan_line import PlanLine

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_HERE = "HEAD"


def against_options(function: Decorated) -> Decorated:
    """--against and --why."""
    for option in (
        click.option(
            "--why", metavar="SHOT", help="Which inputs of this shot (path or id) changed; against the run, or HEAD."
        ),
        click.option(
            "--against", metavar="REV|DIR", help="What is new, gone and changed since a git revision or a run."
        ),
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """A comparison with both of its sides."""

    compared: Compared
    there: Elsewhere | None  # where it is held against a run directory of the job in which a run could go on
    before: tuple[PlanLine, ...]
    after: tuple[PlanLine, ...]

    def fate(self, shot: str) -> Fate:
        """What became of one shot."""
        from flux2batch.commands.why_shown import fate_of

        now = {line.id: line for line in self.after}
        kept = ((line, now[line.id]) for line in self.before if line.id in now)
        return fate_of(shot, self.compared.difference, kept)


def held_against(
    plan: Plan,
    file: Path,
    against: str | None,
    *,
    root: Path,
    configuration: Configuration,
    options: PlanOptions,
    allow_paths: Sequence[Path],
) -> Both:
    """The plan against what `against` names; where nothing is named, its run directory's plan, or the last commit."""
    from flux2batch.commands.against_shown import Compared
    from flux2batch.commands.plan_ahead import elsewhere
    from flux2batch.planning.comparing import compare, new_values
    from flux2batch.planning.plan import row_of
    from flux2batch.planning.plan_line import line_of
    from flux2batch.running.before import before_of, identifying_by

    named = against or _what_was(file, root)
    before = before_of(named, file, configuration=configuration, options=options, allow_paths=allow_paths)
    after = tuple(line_of(row_of(shot)) for shot in plan)
    difference = compare(before.lines, after, identifying=identifying_by(configuration))
    return Both(
        compared=Compared(
            name=before.name,
            commit=before.commit,
            remark=before.remark,
            difference=difference,
            news=new_values(difference, before.lines) if before.lines else {},
        ),
        there=elsewhere(plan, Path(named), own=root),
        before=before.lines,
        after=after,
    )


def _what_was(file: Path, root: Path) -> str:
    """What --why alone compares with: the last run, else the last commit. Raises UsageError where there is neither."""
    from flux2batch.commands.run_directories import run_directory
    from flux2batch.running.before import PLAN
    from flux2batch.running.git_revision import no_last_commit

    if (root / PLAN).is_file():
        return str(root)
    missing = no_last_commit(file)
    if missing is None:
        return _HERE
    such_as = ""
    with suppress(UsageError):  # one on the emulator, or one that was given another folder
        such_as = f", such as {run_directory(file)}"
    raise UsageError(
        f"--why compares with the last run or the last commit, and there is neither: nothing was run in {root}, and"
        f" {missing}. Name a run directory to compare with{such_as}: --against DIR."
    )
