"""A tiny job run on the emulator through the real command line, and the run directory that comes of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flux2batch.cli import run

MARKS = ["calm", "[emulate content-moderated]", "[emulate drop-after-accept]", "[emulate error]"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one line of JSON on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The lines of JSON on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


class Runs:
    """One job in a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.job = folder / "tiny.yaml"
        self.root = folder / "runs" / "tiny.emulated"
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Said:
        """Run a command line in this process."""
        code = run([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Said(code, out, err)

    def write(
        self, marks: Sequence[str], *, model: str = "bfl/flux-2-klein-4b", size: str = "256x256", more: str = ""
    ) -> None:
        """A job with one small shot for each mark in its prompt."""
        listed = json.dumps(list(marks))
        self.job.write_text(
            f'flux2batch: 1\nname: tiny\nmodel: {model}\nprompt: "a boat {{{{ mark }}}}"\n'
            f"params: {{size: {size}}}\nsweep: {{mark: {listed}}}\n{more}",
            encoding="utf-8",
        )

    def made(self, marks: Sequence[str] = MARKS, **how: str) -> Said:
        """The job, run once."""
        self.write(marks, **how)
        return self("run", self.job, "--emulate", "--quiet")

    @property
    def journal(self) -> Path:
        """Its journal."""
        return self.root / ".flux2batch" / "journal.db"

    def events(self) -> list[tuple[str, str | None, dict[str, Any]]]:
        """Kind, shot and payload of every event, read beside our own code."""
        with sqlite3.connect(f"{self.journal.as_uri()}?mode=ro", uri=True) as database:
            rows = database.execute("SELECT kind, shot, payload FROM events ORDER BY seq").fetchall()
        return [(kind, shot, json.loads(payload)) for kind, shot, payload in rows]

    def kinds(self) -> list[str]:
        """The kinds of all events."""
        return [kind for kind, _, _ in self.events()]

    def booked(self) -> int:
        """How many tasks the emulator's books hold."""
        with sqlite3.connect(f"{(self.root / '.flux2batch' / 'emulator.db').as_uri()}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT COUNT(*) FROM tasks").fetchone()[0])

    def task_of(self, words: str) -> str:
        """The id that the emulator gave to the task whose prompt holds these words."""
        with sqlite3.connect(f"{(self.root / '.flux2batch' / 'emulator.db').as_uri()}?mode=ro", uri=True) as database:
            rows = database.execute("SELECT id, wish FROM tasks").fetchall()
        return next(str(task) for task, wish in rows if words in wish)
