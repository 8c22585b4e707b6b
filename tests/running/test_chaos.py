"""Real runs through a proxy that spoils their answers: a sample of what `make torture` does at every byte.

Seen red: an id of which half arrived in a header was taken for the task's id, and the paid shot was lost.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "torture"))

from cut_answers import LONGEST, Work, try_out  # the harness lies beside the long tests

SEED = int(os.environ.get("FLUX2BATCH_CHAOS_SEED", str(random.randrange(10_000))))


@pytest.mark.parametrize(("service", "what"), [("fal", "submit"), ("bfl", "poll"), ("fal", "download")])
def test_f41_an_answer_cut_anywhere_costs_nothing_twice_and_forgets_nothing(service: str, what: str, tmp_path: Path):
    chance = random.Random(f"{SEED}/{what}")
    offsets = tuple(chance.randint(0, LONGEST[service][what]) for _ in range(5))

    tally = try_out(Work(service, what, "cut" if what == "submit" else "reset", offsets, tmp_path))

    assert tally.cases > 0
    assert tally.is_good, f"FLUX2BATCH_CHAOS_SEED={SEED}: {tally}"
