"""A trial against an emulator that is not the run's own: it stands in this process, and outlives every run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

from trial import Trial

from flux2batch.emulator.server import Emulator


@dataclass
class Outside(Trial):
    """Like a trial, with the real protocol between two processes."""

    emulator: Emulator | None = None

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env={**os.environ, **self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "flux2batch", "run", str(self.file), "--yes", *arguments]

    @property
    def environ(self) -> dict[str, str]:
        assert self.emulator is not None
        return {
            "BFL_BASE_URL": self.emulator.bfl_base_url,
            "BFL_API_KEY": self.emulator.bfl_api_key,
            "FAL_BASE_URL": self.emulator.fal_base_url,
            "FAL_KEY": self.emulator.fal_key,
        }

    @property
    def paid(self) -> Counter[str]:
        """How many tasks the service booked for each request."""
        assert self.emulator is not None
        return Counter(task.request_sha256 for task in self.emulator.books.tasks())

    @property
    def posts(self) -> int:
        """How many submits reached the service, booked or not."""
        assert self.emulator is not None
        return int(self.emulator.books.counts()["submits"])

    def last_facts(self) -> Counter[str]:
        """How many shots' last fact is of each kind."""
        rows = self.ask_journal(
            "SELECT kind, COUNT(*) FROM events WHERE seq IN"
            " (SELECT MAX(seq) FROM events WHERE shot IS NOT NULL GROUP BY shot) GROUP BY kind"
        )
        return Counter({str(kind): int(count) for kind, count in rows})
