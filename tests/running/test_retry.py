"""`flux2batch retry`: what was chosen is asked for again, once, and nothing else is."""

from __future__ import annotations

import pytest
from tiny_runs import Runs


def test_retry_asks_again_for_what_ended_without_a_picture_and_for_nothing_else(runs: Runs) -> None:
    runs.made()
    booked = runs.booked()

    said = runs("retry", runs.job, "--quiet")

    assert said.code == 5  # the unknown shot is still unknown
    assert runs.kinds().count("Retried") == 2
    assert runs.booked() == booked + 2  # the moderated and the failed one
    assert {payload["by"].split(",")[0] for kind, _, payload in runs.events() if kind == "Retried"} == {"retry"}


@pytest.mark.parametrize(
    ("flags", "retried"),
    [
        (["--state", "moderated"], 1),
        (["--state", "lost"], 0),
        (["--only", "'moderated' in mark"], 1),
        (["--only", "mark == 'calm'"], 0),
        (["--missing"], 0),
    ],
)
def test_the_flags_choose(runs: Runs, flags: list[str], retried: int) -> None:
    runs.made()

    runs("retry", runs.job, "--quiet", *flags)

    assert runs.kinds().count("Retried") == retried


def test_a_picture_deleted_by_hand_is_bought_again_only_with_missing(runs: Runs) -> None:
    runs.made(["calm", "wild"])
    (runs.root / "calm.png").unlink()
    booked = runs.booked()

    assert runs("retry", runs.job).code == 0
    assert runs.booked() == booked
    assert runs("retry", runs.job, "--missing", "--quiet").code == 0
    assert runs.booked() == booked + 1
    assert (runs.root / "calm.png").is_file()
    assert runs("retry", runs.job, "--missing").err.startswith("Nothing to ask for again")


def test_a_shot_that_was_never_begun_is_not_bought_by_retry(runs: Runs) -> None:
    runs.made(["[emulate error]"])
    runs.write(["[emulate error]", "calm"])
    booked = runs.booked()

    runs("retry", runs.job, "--quiet")

    assert runs.booked() == booked + 1
    assert not (runs.root / "calm.png").exists()


def test_a_refusal_changes_nothing(runs: Runs) -> None:
    runs.made(["[emulate error]", "calm"])
    before = runs.events()

    assert runs("retry", runs.job, "--max-usd", "0.001").code == 4
    assert runs.events() == before


def test_shots_that_the_job_no_longer_asks_for_are_left_out(runs: Runs) -> None:
    runs.made(["[emulate error]", "calm"])
    runs.write(["calm"])
    before = runs.events()

    said = runs("retry", runs.job)

    assert said.code == 4
    assert "asks for other shots by now" in said.err
    assert runs.events() == before


def test_what_was_spent_before_counts_against_the_budget(runs: Runs) -> None:
    runs.made(["calm", "wild"], more="budget: {max_usd: 0.03}\n")
    (runs.root / "calm.png").unlink()

    said = runs("retry", runs.job, "--missing")

    assert (said.code, "FB610" in said.err) == (4, True)


def test_the_pictures_that_are_left_of_a_shot_make_way(runs: Runs) -> None:
    runs.made(["calm"], model="fal/flux-2", size="512x512, num_images: 2")
    (runs.root / "calm-2.png").unlink()

    assert runs("retry", runs.job, "--missing", "--quiet").code == 0
    assert sorted(path.name for path in runs.root.glob("*.png")) == ["calm-1.png", "calm-2.png"]
    assert len(list((runs.root / "earlier").glob("calm-1-*.png"))) == 1
