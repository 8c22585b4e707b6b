"""The nearest known word."""

from __future__ import annotations

import pytest

from flux2batch.reading.suggest import closest, did_you_mean

KEYS = ("prompt", "params", "sweep", "model", "guidance", "guidance_scale")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("promt", "prompt"),
        ("PROMPT", "prompt"),
        ("Sweep", "sweep"),
        ("modle", "model"),
        ("guidence", "guidance"),
        ("banana", None),
        ("", None),
        ("p" * 100_000, None),
    ],
)
def test_the_nearest_word_is_the_one_that_was_meant(written: str, meant: str | None) -> None:
    assert closest(written, KEYS) == meant


def test_a_word_that_differs_only_in_case_wins_over_a_longer_likeness() -> None:
    assert closest("GUIDANCE", reversed(KEYS)) == "guidance"


def test_of_equally_near_words_the_first_is_taken() -> None:
    assert closest("cats", ["bats", "rats"]) == "bats"


def test_the_help_asks() -> None:
    assert did_you_mean("promt", KEYS) == "did you mean 'prompt'?"
    assert did_you_mean("banana", KEYS) is None
