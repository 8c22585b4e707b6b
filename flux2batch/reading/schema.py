"""Judge a document by schemas/job.schema.json, the one definition of a job's shape and the home of its defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from copy import deepcopy
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from flux2batch import __version__, resources
from flux2batch.reading.branches import Schema, chosen, resolved
from flux2batch.reading.document import Document
from flux2batch.reading.masking import Secret, masked, secrets_in
from flux2batch.reading.problems import Problem, Steps, error, in_order
from flux2batch.reading.wording import shown

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

LANGUAGE = 1
_MOST = 1000  # problems of one document: what is beyond is more of the same, and finding it takes seconds


def check_shape(document: Document) -> tuple[Problem, ...]:
    """Everything that the language itself says about a document, in the order of the file; () where all is well.

    What a model makes of a value, and what is in the files that the job names, is planning's to say.
    """
    secrets = secrets_in(document)
    version = tuple(_version_problems(document))
    if any(_is_of_a_newer_language(document.data) for _ in version):
        return masked(version, secrets)  # what else is unknown here may be well known there
    announced = {secret.steps for secret in secrets if secret.announced}
    shape = (problem for problem in _shape_problems(document) if not _is_within(problem.steps, announced))
    found = islice(chain(version, _secret_problems(document, secrets), shape), _MOST)
    return masked(in_order(found), secrets)


def is_well_shaped(data: Any) -> bool:
    """Whether this could be a job, but for its version, and for its prompt where it has none."""
    if not isinstance(data, dict):
        return False
    return bool(_validator().is_valid({"prompt": "any", **data, "flux2batch": LANGUAGE}))


def with_defaults(data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a well-shaped job with every default filled in. Parameters have none here: theirs are their model's."""
    filled = _filled(data, job_schema(), job_schema())
    assert isinstance(filled, dict), "BUG: a job without a mapping passed the shape"
    return filled


@cache
def job_schema() -> Schema:
    """The schema of a job file."""
    schema: Schema = json.loads(resources.read_text("schemas/job.schema.json"))
    return schema


def _shape_problems(document: Document) -> Iterator[Problem]:
    from flux2batch.reading.names import name_problems

    too_many: set[Steps] = set()
    broken = False
    for fault in _validator().iter_errors(document.data):
        from flux2batch.reading.faults import problems_of

        broken = True
        for problem in problems_of(fault, document, _validator()):
            if problem.code == "FB208" and problem.steps in too_many:
                continue  # a key that is one too many beside two others is one mistake
            if problem.code == "FB208":
                too_many.add(problem.steps)
            yield problem
    if not broken:
        yield from name_problems(document)


@cache
def _validator() -> Validator:
    from flux2batch.reading.validator import validator_of

    return validator_of(job_schema())


def _version_problems(document: Document) -> Iterator[Problem]:
    data, steps = document.data, ("flux2batch",)
    if not isinstance(data, dict):
        return
    if "flux2batch" not in data:
        where = document.key_place((next(iter(data)),)) if data else document.place(())
        yield error(
            "FB206",
            "missing key 'flux2batch', the version of the language",
            where=where,
            steps=(),
            help="write flux2batch: 1 as the first line",
        )
        return
    value = data["flux2batch"]
    if _is_of_a_newer_language(data):
        yield error(
            "FB206",
            f"this file was made for a newer flux2batch: language {value}; {__version__} reads language {LANGUAGE}",
            where=document.place(steps),
            steps=steps,
            help="install a newer flux2batch",
        )
    elif value != LANGUAGE or not isinstance(value, int) or isinstance(value, bool):
        yield error(
            "FB206",
            f"flux2batch must be the number 1, got {shown(document, steps, value)}",
            where=document.place(steps),
            steps=steps,
            help="write flux2batch: 1",
        )


def _is_of_a_newer_language(data: Any) -> bool:
    version = data.get("flux2batch") if isinstance(data, dict) else None
    return isinstance(version, int) and not isinstance(version, bool) and version > LANGUAGE


def _is_within(steps: Steps, announced: Set[Steps]) -> bool:
    """Whether a problem is about the value of a key that announces a secret: it would show the value."""
    return bool(announced) and any(steps[:length] in announced for length in range(1, len(steps) + 1))


def _secret_problems(document: Document, secrets: tuple[Secret, ...]) -> Iterator[Problem]:
    for secret in {secret.steps: secret for secret in secrets}.values():
        yield error(
            "FB701",
            "keys never go into a job file" if secret.announced else "this looks like the key of a service",
            where=document.key_place(secret.steps) if secret.announced else document.place(secret.steps),
            steps=secret.steps,
            help="set BFL_API_KEY or FAL_KEY in the environment or in .env, and revoke this one: "
            "whoever read the file has it",
        )


def _filled(value: Any, schema: Schema, root: Schema) -> Any:
    schema = resolved(schema, root)
    for part in schema.get("allOf", ()):
        value = _filled(value, part, root)
    if "anyOf" in schema:
        form = chosen(schema["anyOf"], value, root)
        value = value if form is None else _filled(value, schema["anyOf"][form], root)
    if isinstance(value, dict):
        return _filled_mapping(value, schema, root)
    if isinstance(value, list) and "items" in schema:
        return [_filled(item, schema["items"], root) for item in value]
    return deepcopy(value)


def _filled_mapping(value: Mapping[str, Any], schema: Schema, root: Schema) -> dict[str, Any]:
    known: Mapping[str, Schema] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    filled = {}
    for key, inner in value.items():
        below = known.get(key, others if isinstance(others, dict) else {})
        filled[key] = _filled(inner, below, root)
    for key, below in known.items():
        if key not in filled and "default" in below:
            filled[key] = _filled(below["default"], below, root)
    return filled
