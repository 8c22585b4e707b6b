"""The ledger of a run directory for Python: every take, as plain rows."""

from __future__ import annotations

import os
from pathlib import Path

from flux2batch.engine.run_directory import look_into
from flux2batch.planning.flat_rows import Row, flat
from flux2batch.reporting.ledger import COLUMNS, lines


def ledger(directory: str | os.PathLike[str]) -> list[Row]:
    """The takes of a run directory, one flat row each: `pandas.DataFrame(flux2batch.ledger("runs/boats"))`.

    The columns are those of `ledger.csv`, with `coordinates.AXIS` for each axis. Amounts are plain numbers here; to
    the last digit they stand in the ledger's own files. Raises UsageError where there is no run directory.
    """
    with look_into(Path(directory)) as opened:
        return flat({name: getattr(line, name) for name in COLUMNS} for line in lines(opened.journal.entries_by_shot()))
