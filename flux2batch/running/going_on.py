"""The command that goes on with a run, and with no other: its job, its directory, and what was asked for by flags."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flux2batch.engine.events import RunBegan
from flux2batch.engine.journal import Journal
from flux2batch.planning.sweep.shards import Shard, run_name
from flux2batch.reporting.sheet_data import last_name

Flag = tuple[str, str]  # a flag of `run` and its value
PATHS = frozenset(("--picks", "--allow-path", "--config"))
CHOOSES = frozenset(("--only", "--picks", "--limit", "--sample"))
_KNOWN = frozenset(("--set", "--assume-price", "--max-shots", *PATHS, *CHOOSES))
"""A journal from somebody else may name any flag, such as one that spends without asking: no other is repeated."""

_PLANS = frozenset(("run", "retry", "merge"))
_IS_ABSOLUTE = re.compile(r"[A-Za-z]:[\\/]|[\\/~]")


def command_of(
    job: str, *, emulated: bool, out: str | None = None, flags: Iterable[Flag] = (), shard: str | None = None
) -> str:
    """The command line as a shell takes it. Without --emulate it would cost money, without the rest make other shots.

    `out` is the run directory where the job's run would not find it by itself.
    """
    words = ["flux2batch", "run", job, *(["--emulate"] if emulated else [])]
    words += ["--out", out] if out is not None else []
    words += [word for flag in flags for word in flag]
    words += ["--shard", shard] if shard is not None else []
    return shlex.join(words)


def job_file_now(recorded: str | None, asked: Path | None) -> str:
    """What to call the job by: its file where it is still there, else the one that a person named, else its name."""
    if recorded is not None and _is_file(Path(recorded)):
        return recorded
    if asked is not None and _is_file(asked):
        return str(asked)
    return last_name(recorded) if recorded else "JOB"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAsked:
    """What a run directory was last asked for."""

    root: Path
    job_file: str | None
    job_name: str
    emulated: bool
    shard: str | None
    flags: tuple[Flag, ...]

    def command(self, asked: Path | None = None) -> str:
        """What goes on with it, for who stands before it and named it by this job file."""
        job = job_file_now(self.job_file, asked)
        lies_there = _same(self._beside(Path(job)), self.root)
        return command_of(
            job,
            emulated=self.emulated,
            out=None if lies_there else str(self.root),
            flags=self.flags,
            shard=self.shard,
        )

    def command_for_others(self) -> str:
        """What makes it again, for a page that is sent around: the folders of this machine are nobody's business."""
        job = last_name(self.job_file) if self.job_file else "job.yaml"
        return command_of(job, emulated=self.emulated, out=self._out_for_others(), flags=self._flags_for_others())

    def _beside(self, job: Path) -> Path:
        """The run directory that this job's run would take by itself."""
        name = self.job_name
        with suppress(ValueError):  # a journal from somebody else may say anything
            name = run_name(name, Shard.read(self.shard) if self.shard else None)
        return job.parent / "runs" / (f"{name}.emulated" if self.emulated else name)

    def _out_for_others(self) -> str | None:
        root = self.root.absolute()
        own = self._beside(Path(self.job_file or "job.yaml"))
        if _same(own, root) or root.parts[-2:] == own.parts[-2:]:
            return None
        folder = own.parent.parent.absolute()
        return root.relative_to(folder).as_posix() if root.is_relative_to(folder) else root.name

    def _flags_for_others(self) -> Iterable[Flag]:
        for flag, value in self.flags:
            if flag in CHOOSES:
                continue  # the page has its own choice, and all that the directory holds
            path, equals, set_to = value.partition("=") if flag == "--set" else ("", "", value)
            yield flag, path + equals + (last_name(set_to) if _IS_ABSOLUTE.match(set_to.strip("\"' ")) else set_to)


def last_asked(root: Path, journal: Journal, *, began: RunBegan | None = None) -> LastAsked:
    """What this run directory was last asked for; `began` speaks where no call is known that asked for shots."""
    asked = began
    for entry in journal.run_entries():
        event = entry.event
        # What settles shots, or asks for none, leaves the plan as it is.
        if isinstance(event, RunBegan) and event.command in _PLANS and event.shots:
            asked = event
    return LastAsked(
        root=root,
        job_file=journal.meta("job_file") or (asked.job_file if asked else None),
        job_name=journal.meta("job_name") or (asked.job_name if asked else root.resolve().name),
        emulated=journal.meta("kind") == "emulated" or (asked is not None and asked.emulated),
        shard=journal.meta("shard") or None,
        flags=tuple(flag for flag in asked.flags if flag[0] in _KNOWN) if asked else (),
    )


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError, ValueError, RuntimeError):
        return one.resolve() == other.resolve()
    return False


def _is_file(path: Path) -> bool:
    with suppress(OSError, ValueError):
        return path.is_file()
    return False
