"""Running a job: bought once, never lost, never a surprise. The emulator's books are the judge."""

from __future__ import annotations

import csv
import io
import json
import random
import signal
import time
from pathlib import Path

import pytest
from PIL import Image
from trial import BOATS, Trial, until


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def test_a_run_leaves_pictures_ledger_plan_and_a_summary(trial: Trial) -> None:
    said = trial.run()

    assert "4 of 4 shots done" in said
    assert sorted(trial.pictures()) == ["blue-1.png", "blue-2.png", "red-1.png", "red-2.png"]
    assert trial.tasks == 4
    rows = list(csv.DictReader(io.StringIO((trial.root / "ledger.csv").read_text(encoding="utf-8"))))
    assert [row["status"] for row in rows] == ["done"] * 4
    assert len((trial.root / "plan.jsonl").read_text(encoding="utf-8").splitlines()) == 4


def test_run_again_says_that_there_is_nothing_to_do_and_sends_nothing(trial: Trial) -> None:
    trial.run()
    before, tasks = trial.pictures(), trial.tasks
    times = {path: path.stat().st_mtime_ns for path in trial.root.glob("*.png")}

    said = trial.run()

    assert "Nothing to do: 4 of 4 are there." in said
    assert (trial.pictures(), trial.tasks) == (before, tasks)
    assert {path: path.stat().st_mtime_ns for path in trial.root.glob("*.png")} == times


def test_a_grown_sweep_pays_for_its_new_shots_alone(trial: Trial) -> None:
    trial.run()
    before = trial.pictures()

    trial.change("[blue, red]", "[blue, red, green]")
    trial.run()

    assert trial.tasks == 6
    assert before.items() <= trial.pictures().items()


def test_an_edited_prompt_keeps_the_old_pictures_and_going_back_brings_them_back_for_nothing(trial: Trial) -> None:
    trial.run()
    before = trial.pictures()

    trial.change("paper boat", "tin boat")
    trial.run()
    edited = trial.pictures()
    assert trial.tasks == 8
    assert {edited[path] for path in edited if path.startswith("earlier/")} == set(before.values())

    trial.change("tin boat", "paper boat")
    trial.run()

    assert trial.tasks == 8
    assert before.items() <= trial.pictures().items()


def test_a_changed_path_moves_files_and_costs_nothing(trial: Trial) -> None:
    trial.run()
    before = trial.pictures()

    trial.write(trial.job + 'output: {path: "{{ colour }}/{{ seed }}"}\n')
    said = trial.run()

    assert "4 pictures will move" in said
    assert trial.tasks == 4
    assert set(trial.pictures().values()) == set(before.values())
    assert sorted(trial.pictures()) == ["blue/1.png", "blue/2.png", "red/1.png", "red/2.png"]

    trial.change("{{ colour }}/{{ seed }}", "{{ seed }}/{{ colour }}")
    trial.run()

    assert sorted(trial.pictures()) == ["1/blue.png", "1/red.png", "2/blue.png", "2/red.png"]
    assert not (trial.root / "blue").exists(), "a folder that the move emptied is gone"


def test_swapped_paths_are_swapped(trial: Trial) -> None:
    trial.run()
    before = trial.pictures()

    trial.write(trial.job + "output: {path: \"{{ 'red' if colour == 'blue' else 'blue' }}-{{ seed }}\"}\n")
    trial.run()

    after = trial.pictures()
    assert trial.tasks == 4
    assert (after["red-1.png"], after["blue-1.png"]) == (before["blue-1.png"], before["red-1.png"])


def test_a_picture_deleted_by_hand_is_reported_and_not_bought_again(trial: Trial) -> None:
    trial.run()
    (trial.root / "red-1.png").unlink()

    said = trial.run()

    assert "1 picture deleted by hand" in said
    assert trial.tasks == 4


def test_a_foreign_file_is_never_overwritten(trial: Trial) -> None:
    trial.root.mkdir(parents=True)
    (trial.root / "red-1.png").write_bytes(b"mine")

    said = trial.run(expect=4)

    assert (trial.root / "red-1.png").read_bytes() == b"mine"
    assert "red-1.png is there already" in said
    (trial.root / "red-1.png").unlink()
    trial.run()
    assert trial.tasks == 4
    assert len(trial.pictures()) == 4


def test_exact_leaves_a_file_of_exactly_that_size_and_keeps_the_original(trial: Trial) -> None:
    trial.change("size: 256x256", "size: {exact: 250x310}")
    trial.run()

    with Image.open(trial.root / "blue-1.png") as picture:
        assert picture.size == (250, 310)
    (kept,) = (trial.root / ".flux2batch" / "originals").glob("blue-1-*.png")
    with Image.open(kept) as original:
        assert original.size[0] % 16 == original.size[1] % 16 == 0


# Red where the picture as it came is kept under the picture's own name.
def test_an_edited_prompt_of_exact_pictures_pays_once_and_keeps_both(trial: Trial) -> None:
    trial.change("size: 256x256", "size: {exact: 250x310}")
    trial.run()
    before = trial.pictures()
    trial.change("a paper boat", "a wooden boat")

    trial.run()

    assert trial.tasks == 8
    assert sorted(sha256 for path, sha256 in trial.pictures().items() if path.startswith("earlier/")) == sorted(
        before.values()
    )
    assert len(list((trial.root / ".flux2batch" / "originals").iterdir())) == 8
    trial.change("a wooden boat", "a paper boat")
    trial.run()
    assert {path: sha256 for path, sha256 in trial.pictures().items() if "earlier" not in path} == before
    assert trial.tasks == 8


def test_another_exact_size_is_cut_from_the_original_and_costs_nothing(trial: Trial) -> None:
    trial.change("size: 256x256", "size: {exact: 250x310}")
    trial.run()
    originals = {path.name: path.read_bytes() for path in (trial.root / ".flux2batch" / "originals").iterdir()}
    first = trial.pictures()
    trial.change("exact: 250x310", "exact: 245x310")

    said = trial.run()

    assert "4 pictures will be cut anew" in said
    for name in first:
        with Image.open(trial.root / name) as picture:
            assert picture.size == (245, 310)
    assert {path.name: path.read_bytes() for path in (trial.root / ".flux2batch" / "originals").iterdir()} == originals
    assert sorted(first.values()) == sorted(
        sha256 for path, sha256 in trial.pictures().items() if path.startswith("earlier/") and "250x310" in path
    )
    assert "Nothing to do" in trial.run()
    trial.change("exact: 245x310", "exact: 250x310")
    trial.run()
    assert {path: sha256 for path, sha256 in trial.pictures().items() if "earlier" not in path} == first
    assert trial.tasks == 4


def test_a_run_that_was_killed_while_it_cut_anew_is_finished_by_the_next(trial: Trial) -> None:
    trial.change("size: 256x256", "size: {exact: 250x310}")
    trial.run()
    shot = trial.ask_journal("SELECT shot FROM events WHERE kind = 'Saved' AND payload LIKE '%blue-1%'")[0][0]
    aside = trial.root / "earlier" / f"blue-1-{shot[:8]}-250x310.png"
    aside.parent.mkdir()
    (trial.root / "blue-1.png").rename(aside)  # as far as it had come
    part = trial.root / ".flux2batch" / "originals" / ".blue-1.png.0.part"
    part.write_bytes(b"half")
    trial.change("exact: 250x310", "exact: 245x310")

    trial.run()

    with Image.open(trial.root / "blue-1.png") as picture:
        assert picture.size == (245, 310)
    assert aside.is_file()
    assert not part.exists()
    assert "Nothing to do" in trial.run()


def test_a_size_that_is_not_exact_any_more_is_the_picture_as_it_came(trial: Trial) -> None:
    trial.change("size: 256x256", "size: {exact: 250x250}")
    trial.run()
    trial.change("size: {exact: 250x250}", "size: 256x256")

    trial.run()

    with Image.open(trial.root / "blue-1.png") as picture:
        assert picture.size == (256, 256)
    assert trial.tasks == 4
    trial.change("size: 256x256", "size: {exact: 250x250}")
    trial.run()
    with Image.open(trial.root / "blue-1.png") as picture:
        assert picture.size == (250, 250)
    assert trial.tasks == 4


def test_a_plan_dearer_than_its_budget_is_refused_and_nothing_is_sent(trial: Trial) -> None:
    trial.write(trial.job + "budget: {max_usd: 0.07}\n")

    said = trial.run(expect=4)

    assert "2 of them fit" in said
    assert trial.tasks == 0


def test_a_rehearsal_keeps_to_the_limit_of_a_run_as_the_run_itself_would(trial: Trial, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("[limits]\nper_run_usd = 0.05\n", encoding="utf-8")

    said = trial.run("--config", str(policy), expect=4)

    assert "the budget is $0.05" in said
    assert "set by limits.per_run_usd" in said, "and not by the job, whose budget is another"
    assert trial.tasks == 0


def test_up_to_the_budget_pays_for_exactly_what_fits_and_a_raised_one_for_the_rest(trial: Trial) -> None:
    trial.write(trial.job + "budget: {max_usd: 0.07}\n")
    said = trial.run("--up-to-budget", expect=4)
    assert trial.tasks == 2
    assert "Stopped at the job's budget" in said
    assert "2 not begun  a higher budget.max_usd in" in said  # the same command would be refused
    assert "goes on with them" not in said

    trial.change("0.07", "0.13")
    trial.run("--up-to-budget")
    assert trial.tasks == 4


def test_max_usd_bounds_this_call_alone(trial: Trial) -> None:
    said = trial.run("--max-usd", "0.05", "--up-to-budget", expect=4)
    assert trial.tasks == 1
    assert f"a higher --max-usd, or none, buys them: flux2batch run {trial.file} --emulate\n" in said
    trial.run("--max-usd", "0.10")
    assert trial.tasks == 4


def test_json_events_end_with_the_counts(trial: Trial) -> None:
    events = trial.events()

    last = events[-1]
    assert last["event"] == "finished"
    assert (last["done"], last["frames"], last["exit"]) == (4, 4, 0)
    assert last["cost_usd"] == {"charged": 0.12, "at_risk": 0.0}
    assert sum(event["event"] == "saved" for event in events) == 4


def test_moderation_is_an_outcome_with_its_reason(trial: Trial) -> None:
    trial.change("a paper boat", "a paper boat [emulate content-moderated]")

    said = trial.run(expect=1)
    again = trial.run(expect=1)

    assert "4 moderated" in said
    assert trial.tasks == 4, again
    trial.run("--moderated-ok")


def test_a_lost_answer_is_held_and_never_sent_again(trial: Trial) -> None:
    trial.change("a paper boat", "a paper boat [emulate drop-after-accept]")

    said = trial.run(expect=5)
    trial.run(expect=5)

    assert "may have been paid for" in said
    assert trial.tasks == 4
    assert {row[0] for row in trial.ask_journal("SELECT kind FROM events WHERE shot IS NOT NULL")} == {
        "Intended",
        "SendBegan",
        "Unanswered",
    }


def test_a_lost_answer_is_sent_again_where_the_user_says_so(trial: Trial) -> None:
    trial.change("a paper boat", "a paper boat [emulate drop-after-accept@1]")

    trial.run("--on-unknown", "resubmit:1")

    assert len(trial.pictures()) == 4
    assert trial.tasks == 8


def test_throttling_is_waited_out(trial: Trial) -> None:
    trial.change("a paper boat", "a paper boat [emulate 429@1]")

    trial.run()

    assert trial.tasks == 4


def test_a_second_process_is_told_who_drives(trial: Trial) -> None:
    trial.change("seed: 1..2", "seed: 1..30")
    first = trial.start("-q")
    until(lambda: trial.is_driven)
    said = trial.run(expect=7)
    first.communicate(timeout=60)

    assert f"driven by process {first.pid}" in said
    assert first.returncode == 0
    assert trial.tasks == 60


def test_another_job_of_the_same_name_is_refused(trial: Trial) -> None:
    trial.run()
    other = trial.folder / "other.yaml"
    other.write_text(BOATS.replace("paper", "tin"), encoding="utf-8")
    process = trial.start()
    process.communicate(timeout=60)

    import subprocess
    import sys

    refused = subprocess.run(
        [sys.executable, "-m", "flux2batch", "run", str(other), "--emulate"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert refused.returncode == 4
    assert "job.yaml" in refused.stderr
    assert "other.yaml" in refused.stderr
    assert trial.tasks == 4


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.torture) for seed in (1, 2))])
def test_killed_at_random_moments_and_started_again_each_shot_is_paid_once(trial: Trial, seed: int) -> None:
    trial.change("seed: 1..2", "seed: 1..12")
    chance = random.Random(seed)
    for _ in range(5):
        process = trial.start("-q", "--set", "run.concurrency=4")
        time.sleep(0.6 + chance.random() * 1.6)  # the random moment at which it dies
        process.kill()
        process.communicate(timeout=60)

    process = trial.start("--json")
    out, said = process.communicate(timeout=120)
    last = json.loads(out.splitlines()[-1])

    assert process.returncode in (0, 5), said
    assert last["done"] + last["unknown"] == 24
    paid = trial.ask_books("SELECT COUNT(*), COUNT(DISTINCT request_sha256) FROM tasks")
    assert paid[0][0] == paid[0][1], "a shot was paid for twice"
    for path in trial.root.glob("*.png"):
        with Image.open(path) as picture:
            picture.load()
    assert not list(trial.root.rglob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_what_is_in_flight_finish_and_leaves_no_doubt(trial: Trial, number: signal.Signals) -> None:
    trial.change("seed: 1..2", "seed: 1..30")
    process = trial.start("--json", "--set", "run.concurrency=4")
    assert process.stdout is not None
    seen = [json.loads(process.stdout.readline()) for _ in range(20)]
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    last = json.loads(out.splitlines()[-1])

    assert process.returncode in (128 + number, -number), said
    assert seen
    assert 0 < last["done"] < 60
    assert (last["unknown"], last["in_flight"], last["stalled"]) == (0, 0, 0)
    assert last["done"] == trial.tasks

    trial.run("-q")
    assert trial.tasks == 60


def test_a_run_directory_without_its_journal_is_not_begun_afresh(trial: Trial) -> None:
    trial.run()
    before = trial.pictures()
    for file in (trial.root / ".flux2batch").glob("journal.db*"):
        file.unlink()

    said = trial.run(expect=7)

    assert "would buy everything again" in said
    assert (trial.pictures(), trial.tasks) == (before, 4)


def sent(trial: Trial) -> list[str]:
    """The paths of the shots in the order in which they were intended."""
    rows = trial.ask_journal(
        "SELECT json_extract(payload, '$.paths[0]') FROM events WHERE kind = 'Intended' ORDER BY seq"
    )
    return [str(path) for (path,) in rows]


def test_a_spread_job_sends_one_of_each_first_and_a_written_one_as_written(trial: Trial) -> None:
    trial.write(trial.job + "run: {order: written, concurrency: 1}\n")
    trial.run("-q")
    assert sent(trial) == ["blue-1.png", "blue-2.png", "red-1.png", "red-2.png"]

    trial.write(trial.job.replace("order: written", "order: spread").replace("paper", "tin"))
    trial.run("-q")
    spread = sent(trial)[4:]
    assert sorted(spread) == ["blue-1.png", "blue-2.png", "red-1.png", "red-2.png"]
    assert {path[0] for path in spread[:2]} == {"b", "r"}


def test_a_sidecar_tells_of_the_picture_beside_it(trial: Trial) -> None:
    trial.write(trial.job + "output: {metadata: none, sidecar: true}\n")
    trial.run()

    told = json.loads((trial.root / "blue-1.png.json").read_text(encoding="utf-8"))
    assert "a paper boat on a blue sea" in json.dumps(told)
    assert "a paper boat" not in (trial.root / "blue-1.png").read_bytes().decode("latin-1")
