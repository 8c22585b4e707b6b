"""Anchors and aliases of one document: what a name stands for, and names that stand for nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flux2batch.reading.suggest import did_you_mean
from flux2batch.reading.yaml_nodes import ListNode, MapNode, Scalar
from flux2batch.reading.yaml_reports import Reports

_NAME = re.compile(r"&[^\s,\[\]{}]*")

# Keys whose value is prose: there '*star' is a word that somebody forgot to quote, elsewhere it is meant as an alias.
_PROSE = {"prompt", "name", "description", "title", "text", "label", "note"}


@dataclass(slots=True, kw_only=True)
class Anchor:
    """`&name` and the node behind it, with what an alias to it adds: so many values, so many levels."""

    name: str
    node: Scalar | ListNode | MapNode
    size: int
    height: int
    start: int  # of the '&'
    used: bool


class Anchors:
    """The anchors seen so far."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._by_name: dict[str, Anchor] = {}
        self._all: list[Anchor] = []

    def add(self, anchor: Anchor) -> None:
        """Remember; of two equal names the later counts from here on."""
        self._by_name[anchor.name] = anchor
        self._all.append(anchor)

    def find(self, name: str) -> Anchor | None:
        """What an alias stands for."""
        anchor = self._by_name.get(name)
        if anchor:
            anchor.used = True
        return anchor

    def report_undefined(self, name: str, start: int, end: int, *, key: str | None) -> None:
        """An alias, the value of `key`, whose name nothing has."""
        if key in _PROSE and not self._all:
            help = f'quote it: "*{name}"'
            self._reports.error("FB100", "'*' cannot start a plain value", start, start + 1, help=help)
            return
        mark_it = f"mark a value with '&{name}' above, or quote it if it is text: \"*{name}\""
        help = did_you_mean(name, self._by_name) or mark_it
        self._reports.error("FB110", f"the alias '*{name}' stands for nothing", start, end, help=help)

    def report_unused(self) -> None:
        """A text with an anchor that nothing uses is a text that somebody forgot to quote: `prompt: &x marks …`."""
        for anchor in self._all:
            if anchor.used or not isinstance(anchor.node, Scalar):
                continue
            name = _NAME.match(self._reports.source.text, anchor.start)
            message = (
                f"'&' cannot start a plain value: '{name[0] if name else '&'}' is read as a mark, and nothing uses it"
            )
            self._reports.error("FB100", message, anchor.start, anchor.start + 1, help="quote the value")
