"""What is wrong with a value, before anybody knows where in the job it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A problem without a place: the caller knows where `parameter` was written, and makes a Problem of it."""

    code: str
    message: str
    help: str | None
    parameter: str  # its neutral name; "references", "model" and "prompt" where it is about those
