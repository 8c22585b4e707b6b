"""A folder with a job, a service on loopback that knows the canary as its key, and the real command in this process."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import canary

from flux2batch.__main__ import main
from flux2batch.emulator.server import Emulator

_PRODUCT = Path(__file__).resolve().parents[2] / "flux2batch"
BOAT = 'flux2batch: 1\nname: boat\nmodel: bfl/flux-2-klein-4b\nprompt: "a paper boat"\nparams: {size: 256x256}\n'


class Service(Emulator):
    """The emulator, with the keys that must be seen nowhere else."""

    def _name_keys(self, salt: bytes) -> None:
        del salt
        self.bfl_api_key, self.fal_key = canary.BFL, canary.FAL


def imported_by_us() -> set[str]:
    """The packages that any module of the product imports, wherever in it."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in _PRODUCT.rglob("*.py"))
    return set(re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE))


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        return self.out + self.err

    @property
    def lines(self) -> list[Any]:
        """The lines of JSON on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


class Shop:
    """The job is `job.yaml`; the current folder is the shop's."""

    def __init__(self, folder: Path, capsys: Any) -> None:
        self.folder = folder
        self.job = folder / "job.yaml"
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Said:
        code = main([str(argument) for argument in arguments])
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)

    def write(self, text: str = BOAT) -> None:
        self.job.write_text(text, encoding="utf-8")

    def change(self, root: Path, sql: str, *parameters: object) -> None:
        """Do to a journal what a stranger could."""
        with closing(sqlite3.connect(root / ".flux2batch" / "journal.db")) as journal, journal:
            journal.execute("DELETE FROM snapshot")
            journal.execute("DELETE FROM meta WHERE key = 'snapshot'")
            journal.execute(sql, parameters)
