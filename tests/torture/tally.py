"""What a harness counted, in one line: the table of `make torture` is drawn from these lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

_MARK = "TALLY "


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One row of the table. Everything between `cases` and `seconds` must be 0."""

    harness: str
    cases: int
    seconds: float
    duplicates: int = 0
    lost: int = 0
    partial: int = 0
    tracebacks: int = 0
    other: int = 0  # what else went wrong: a bug that no test saw, a wrong answer, a run that did not end
    note: str = ""  # why a harness was skipped, or what its cases were

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.duplicates or self.lost or self.partial or self.tracebacks or self.other)


def say(tally: Tally) -> int:
    """Print the line that `make torture` reads, as the last on stdout; the exit code that the harness ends with."""
    print(_MARK + json.dumps(asdict(tally)), flush=True)
    return 0 if tally.is_good else 1


def heard(line: str) -> Tally | None:
    """What such a line says; None for any other line."""
    if not line.startswith(_MARK):
        return None
    known = {field.name for field in fields(Tally)}
    return Tally(**{name: value for name, value in json.loads(line.removeprefix(_MARK)).items() if name in known})


def table(tallies: Sequence[Tally]) -> str:
    """Every row, and their sums."""
    shown = [*tallies, _total(tallies)]
    width = max(len(one.harness) for one in shown)
    head = f"{'harness':<{width}}" + "".join(f"{column:>{size}}" for column, size in _COLUMNS)
    rows = [head, "-" * len(head)]
    for tally in shown:
        counts = (
            f"{tally.cases:,}",
            *(str(getattr(tally, name)) for name in _BAD),
            f"{tally.seconds:.0f}",
        )
        row = f"{tally.harness:<{width}}" + "".join(
            f"{count:>{size}}" for count, (_, size) in zip(counts, _COLUMNS, strict=True)
        )
        rows.append(f"{row}  {tally.note}".rstrip())
    rows.insert(-1, "-" * len(head))
    return "\n".join(rows)


_BAD = ("duplicates", "lost", "partial", "tracebacks", "other")
_COLUMNS = (
    ("cases", 10),
    ("duplicates", 12),
    ("lost", 6),
    ("partial files", 15),
    ("tracebacks", 12),
    ("other", 7),
    ("seconds", 9),
)


def _total(tallies: Sequence[Tally]) -> Tally:
    return Tally(
        harness="all",
        cases=sum(one.cases for one in tallies),
        seconds=sum(one.seconds for one in tallies),
        duplicates=sum(one.duplicates for one in tallies),
        lost=sum(one.lost for one in tallies),
        partial=sum(one.partial for one in tallies),
        tracebacks=sum(one.tracebacks for one in tallies),
        other=sum(one.other for one in tallies),
    )
