"""Everything that is wrong with a job file, told at once: with its shape, what it names, and every shot of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from flux2batch.errors import InvalidInput
from flux2batch.planning.configuration import Configuration
from flux2batch.planning.plan import Plan, PlanOptions, plan_job
from flux2batch.reading.job import Job
from flux2batch.reading.load import load_sound_part
from flux2batch.reading.problems import Problem, has_errors, in_order


def check_all(
    job: Job, found: Iterable[Problem], *, configuration: Configuration, options: PlanOptions
) -> tuple[Plan | None, tuple[Problem, ...]]:
    """The shots of a job whose file was found to have these problems, and those problems with all that are further on.

    Of a partial job there is no plan. Prices and budgets play no part.
    """
    asked = PlanOptions(check_money=False, fetch=options.fetch)
    try:
        plan = plan_job(job, configuration=configuration, options=asked)
    except InvalidInput as invalid:
        return None, tuple(in_order([*found, *invalid.problems]))
    return plan, (*found, *plan.warnings)


def load_to_plan(
    file: Path,
    *,
    allow_paths: Sequence[Path],
    sets: Sequence[str],
    configuration: Configuration,
    options: PlanOptions,
) -> tuple[Job, tuple[Problem, ...]]:
    """The job in a file that a plan can be made of, with its warnings; else InvalidInput with what `validate` tells."""
    job, found = load_sound_part(file, allow_paths=allow_paths, sets=sets)
    if job is None:
        raise InvalidInput(found)
    if has_errors(found, strict=options.strict):
        raise InvalidInput(check_all(job, found, configuration=configuration, options=options)[1])
    return job, found
