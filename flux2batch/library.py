"""Jobs from Python: load one, plan it.

job = flux2batch.load("job.yaml")
plan = flux2batch.plan(job)
print(len(plan), plan.cost.max)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flux2batch.errors import InvalidInput
from flux2batch.planning.configuration import Configuration, load_configuration
from flux2batch.planning.plan import Plan, PlanOptions, plan_job
from flux2batch.planning.whole_check import load_to_plan
from flux2batch.reading.job import Job
from flux2batch.reading.load import load_job, load_job_data
from flux2batch.reading.problems import has_errors


def load(
    job: str | os.PathLike[str] | Mapping[str, Any],
    *,
    folder: str | os.PathLike[str] | None = None,
    allow_paths: Iterable[str | os.PathLike[str]] = (),
    sets: Sequence[str] = (),
) -> Job:
    """The job in a file, or in Python data whose paths are relative to `folder` (the current one unless told).

    `sets` are what `--set` takes: "params.size=512x512". What is wrong with the job raises InvalidInput with all of it.
    """
    allowed = [Path(path) for path in allow_paths]
    if isinstance(job, Mapping):
        loaded, problems = load_job_data(job, folder=Path(folder or Path()), allow_paths=allowed, sets=sets)
    else:
        loaded, problems = load_job(Path(job), allow_paths=allowed, sets=sets)
    if loaded is None or has_errors(problems):
        raise InvalidInput(problem for problem in problems if problem.severity == "error")
    return loaded


def plan(
    job: Job | str | os.PathLike[str] | Mapping[str, Any],
    *,
    only: str | None = None,
    limit: int | None = None,
    sample: int | None = None,
    config: str | os.PathLike[str] | Configuration | None = None,
) -> Plan:
    """The shots of a job with their prices: an iterable of Shot with len(), .cost and .only("guidance >= 3").

    Nothing is sent. What is wrong, a budget that is too small among it, raises InvalidInput.
    """
    configuration = (
        config
        if isinstance(config, Configuration)
        else load_configuration(file=None if config is None else Path(config))
    )
    options = PlanOptions(only=only, limit=limit, sample=sample)
    if isinstance(job, (str, os.PathLike)):
        job, _ = load_to_plan(Path(job), allow_paths=(), sets=(), configuration=configuration, options=options)
    return plan_job(job if isinstance(job, Job) else load(job), configuration=configuration, options=options)
