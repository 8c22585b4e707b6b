"""The schema of a job is sound, teaches the language in an editor, and means the same to another implementation."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from bad_field_cases import CASES, Case
from jsonschema import Draft7Validator

from flux2batch import resources
from flux2batch.reading.document import document_of, read_document
from flux2batch.reading.schema import check_shape, job_schema

REPOSITORY = Path(__file__).resolve().parents[2]
SPECS = sorted(path for path in (REPOSITORY / "specs").rglob("*.yaml"))


@cache
def other_implementation() -> Callable[[Any], Any]:
    return fastjsonschema.compile(job_schema())


def others_verdict(data: Any) -> bool:
    try:
        other_implementation()(data)
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


def data_of(text: str) -> Any:
    document, _ = read_document(text.encode(), name="job.yaml")
    assert document is not None
    return document.data


@pytest.mark.parametrize("case", [case for case in CASES if not case.beyond_json], ids=str)
def test_another_implementation_refuses_what_we_refuse(case: Case) -> None:
    assert not others_verdict(data_of(case.yaml))


@pytest.mark.parametrize("case", [case for case in CASES if case.beyond_json], ids=str)
def test_what_only_we_refuse_is_marked_so(case: Case) -> None:
    assert others_verdict(data_of(case.yaml))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_the_example_jobs_are_accepted_by_both(path: Path) -> None:
    document, problems = read_document(path.read_bytes(), name=path.name)

    assert document is not None
    assert (*problems, *check_shape(document)) == ()
    assert others_verdict(document.data)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_the_modeline_of_an_example_leads_to_the_schema(path: Path) -> None:
    modeline = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text(encoding="utf-8"))

    assert modeline is not None
    assert (path.parent / modeline[1]).resolve() == REPOSITORY / "schemas" / "job.schema.json"


def test_the_schema_is_valid_draft_07() -> None:
    Draft7Validator.check_schema(job_schema())
    assert job_schema()["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_no_reference_leaves_the_file_and_each_is_met() -> None:
    references = [value for node in nodes(job_schema()) for key, value in node.items() if key == "$ref"]

    assert references
    for reference in references:
        assert re.fullmatch(r"#/definitions/\w+", reference)
        assert reference.rpartition("/")[2] in job_schema()["definitions"]


def test_every_definition_is_used() -> None:
    text = json.dumps(job_schema())

    assert [name for name in job_schema()["definitions"] if f'"#/definitions/{name}"' not in text] == []


@pytest.mark.parametrize("word", ["description", "markdownDescription", "examples"])
def test_every_key_teaches(word: str) -> None:
    silent = [name for name, schema in properties(job_schema()) if not schema.get(word)]

    assert silent == []


def test_every_example_of_a_key_is_a_value_that_it_takes() -> None:
    root = job_schema()
    for name, schema in properties(root):
        validator = Draft7Validator({**schema, "definitions": root["definitions"]})
        for example in schema["examples"]:
            assert validator.is_valid(example), f"{name}: {example}"


def test_every_default_is_a_value_that_its_key_takes() -> None:
    root = job_schema()
    defaults = [(name, schema) for name, schema in properties(root) if "default" in schema]

    assert {name for name, _ in defaults} >= {"model", "equal", "repeat", "timeout", "order", "metadata"}
    for name, schema in defaults:
        assert Draft7Validator({**schema, "definitions": root["definitions"]}).is_valid(schema["default"]), name


def test_parameters_have_no_default_here_for_theirs_is_their_models() -> None:
    parameters = job_schema()["definitions"]["parameters"]["properties"]

    assert [name for name, schema in parameters.items() if "default" in schema] == []


def test_every_example_in_markdown_is_a_job_or_a_part_of_one() -> None:
    shown = [
        block
        for node in nodes(job_schema())
        for block in re.findall(r"```yaml\n(.*?)```", str(node.get("markdownDescription", "")), re.DOTALL)
    ]

    assert len(shown) >= 8
    for block in shown:
        whole = block if "flux2batch:" in block else f"flux2batch: 1\n{block}"
        data = {"prompt": "a boat", **data_of(whole)}
        assert others_verdict(data), block


def test_every_parameter_of_every_model_is_a_key_of_the_language() -> None:
    known = set(job_schema()["definitions"]["parameters"]["properties"])
    entries = [
        json.loads(path.read_text(encoding="utf-8")) for path in resources.folder("schemas").glob("models/*.json")
    ]

    assert entries
    assert {name for entry in entries for name in entry["parameters"]} <= known


def test_the_models_that_an_editor_offers_are_those_of_the_catalogue() -> None:
    entries = [
        json.loads(path.read_text(encoding="utf-8")) for path in resources.folder("schemas").glob("models/*.json")
    ]

    assert set(job_schema()["properties"]["model"]["examples"]) == {entry["model"] for entry in entries}


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of the schema, at any depth."""
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from nodes(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from nodes(inner)


def properties(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of the language, but not those that a rule only tests for."""
    for node in nodes(schema):
        if "properties" in node and ("additionalProperties" in node or "minProperties" in node):
            yield from node["properties"].items()


# --- mutations

_ANYTHING: tuple[Any, ...] = (
    None, True, 0, -1, 7, 2.5, "", " ", "red", "1..5", "data.x", "{{ a }}", "16:9", "1024x1024", "15m", [], ["red"],
    [[1]], [None], {}, {"id": "x"}, {"file": "a.txt"}, {"glob": 1}, {"values": [1], "when": "a"}, {"exact": "10x10"},
    {"random": [1, 2], "count": 2}, {"count": 2, "seed": "same"}, {"where": "a > 1"}, {"set": {"steps": 3}},
    {"set": {"stps": 3}},
)  # fmt: skip
_KEYS = (
    "prompt",
    "steps",
    "size",
    "width",
    "aspect",
    "file",
    "glob",
    "values",
    "when",
    "set",
    "match",
    "where",
    "x",
    "a-b",
)


def mutant(data: Any, chance: random.Random) -> Any:
    """The data with one thing in it replaced, removed, added or renamed."""
    data = copy.deepcopy(data)
    spots = [(at, key) for at in containers(data) for key in (at if isinstance(at, dict) else range(len(at)))]
    at, key = chance.choice(spots)
    match chance.randrange(4):
        case 0:
            at[key] = copy.deepcopy(chance.choice(_ANYTHING))
        case 1:
            del at[key]
        case 2 if isinstance(at, dict):
            at[chance.choice(_KEYS)] = copy.deepcopy(chance.choice(_ANYTHING))
        case 3 if isinstance(at, dict):
            at[chance.choice(_KEYS)] = at.pop(key)
        case _:
            at.append(copy.deepcopy(chance.choice(_ANYTHING))) if isinstance(at, list) else None
    return data


def containers(data: Any) -> list[Any]:
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return ([data] if isinstance(data, (dict, list)) else []) + [
        below for value in inner for below in containers(value)
    ]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_mutated_examples_are_judged_alike_and_always_in_words(path: Path) -> None:
    chance = random.Random(path.name)
    data = data_of(path.read_text(encoding="utf-8"))
    verdicts = set()
    for _ in range(150):
        changed = mutant(mutant(data, chance) if chance.random() < 0.5 else data, chance)
        if not isinstance(changed, dict) or not changed:
            continue

        problems = check_shape(document_of(changed))

        accepted = others_verdict(changed)
        verdicts.add(accepted)
        shape = [problem for problem in problems if problem.message.startswith("no axis is called") is False]
        assert accepted == (not shape), (changed, [problem.headline for problem in problems])
    assert verdicts == {True, False}
