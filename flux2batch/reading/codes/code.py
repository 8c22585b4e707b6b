"""What a code means: the form of one entry."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One code: `title` names the fault in a few words, the rest is what `flux2batch explain` prints."""

    name: str  # FB204
    exit_code: int
    title: str
    cause: str  # why this is reported, in a sentence or two
    example: str  # the smallest piece of a job file (or command) that earns it
    fix: str  # the same, mended, or what to do
    only_warns: bool = False  # no problem of it is ever an error: its exit code is that of --strict
