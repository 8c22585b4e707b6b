"""Python data as the plain data a job file could hold, copied and checked."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from flux2batch.errors import InvalidInput
from flux2batch.reading.problems import Problem, Steps, error
from flux2batch.reading.yaml_events import MAX_DEPTH
from flux2batch.reading.yaml_scalars import MAX_INTEGER
from flux2batch.reading.yaml_tree import MAX_NODES


def plain_data(data: Any, *, name: str) -> Any:
    """A copy made of dict, list, str, int, float, bool and None; raises InvalidInput with all that is none of these."""
    copier = _Copier(name)
    copied = copier.copy(data, ())
    if copier.problems:
        raise InvalidInput(copier.problems)
    return copied


def shown(data: Any, steps: Steps) -> str | None:
    """A scalar in plain data as one would write it in YAML; None for a list, a mapping, or nothing at all."""
    for step in steps:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    match data:
        case None:
            return "null"
        case bool():
            return "true" if data else "false"
        case str() | int() | float():
            return str(data)
        case _:
            return None


class _Copier:
    def __init__(self, name: str) -> None:
        self.problems: list[Problem] = []
        self._name = name
        self._count = 0

    def copy(self, value: Any, steps: Steps) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            return self._once("FB105", f"more than {MAX_NODES:,} values", steps, "use a range or a table")
        if len(steps) > MAX_DEPTH:
            return self._once("FB106", f"nested deeper than {MAX_DEPTH} levels", steps, "use fewer levels")
        match value:
            case None | bool():
                return value
            case str():
                return str(value)
            case os.PathLike():
                return str(os.fspath(value))
            case Integral():
                return self._integer(int(value), steps)
            case Real():
                return self._float(float(value), steps)
            case Mapping():
                return self._mapping(value, steps)
            case bytes() | bytearray():
                return self._refuse("FB103", "bytes cannot stand in a job", steps, "give text, or the path of a file")
            case Sequence() | set() | frozenset():
                items = value if isinstance(value, Sequence) else sorted(value, key=str)
                return [self.copy(item, (*steps, number)) for number, item in enumerate(items)]
            case _:
                kind = type(value).__name__
                help = "give text, a number, true or false, a list or a mapping"
                return self._refuse("FB103", f"a value of the type {kind} cannot stand in a job", steps, help)

    def _integer(self, value: int, steps: Steps) -> int | None:
        if abs(value) <= MAX_INTEGER:
            return value
        self._refuse("FB114", "the number is too large", steps, "whole numbers go up to 2^63")
        return None

    def _float(self, value: float, steps: Steps) -> float | None:
        if math.isfinite(value):
            return value
        self._refuse("FB114", f"{value} is not a number that can be used", steps, "give a number with digits")
        return None

    def _mapping(self, value: Mapping[Any, Any], steps: Steps) -> dict[str, Any]:
        copied: dict[str, Any] = {}
        for key, item in value.items():
            if isinstance(key, str) and key:
                copied[str(key)] = self.copy(item, (*steps, str(key)))
            else:
                self._refuse("FB112", f"keys must be words, got {key!r:.40}", steps, "give the key as text")
        return copied

    def _refuse(self, code: str, message: str, steps: Steps, help: str) -> None:
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps[:8]).lstrip(".")
        at = f"{self._name}: {path}: " if path else f"{self._name}: "
        self.problems.append(error(code, at + message, where=None, steps=steps, help=help))

    def _once(self, code: str, message: str, steps: Steps, help: str) -> None:
        if not any(problem.code == code for problem in self.problems):
            self._refuse(code, message, steps, help)
