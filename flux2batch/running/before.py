"""What a plan is held against: the plan that a run directory was last run with, or the job as a git revision has it."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flux2batch.engine.run_directory import is_run_directory
from flux2batch.errors import InvalidInput, UsageError
from flux2batch.planning.comparing import Identifying
from flux2batch.planning.configuration import Configuration
from flux2batch.planning.models.catalogue import identifying
from flux2batch.planning.plan import PlanOptions, plan_job, row_of
from flux2batch.planning.plan_line import PlanLine, line_of
from flux2batch.reading.load import load_job
from flux2batch.reporting.sheet_story import PlanUnreadable, plan_rows
from flux2batch.running.git_revision import job_at

PLAN = "plan.jsonl"
_MOST_PLAN_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """A plan of another time or place."""

    name: str  # as the user wrote it: main, or runs/final
    commit: str | None
    lines: tuple[PlanLine, ...]
    remark: str | None  # why there is nothing to hold against: the job is new there, or was broken


def before_of(
    against: str,
    file: Path,
    *,
    configuration: Configuration,
    options: PlanOptions,
    allow_paths: Sequence[Path] = (),
) -> Before:
    """The plan that is meant by REV|DIR. What is a run directory is not taken for a revision.

    A job that the revision does not have, or has with errors, is held against nothing: all its shots are new.
    """
    place = Path(against)
    if is_run_directory(place) or (place / PLAN).is_file():
        return Before(name=against, commit=None, lines=last_run(place), remark=None)
    with job_at(against, file, allow_paths=allow_paths) as then:
        named = f"{against}:{file}"
        if then.file is None:
            return Before(name=against, commit=then.commit, lines=(), remark=f"{file} is not in {against}")
        job, problems = load_job(then.file, allow_paths=then.allowed, name=named)
        if job is None:
            return Before(
                name=against, commit=then.commit, lines=(), remark=_broken(file, against, problems[0].headline)
            )
        # What was decided then is not judged again: neither its budget nor its warnings.
        asked = replace(options, check_budget=False, strict=False, fetch=None)
        try:
            plan = plan_job(job, configuration=configuration, options=asked)
            lines = tuple(line_of(row_of(shot)) for shot in plan)
        except InvalidInput as invalid:
            said = invalid.problems[0].headline
            return Before(name=against, commit=then.commit, lines=(), remark=_broken(file, against, said))
    return Before(name=against, commit=then.commit, lines=lines, remark=None)


def _broken(file: Path, against: str, headline: str) -> str:
    return f"{file} of {against} cannot be planned: {headline}"


def last_run(root: Path) -> tuple[PlanLine, ...]:
    """The plan that a run directory was last run with. Raises UsageError: it may have been changed by hand."""
    path = root / PLAN
    try:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > _MOST_PLAN_BYTES:
            raise PlanUnreadable("it is no file of that kind")
        with path.open(encoding="utf-8") as file:
            return tuple(line_of(row) for row in plan_rows(file))
    except FileNotFoundError:
        raise UsageError(f"{root} has no {PLAN} to compare with: nothing was run there yet.") from None
    except (OSError, UnicodeDecodeError, PlanUnreadable) as fault:
        raise UsageError(f"{path} is not as flux2batch wrote it: {fault}.") from None


def identifying_by(configuration: Configuration) -> Identifying:
    """Which parameters enter an id, by the models of this configuration; of a model that is not known, all do."""

    def of(model: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        entry = configuration.entry(model)
        has_size = "width" in params and "height" in params
        return identifying(entry, params) if entry is not None and has_size else params

    return of
