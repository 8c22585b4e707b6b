"""The books: true, balanced, readable, and still there after `kill -9`."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from flux2batch.emulator.books import Books
from flux2batch.emulator.server import Emulator
from flux2batch.errors import MachineError

SERVE = """
    import sys, time
    from pathlib import Path
    from flux2batch.emulator.server import Emulator
    emulator = Emulator(books=Path(sys.argv[1]), latency="0.2")
    emulator.start()
    print(emulator.bfl_base_url, emulator.bfl_api_key, emulator.fal_base_url, emulator.fal_key, flush=True)
    time.sleep(60)  # until it is killed; the bound is for a test that died first
"""


class Life:
    """An emulator in a process of its own, which can be killed."""

    def __init__(self, file: Path) -> None:
        command = [sys.executable, "-c", textwrap.dedent(SERVE), str(file)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.bfl, self.bfl_key, self.fal, self.fal_key = self.process.stdout.readline().split()

    def submit(self, seed: int) -> dict[str, Any]:
        body = {"prompt": "a paper boat", "width": 64, "height": 64, "seed": seed}
        answer = requests.post(f"{self.bfl}/v1/flux-2-pro", json=body, headers={"x-key": self.bfl_key}, timeout=10)
        return answer.json()

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_every_answered_submit_survives_a_kill_and_is_finished_by_the_next_life(tmp_path: Path) -> None:
    file = tmp_path / "emulator.db"
    first = Life(file)
    try:
        tasks = [first.submit(seed) for seed in range(12)]
    finally:
        first.kill()

    second = Life(file)
    try:
        assert (second.bfl_key, second.fal_key) == (first.bfl_key, first.fal_key)
        for task in tasks:
            at_base = f"{second.bfl}/v1/get_result?id={task['id']}"
            told = {"status": "Pending"}
            while told["status"] == "Pending":
                told = requests.get(at_base, timeout=10).json()
            assert told["status"] == "Ready"
            assert requests.get(told["result"]["sample"], timeout=10).status_code == 200
    finally:
        second.kill()

    books = Books(file)
    try:
        assert [task.id for task in books.tasks()] == [task["id"] for task in tasks]
        assert [submit.task_id for submit in books.submits()] == [task["id"] for task in tasks]
        assert (books.charged, books.imbalance()) == (Decimal("0.36"), 0)
        assert {key for _, key in books.sightings()} <= {"bfl", "none"}
    finally:
        books.close()


def test_a_restarted_emulator_takes_its_old_ports_where_they_are_free(tmp_path: Path) -> None:
    file = tmp_path / "emulator.db"
    with Emulator(books=file) as first:
        urls = dict(first.urls)
    with Emulator(books=file) as second:
        assert second.urls == urls
        with Emulator(books=file) as beside:
            assert not set(beside.urls.values()) & set(urls.values())


def test_no_key_is_written_into_the_books(tmp_path: Path, visit: Any) -> None:
    file = tmp_path / "emulator.db"
    visitor = visit(books=file)
    visitor.bfl()
    visitor.ask("GET", f"{visitor.emulator.bfl_base_url}/v1/credits", headers={"x-key": "bfl_canary_0123456789"})
    visitor.bfl(webhook_url="http://127.0.0.1:9/", webhook_secret="canary-secret")
    visitor.emulator.books.flush()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert b"a paper boat" in written
    for secret in (visitor.emulator.bfl_api_key, visitor.emulator.fal_key.split(":")[1], "canary"):
        assert secret.encode() not in written


def test_the_books_know_which_key_came_to_which_door(visit: Any) -> None:
    visitor = visit()
    key = visitor.emulator.bfl_api_key
    url = visitor.bfl().json()["polling_url"]
    sample = visitor.ready(url)["result"]["sample"]
    visitor.get(sample, headers={"x-key": key})
    visitor.get(url, headers={"x-key": "another-key"})
    visitor.get(f"{sample}&leak={key}")

    seen = visitor.emulator.books.sightings()

    assert seen["bfl", "bfl"] == 1
    assert seen["bfl-poll", "none"] == 1
    assert seen["bfl-delivery", "bfl"] == 2
    assert [name for door, name in seen if door == "bfl-poll" and name.startswith("other:")]


def test_the_same_request_is_recognised_however_it_is_written(visit: Any) -> None:
    visitor = visit(faults=["500@1"])
    url, headers = f"{visitor.emulator.bfl_base_url}/v1/flux-2-pro", {"x-key": visitor.emulator.bfl_api_key}
    for body in (b'{"prompt":"x","seed":1}', b'{ "seed": 1, "prompt": "x" }', b'{"prompt":"x","seed":2}'):
        visitor.ask("POST", url, data=body, headers=headers)
    hooked = b'{"prompt":"x","seed":1,"webhook_url":"http://127.0.0.1:9/hook/7"}'
    visitor.ask("POST", url, data=hooked, headers=headers)
    books = visitor.emulator.books

    submits = books.submits()
    same = books.submits(submits[0].request_sha256)

    assert [submit.outcome for submit in submits] == ["fault 500@1", "accepted", "accepted", "accepted"]
    assert len(same) == 3
    assert len({submit.body_sha256 for submit in same}) == 3
    assert [submit.key_seen for submit in submits] == ["bfl"] * 4


def test_polls_downloads_and_charges_are_counted(visit: Any) -> None:
    visitor = visit()
    for seed in range(2):
        sample = visitor.ready(visitor.bfl(seed=seed).json()["polling_url"])["result"]["sample"]
        visitor.get(sample)
        visitor.get(sample)

    (first, second), told = (
        visitor.emulator.books.tasks(),
        visitor.get(visitor.emulator.bfl_base_url + "/_emulator/books"),
    )

    assert (first.polls, first.downloads, second.polls, second.downloads) == (1, 2, 1, 2)
    assert told.json() == {
        "submits": 2,
        "tasks": 2,
        "polls": 2,
        "downloads": 4,
        "charged_usd": {"bfl": "0.06", "fal": "0"},
        "balance_usd": {"bfl": "999.94", "fal": "1000"},
    }


def test_the_books_can_be_read_over_http(visit: Any) -> None:
    visitor = visit()
    task = visitor.bfl().json()
    base = visitor.emulator.bfl_base_url + "/_emulator"

    assert [one["id"] for one in visitor.get(f"{base}/tasks").json()] == [task["id"]]
    assert [one["task_id"] for one in visitor.get(f"{base}/submits").json()] == [task["id"]]
    assert visitor.get(f"{base}/sightings").json() == [{"origin": "bfl", "key": "bfl", "count": 1}]
    assert visitor.get(f"{base}/tasks?after=1").json() == []


def test_books_of_another_kind_are_refused_and_left_alone(tmp_path: Path) -> None:
    text, later, foreign = tmp_path / "text.db", tmp_path / "later.db", tmp_path / "foreign.db"
    text.write_text("not a database at all, but long enough to be looked at as one " * 20)
    with sqlite3.connect(later) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE things(name TEXT)")
    db.close()

    for file in (text, later, foreign):
        before = file.read_bytes()
        with pytest.raises(MachineError, match="books cannot be opened"):
            Emulator(books=file).start()
        assert file.read_bytes() == before


def test_a_taken_port_is_said_plainly() -> None:
    with Emulator() as emulator:
        port = int(emulator.bfl_base_url.rsplit(":", 1)[1])
        with pytest.raises(MachineError, match=f"cannot listen on port {port}"):
            Emulator(port=port).start()


def run_command(*arguments: str) -> subprocess.Popen[str]:
    code = "from flux2batch.commands.emulate import command; command(standalone_mode=False)"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_the_command_says_where_it_listens_and_stops_calmly() -> None:
    process = run_command("--json", "--latency", "0")
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    body, headers = {"prompt": "a fox"}, {"x-key": told["bfl_api_key"]}
    answer = requests.post(f"{told['bfl_base_url']}/v1/flux-2-pro", json=body, headers=headers, timeout=10)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)

    assert answer.status_code == 200
    assert {"bfl_base_url", "fal_base_url", "bfl_api_key", "fal_key"} <= set(told)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_command_prints_what_a_shell_can_take_and_counts_at_the_end() -> None:
    process = run_command()
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)

    assert [line.split("=")[0] for line in lines] == [
        "export BFL_BASE_URL",
        "export BFL_API_KEY",
        "export FAL_BASE_URL",
        "export FAL_KEY",
    ]
    assert "0 tasks, 0 polls, 0 downloads" in err
    assert "Traceback" not in err


# Red where the tables are made one by one: the next process takes books without a version for another program's.
OPEN_AND_DIE = """
    import os, signal, sqlite3, sys
    from pathlib import Path
    from flux2batch.emulator import books
    left = int(sys.argv[2])
    def connect(*arguments, connect=sqlite3.connect, **more):
        database = connect(*arguments, **more)
        database.set_trace_callback(count)
        return database
    def count(statement):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    books.sqlite3.connect = connect
    books.Books(Path(sys.argv[1]))
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_books_whose_maker_was_killed_at_any_statement_are_opened_by_the_next(tmp_path: Path) -> None:
    died = []
    for statements in range(0, 40, 3):
        file = tmp_path / f"{statements}.db"
        command = [sys.executable, "-c", textwrap.dedent(OPEN_AND_DIE), str(file), str(statements)]
        died.append(subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL)

        books = Books(file)
        assert books.counts()["tasks"] == 0
        books.close()

    assert died[0]
    assert not died[-1]
