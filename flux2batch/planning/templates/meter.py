"""How much work one rendering may do, counted in steps and not in seconds: the same on every machine.

A node of a template costs one step each time it is evaluated: a loop pays for its body at each turn, a macro and an
included file when they are entered. What costs more than a node because its text or list is long pays for the length.
"""

from __future__ import annotations

import threading

from flux2batch.planning.templates.faults import refuse

MAX_STEPS = 100_000
MAX_DEPTH = 12
"""Macros that call macros."""

MAX_TEXT = 65_536
"""Characters of one value inside a template, and items of one list."""

MAX_OUTPUT = 32_768
"""Characters of one rendered text."""

_CHARACTERS_A_STEP = 64
_ITEMS_A_STEP = 8
"""Going over this many costs about as much as evaluating a node."""


class Meter(threading.local):
    """The steps of the rendering that runs in this thread."""

    def __init__(self) -> None:
        self.steps = 0
        self.depth = 0

    def start(self) -> None:
        """A new rendering begins."""
        self.steps = 0
        self.depth = 0

    def spend(self, steps: int) -> None:
        """Count these steps, and stop the rendering where they are too many."""
        self.steps += steps
        if self.steps > MAX_STEPS:
            refuse("FB306", "the template does too much work", "loop over fewer rows, or take loops out of one another")

    def spend_on(self, value: object) -> int:
        """Count going over this value once; its size."""
        size = size_of(value)
        self.spend(1 + size // (_CHARACTERS_A_STEP if isinstance(value, (str, int, float)) else _ITEMS_A_STEP))
        return size

    def enter(self) -> None:
        """Go into a macro; `leave` follows."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            refuse("FB306", f"macros call one another more than {MAX_DEPTH} deep", "a macro cannot call itself")

    def leave(self) -> None:
        """Come back from a macro."""
        self.depth -= 1


METER = Meter()


def size_of(value: object, limit: int = MAX_TEXT) -> int:
    """Characters and items in a value, however deep; more than the limit is not counted to its end."""
    if isinstance(value, str):
        return len(value)
    if not isinstance(value, (list, tuple, dict)):
        return 1
    size = 0
    waiting: list[object] = [value]
    while waiting and size <= limit:
        here = waiting.pop()
        if isinstance(here, str):
            size += len(here)
        elif isinstance(here, dict):
            size += len(here)
            if size <= limit:
                waiting.extend(here)
                waiting.extend(here.values())
        elif isinstance(here, (list, tuple)):
            size += len(here)
            if size <= limit:
                waiting.extend(here)
        else:
            size += 1
    return size


def check_size(size: int) -> None:
    """Refuse a value of this size, known or predicted."""
    if size > MAX_TEXT:
        refuse("FB306", f"a value in the template grows longer than {MAX_TEXT:,} characters", "make it shorter")
