"""How a run's end becomes an exit code."""

from __future__ import annotations

from flux2batch.engine.executor import Ending
from flux2batch.errors import MachineError
from flux2batch.running.standings import Counts


def exit_code_of(counts: Counts, ending: Ending, *, moderated_ok: bool) -> int:
    """The weightiest of what happened: 8 a bug, 7 the machine, 6 the account, 5 money in doubt, 4 the budget, 1."""
    if isinstance(ending.error, MachineError) or ending.offline:
        return 7
    if ending.error is not None:
        return 8
    if ending.account is not None:
        return 6
    if counts.unknown or counts.lost or counts.stalled or ending.problem:
        return 5
    if ending.overrun is not None:
        return 4
    moderated = 0 if moderated_ok else counts.moderated
    return 1 if counts.rejected or counts.failed or moderated else 0
