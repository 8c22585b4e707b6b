"""The identity of a shot: which pictures are the same, for ever."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux2batch.planning.canonical import canonical_json, digest
from flux2batch.planning.configuration import load_configuration
from flux2batch.planning.identity import IDENTITY_VERSION, ids_of_seeds, shot_id
from flux2batch.planning.models.catalogue import entries, identifying
from flux2batch.planning.plan import plan_job
from flux2batch.planning.shot import Shot
from flux2batch.reading.load import load_job, load_job_data

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
JOBS = {
    "quickstart": "quickstart.yaml",
    "experiment": "experiment.yaml",
    "campaign": "campaign/job.yaml",
    "edit": "edit/job.yaml",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _shots(file: str) -> list[Shot]:
    job, problems = load_job(ROOT / "specs" / file)
    assert job, problems
    return list(plan_job(job, configuration=load_configuration(environ={})))


@pytest.mark.parametrize(("case", "file"), JOBS.items())
def test_the_ids_of_the_example_jobs_outlive_releases(case: str, file: str) -> None:
    """Where this turns red, every picture that anybody has paid for would be bought again."""
    kept = [json.loads(line) for line in (GOLDEN / case / "ids.jsonl").read_text(encoding="utf-8").splitlines()]

    planned = [{"id": shot.id, "path": shot.paths[0]} for shot in _shots(file)]

    assert IDENTITY_VERSION == 1
    assert planned == kept


def test_an_id_is_the_digest_that_anybody_can_recompute() -> None:
    value = {
        "provider": "bfl",
        "model": "flux-2-flex",
        "endpoint": "/v1/flux-2-flex",
        "params": {"width": 1024, "height": 1024, "guidance": 5.0, "seed": 7},
        "prompt": "a boat",
        "references": ["color:#0047AB:1024x1024"],
    }

    made = shot_id(
        model="bfl/flux-2-flex",
        endpoint="/v1/flux-2-flex",
        params={"seed": 7, "guidance": 5, "height": 1024, "width": 1024},
        prompt="a boat",
        references=["color:#0047AB:1024x1024"],
    )

    assert made == digest("shot/1", value)[:32] == "27997acd4d7701daa0ece3dd4a96d14b"


@given(
    prompt=st.text(),
    seed=st.integers(0, 2**32),
    repeat=st.integers(1, 4),
    params=st.dictionaries(st.text(max_size=8), st.integers() | st.booleans() | st.text(max_size=4), max_size=5),
    references=st.lists(st.text(max_size=6), max_size=2),
)
def test_the_quick_way_to_an_id_is_the_same_as_the_plain_one(
    prompt: str, seed: int, repeat: int, params: dict[str, Any], references: list[str]
) -> None:
    request: dict[str, Any] = {"model": "fal/flux-2", "endpoint": "/fal-ai/flux-2", "references": references}
    plain = shot_id(**request, params={**params, "seed": seed}, prompt=prompt, repeat=repeat)

    quick = ids_of_seeds(**request, params=params)(json.dumps(prompt, ensure_ascii=False), seed, repeat)

    assert quick.hex() == plain


def test_every_shot_of_a_plan_has_the_id_of_what_it_sends() -> None:
    for file in JOBS.values():
        for shot in _shots(file):
            assert shot.id == shot_id(
                model=shot.model,
                endpoint=shot.endpoint,
                params=identifying(entries()[shot.model], shot.params),
                prompt=shot.prompt,
                references=[reference.digest for reference in shot.references],
            )


@pytest.mark.parametrize("one", [5, 5.0, Decimal("5"), Decimal("5.00")])
def test_five_is_five_however_it_is_written(one: object) -> None:
    assert canonical_json({"a": one}) == b'{"a":5}'


def test_text_enters_as_it_is() -> None:
    assert canonical_json({"b": "é", "a": "e\u0301"}) == '{"a":"e\u0301","b":"é"}'.encode()


@given(json_values)
def test_canonical_json_is_json_of_the_same_value(value: Any) -> None:
    assert json.loads(canonical_json(value).decode("utf-8", "surrogatepass")) == value


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_count(value: dict[str, int]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


def test_a_parameter_that_only_says_how_an_answer_travels_changes_no_id(tmp_path: Path) -> None:
    entry = json.loads((ROOT / "schemas" / "models" / "bfl-flux-2-pro.json").read_text())
    parameter = {"description": "d", "schema": {"type": "integer"}, "default": 0, "sent_as": "speed"}
    for name, identifying_too in (("speed", True), ("travel", False)):
        entry["parameters"][name] = {**parameter, "identifying": identifying_too}
    (tmp_path / "bfl-flux-2-pro.json").write_text(json.dumps(entry))
    (tmp_path / "config.toml").write_text('[models]\nfolders = ["."]\n')
    configuration = load_configuration(file=tmp_path / "config.toml", environ={})

    def id_with(name: str, value: int) -> str:
        data = {"flux2batch": 1, "prompt": "a boat", "sweep": {f"params.{name}": [value]}}
        job, problems = load_job_data(data, folder=tmp_path)
        assert job, problems
        return next(iter(plan_job(job, configuration=configuration))).id

    assert id_with("travel", 0) == id_with("travel", 1)
    assert id_with("speed", 0) != id_with("speed", 1)
