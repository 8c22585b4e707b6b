"""Lay the values of `--set PATH=YAML` over a document: places in them name the flag and not the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from typing import Any

from flux2batch.errors import UsageError
from flux2batch.reading.document import Document, read_document
from flux2batch.reading.problems import Place, Problem, Steps, has_errors

_EXPANDS = re.compile(r"\.\.|#|^data\.")
_FORMS_OF_AN_AXIS = frozenset(("values", "file", "glob", "random", "range"))
_LEAD = "value:\n  "  # a document is a mapping; a value on a line of its own may be anything that YAML has
_INDENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One value from the command line, in a document of its own."""

    steps: Steps
    written: str  # params.size=512x512
    document: Document
    alone: bool  # one value for an axis: the list around it is ours

    def inner(self, steps: Steps) -> Steps:
        """The way inside the patch's document for a way inside the job."""
        rest = steps[len(self.steps) :]
        return ("value", *(rest[1:] if self.alone and rest else rest))

    def named(self, steps: Steps) -> Place:
        """Where the last of these steps, which lead to the value, is named in the flag."""
        path, _, _ = self.written.partition("=")
        start = len(path) - len(path.lstrip()) + sum(len(str(step)) + 1 for step in steps[:-1]) + 1
        return Place(
            file=f"--set {path}",
            line=1,
            column=start,
            end_line=1,
            end_column=start + len(str(steps[-1])),
            line_text=self.written.splitlines()[0],
        )

    def outer(self, place: Place | None) -> Place | None:
        """A place in the patch's document as a place in the flag."""
        return None if place is None else _in_the_flag(place, self.written)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchedDocument(Document):
    """A document with values from the command line in it."""

    beneath: Any  # the data without them
    patches: tuple[Patch, ...]

    # No super() here: a dataclass with slots is made twice, and super() knows only the first.

    def place(self, steps: Steps) -> Place | None:
        patch = self._patch(steps)
        if patch:
            return patch.outer(patch.document.place(patch.inner(steps)))
        opened = self._opened(steps)
        return opened.named(steps) if opened else Document.place(self, steps)

    def key_place(self, steps: Steps) -> Place | None:
        patch = self._patch(steps)
        if patch and len(steps) > len(patch.steps):
            return patch.outer(patch.document.key_place(patch.inner(steps)))
        patch = patch or self._opened(steps)
        return patch.named(steps) if patch else Document.key_place(self, steps)

    def inside(self, steps: Steps, start: int, end: int) -> Place | None:
        patch = self._patch(steps)
        if patch is None:
            return Document.inside(self, steps, start, end)
        return patch.outer(patch.document.inside(patch.inner(steps), start, end))

    def written(self, steps: Steps) -> str | None:
        patch = self._patch(steps)
        return patch.document.written(patch.inner(steps)) if patch else Document.written(self, steps)

    def is_plain(self, steps: Steps) -> bool:
        patch = self._patch(steps)
        return patch.document.is_plain(patch.inner(steps)) if patch else Document.is_plain(self, steps)

    def is_added(self, steps: Steps) -> bool:
        return not _stands(steps, self.beneath)

    def _patch(self, steps: Steps) -> Patch | None:
        return next((patch for patch in reversed(self.patches) if steps[: len(patch.steps)] == patch.steps), None)

    def _opened(self, steps: Steps) -> Patch | None:
        """The patch on whose way a mapping stands that the file does not have."""
        if not steps or _stands(steps, self.beneath):
            return None
        return next((patch for patch in self.patches if patch.steps[: len(steps)] == steps), None)


def with_sets(document: Document, sets: Sequence[str]) -> tuple[Document | None, tuple[Problem, ...]]:
    """The document with every `PATH=YAML` in its place, later ones last; None where one cannot be read."""
    problems: list[Problem] = []
    patches: list[Patch] = []
    data = deepcopy(document.data) if sets else document.data
    for written in sets:
        steps, patch, found = _read(written, data)
        problems += found
        if patch is None:
            continue
        value = patch.document.data["value"]
        _put(data, steps, [value] if patch.alone else value)
        patches.append(patch)
    if has_errors(problems):
        return None, tuple(problems)
    if not patches:
        return document, tuple(problems)
    kept = {field.name: getattr(document, field.name) for field in fields(document)}
    return PatchedDocument(**{**kept, "data": data}, beneath=document.data, patches=tuple(patches)), tuple(problems)


def _read(written: str, data: Any) -> tuple[Steps, Patch | None, Iterable[Problem]]:
    path, equals, value = written.partition("=")
    if not equals or not path.strip():
        raise UsageError(f"--set wants PATH=VALUE, as in --set params.size=512x512; got '{written}'")
    steps = _steps(path.strip(), data)
    text = _LEAD + value.replace("\n", "\n" + " " * _INDENT)
    document, problems = read_document(text.encode("utf-8", "surrogateescape"), name=f"--set {path}")
    if document is None:
        return steps, None, [_moved(problem, steps, written) for problem in problems]
    patch = Patch(steps=steps, written=written, document=document, alone=_is_one_value(steps, document))
    return steps, patch, [_moved(problem, steps, written) for problem in problems]


def _steps(path: str, data: Any) -> Steps:
    """params.size → ("params", "size"); numbers count entries of lists from 0; sweep.params.NAME is one axis."""
    words = re.sub(r"(?<=\.)params\.", "params\0", path).split(".")
    steps: list[str | int] = []
    at = data
    for word in (word.replace("\0", ".") for word in words):
        if not word:
            raise UsageError(f"--set {path}: a part of the path is empty")
        if isinstance(at, list):
            if not word.isdecimal() or int(word) >= len(at):
                raise UsageError(f"--set {path}: '{word}' is no entry of a list of {len(at)}, which count from 0")
            steps.append(int(word))
            at = at[int(word)]
            continue
        if at is not None and not isinstance(at, dict):
            raise UsageError(f"--set {path}: '{steps[-1]}' is one value, so it has no '{word}'")
        steps.append(word)
        at = at.get(word) if isinstance(at, dict) else None
    return tuple(steps)


def _stands(steps: Steps, data: Any) -> bool:
    for step in steps:
        inside = step in data if isinstance(data, dict) else isinstance(data, list) and int(step) < len(data)
        if not inside:
            return False
        data = data[step]
    return True


def _put(data: Any, steps: Steps, value: Any) -> None:
    at = data
    for step in steps[:-1]:
        if isinstance(at, dict) and at.get(str(step)) is None:
            at[str(step)] = {}
        at = at[step]
    at[steps[-1]] = value


def _is_one_value(steps: Steps, document: Document) -> bool:
    is_axis = (len(steps) == 2 and steps[0] in ("sweep", "draw")) or (len(steps) == 3 and steps[0] == "zip")
    value = document.data["value"]
    if not is_axis or value is None or isinstance(value, list):
        return False
    if isinstance(value, dict):
        return not _FORMS_OF_AN_AXIS & value.keys()
    return not (isinstance(value, str) and document.is_plain(("value",)) and _EXPANDS.search(value))


def _moved(problem: Problem, steps: Steps, written: str) -> Problem:
    where = None if problem.where is None else _in_the_flag(problem.where, written)
    return replace(problem, where=where, steps=steps)


def _in_the_flag(place: Place, written: str) -> Place:
    """What stands at `place` in the document that was made of a flag's value, in the flag as it was typed."""
    path, _, _ = written.partition("=")
    lines = written.splitlines()
    line, end_line = max(place.line - 1, 1), max(place.end_line - 1, 1)
    shift = {1: len(path) + 1 - _INDENT}  # the value's first line stands behind the path
    return Place(
        file=f"--set {path}",
        line=line,
        column=max(1, place.column + shift.get(line, -_INDENT)),
        end_line=end_line,
        end_column=max(1, place.end_column + shift.get(end_line, -_INDENT)),
        line_text=lines[min(line, len(lines)) - 1],
    )
