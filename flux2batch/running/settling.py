"""Settle takes whose answer was lost: the evidence, and what a person, or the service's own listing, rules."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flux2batch import __version__
from flux2batch.engine.events import Event, Intended, RunBegan, RunEnded, SendBegan, Ticket, Unanswered
from flux2batch.engine.journal import Journal
from flux2batch.engine.lifecycle import Life, Phase, advance
from flux2batch.engine.run_directory import Memory, Purpose, RunDirectory, drive, look_into
from flux2batch.errors import MachineError
from flux2batch.money import Money
from flux2batch.planning.shot import ShotId
from flux2batch.running.run import write_ledger

Fact = tuple[ShotId | None, Event]

_CUT_OFF = Unanswered(reason="the run died while the request was under way", status=None, excerpt=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A take of which nobody knows whether the service took it, with all that is known of it."""

    shot: ShotId
    life: Life  # in `unknown`, or in `lost` where a person knows better
    intended: Intended
    first: tuple[Event, ...]  # to be recorded before any ruling
    sent_at: datetime | None
    at: datetime | None  # when the answer was given up
    status: int | None
    excerpt: str | None

    @property
    def possible(self) -> Money:
        """What it may have cost."""
        return self.intended.reserve


def doubts(journal: Journal, *, driven: bool) -> tuple[Doubt, ...]:
    """The unknown takes, the oldest first. Where nobody drives, one that was cut off while sending is one of them."""
    phases = (Phase.UNKNOWN,) if driven else (Phase.UNKNOWN, Phase.SENDING)
    found = [doubt_of(journal, shot, life) for shot, life in journal.standing().open.items() if life.phase in phases]
    return tuple(sorted(found, key=lambda doubt: doubt.sent_at.timestamp() if doubt.sent_at else 0.0))


def doubt_of(journal: Journal, shot: ShotId, life: Life) -> Doubt:
    """What the journal knows of this take."""
    intended = life.intended
    assert intended is not None, "BUG: sent without an intent"
    sent_at: datetime | None = None
    silence: Unanswered | None = None
    silent_at: datetime | None = None
    for entry in journal.entries(shot=shot):
        match entry.event:
            case SendBegan():
                sent_at, silence, silent_at = entry.at, None, None
            case Unanswered():
                silence, silent_at = entry.event, entry.at
    first: tuple[Event, ...] = ()
    if life.phase is Phase.SENDING:
        first = (_CUT_OFF,)
        life = advance(life, _CUT_OFF, at=sent_at or datetime.min)
    return Doubt(
        shot=shot,
        life=life,
        intended=intended,
        first=first,
        sent_at=sent_at,
        at=silent_at,
        status=silence.status if silence else None,
        excerpt=silence.excerpt if silence else None,
    )


def tasks_known(journal: Journal) -> dict[str, ShotId]:
    """The task ids that shots of this run directory have."""
    return {life.ticket.task_id: shot for shot, life in journal.lives() if life.ticket is not None}


def origin_of(journal: Journal, service: str) -> str | None:
    """Where the last run sent this service's requests."""
    origins = [entry.event.origins for entry in journal.run_entries() if isinstance(entry.event, RunBegan)]
    return next((each[service] for each in reversed(origins) if service in each), None)


@contextmanager
def open_to_settle(
    root: Path, *, now: datetime, state_folder: Path, accept_rollback: bool = False, fork: bool = False
) -> Iterator[RunDirectory]:
    """Open a run directory for this process alone, for whoever it was made. Raises as `drive` does."""
    with look_into(root) as seen:
        journal = seen.journal
        purpose = Purpose(
            job_name=journal.meta("job_name") or root.resolve().name,
            job_file=journal.meta("job_file"),
            emulated=journal.meta("kind") == "emulated",
        )
    memory = Memory(state_folder / "run-directories.db", accept_rollback=accept_rollback, fork=fork)
    with drive(root, purpose, now=now, memory=memory) as directory:
        yield directory


def record(directory: RunDirectory, facts: Sequence[Fact], *, command: str, at: datetime) -> None:
    """Write down what was ruled, all of it or none, and draw the ledgers anew."""
    journal, run = directory.journal, secrets.token_hex(4)
    began = RunBegan(
        run=run,
        version=__version__,
        command=command,
        job_file=journal.meta("job_file"),
        job_name=journal.meta("job_name") or directory.root.resolve().name,
        origins={},
        emulated=journal.meta("kind") == "emulated",
        shots=len({shot for shot, _ in facts}),
        axes={},
        sheet={},
    )
    for shot in {shot for shot, _ in facts if shot is not None}:
        _check(journal, shot, [event for of, event in facts if of == shot], at)
    journal.append([(None, began), *facts, (None, RunEnded(run=run, exit_code=0, reason=None))], at=at)
    write_ledger(directory)


def _check(journal: Journal, shot: ShotId, events: Sequence[Event], at: datetime) -> None:
    """What the table does not allow would make the journal unreadable."""
    life = journal.life(shot)
    for event in events:
        try:
            life = advance(life, event, at=at)  # type: ignore[arg-type]  # what stands beside a shot is a shot's event
        except ValueError as error:
            raise MachineError(f"Shot {shot[:8]} has changed meanwhile: {error}. Look again.") from error


def is_taken(ticket: Ticket, known: dict[str, ShotId], shot: ShotId) -> bool:
    """Whether another shot has this task already."""
    return known.get(ticket.task_id, shot) != shot
