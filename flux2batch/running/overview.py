"""What is to be said of a run directory at a glance, read from its journal beside whoever drives it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flux2batch.engine.events import RunBegan, RunEnded
from flux2batch.engine.journal import Journal, Standing, Summary
from flux2batch.engine.lifecycle import Life, Phase
from flux2batch.engine.lock import Driver, driver_of
from flux2batch.engine.policy import REACHED
from flux2batch.engine.run_directory import RunDirectory
from flux2batch.planning.shot import ShotId
from flux2batch.running.going_on import LastAsked, last_asked
from flux2batch.running.recorded_run import PLAN
from flux2batch.running.standings import Counts, count_by_plan

_BAD = (Phase.MODERATED, Phase.REJECTED, Phase.FAILED, Phase.LOST)
_MOST_LOOKED_AT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why shots ended without a picture, and how many ended so."""

    phase: Phase
    says: str
    shots: int
    example: str  # where the picture of one of them would be


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The last call that drove the run directory."""

    command: str
    began: datetime
    ended: datetime | None  # None: it goes on, or was killed
    exit_code: int | None
    held_back: str | None  # the budget that is spent: before it is raised, no further run begins a shot


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A run directory at a glance."""

    root: Path
    job_name: str
    emulated: bool
    shard: str | None  # 2/8, where the last run was of a part of the plan
    counts: Counts  # of the plan that was last run
    earlier: Mapping[str, int]  # apart from those: shots of earlier plans alone, by what became of them
    reasons: tuple[Reason, ...]
    unknowns: tuple[tuple[ShotId, Life], ...]
    missing: int  # pictures of the plan that are no longer where they were put
    driver: Driver | None
    last: LastRun | None
    asked: LastAsked


def overview(directory: RunDirectory) -> Overview:
    """Look once. What is in doubt and what it has cost is told of the whole directory, earlier plans among them."""
    driver = driver_of(directory.inner)  # first: where nobody drives, what follows is the last word
    journal = directory.journal
    standing = journal.standing()
    plan = planned_ids(directory.root)
    counts, earlier = count_by_plan(standing, plan)
    ended = {shot: one for shot, one in standing.ended.items() if plan is None or shot in plan}
    return Overview(
        root=directory.root,
        job_name=journal.meta("job_name") or directory.root.resolve().name,
        emulated=journal.meta("kind") == "emulated",
        shard=journal.meta("shard") or None,
        counts=counts,
        earlier=earlier,
        reasons=tuple(_reasons(journal, ended)),
        unknowns=unknowns_in(standing),
        missing=sum(
            not (directory.root / path).is_file()
            for one in ended.values()
            if one.phase is Phase.DONE
            for path in one.paths
        ),
        driver=driver,
        last=_last_run(journal),
        asked=last_asked(directory.root, journal),
    )


def unknowns_in(standing: Standing) -> tuple[tuple[ShotId, Life], ...]:
    """The shots whose answer was lost, the oldest first."""
    found = [(shot, life) for shot, life in standing.open.items() if life.phase is Phase.UNKNOWN]
    return tuple(sorted(found, key=lambda one: one[1].since.timestamp() if one[1].since else 0.0))


def planned_ids(root: Path) -> frozenset[ShotId] | None:
    """The shots of the plan that was last run here; None where that file is not what we wrote."""
    with suppress(OSError, ValueError, TypeError, KeyError), (root / PLAN).open(encoding="utf-8") as lines:
        return frozenset(ShotId(str(json.loads(line)["id"])) for line in lines)
    return None


def _reasons(journal: Journal, ended: Mapping[ShotId, Summary]) -> Iterator[Reason]:
    counted: Counter[tuple[Phase, str]] = Counter()
    examples: dict[tuple[Phase, str], str] = {}
    bad = [(shot, one.phase) for shot, one in ended.items() if one.phase in _BAD]
    for shot, phase in bad[:_MOST_LOOKED_AT]:
        life = journal.life(shot)
        key = (phase, life.reason or "no reason given")
        counted[key] += 1
        examples.setdefault(key, place_of(life, shot))
    for (phase, says), shots in sorted(counted.items(), key=lambda one: (_BAD.index(one[0][0]), -one[1])):
        yield Reason(phase=phase, says=says, shots=shots, example=examples[phase, says])


def place_of(life: Life, shot: str) -> str:
    """How a person finds a shot: by where its picture is to be."""
    return life.intended.paths[0] if life.intended and life.intended.paths else shot[:8]


def _last_run(journal: Journal) -> LastRun | None:
    entries: Sequence[tuple[datetime, object]] = [(entry.at, entry.event) for entry in journal.run_entries()]
    began = next(((at, event) for at, event in reversed(entries) if isinstance(event, RunBegan)), None)
    if began is None:
        return None
    at, event = began
    end = next(((at, e) for at, e in reversed(entries) if isinstance(e, RunEnded) and e.run == event.run), None)
    return LastRun(
        command=event.command,
        began=at,
        ended=end[0] if end else None,
        exit_code=end[1].exit_code if end else None,
        held_back=end[1].reason if end and (end[1].reason or "").endswith(REACHED) else None,
    )
