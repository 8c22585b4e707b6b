"""A job that is drawn by real libraries, run by the real command in a process of its own."""

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

SWEEP = """\
flux2batch: 1
name: tiny
model: local/flux-2-klein-base-4b
prompt: "{{ what.text }}"
params: {size: 64x96, steps: 4}
references: {given: {path: "{{ what.images }}", optional: true}}
sweep:
  what:
    - {id: boat, text: "a paper boat", images: []}
    - {id: cube, text: "ein blauer Würfel ✓ 立方体", images: []}
    - {id: team, text: "both of them", images: [refs/a.png, refs/b.png]}
  guidance: [1.0, 4.0]
  seed: 1..4
"""
"""3 prompts × 2 guidances × 4 seeds, one of the prompts with two references."""


def until(look: Callable[[], object], *, within_s: float = 240) -> None:
    """Look again and again until it is so; a test fails where it never is."""
    ends = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.02)  # between two looks: what is waited for happens in another process


@dataclass
class OwnMachine:
    """A folder with one job and two references."""

    folder: Path
    weights: Path
    job: str = SWEEP
    flags: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        (self.folder / "refs").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (96, 64), (200, 30, 30)).save(self.folder / "refs" / "a.png")
        Image.new("RGB", (80, 128), (30, 30, 200)).save(self.folder / "refs" / "b.png")
        (self.folder / "job.yaml").write_text(self.job, encoding="utf-8")

    def start(self, *arguments: str, out: str = "run") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "flux2batch", "run", "job.yaml", "--out", out, "--fresh"),
                *("--local-weights", str(self.weights), *self.flags, *arguments),
            ],
            cwd=self.folder,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",  # more threads than cores wait for one another
                "XDG_STATE_HOME": str(self.folder / "state"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, *arguments: str, out: str = "run", expect: int = 0) -> str:
        """Run to the end; what was said."""
        process = self.start(*arguments, out=out)
        said, errors = process.communicate(timeout=400)
        assert process.returncode == expect, f"exit {process.returncode}\n{errors}\n{said}"
        assert "Traceback" not in errors
        return errors

    def pictures(self, out: str = "run") -> dict[str, str]:
        """Each picture's path with its hash."""
        root = self.folder / out
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*.png"))
            if not any(part.startswith(".") for part in path.relative_to(root).parts)
        }

    def ask(self, sql: str, out: str = "run") -> list[tuple[Any, ...]]:
        """The journal's answer; nothing where there is no journal yet."""
        journal = self.folder / out / ".flux2batch" / "journal.db"
        if not journal.exists():
            return []
        with closing(sqlite3.connect(journal)) as database:
            try:
                return database.execute(sql).fetchall()
            except sqlite3.OperationalError:
                return []  # it is just being made

    def count(self, kind: str, out: str = "run") -> int:
        """How many facts of a kind the journal holds by now."""
        return int((self.ask(f"SELECT COUNT(*) FROM events WHERE kind = '{kind}'", out) or [(0,)])[0][0])

    def await_facts(self, process: subprocess.Popen[str], kind: str, count: int) -> None:
        """Wait until a run that goes on has so many facts of a kind."""
        until(lambda: self.count(kind) >= count or process.poll() is not None)
        assert process.poll() is None, f"it ended before that\n{process.communicate()[1]}"

    def details(self, out: str = "run") -> list[dict[str, Any]]:
        """What was said of each picture that was drawn."""
        rows = self.ask("SELECT payload FROM events WHERE kind = 'Rendered' ORDER BY seq", out)
        return [json.loads(payload)["details"] for (payload,) in rows]
