"""Refuse to spend where a stranger's job would be run with the keys of the repository."""

from __future__ import annotations

from collections.abc import Mapping

from flux2batch.errors import Refused
from flux2batch.reading.problems import error

# With this event a workflow of GitHub holds the repository's secrets and may check out anybody's pull request.
_EVENT, _STRANGERS = "GITHUB_EVENT_NAME", "pull_request_target"


def refuse_to_spend_for_strangers(environ: Mapping[str, str]) -> None:
    """Nothing is bought in a workflow that anybody can start with a job of his own (FB707)."""
    if environ.get(_EVENT) == _STRANGERS:
        message = f"this workflow runs on {_STRANGERS}, so anybody's pull request could spend your money"
        help = "validate and plan there, and run on a protected branch; --emulate is free"
        raise Refused.of([error("FB707", message, where=None, help=help)])
