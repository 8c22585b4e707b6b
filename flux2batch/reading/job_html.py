"""A job as a notebook shows it: what it is called, what it asks for, and what it sweeps over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flux2batch import html_text
from flux2batch.money import show

if TYPE_CHECKING:
    from flux2batch.reading.job import Job


def job_html(job: Job) -> str:
    """A small piece of HTML."""
    return html_text.whole(
        html_text.paragraph(job.name, job.description or f"a job on {job.model}"),
        html_text.table(["key", "value"], _rows(job)),
    )


def _rows(job: Job) -> Iterator[tuple[str, str]]:
    yield "model", job.model
    yield "prompt", job.prompt if isinstance(job.prompt, str) else _written(job.prompt)
    for axis in (*job.sweep, *(axis for group in job.zips for axis in group), *job.draws):
        yield axis.name, _written(axis.written)
    if job.references:
        yield "references", ", ".join(reference.name for reference in job.references)
    if job.budget.max_usd is not None:
        yield "budget", f"at most {show(job.budget.max_usd)}"


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
