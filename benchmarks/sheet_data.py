"""How long the data of a sheet takes and how large it is: 10,000 shots of five axes, folded from a real journal.

Journal, plan and fold are real; pictures are said to be there, for a page never reads them.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "reporting")]

from recorded_runs import AT, Shot, began, id_of

from flux2batch.engine.journal import Journal
from flux2batch.planning.shot import ShotId
from flux2batch.reporting.sheet_data import ShownRun, sheet_data
from flux2batch.reporting.sheet_page import as_json, page_of, parts
from flux2batch.reporting.sheet_story import RunStory, plan_rows

ROUNDS = 5
AIM_S, AIM_MB = 1.0, 4.0
Value = TypeVar("Value")


def shots() -> list[Shot]:
    """10 subjects × 5 lights × 10 guidances × 5 steps × 4 seeds, with ids, paths and texts as long as in real jobs."""
    axes = {
        "subject": [f"subject-{n:02}" for n in range(10)],
        "light": [f"low-golden-sun-{n}" for n in range(5)],
        "guidance": [f"{n / 2:.1f}" for n in range(3, 13)],
        "steps": [str(n) for n in (10, 20, 28, 35, 50)],
        "seed": [str(n) for n in range(101, 105)],
    }
    made = []
    for number, point in enumerate(itertools.product(*axes.values()), start=1):
        subject, light, guidance, steps, seed = point
        made.append(
            Shot(
                id=id_of(number),
                coordinates=dict(zip(axes, point, strict=True)),
                path=f"{subject}/{light}/g{guidance}-s{steps}-{seed}.png",
                prompt=f"{subject}, a red fox asleep in fresh snow, {light}, film grain",
                final=f"{subject}: a red fox lies curled up asleep in fresh snow under {light}" if number % 2 else None,
                params={"guidance": float(guidance), "steps": int(steps), "seed": int(seed)},
                content=str(number).encode(),
            )
        )
    return made


def measured(name: str, act: Callable[[], Value]) -> tuple[Value, float]:
    """The value, and the least of several times."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        value = act()
        best = min(best, time.perf_counter() - start)
    print(f"{name:<46}{best * 1000:8.0f} ms")
    return value, best


def main() -> None:
    """Measure and print; nothing is asserted."""
    made = shots()
    with tempfile.TemporaryDirectory() as folder, closing(_journal(Path(folder), made)) as journal:
        lines = [json.dumps(shot.row(index)) for index, shot in enumerate(made)]
        entries, _ = measured("read the journal's events", lambda: list(journal.entries()))
        rows, _ = measured("read plan.jsonl", lambda: plan_rows(lines))

        def story() -> RunStory:
            told = RunStory()
            told.saw(entries)
            return told

        told, folding = measured(f"fold {len(entries):,} events", story)
        known, joining = measured("join them with the plan", lambda: told.shots(rows))
        data, writing = measured("make the page's data", lambda: _data(told, known))
        text, _ = measured("write it as JSON", lambda: as_json(data))
        page, _ = measured("render the page", lambda: page_of(data))

    own = parts()
    print(f"{'events and plan to data, in all':<46}{(folding + joining + writing) * 1000:8.0f} ms  aim: {AIM_S:.0f} s")
    print(f"{'data':<46}{len(text.encode()) / 1e6:8.2f} MB")
    print(f"{'style and script':<46}{len((own.style + own.script).encode()) / 1e6:8.2f} MB")
    print(f"{'HTML with data':<46}{len(page.encode()) / 1e6:8.2f} MB  aim: {AIM_MB:.0f} MB")


def _journal(folder: Path, made: list[Shot]) -> Journal:
    journal = Journal.create(folder / "journal.db", run_directory_id="0123456789abcdef")
    journal.append([(None, began(made))], at=AT)
    journal.append([(ShotId(shot.id), event) for shot in made for event in shot.events()], at=AT)
    return journal


def _data(told: RunStory, known: list[Any]) -> dict[str, Any]:
    run = ShownRun(
        name="study",
        path=".",
        command="flux2batch run job.yaml",
        directory_id="0123456789abcdef",
        story=told,
        shots=known,
        is_there=lambda _path: True,
        reference_thumbnail=lambda _reference: None,
    )
    return sheet_data(
        [run],
        written=datetime.now(UTC),
        finished=True,
        refresh_s=None,
        shows=lambda _shot, _frame: True,
        has_thumbnail=lambda _key: True,
        earlier_hidden=0,
        remarks=None,
    )


if __name__ == "__main__":
    main()
