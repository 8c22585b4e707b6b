"""A job in a folder of its own, run by the real command in a process of its own, and the emulator's books after it."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BOATS = """\
flux2batch: 1
name: boats
prompt: "a paper boat on a {{ colour }} sea"
params: {size: 256x256}
sweep: {colour: [blue, red], seed: 1..2}
"""


def until(look: Callable[[], object], *, within_s: float = 30) -> None:
    """Look again and again until it is so; a test fails where it never is."""
    ends = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.02)  # between two looks: what is waited for happens in another process


@dataclass
class Trial:
    """One job file and what became of it."""

    folder: Path
    job: str = BOATS

    def __post_init__(self) -> None:
        self.write(self.job)

    @property
    def file(self) -> Path:
        return self.folder / "job.yaml"

    @property
    def root(self) -> Path:
        return self.folder / "runs" / "boats.emulated"

    def write(self, text: str) -> None:
        self.job = text
        self.file.write_text(text, encoding="utf-8")

    def change(self, old: str, new: str) -> None:
        assert old in self.job
        self.write(self.job.replace(old, new))

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "flux2batch", "run", str(self.file), "--emulate", *arguments],
            cwd=self.folder,
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, *arguments: str, expect: int = 0, **environ: str) -> str:
        """Run to the end; what was said on stderr."""
        process = self.start(*arguments, **environ)
        out, said = process.communicate(timeout=120)
        assert process.returncode == expect, f"exit {process.returncode}\n{said}\n{out}"
        assert "Traceback" not in said
        return said

    def events(self, *arguments: str, expect: int = 0) -> list[dict[str, Any]]:
        """Run with --json; the events."""
        process = self.start("--json", *arguments)
        out, said = process.communicate(timeout=120)
        assert process.returncode == expect, said
        return [json.loads(line) for line in out.splitlines()]

    def pictures(self) -> dict[str, str]:
        """Each picture's path with its hash."""
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.root.rglob("*.png"))
            if ".flux2batch" not in path.parts and ".sheet" not in path.parts
        }

    def ask_books(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.root / ".flux2batch" / "emulator.db")) as books:
            return books.execute(sql).fetchall()

    @property
    def tasks(self) -> int:
        """How many pictures the service was asked for, by its own books. A run that was refused leaves none."""
        books = self.root / ".flux2batch" / "emulator.db"
        return int(self.ask_books("SELECT COUNT(*) FROM tasks")[0][0]) if books.exists() else 0

    def facts(self, kind: str) -> int:
        """How many facts of a kind the journal holds by now."""
        if not (self.root / ".flux2batch" / "journal.db").exists():
            return 0
        return int(self.ask_journal(f"SELECT COUNT(*) FROM events WHERE kind = '{kind}'")[0][0])

    @property
    def is_driven(self) -> bool:
        """Whether a process has said that it drives the run directory."""
        return (self.root / ".flux2batch" / "driver.json").exists()

    def ask_journal(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.root / ".flux2batch" / "journal.db")) as journal:
            return journal.execute(sql).fetchall()
