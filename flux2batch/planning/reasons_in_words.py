"""Why a shot changed, in words: what of its inputs was, and what is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flux2batch.planning.comparing import Reason

_LONGEST = 60  # characters of a value


def because(reasons: Sequence[Reason]) -> str:
    """The reasons in a line, without the prompt's words: they differ from shot to shot."""
    return ", ".join(_in_short(reason) for reason in reasons) or "how an id is made"


def value(raw: Any) -> str:
    """A value of an input, as a job would have it, and not too much of it."""
    text = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _in_short(reason: Reason) -> str:
    if reason.input == "prompt":
        return "prompt"
    if reason.was is None:
        return f"{reason.input} {value(reason.now)}, which was not there"
    if reason.now is None:
        return f"{reason.input} gone, it was {value(reason.was)}"
    return f"{reason.input} {value(reason.was)} → {value(reason.now)}"
