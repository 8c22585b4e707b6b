"""Whatever is done to a good job file, it is answered: exit code 0, 3 or 4, and each message inside of the file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "torture"))

from mutate_jobs import good_files, judge, mutation, mutations  # the harness lies beside the long tests

SEED = 20_260


def test_a_sample_of_mutations_is_answered_in_order() -> None:
    print(f"seed {SEED}")
    exits = [judge(mutated) for mutated in mutations(SEED, 400)]

    # Were all refused or all accepted, the harness would say nothing about the reader.
    assert {0, 3} <= set(exits) <= {0, 3, 4}


@pytest.mark.torture
def test_20_000_mutations_are_answered_in_order() -> None:
    for mutated in mutations(1, 20_000):
        judge(mutated)


def test_a_mutation_is_the_same_each_time() -> None:
    assert mutation(3, 17) == mutation(3, 17)
    assert mutation(3, 17).raw != mutation(3, 18).raw
    assert [mutated.number for mutated in mutations(3, 4)] == [0, 1, 2, 3]


def test_every_good_file_is_good_before_it_is_mutated() -> None:
    from flux2batch.reading.load import load_job

    for path in good_files():
        job, problems = load_job(path)
        assert job is not None, [problem.headline for problem in problems]
