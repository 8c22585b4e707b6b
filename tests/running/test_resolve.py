"""`flux2batch resolve`: a lost answer is settled by evidence or by a person, never by itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from tiny_runs import Runs
from trial import until

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "unknown.schema.json").read_text(encoding="utf-8"))
LOST = "[emulate drop-after-accept]"


@pytest.fixture
def doubt(runs: Runs) -> str:
    """The id of a shot whose answer was lost, beside one that is done."""
    assert runs.made(["calm", LOST]).code == 5
    return str(runs("resolve", "--json").json["shot"])


def test_the_list_shows_the_evidence_and_changes_nothing(runs: Runs, doubt: str) -> None:
    before = runs.events()

    said = runs("resolve", runs.job)
    line = runs("resolve", runs.job, "--json").json

    jsonschema.validate(line, SCHEMA)
    assert line["possible_usd"] == "0.014"
    for shown in (doubt[:12], f"a boat {LOST}", "reset the connection", "$0.014"):
        assert shown in said.out
    for way in ("--accepted", "--not-accepted", "--resubmit", "--abandon"):
        assert way in said.err
    assert runs.events() == before


def test_what_was_not_accepted_is_sent_by_the_next_run(runs: Runs, doubt: str) -> None:
    booked = runs.booked()

    said = runs("resolve", "--shot", doubt[:8], "--not-accepted", "--reason", "nothing in the dashboard")

    assert said.code == 0
    ruled = [payload for kind, _, payload in runs.events() if kind == "RuledUnsent"]
    assert [payload["reason"] for payload in ruled] == ["nothing in the dashboard"]
    assert ruled[0]["by"]
    assert runs.booked() == booked
    runs("run", runs.job, "--emulate", "--quiet")
    assert runs.booked() == booked + 1


@pytest.mark.usefixtures("doubt")
def test_what_is_given_up_stays_in_the_books(runs: Runs) -> None:
    at_risk = runs("status", "--json").json["cost_usd"]["at_risk"]

    assert runs("resolve", "--all", "--abandon").code == 0
    status = runs("status", "--json").json

    assert (status["unknown"], status["lost"], status["cost_usd"]["at_risk"]) == (0, 1, at_risk)
    assert runs("run", runs.job, "--emulate", "--quiet").code == 5
    assert runs.kinds().count("Intended") == 2


def test_resubmitting_keeps_the_possible_charge_of_the_first_take(runs: Runs, doubt: str) -> None:
    booked = runs.booked()

    runs("resolve", "--shot", doubt, "--resubmit")
    assert runs("status", "--json").json["planned"] == 1
    runs("run", runs.job, "--emulate", "--quiet")

    assert runs.booked() == booked + 1
    assert runs("status", "--json").json["cost_usd"]["at_risk"] == 0.028  # this answer was lost as well


def test_a_task_found_by_hand_is_fetched_by_the_next_run_and_not_bought(runs: Runs, doubt: str) -> None:
    booked = runs.booked()
    url = next(payload["ticket"]["poll_url"] for kind, _, payload in runs.events() if kind == "Accepted")
    known = next(payload["ticket"]["task_id"] for kind, _, payload in runs.events() if kind == "Accepted")
    task = runs.task_of(LOST)

    flags = ["--shot", doubt[:8], "--accepted", "--task-id", task, "--poll-url", url.replace(known, task)]
    assert runs("resolve", *flags, "--reason", "seen in the dashboard").code == 0
    assert runs("run", runs.job, "--emulate", "--quiet").code == 0

    assert runs.booked() == booked
    assert runs("status", "--json").json["done"] == 2
    evidence = [payload["evidence"] for kind, shot, payload in runs.events() if kind == "Accepted" and shot == doubt]
    assert len(evidence) == 1
    assert evidence[0].startswith("by hand, by ")
    assert evidence[0].endswith("seen in the dashboard")


def test_the_listing_of_fal_settles_what_it_lists_exactly_once(runs: Runs) -> None:
    assert runs.made(["calm", LOST], model="fal/flux-2", size="512x512").code == 5
    booked = runs.booked()

    until(lambda: "listed as" in runs("resolve", "--look").err)  # fal lists a task when it has ended

    assert runs("resolve").code == 0
    assert runs("run", runs.job, "--emulate", "--quiet").code == 0
    assert runs.booked() == booked
    assert "listing" in [payload["evidence"] for kind, _, payload in runs.events() if kind == "Accepted"]


def test_two_that_are_listed_alike_are_left_to_a_person(runs: Runs) -> None:
    runs.made(["calm", LOST], model="fal/flux-2", size="512x512", more="repeat: {count: 2, seed: same}\n")
    before = runs.events()

    until(lambda: runs("resolve", "--look").err.count("listed 2 times") == 2)  # fal lists a task when it has ended

    assert runs("resolve", "--look").code == 5
    assert runs.events() == before


@pytest.mark.usefixtures("doubt")
def test_bfl_lists_nothing_and_says_so(runs: Runs) -> None:
    said = runs("resolve", "--look")

    assert (said.code, "bfl lists no tasks" in said.err) == (5, True)


def test_a_task_of_another_shot_is_refused(runs: Runs, doubt: str) -> None:
    taken = next(payload["ticket"]["task_id"] for kind, _, payload in runs.events() if kind == "Accepted")
    before = runs.events()

    said = runs("resolve", "--shot", doubt, "--accepted", "--task-id", taken)

    assert (said.code, "belongs to another shot" in said.err) == (2, True)
    assert runs.events() == before


@pytest.mark.parametrize(
    "flags",
    [
        ["--not-accepted"],
        ["--all", "--shot", "{doubt}", "--abandon"],
        ["--all", "--accepted", "--task-id", "x"],
        ["--shot", "{doubt}", "--accepted"],
        ["--shot", "{doubt}", "--accepted", "--task-id", "a b"],
        ["--shot", "{doubt}", "--accepted", "--task-id", "x", "--poll-url", "https://evil.test/"],
        ["--shot", "{doubt}", "--abandon", "--resubmit"],
        ["--shot", "{doubt}", "--task-id", "x"],
        ["--shot", "00000000", "--abandon"],
        ["--shot", "0", "--abandon"],
    ],
)
def test_what_makes_no_sense_changes_nothing(runs: Runs, doubt: str, flags: list[str]) -> None:
    before = runs.events()

    assert runs("resolve", *(flag.format(doubt=doubt) for flag in flags)).code == 2
    assert runs.events() == before


def test_a_take_that_was_cut_off_while_sending_is_in_doubt_at_once(runs: Runs) -> None:
    runs.write(["[emulate stall-after-accept]"])
    driving = subprocess.Popen(
        [sys.executable, "-m", "flux2batch", "run", str(runs.job), "--emulate", "--quiet"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: runs.journal.is_file() and "SendBegan" in runs.kinds())
    assert runs("resolve", "--all", "--abandon").code == 7  # it is being driven
    driving.send_signal(signal.SIGKILL)
    driving.wait(timeout=60)

    assert "the run died while the request was under way" in runs("resolve").out
    assert runs("resolve", "--all", "--abandon").code == 0
    assert runs.kinds().count("Unanswered") == 1
    assert runs("status", "--json").json["lost"] == 1
