"""Plans for tests: a job as text or as data, in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flux2batch.errors import InvalidInput
from flux2batch.planning.configuration import load_configuration
from flux2batch.planning.plan import Plan, PlanOptions, plan_job
from flux2batch.planning.shot import Shot
from flux2batch.reading.load import load_job, load_job_data
from flux2batch.reading.problems import Problem

HEAD = "flux2batch: 1\n"


def plan_text(
    folder: Path, text: str, *, max_shots: int | None = None, sets: tuple[str, ...] = (), **options: Any
) -> Plan:
    """The plan of a job file with this text below its version."""
    file = folder / "job.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    job, problems = load_job(file, sets=sets, name="job.yaml")
    if job is None:
        raise InvalidInput(problems)
    configuration = load_configuration(environ={}, max_shots=max_shots)
    return plan_job(job, configuration=configuration, options=PlanOptions(**options))


def plan_data(folder: Path, *, max_shots: int | None = None, **keys: Any) -> Plan:
    """The plan of a job given as Python data."""
    job, problems = load_job_data({"flux2batch": 1, **keys}, folder=folder)
    if job is None:
        raise InvalidInput(problems)
    return plan_job(job, configuration=load_configuration(environ={}, max_shots=max_shots))


def problems_of(folder: Path, text: str, **options: Any) -> tuple[Problem, ...]:
    """Everything wrong with a job, its warnings included."""
    try:
        return plan_text(folder, text, **options).warnings
    except InvalidInput as invalid:
        return invalid.problems


def exit_code_of(folder: Path, text: str, **options: Any) -> int:
    """The exit code that a job's problems ask for."""
    try:
        plan_text(folder, text, **options)
    except InvalidInput as invalid:
        return invalid.exit_code
    return 0


def points(plan: Plan) -> list[tuple[str, ...]]:
    """The ids of the shots' coordinates, in order."""
    return [tuple(coordinate.id for coordinate in shot.coordinates.values()) for shot in plan]


def ids(plan: Plan) -> list[str]:
    """The ids of the shots, in order."""
    return [shot.id for shot in plan]


def by_point(plan: Plan) -> dict[tuple[str, ...], Shot]:
    """The shots by their coordinates."""
    return dict(zip(points(plan), plan, strict=True))
