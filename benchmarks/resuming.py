"""How long a run directory with many done shots takes to open and to know what is next; its status and its ledger.

    python benchmarks/resuming.py [--quick] [--rounds N] [--json FILE]

Each figure is the process time of a fresh process, less that of one that imports the same and opens nothing. The floor
of an opening is SQLite alone: open the file and read the rows that are needed. Of the commands it is the SQL that
counts, or reads every row of events.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from figures import OURS, Figure, parser, tell

from flux2batch.engine.events import (
    Accepted,
    Charge,
    Event,
    Frame,
    Intended,
    Rendered,
    RunBegan,
    RunEnded,
    Saved,
    SendBegan,
    Ticket,
)
from flux2batch.engine.run_directory import Purpose, drive
from flux2batch.money import usd
from flux2batch.planning.shot import ShotId

GOAL_S = 2.0
_AT = datetime(2026, 11, 1, tzinfo=UTC)

_IMPORTS = "import sys, time, sqlite3; from pathlib import Path; from flux2batch.engine.journal import Journal\n"
_SAY = "\nprint(time.process_time() - began, found)"
_OPENINGS = {
    OURS: "journal = Journal.open(path, driving=True); found = journal.standing().events",
    "by a full replay": "journal = Journal.open(path, driving=True); "
    "found = journal.standing(with_snapshot=False).events",
    "floor: SQLite reads the snapshot": "db = sqlite3.connect(path); found = len(db.execute('SELECT * FROM snapshot')"
    ".fetchall())",
    "floor: SQLite reads the events": "db = sqlite3.connect(path); found = sum(1 for _ in db.execute("
    "'SELECT * FROM events ORDER BY seq'))",
}
_COMMANDS = {"status": ["status", "--json"], "ledger": ["ledger"], "ledger --json": ["ledger", "--json", "--by", "day"]}
_FLOORS = {
    "status": "SELECT phase, COUNT(*), SUM(charged_usd) FROM snapshot GROUP BY phase",
    "ledger": "SELECT shot, kind, payload FROM events ORDER BY seq",
    "ledger --json": "SELECT shot, kind, payload FROM events ORDER BY seq",
}


def main() -> None:
    """Measure and print."""
    options = parser(__doc__, rounds=3).parse_args()
    figures: list[Figure] = []
    for shots in (1_000, 10_000) if options.quick else (1_000, 10_000, 100_000):
        with tempfile.TemporaryDirectory(prefix="flux2batch-bench-") as folder:
            root = Path(folder) / "run"
            _fill(root, shots)
            rounds = 1 if options.quick else options.rounds
            figures += [_opened(root, shots, rounds), *_asked(root, shots, 1 if shots > 10_000 else rounds)]
    tell(figures, options.json)


def _fill(root: Path, shots: int) -> None:
    """A run directory in which so many shots are done, as a run leaves it."""
    purpose = Purpose(job_name="bench", job_file=None, emulated=True)
    with drive(root, purpose, now=_AT, memory=None) as directory:
        journal = directory.journal
        journal.append([(None, _began(shots))], at=_AT)
        for first in range(0, shots, 1000):
            journal.write([fact for number in range(first, min(first + 1000, shots)) for fact in _story(number)])
        journal.append([(None, RunEnded(run="bench", exit_code=0, reason=None))], at=_AT)
        journal.write_snapshot()


def _began(shots: int) -> RunBegan:
    return RunBegan(
        run="bench",
        version="0",
        command="run",
        job_file=None,
        job_name="bench",
        origins={"bfl": "http://127.0.0.1:1"},
        emulated=True,
        shots=shots,
        axes={},
        sheet={},
    )


def _story(number: int) -> Iterator[tuple[datetime, ShotId, Event]]:
    shot, charge = (
        ShotId(f"{number:032x}"),
        Charge(usd=usd("0.03"), source="cost", megapixels_in="0", megapixels_out="1"),
    )
    ticket = Ticket(
        provider="bfl",
        model="bfl/flux-2-pro",
        endpoint="/v1/flux-2-pro",
        task_id=f"{number:08d}",
        poll_url=f"http://127.0.0.1:1/v1/get_result?id={number:08d}",
        result_url=None,
        cancel_url=None,
    )
    frame = Frame(url="http://127.0.0.1:1/x.png", width=None, height=None, media_type=None, nsfw=False)
    events: tuple[Event, ...] = (
        Intended(
            take=1,
            reserve=usd("0.03"),
            estimate=usd("0.03"),
            model="bfl/flux-2-pro",
            endpoint="/v1/flux-2-pro",
            prompt=f"a paper boat on a sea of colour {number}, low golden sun",
            params={"width": 1024, "height": 1024, "seed": number, "output_format": "png", "safety_tolerance": 2},
            references=(),
            coordinates={"seed": (str(number), str(number))},
            repeat=1,
            paths=(str(number),),
            frames=1,
            trim=None,
        ),
        SendBegan(),
        Accepted(ticket=ticket, charge=charge, evidence="answer"),
        Rendered(frames=(frame,), expires_at=None, seed=number, prompt=None, charge=None, details={}),
        Saved(
            frame=0,
            path=f"{number}.png",
            copies=(),
            sha256=f"{number:064x}",
            size_bytes=1_400_000,
            width=1024,
            height=1024,
            media_type="image/png",
            original=None,
            remark=None,
        ),
    )
    for step, event in enumerate(events):
        yield _AT + timedelta(seconds=number + step), shot, event


def _opened(root: Path, shots: int, rounds: int) -> Figure:
    path = root / ".flux2batch" / "journal.db"
    seconds: dict[str, list[float]] = {name: [] for name in _OPENINGS}
    for _ in range(rounds):
        for name, act in _OPENINGS.items():
            code = f"{_IMPORTS}path = Path({str(path)!r})\nbegan = time.process_time()\n{act}{_SAY}"
            said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            seconds[name].append(float(said.stdout.split()[0]))
    return Figure(
        name=f"resuming {shots:,} done shots",
        unit="s",
        rounds=seconds,
        goal=GOAL_S if shots == 100_000 else None,
        method="process time from the opening of the journal until it is known where every shot stands",
    )


def _asked(root: Path, shots: int, rounds: int) -> Iterator[Figure]:
    environ = {**os.environ, "NO_COLOR": "1"}
    start_s = statistics.median(
        _process_time([sys.executable, "-m", "flux2batch", "status", "--help"], environ) for _ in range(3)
    )
    for name, arguments in _COMMANDS.items():
        command = [sys.executable, "-m", "flux2batch", arguments[0], str(root), *arguments[1:]]
        code = (
            f"import sqlite3, time; began = time.process_time(); db = sqlite3.connect({str(root)!r}"
            f" + '/.flux2batch/journal.db'); n = sum(1 for _ in db.execute({_FLOORS[name]!r}));"
            " print(time.process_time() - began)"
        )
        ours, floor = [], []
        for _ in range(rounds):
            ours.append(_process_time(command, environ) - start_s)
            said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            floor.append(float(said.stdout))
        yield Figure(
            name=f"{name} of {shots:,} takes",
            unit="s",
            rounds={OURS: ours, "floor: the SQL alone": floor},
            method="process time beyond that of `status --help`",
        )


def _process_time(command: list[str], environ: dict[str, str]) -> float:
    """Seconds on a processor: what else goes on on the machine does not count."""
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: {process.returncode}")
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
