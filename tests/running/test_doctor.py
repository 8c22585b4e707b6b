"""`flux2batch doctor`: what it finds, and that mending a run directory never leads to paying twice."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from tiny_runs import Runs

from flux2batch.emulator.server import Emulator

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "doctor.schema.json").read_text(encoding="utf-8"))
SHOTS = [f"number {number}" for number in range(24)]


def found(runs: Runs, *arguments: object) -> dict[str, str]:
    """The state of every check by its name."""
    said = runs("doctor", *arguments, "--json").json
    jsonschema.validate(said, SCHEMA)
    return {check["name"]: check["state"] for check in said["checks"]}


def test_a_sound_machine_and_directory_are_good(runs: Runs) -> None:
    runs.made(["calm"])
    before = runs.events()

    said = runs("doctor", runs.job)

    assert said.code == 0
    assert "✗" not in said.out
    assert found(runs, runs.job)["journal"] == "good"
    assert runs.events() == before


def test_what_is_open_is_noted_with_the_way_out(runs: Runs) -> None:
    runs.made()
    (runs.root / "calm.png").unlink()

    said = runs("doctor", runs.root)

    assert said.code == 0
    assert f"flux2batch resolve {runs.root}" in said.out
    assert f"flux2batch retry {runs.root} --missing" in said.out


def test_a_key_that_cannot_be_one_is_found_and_not_shown(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BFL_API_KEY", "Bearer 0123456789abcdef")

    said = runs("doctor")

    assert (said.code, "0123456789ab" in said.out) == (6, False)


@pytest.mark.parametrize("service", ["bfl", "fal"])
def test_online_asks_what_costs_nothing(runs: Runs, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator() as emulator:
        monkeypatch.setenv("BFL_BASE_URL", emulator.bfl_base_url)
        monkeypatch.setenv("FAL_BASE_URL", emulator.fal_base_url)
        monkeypatch.setenv("BFL_API_KEY", emulator.bfl_api_key)
        monkeypatch.setenv("FAL_KEY", emulator.fal_key)
        states = found(runs, "--online")

        assert {states[f"{service} host"], states["clock"]} == {"good"}
        assert states[f"{service} key"] in ("good", "note")
        assert not emulator.books.tasks()


@pytest.mark.parametrize(("name", "key"), [("BFL_API_KEY", "0" * 32), ("FAL_KEY", f"{'0' * 16}:{'0' * 32}")])
def test_online_finds_a_key_that_is_refused(runs: Runs, name: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator() as emulator:
        monkeypatch.setenv("BFL_BASE_URL", emulator.bfl_base_url)
        monkeypatch.setenv("FAL_BASE_URL", emulator.fal_base_url)
        monkeypatch.setenv(name, key)
        said = runs("doctor", "--online")

    assert (said.code, [line[0] for line in said.out.splitlines() if "refused:" in line]) == (6, ["✗"])


def test_online_finds_a_host_that_is_not_reached(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BFL_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("FAL_BASE_URL", "http://127.0.0.1:9")

    assert runs("doctor", "--online").code == 7


# Damage.


def zero_bytes(journal: Path) -> None:
    journal.write_bytes(b"")


def broken_head(journal: Path) -> None:
    content = bytearray(journal.read_bytes())
    content[:4096] = bytes(4096)
    journal.write_bytes(content)


def cut_short(journal: Path) -> None:
    content = journal.read_bytes()
    journal.write_bytes(content[: len(content) * 2 // 3])


def broken_page(journal: Path) -> None:
    """A leaf of the events' tree is overwritten: the second that holds a shot's event."""
    content = bytearray(journal.read_bytes())
    pages = [
        at for at in range(0, len(content), 4096) if content[at] == 0x0D and b"SendBegan" in content[at : at + 4096]
    ]
    at = pages[len(pages) // 2]
    content[at : at + 4096] = b"\xa5" * 4096
    journal.write_bytes(content)


def broken_event(journal: Path) -> None:
    with sqlite3.connect(journal) as database:
        database.execute(
            "UPDATE events SET payload = '{' WHERE seq = (SELECT MIN(seq) FROM events WHERE kind = 'Accepted')"
        )
    database.close()


def foreign_table(journal: Path) -> None:
    with sqlite3.connect(journal) as database:
        database.execute("CREATE TABLE strange (a)")
    database.close()


DAMAGES = [zero_bytes, broken_head, cut_short, broken_page, broken_event, foreign_table]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_journal_is_recovered_and_nothing_is_bought_twice(runs: Runs, damage: Callable[[Path], None]) -> None:
    runs.made(SHOTS)
    booked = runs.booked()
    damage(runs.journal)

    assert runs("run", runs.job, "--emulate", "--quiet").code == 7
    broken = runs.journal.read_bytes()
    assert found(runs, runs.root)["journal"] == "bad"
    assert runs.journal.read_bytes() == broken  # looking changes nothing
    said = runs("doctor", runs.root, "--recover")
    assert (said.code, "Saved" in said.err) == (0, True)
    assert [path.read_bytes() for path in runs.journal.parent.glob("journal.db.damaged-*Z")] == [broken]

    runs("run", runs.job, "--emulate", "--quiet")

    assert runs.booked() == booked
    status = runs("status", runs.root, "--json").json
    assert status["done"] + status["unknown"] == len(SHOTS)
    assert len(list(runs.root.rglob("*.png"))) == len(SHOTS)


@pytest.mark.parametrize(
    ("damage", "done"), [(foreign_table, 24), (broken_head, 24), (broken_event, 23), (zero_bytes, 0)]
)
def test_as_much_is_saved_as_can_be(runs: Runs, damage: Callable[[Path], None], done: int) -> None:
    runs.made(SHOTS)
    damage(runs.journal)

    runs("doctor", runs.root, "--recover")

    assert runs("status", runs.root, "--json").json["done"] == done


def test_money_that_may_be_spent_counts_after_a_recovery(runs: Runs) -> None:
    runs.made(SHOTS, more="budget: {max_usd: 1}\n")
    zero_bytes(runs.journal)

    runs("doctor", runs.root, "--recover")

    status = runs("status", runs.root, "--json").json
    assert (status["unknown"], status["cost_usd"]["at_risk"]) == (24, 0.336)


def test_a_whole_journal_is_not_recovered(runs: Runs) -> None:
    runs.made(["calm"])
    before = runs.events()

    assert runs("doctor", runs.root, "--recover").code == 4
    assert runs.events() == before


def test_a_recovered_directory_is_not_taken_for_a_restored_one(runs: Runs) -> None:
    runs.made(SHOTS)
    cut_short(runs.journal)

    runs("doctor", runs.root, "--recover")

    assert found(runs, runs.root)["history"] == "good"


# Backups and copies.


def test_a_backup_is_believed_only_when_told(runs: Runs) -> None:
    runs.made(["calm"])
    backup = runs.journal.read_bytes()
    runs.write(["calm", "wild"])
    runs("run", runs.job, "--emulate", "--quiet")
    runs.journal.write_bytes(backup)

    assert runs("run", runs.job, "--emulate", "--quiet").code == 7
    assert found(runs, runs.root)["history"] == "bad"
    said = runs("doctor", runs.root, "--accept-rollback")
    assert (said.code, "1 shot" in said.err) == (0, True)
    assert found(runs, runs.root)["history"] == "good"


def test_a_copy_gets_a_life_of_its_own(runs: Runs, tmp_path: Path) -> None:
    runs.made(["calm"])
    copy = tmp_path / "runs" / "copy"
    shutil.copytree(runs.root, copy)

    assert found(runs, copy)["history"] == "bad"
    assert runs("doctor", copy, "--fork").code == 0
    assert found(runs, copy)["history"] == "good"
    assert found(runs, runs.root)["history"] == "good"
    assert runs("run", runs.job, "--emulate", "--quiet").code == 0


def test_a_copy_with_shots_in_doubt_is_left_to_the_original(runs: Runs, tmp_path: Path) -> None:
    runs.made()
    copy = tmp_path / "copy"
    shutil.copytree(runs.root, copy)
    before = (copy / ".flux2batch" / "journal.db").read_bytes()

    assert runs("doctor", copy, "--fork").code == 4
    assert (copy / ".flux2batch" / "journal.db").read_bytes() == before


def test_the_original_needs_no_fork(runs: Runs) -> None:
    runs.made(["calm"])

    assert runs("doctor", runs.root, "--fork").code == 4


@pytest.mark.parametrize("flags", [["--recover"], ["--fork", "--recover", "x"]])
def test_what_makes_no_sense_is_a_usage_error(runs: Runs, flags: list[str]) -> None:
    assert runs("doctor", *flags).code == 2
