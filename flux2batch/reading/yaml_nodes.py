"""The nodes of a document: values that know where they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flux2batch.reading.spans import Style


@dataclass(slots=True, kw_only=True)
class Scalar:
    """A text, number, true, false or nothing."""

    start: int
    end: int
    style: Style
    text: str  # without quotes, escapes and folds
    value: Any
    parent_indent: int  # of a block scalar: what its own indentation is counted from


@dataclass(slots=True, kw_only=True)
class ListNode:
    """A list."""

    start: int
    end: int
    items: list[Node]
    value: list[Any]


@dataclass(slots=True, kw_only=True)
class Entry:
    """One key of a mapping and what stands behind it."""

    key_start: int
    key_end: int
    node: Node


@dataclass(slots=True, kw_only=True)
class MapNode:
    """A mapping."""

    start: int
    end: int
    entries: dict[str, Entry]
    value: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Alias:
    """`*name`: another node, written again."""

    start: int
    end: int
    target: Scalar | ListNode | MapNode

    @property
    def value(self) -> Any:
        return self.target.value


Node = Scalar | ListNode | MapNode | Alias
