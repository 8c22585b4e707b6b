"""Shards of a job, run apart and joined: the same as one run; and what is refused, or killed in the middle."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from flux2batch.cli import run
from flux2batch.emulator.server import Emulator
from flux2batch.engine.lock import DirectoryLock
from flux2batch.engine.run_directory import Memory, is_run_directory
from flux2batch.running.merged_directory import merge

JOB = """\
flux2batch: 1
name: boats
prompt: "a paper boat on a {{ colour }} sea"
params: {size: 128x128}
sweep: {colour: [blue, red, {id: teal, label: Teal sea}], seed: 1..4}
output: {path: "{{ colour }}/{{ seed }}", metadata: none, sidecar: true}
sheet: {x: seed, y: colour}
"""
WHOLE = "boats.emulated"
SHARDS = [f"boats.shard-{number}-of-3.emulated" for number in (1, 2, 3)]
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "merge.schema.json").read_text(encoding="utf-8"))
Command = Callable[..., str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job run as one, as three shards, and as one of them twice; by an emulator that is gone afterwards."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "boats.yaml").write_text(JOB, encoding="utf-8")
    with Emulator(latency="0.05") as emulator, pytest.MonkeyPatch.context() as patch:
        for name in ("BFL_API_KEY", "BFL_BASE_URL"):
            patch.setenv(name, getattr(emulator, name.lower()))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        arguments = ["run", str(folder / "boats.yaml"), "--yes", "-q"]
        assert run(arguments) == 0
        for number in (1, 2, 3):
            assert run([*arguments, "--shard", f"{number}/3"]) == 0
        assert run([*arguments, "--shard", "1/3", "--out", str(folder / "runs" / "again.emulated")]) == 0
    (folder / "boats.yaml").unlink()  # the shards come from other machines, where it lies elsewhere
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run directories, for this test alone, in the current folder."""
    shutil.copytree(made, tmp_path / "here")
    (tmp_path / "here" / "boats.yaml").write_text(JOB, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here" / "runs")
    return tmp_path / "here" / "runs"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command line in this process; what it said, on one line."""

    def call(*arguments: str, expect: int = 0) -> str:
        code = run(list(arguments))
        out, said = capsys.readouterr()
        assert code == expect, out + said
        return " ".join((out + said).split())

    return call


def pictures(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*.png"))
        if not {".flux2batch", ".sheet"} & set(path.parts)
    }


def ask(root: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(root / ".flux2batch" / "journal.db")) as journal:
        return journal.execute(sql).fetchall()


def tell(root: Path, *changes: str) -> None:
    """Change a journal behind its back: what is left of the events is numbered anew, and no snapshot stands between."""
    with closing(sqlite3.connect(root / ".flux2batch" / "journal.db")) as journal, journal:
        for sql in (*changes, "DELETE FROM snapshot", "UPDATE meta SET value = '0' WHERE key = 'snapshot'"):
            journal.execute(sql)
        kept = journal.execute("SELECT at, shot, kind, payload FROM events ORDER BY seq").fetchall()
        journal.execute("DELETE FROM events")
        journal.executemany("INSERT INTO events (at, shot, kind, payload) VALUES (?, ?, ?, ?)", kept)


def charges(root: Path) -> Counter[str]:
    """What each shot was charged, by the ledger."""
    charged: Counter[str] = Counter()
    for line in (root / "ledger.jsonl").read_text(encoding="utf-8").splitlines():
        took = json.loads(line)
        charged[took["shot"]] += Decimal(str(took["charged_usd"]))  # type: ignore[assignment]  # money is not a count
    return charged


def test_three_shards_and_a_merge_are_one_run(here: Path, command: Command) -> None:
    whole, merged = here / WHOLE, here / "merged"

    command("merge", *SHARDS, "--to", "merged")

    assert (merged / "plan.jsonl").read_bytes() == (whole / "plan.jsonl").read_bytes()
    assert len(pictures(whole)) == 12
    assert pictures(merged) == pictures(whole)
    assert charges(merged) == charges(whole)
    assert charges(merged) == sum((charges(here / shard) for shard in SHARDS), Counter())
    assert len(list(merged.rglob("*.png.json"))) == 12
    in_shot = "SELECT shot, kind FROM events WHERE shot IS NOT NULL ORDER BY shot, seq"
    assert ask(merged, in_shot) == ask(whole, in_shot)
    status = command("status", "merged", "--json")
    assert '"done": 12' in status
    assert status == command("status", WHOLE, "--json")


def test_the_merged_directory_is_one_like_any_other(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("merge", *SHARDS, "--to", "merged")

    assert "12 pictures" in command("export", "merged", "--to", "out")
    assert len(pictures(here / "out")) == 12
    page = here / "merged" / "index.html"
    seen = page.read_text(encoding="utf-8")
    assert "Teal sea" in seen
    page.unlink()
    command("sheet", "merged")
    assert "Teal sea" in page.read_text(encoding="utf-8")
    assert "journal whole" in command("doctor", "merged")
    with Emulator(latency="0.05") as emulator:
        monkeypatch.setenv("BFL_API_KEY", emulator.bfl_api_key)
        monkeypatch.setenv("BFL_BASE_URL", emulator.bfl_base_url)
        said = command("run", "../boats.yaml", "--out", "merged", "--yes")
        assert "Nothing to do: 12 of 12 are there" in said
        (here.parent / "boats.yaml").write_text(JOB.replace("1..4", "1..5"), encoding="utf-8")
        assert "15 of 15 shots done" in command("run", "../boats.yaml", "--out", "merged", "--yes")
        assert emulator.books.counts()["submits"] == 3


@pytest.mark.usefixtures("here")
def test_what_a_merge_says_to_programs_fits_its_schema(command: Command) -> None:
    said = json.loads(command("merge", *SHARDS, "--to", "merged", "--json"))

    jsonschema.validate(said, SCHEMA)
    assert (said["shots"], said["done"], said["in_several"], said["missing"]) == (12, 12, 0, 0)
    assert [part["directory"] for part in said["from"]] == SHARDS
    assert said["charged_usd"] == pytest.approx(sum(part["charged_usd"] for part in said["from"]))


def test_status_and_retry_know_which_part_a_directory_is_of(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "shard 1/3" in command("status", SHARDS[0])
    assert '"shard": "1/3"' in command("status", SHARDS[0], "--json")
    assert "shard" not in command("status", WHOLE, "--json")
    plan = (here / SHARDS[0] / "plan.jsonl").read_bytes()
    gone = next(iter(pictures(here / SHARDS[0])))
    (here / SHARDS[0] / gone).unlink()
    with Emulator(latency="0.05") as emulator:
        monkeypatch.setenv("BFL_API_KEY", emulator.bfl_api_key)
        monkeypatch.setenv("BFL_BASE_URL", emulator.bfl_base_url)
        command("run", "../boats.yaml", "--shard", "1/3", "--yes")  # which sees that it is gone
        assert "retry" in command("status", SHARDS[0])

        command("retry", SHARDS[0], "--missing", "--yes")

        assert emulator.books.counts()["submits"] == 1
    assert (here / SHARDS[0] / "plan.jsonl").read_bytes() == plan
    assert gone in pictures(here / SHARDS[0])


def test_a_merge_changes_none_of_its_directories(here: Path, command: Command) -> None:
    def content(root: Path) -> dict[str, bytes]:
        beside = (".db-wal", ".db-shm")  # which SQLite makes to read
        return {
            str(path): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and not path.name.endswith(beside)
        }

    before = [content(here / shard) for shard in SHARDS]

    command("merge", *SHARDS, "--to", "merged")

    assert [content(here / shard) for shard in SHARDS] == before


def test_merges_can_be_merged(here: Path, command: Command) -> None:
    command("merge", SHARDS[0], SHARDS[1], "--to", "two")
    command("merge", "two", SHARDS[2], "--to", "three")

    assert pictures(here / "three") == pictures(here / WHOLE)
    assert charges(here / "three") == charges(here / WHOLE)
    for again in (SHARDS[0], "two"):
        said = command("merge", "three", again, "--to", "four", expect=4)
        assert "would be counted twice" in said
    assert not (here / "four").exists()


def test_a_part_of_a_job_can_be_merged_and_the_rest_run_after_it(here: Path, command: Command) -> None:
    command("merge", SHARDS[0], SHARDS[2], "--to", "merged")

    there = len(pictures(here / SHARDS[0])) + len(pictures(here / SHARDS[2]))
    assert len(pictures(here / "merged")) == there
    assert f'"done": {there}' in command("status", "merged", "--json")


def test_a_shot_with_the_same_picture_in_two_is_there_once_and_what_both_paid_is_counted(
    here: Path, command: Command
) -> None:
    command("merge", SHARDS[0], "again.emulated", "--to", "merged")

    assert pictures(here / "merged") == pictures(here / SHARDS[0])
    for shot, charged in charges(here / SHARDS[0]).items():
        assert charges(here / "merged")[shot] == 2 * charged
    ledger = (here / "merged" / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    assert Counter(json.loads(line)["take"] for line in ledger) == {1: len(ledger) / 2, 2: len(ledger) / 2}
    assert "journal whole" in command("doctor", "merged")


def test_a_shot_with_different_pictures_in_two_is_refused(here: Path, command: Command) -> None:
    other = here / "again.emulated"
    ((shot, path),) = ask(
        other, "SELECT shot, json_extract(payload, '$.path') FROM events WHERE kind = 'Saved' LIMIT 1"
    )
    content = (other / path).read_bytes() + b"\n"
    digest = hashlib.sha256(content).hexdigest()
    changed = f"SET payload = json_set(payload, '$.sha256', '{digest}')"
    tell(other, f"UPDATE events {changed} WHERE kind = 'Saved' AND shot = '{shot}'")

    said = command("merge", SHARDS[0], "again.emulated", "--to", "merged", expect=4)

    assert f"{path} (shot {shot[:8]}) is another picture in again.emulated than in {SHARDS[0]}" in said
    assert not (here / "merged").exists()


def test_a_picture_that_is_not_what_its_journal_says_is_refused_and_one_that_is_gone_is_counted(
    here: Path, command: Command
) -> None:
    changed, gone = (next(iter((shard, path) for path in pictures(here / shard))) for shard in SHARDS[:2])
    good = here.joinpath(*changed).read_bytes()
    here.joinpath(*changed).write_bytes(good + b"x")
    said = command("merge", *SHARDS, "--to", "merged", expect=4)
    assert f"{'/'.join(changed)} is not the picture that the journal has" in said
    assert not (here / "merged").exists()

    here.joinpath(*changed).write_bytes(good)
    here.joinpath(*gone).unlink()

    assert "1 picture no longer where" in command("merge", *SHARDS, "--to", "merged")
    assert pictures(here / "merged").keys() == pictures(here / WHOLE).keys() - {gone[1]}


def test_two_shots_at_one_path_are_refused(here: Path, command: Command) -> None:
    ((path,),) = ask(
        here / SHARDS[0], "SELECT json_extract(payload, '$.path') FROM events WHERE kind = 'Saved' LIMIT 1"
    )
    tell(
        here / SHARDS[1],
        f"UPDATE events SET payload = json_set(payload, '$.path', '{path}') WHERE kind = 'Saved'"
        " AND seq = (SELECT MIN(seq) FROM events WHERE kind = 'Saved')",
    )

    said = command("merge", SHARDS[0], SHARDS[1], "--to", "merged", expect=4)

    assert f"{path} is shot" in said
    assert "different versions of the job" in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE meta SET value = 'real' WHERE key = 'kind'", "they are not joined"),
        ("UPDATE meta SET value = 'ships' WHERE key = 'job_name'", "Only run directories of one job"),
        ("DELETE FROM events WHERE kind = 'Saved'", "are on their way"),
        ("DELETE FROM events WHERE kind IN ('Saved', 'Rendered', 'Accepted')", "are on their way"),
    ],
)
def test_what_are_no_parts_of_one_job_at_rest_is_refused(here: Path, command: Command, change: str, says: str) -> None:
    tell(here / SHARDS[1], change)

    assert says in command("merge", *SHARDS, "--to", "merged", expect=4)

    assert not (here / "merged").exists()
    assert not [path for path in here.iterdir() if "merging" in path.name]


def test_an_unknown_shot_is_settled_first_and_an_unsent_one_is_left_to_the_merged_directory(
    here: Path, command: Command
) -> None:
    unanswered = '{"reason":"nobody answered","status":null,"excerpt":null}'
    tell(
        here / SHARDS[1],
        "DELETE FROM events WHERE kind IN ('Saved', 'Rendered')",
        f"UPDATE events SET kind = 'Unanswered', payload = '{unanswered}' WHERE kind = 'Accepted'",
    )
    assert "are unknown: flux2batch resolve" in command("merge", *SHARDS, "--to", "merged", expect=4)

    tell(here / SHARDS[1], "DELETE FROM events WHERE kind IN ('SendBegan', 'Unanswered')")

    command("merge", *SHARDS, "--to", "merged")
    left = len(pictures(here / SHARDS[1]))
    assert f'"planned": {left}, "done": {12 - left}' in command("status", "merged", "--json")


def test_a_place_that_is_taken_a_folder_that_is_none_and_a_run_that_goes_on_are_refused(
    here: Path, command: Command
) -> None:
    (here / "full").mkdir()
    (here / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    (here / "empty").mkdir()
    assert "is not empty" in command("merge", *SHARDS, "--to", "full", expect=4)
    assert "is a run directory already" in command("merge", *SHARDS, "--to", WHOLE, expect=4)
    assert "is not a run directory" in command("merge", *SHARDS, "empty", "--to", "merged", expect=2)
    with DirectoryLock(here / SHARDS[0] / ".flux2batch", now=datetime.now(UTC)):
        assert "is being driven by" in command("merge", *SHARDS, "--to", "merged", expect=7)
    assert not (here / "merged").exists()

    command("merge", *SHARDS, "--to", "empty")
    assert len(pictures(here / "empty")) == 12


def test_a_journal_that_leads_out_of_its_directory_leads_nowhere(here: Path, command: Command, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes((here / SHARDS[0] / next(iter(pictures(here / SHARDS[0])))).read_bytes())
    tell(
        here / SHARDS[0],
        "UPDATE events SET payload = json_set(payload, '$.path', '../../../secret.png') WHERE kind = 'Saved'"
        " AND seq = (SELECT MIN(seq) FROM events WHERE kind = 'Saved')",
    )

    command("merge", *SHARDS, "--to", "merged", expect=4)

    assert not (here / "merged").exists()


# Killed in the middle.

_EVENTS = ("open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "sqlite3.connect")


def _merge_and_die(roots: list[Path], target: Path, state: Path, *, at: int) -> int:
    """Merge in a child that is killed at its n-th touch of the disk; how many it came to, or -1 where it lived."""
    child = os.fork()  # one thread is all that there is here
    if child == 0:
        touches = 0

        def count(event: str, _: object) -> None:
            nonlocal touches
            if event in _EVENTS:
                touches += 1
                if touches == at:
                    os.kill(os.getpid(), 9)

        try:
            sys.addaudithook(count)
            memory = Memory(state / "memory.db", accept_rollback=False, fork=False)
            merge(roots, target, memory=memory, now=datetime.now(UTC))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return -1 if os.WIFEXITED(status) else at


def _points(seed: int, most: int) -> Iterator[int]:
    chance = random.Random(seed)
    print(f"seed {seed}")
    yield from sorted(chance.sample(range(1, most), 4))


def _whole_or_nothing(here: Path, target: Path, state: Path, points: Iterator[int]) -> int:
    """Kill a merge at each point: each time nothing is there that is taken for whole, and the next one goes through."""
    roots = [here / shard for shard in SHARDS]
    deaths = 0
    for at in points:
        shutil.rmtree(target, ignore_errors=True)
        died = _merge_and_die(roots, target, state, at=at)
        if died < 0:
            return deaths
        deaths += 1
        if is_run_directory(target):
            assert pictures(target) == pictures(here / WHOLE), f"killed at {at}"
            assert len(ask(target, "SELECT 1 FROM events WHERE kind = 'Saved'")) == 12
            continue
        assert not target.exists(), f"killed at {at}"
        whole = [path for path in here.glob(".merged.merging-*") if is_run_directory(path)]
        assert all(pictures(path) == pictures(here / WHOLE) for path in whole), f"killed at {at}"
        merge(
            roots, target, memory=Memory(state / "memory.db", accept_rollback=False, fork=False), now=datetime.now(UTC)
        )
        assert pictures(target) == pictures(here / WHOLE), f"killed at {at}"
        assert not list(here.glob(".merged.merging-*"))
    return deaths


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be forked there")
def test_a_merge_that_is_killed_leaves_nothing_that_is_taken_for_whole(here: Path, tmp_path: Path) -> None:
    seed = random.randrange(10_000)

    assert _whole_or_nothing(here, here / "merged", tmp_path, _points(seed, 250)) > 0


@pytest.mark.torture
@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be forked there")
def test_a_merge_that_is_killed_at_every_touch_of_the_disk(here: Path, tmp_path: Path) -> None:
    deaths = _whole_or_nothing(here, here / "merged", tmp_path, iter(range(1, 100_000)))

    print(f"killed {deaths} times")
    assert deaths > 200
