"""--shard: a plan in parts that are the same everywhere and are together the whole."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux2batch.errors import InvalidInput
from flux2batch.planning.configuration import load_configuration
from flux2batch.planning.plan import Plan, PlanOptions, plan_job
from flux2batch.planning.sweep.shards import Shard
from flux2batch.reading.load import load_job

JOB = """\
flux2batch: 1
name: boats
prompt: "a paper boat on a {{ colour }} sea"
params: {size: 256x256}
sweep: {colour: [blue, red, "teal #2"], seed: 1..100}
"""


def planned(folder: Path, shard: str | None = None, *, job: str = JOB, **options: object) -> Plan:
    file = folder / "boats.yaml"
    file.write_text(job, encoding="utf-8")
    read, problems = load_job(file)
    assert read is not None, problems
    made = PlanOptions(shard=None if shard is None else Shard.read(shard), **options)  # type: ignore[arg-type]  # of PlanOptions
    return plan_job(read, configuration=load_configuration(environ={}), options=made)


def ids(plan: Plan) -> list[str]:
    return [shot.id for shot in plan]


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("options", [{}, {"only": "colour != 'red'"}, {"sample": 50}, {"limit": 70}])
def test_the_shards_of_a_plan_are_together_the_plan(tmp_path: Path, count: int, options: dict[str, object]) -> None:
    whole = ids(planned(tmp_path, **options))

    parts = [ids(planned(tmp_path, f"{number}/{count}", **options)) for number in range(1, count + 1)]

    assert Counter(itertools.chain(*parts)) == Counter(whole)
    assert all(part == [shot for shot in whole if shot in set(part)] for part in parts)


def test_shards_are_about_as_large_as_one_another(tmp_path: Path) -> None:
    sizes = [len(planned(tmp_path, f"{number}/4")) for number in range(1, 5)]

    assert sum(sizes) == 300
    assert all(45 < size < 105 for size in sizes)


def test_a_job_that_grows_moves_no_shot_to_another_shard(tmp_path: Path) -> None:
    before = set(ids(planned(tmp_path, "2/3")))

    after = set(
        ids(planned(tmp_path, "2/3", job=JOB.replace("1..100", "1..200").replace("blue, red", "blue, green, red")))
    )

    assert before < after


def test_the_index_and_the_place_of_a_shot_are_those_of_the_whole_plan(tmp_path: Path) -> None:
    whole = {shot.id: (shot.index, shot.paths) for shot in planned(tmp_path)}

    assert all(whole[shot.id] == (shot.index, shot.paths) for shot in planned(tmp_path, "3/5"))


def test_a_shard_of_these_ids_is_for_ever_the_same() -> None:
    numbers = [bytes([first]) + bytes(15) for first in range(8)]

    assert [Shard(number=1, count=3).takes(id) for id in numbers] == [
        True,
        False,
        False,
        True,
        False,
        False,
        True,
        False,
    ]


@given(id=st.binary(min_size=16, max_size=16), count=st.integers(1, 99))
def test_every_id_is_in_one_shard(id: bytes, count: int) -> None:
    assert [Shard(number=number, count=count).takes(id) for number in range(1, count + 1)].count(True) == 1


@pytest.mark.parametrize(
    "written", ["", "2", "0/8", "9/8", "2/", "/8", "2/8/3", "-1/8", "1.5/8", "٢/8", "1/0", "1/999999"]
)
def test_what_is_no_shard_is_said(written: str) -> None:
    with pytest.raises(ValueError, match="write 2/8 for the second of eight"):
        Shard.read(written)


def test_the_budget_of_a_job_must_do_for_all_of_its_shards(tmp_path: Path) -> None:
    cost = planned(tmp_path).cost.max
    under = f"{JOB}budget: {{max_usd: {cost / 2}}}\n"

    with pytest.raises(InvalidInput, match="all 8 shards together may cost"):
        planned(tmp_path, "2/8", job=under)

    assert len(planned(tmp_path, "2/8", job=f"{JOB}budget: {{max_usd: {cost}}}\n")) > 0
