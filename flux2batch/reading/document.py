"""YAML text as plain data with the place of every key and value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flux2batch.reading.problems import Place, Problem, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document: `data` is built of dict, list, str, int, float, bool and None (YAML 1.2 core types)."""

    name: str  # as the user named the file; "<dict>" where a job was given as Python data
    text: str
    data: Any
    # … what the lookups below need

    def place(self, steps: Steps) -> Place | None:
        """Where the value stands (its opening character to its end); of its nearest parent if it is not written."""
        raise NotImplementedError

    def key_place(self, steps: Steps) -> Place | None:
        """Where the last key of `steps` stands; the value's own place in a list."""
        raise NotImplementedError

    def inside(self, steps: Steps, start: int, end: int) -> Place | None:
        """Where characters start..end of a text value stand, through quotes, escapes, folds and block scalars."""
        raise NotImplementedError

    def written(self, steps: Steps) -> str | None:
        """A scalar as it was written, without quotes: "2.0" for the number 2.0; None for a list or mapping."""
        raise NotImplementedError

    def is_plain(self, steps: Steps) -> bool:
        """Whether it is an unquoted scalar (only those may be ranges)."""
        raise NotImplementedError


def read_document(raw: bytes, *, name: str) -> tuple[Document | None, tuple[Problem, ...]]:
    """The document in these bytes, or None and what is wrong; warnings come with a document."""
    raise NotImplementedError


def document_of(data: Mapping[str, Any], *, name: str = "<dict>") -> Document:
    """A document around Python data: it has no places and nothing in it is plain."""
    raise NotImplementedError
