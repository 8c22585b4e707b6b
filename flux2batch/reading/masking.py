"""Find what looks like a key of a service in a job file, and keep it out of every message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from flux2batch.reading.document import Document
from flux2batch.reading.foreign_keys import names_a_secret
from flux2batch.reading.problems import Note, Place, Problem, Steps

_LOOKS_LIKE_A_KEY = re.compile(
    r"\bbfl_[A-Za-z0-9]{16,}"
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{32}"  # fal: an id and its secret
    r"|\b(?:sk|pk|hf|ghp|xai|r8)[_-][A-Za-z0-9_-]{20,}"
    r"|\b(?:Bearer|Key) [A-Za-z0-9._:-]{20,}"
)
_LONG_ENOUGH_TO_REPLACE = 6  # masking every "a" of a message would only hide the message


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A value that must not be shown, and the key under which it stands."""

    steps: Steps  # of the key that announces it; of the text itself where only the text looks like a key
    announced: bool
    text: str | None
    where: Place | None  # of the value


def secrets_in(document: Document) -> tuple[Secret, ...]:
    """Every secret of the document, in the order of the file."""
    return tuple(
        Secret(steps=named or steps, announced=named is not None, text=text, where=document.place(steps))
        for steps, named, text in _found(document.data, (), None)
    )


def masked(problems: Iterable[Problem], secrets: Iterable[Secret]) -> tuple[Problem, ...]:
    """The problems with every secret replaced by as many asterisks, so that carets stay where they are."""
    hidden = tuple(secrets)
    if not hidden:
        return tuple(problems)
    return tuple(_masked(problem, hidden) for problem in problems)


def _found(value: Any, steps: Steps, named: Steps | None) -> Iterator[tuple[Steps, Steps | None, str | None]]:
    match value:
        case dict():
            for key, inner in value.items():
                below = (*steps, key)
                yield from _found(inner, below, named or (below if _announces(str(key), steps) else None))
        case list():
            for index, inner in enumerate(value):
                yield from _found(inner, (*steps, index), named)
        case str() if named is None:
            looks = _LOOKS_LIKE_A_KEY.search(value)
            if looks:
                yield steps, None, looks[0]
        case _ if named is not None:
            yield steps, named, None if value is None else str(value)


# In these the author chooses the keys: a `token` there may be made of brass.
_NAMED_BY_THE_AUTHOR = frozenset(
    ("vars", "data", "references", "sweep", "zip", "draw", "exclude", "include", "override", "sheet")
)


def _announces(key: str, parent: Steps) -> bool:
    top = parent[0] if parent else None
    return top != "prompt" and names_a_secret(key, ours=top not in _NAMED_BY_THE_AUTHOR)


def _masked(problem: Problem, secrets: tuple[Secret, ...]) -> Problem:
    return replace(
        problem,
        message=_without(problem.message, secrets),
        help=None if problem.help is None else _without(problem.help, secrets),
        where=_place_without(problem.where, secrets),
        notes=tuple(
            Note(text=_without(note.text, secrets), where=_place_without(note.where, secrets)) for note in problem.notes
        ),
    )


def _without(text: str, secrets: tuple[Secret, ...]) -> str:
    for secret in secrets:
        if secret.text and len(secret.text) >= _LONG_ENOUGH_TO_REPLACE:
            text = text.replace(secret.text, "*" * len(secret.text))
    return text


def _place_without(place: Place | None, secrets: tuple[Secret, ...]) -> Place | None:
    if place is None or place.line_text is None:
        return place
    line = _without(place.line_text, secrets)
    for secret in secrets:
        # As written it may differ from its value (escapes, folded lines): so its place is blotted out as well.
        if secret.where and secret.announced and secret.where.line <= place.line <= secret.where.end_line:
            start = secret.where.column - 1 if place.line == secret.where.line else 0
            end = secret.where.end_column - 1 if place.line == secret.where.end_line else len(line)
            line = line[:start] + re.sub(r"\S", "*", line[start:end]) + line[end:]
    return replace(place, line_text=line)
