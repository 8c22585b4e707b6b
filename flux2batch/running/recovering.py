"""Put a run directory right again that was damaged, restored from a backup, or copied. Nothing here spends."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flux2batch.durable import sync_folder
from flux2batch.engine.events import Intended, SendBegan, ShotEvent, Unanswered, Withdrawn
from flux2batch.engine.journal import Entry, Journal, JournalDamaged
from flux2batch.engine.lifecycle import UNBORN, IllegalEvent, Life, Phase
from flux2batch.engine.lock import DirectoryLock
from flux2batch.engine.new_directory import refuse_links
from flux2batch.engine.recovery import Salvage, salvage
from flux2batch.engine.run_directory import INNER, Memory, RunDirectory, journal_of
from flux2batch.errors import Refused
from flux2batch.money import usd
from flux2batch.planning.shot import ShotId
from flux2batch.running.recorded_run import PLAN
from flux2batch.running.run import write_ledger
from flux2batch.running.services import emulates_itself

_LOST = Unanswered(reason="the journal was damaged: whether this shot was sent is not known", status=None, excerpt=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was saved of a damaged journal."""

    aside: tuple[Path, ...]  # the damaged files, under their new names
    events: int
    unreadable: int
    has_gaps: bool
    shots: int
    doubted: int  # shots that are held to be unknown since


def is_whole(root: Path) -> bool:
    """Whether the journal can be opened and read to its end."""
    try:
        with closing(Journal.open(journal_of(root), driving=False)) as journal:
            journal.standing()
            for _ in journal.lives():
                pass
    except (JournalDamaged, IllegalEvent):
        return False
    return True


def recover(root: Path, *, memory: Memory, now: datetime) -> Recovered:
    """Make a new journal of all that can be read of the damaged one, which is kept beside it.

    Raises Refused where the journal is whole or links lie beside it, and MachineError where somebody drives it.
    """
    path = journal_of(root)
    refuse_links(path.parent)
    with DirectoryLock(path.parent, now=now):
        if is_whole(root):
            raise Refused(f"The journal of {root} is whole: there is nothing to recover.")
        saved = salvage(path)
        doubts = list(_doubts(root, saved, now))
        new = path.with_name("journal.db.recovered")
        id = saved.meta.get("run_directory") or memory.id_at(root) or secrets.token_hex(8)
        with closing(Journal.create(new, run_directory_id=id)) as journal:
            for key, value in _meta(root, saved).items():
                journal.set_meta(key, value)
            journal.restore([*saved.entries, *doubts])
        aside = _swap(path, new, now)
        with closing(Journal.open(path, driving=True)) as journal:
            memory.remember(journal, root)
            write_ledger(RunDirectory(root=root, journal=journal))
    return Recovered(
        aside=aside,
        events=len(saved.entries),
        unreadable=saved.unreadable,
        has_gaps=saved.has_gaps,
        shots=len(saved.lives),
        doubted=len({doubt.shot for doubt in doubts}),
    )


def _meta(root: Path, saved: Salvage) -> dict[str, str]:
    """What the journal knew of the directory as a whole, or else what its last run says."""
    last = saved.last_run
    told = {"kind": "emulated" if emulates_itself(root) else "real"}
    if last is not None:
        told |= {"kind": "emulated" if last.emulated else "real", "job_name": last.job_name}
        told |= {"job_file": str(Path(last.job_file).absolute())} if last.job_file else {}
    known = {key: saved.meta[key] for key in ("kind", "job_name", "job_file") if saved.meta.get(key)}
    return told | known


def _swap(path: Path, new: Path, now: datetime) -> tuple[Path, ...]:
    """Keep the damaged files and put the new one in place. At no moment is there no journal: a run would begin anew."""
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    try:
        os.link(path, aside)
    except OSError:
        shutil.copy2(path, aside)
    moved = [aside]
    for ending in ("-wal", "-shm"):  # SQLite would take them for the new journal's
        companion = path.with_name(f"{path.name}{ending}")
        if companion.exists():
            moved.append(companion.rename(aside.with_name(f"{aside.name}{ending}")))
    new.replace(path)
    sync_folder(path.parent)
    return tuple(moved)


# What must be doubted.


def _doubts(root: Path, saved: Salvage, now: datetime) -> Iterator[Entry]:
    """The events that make shots unknown which would be sent again, though they may have been sent."""
    rows = dict(_plan_rows(root))
    suspects = set(saved.broken)
    if saved.has_gaps:
        suspects |= saved.lives.keys() | rows.keys()
    for shot in sorted(suspects):
        for event in _into_doubt(saved.lives.get(shot, UNBORN), rows.get(shot)):
            yield Entry(seq=0, at=now, shot=shot, event=event)


def _into_doubt(life: Life, row: Mapping[str, Any] | None) -> Iterator[ShotEvent]:
    match life.phase:
        case Phase.PLANNED if row is not None:
            intended = _as_intended(row, take=life.takes + 1)
            if intended is not None:
                yield from (intended, SendBegan(), _LOST)
        case Phase.INTENT:
            yield from (SendBegan(), _LOST)
        case Phase.SENDING:
            yield _LOST
        case _:
            pass  # it is polled, held, or over: nothing is sent again by itself


def _plan_rows(root: Path) -> Iterator[tuple[ShotId, Mapping[str, Any]]]:
    with suppress(OSError, ValueError, TypeError, KeyError), (root / PLAN).open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield ShotId(str(row["id"])), row


def _as_intended(row: Mapping[str, Any], *, take: int) -> Intended | None:
    try:
        width, _, height = (row["trim"] or "").partition("x")
        return Intended(
            take=take,
            reserve=usd(str(row["cost_usd"]["max"])),
            estimate=usd(str(row["cost_usd"]["min"])),
            model=row["model"],
            endpoint=row["endpoint"],
            prompt=row["prompt"],
            params=dict(row["params"]),
            references=tuple(f"{one['name']} {one['source']} {one['digest']}" for one in row["references"]),
            coordinates={axis: (id, id) for axis, id in row["coordinates"].items()},
            repeat=row["repeat"],
            paths=tuple(row["paths"]),
            frames=int(row["params"].get("num_images") or 1),
            trim=(int(width), int(height)) if width else None,
        )
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None


# A copy.


def make_independent(directory: RunDirectory, *, now: datetime) -> int:
    """Give a copied run directory an identity of its own; how many unsent shots are left to the original.

    Raises Refused where shots are on their way: both directories would fetch and count them.
    """
    journal = directory.journal
    standing = journal.standing()
    mid_air = [life for life in standing.open.values() if life.phase not in (Phase.PLANNED, Phase.INTENT)]
    if mid_air:
        raise Refused(
            f"{len(mid_air)} shots of {directory.root} are on their way or in doubt, and belong to the original."
            f" Finish and resolve them there, then copy {INNER} again."
        )
    unsent = [shot for shot, life in standing.open.items() if life.phase is Phase.INTENT]
    if unsent:
        journal.append([(shot, Withdrawn()) for shot in unsent], at=now)
    journal.set_meta("run_directory", secrets.token_hex(8))
    return len(unsent)
