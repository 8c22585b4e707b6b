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
_MOST = 200  # of announced secrets that are sought in every text; each is blotted out at its own place anyway
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
    mask = _Mask(hidden)
    return tuple(mask.problem(problem) for problem in problems)


def without_keys(text: str) -> str:
    """The text with whatever looks like a key of a service replaced by asterisks."""
    return _LOOKS_LIKE_A_KEY.sub(lambda found: "*" * len(found[0]), text)


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


class _Mask:
    """Hides secrets in texts and lines; a line is masked once, however many problems show it."""

    def __init__(self, secrets: tuple[Secret, ...]) -> None:
        announced = [secret for secret in secrets if secret.announced]
        texts = (secret.text for secret in announced if secret.text and len(secret.text) >= _LONG_ENOUGH_TO_REPLACE)
        self._texts = sorted(dict.fromkeys(texts), key=len, reverse=True)[:_MOST]
        self._places: dict[int, list[Place]] = {}
        for place in (secret.where for secret in announced if secret.where):
            for line in range(place.line, place.end_line + 1):
                self._places.setdefault(line, []).append(place)
        self._lines: dict[tuple[str, int], str] = {}

    def problem(self, problem: Problem) -> Problem:
        return replace(
            problem,
            message=self._text(problem.message),
            help=None if problem.help is None else self._text(problem.help),
            where=self._place(problem.where),
            notes=tuple(Note(text=self._text(note.text), where=self._place(note.where)) for note in problem.notes),
        )

    def _text(self, text: str) -> str:
        text = without_keys(text)
        for secret in self._texts:
            text = text.replace(secret, "*" * len(secret))
        return text

    def _place(self, place: Place | None) -> Place | None:
        if place is None or place.line_text is None:
            return place
        at = place.file, place.line
        if at not in self._lines:
            self._lines[at] = self._text(self._blotted(place.line_text, *at))
        return replace(place, line_text=self._lines[at])

    def _blotted(self, text: str, file: str, line: int) -> str:
        # As written a secret may differ from its value (escapes, folded lines), so its place is blotted out as well.
        parts, done = [], 0
        for place in sorted(self._places.get(line, ()), key=lambda place: (place.line, place.column)):
            start = place.column - 1 if place.line == line else 0
            end = place.end_column - 1 if place.end_line == line else len(text)
            if place.file == file and end > done:
                parts += [text[done : max(start, done)], re.sub(r"\S", "*", text[max(start, done) : end])]
                done = end
        return "".join((*parts, text[done:]))
