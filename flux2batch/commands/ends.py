"""What ends a command without a code of its own, as a problem for the programs that read problems."""

from __future__ import annotations

from collections.abc import Mapping

from flux2batch.errors import AccountError, FluxError, MachineError, Refused, UsageError
from flux2batch.reading.problems import Problem, error
from flux2batch.reading.rendering import FOR_MACHINES

_CODES: Mapping[type[FluxError], str] = {
    UsageError: "FB901",
    Refused: "FB902",
    AccountError: "FB903",
    MachineError: "FB904",
}


def without_code(fault: FluxError, *, format: str) -> tuple[Problem, ...]:
    """The fault as a problem; () where people read it, who are told no more by a code that only says how it ended."""
    if format not in FOR_MACHINES and format != "junit":
        return ()
    code = next((code for kind, code in _CODES.items() if isinstance(fault, kind)), None)
    return () if code is None else (error(code, str(fault).rstrip("."), where=None),)
