"""YAML's events as plain data and a tree of nodes that know where they stand; all that is wrong on the way is noted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from flux2batch.reading.problems import Problem, Steps
from flux2batch.reading.source import Source
from flux2batch.reading.spans import Spans, Style, double_pieces
from flux2batch.reading.yaml_anchors import Anchor, Anchors
from flux2batch.reading.yaml_census import one_too_many
from flux2batch.reading.yaml_comments import quoted_help, swallowed_text
from flux2batch.reading.yaml_events import MAX_DEPTH, Events, TooDeep
from flux2batch.reading.yaml_keys import glued_colon, refuse_key, report_hidden, report_twice
from flux2batch.reading.yaml_nodes import Alias, Entry, ListNode, MapNode, Node, Scalar
from flux2batch.reading.yaml_reports import Reports, short
from flux2batch.reading.yaml_scalars import resolve
from flux2batch.reading.yaml_tags import report_tags
from flux2batch.reading.yaml_text import CONTROL, control_name

MAX_NODES = 50_000
USE_A_TABLE = "use a range such as 1..60000, or a table under 'data'"

_STYLES: Mapping[str | None, Style] = {
    None: "plain",
    "": "plain",
    "'": "single",
    '"': "double",
    "|": "literal",
    ">": "folded",
}
_PROPERTY = re.compile(r"[&!][^\s,\[\]{}]*+(?:\s|#[^\r\n]*+(?=[\r\n]))*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What was read: the root, the problems, and the failure that ended the reading early."""

    root: Node | None
    problems: tuple[Problem, ...]
    failure: MarkedYAMLError | None
    is_whole: bool  # nothing ended the reading early
    keys: tuple[tuple[int, int], ...]  # the spans of all keys, in order
    brackets: tuple[int, ...]  # where the brackets begin that were open at the failure
    quoted: Mapping[int, int]  # end of each quoted scalar → its start


@dataclass(slots=True, kw_only=True)
class _Key:
    start: int
    end: int
    text: str | None  # None where it is no word: its value is read and dropped


@dataclass(slots=True, kw_only=True)
class _Frame:
    """A collection that is being read."""

    node: ListNode | MapNode
    anchor: str | None
    anchor_start: int
    counted_before: int
    height: int
    key: _Key | None
    is_key: bool
    is_silent: bool  # it is reported as a whole, and nothing inside of it
    is_flow: bool


class _Stop(Exception):
    """A bound was reached, and said so."""


def build(source: Source, text: str) -> Tree:
    """Read `text`, which is the source's or the source's with faults painted over, of the same length."""
    builder = _Builder(source, text)
    failure: MarkedYAMLError | None = None
    is_whole = False
    try:
        builder.count_roughly()
        builder.read()
        is_whole = True
    except MarkedYAMLError as raised:
        failure = raised
    except TooDeep as deep:
        builder.too_deep(deep.index)
    except _Stop:
        pass
    builder.finish(is_whole=is_whole)
    return Tree(
        root=builder.root,
        problems=tuple(builder.reports.problems),
        failure=failure,
        is_whole=is_whole,
        keys=tuple(builder.keys),
        brackets=tuple(builder.events.brackets),
        quoted=builder.events.quoted,
    )


class _Builder:
    def __init__(self, source: Source, text: str) -> None:
        self.events = Events(text)
        self.root: Node | None = None
        self.reports = Reports(source)
        self.keys: list[tuple[int, int]] = []
        self._source = source
        self._text = text
        self._stack: list[_Frame] = []
        self._anchors = Anchors(self.reports)
        self._bare_tags: set[int] = set()
        self._counted = 0
        self._documents = 0

    def count_roughly(self) -> None:
        """Stop before the reading where there are far too many values to read."""
        at = one_too_many(self._text, MAX_NODES)
        if at is not None:
            self._count(MAX_NODES + 1, at)

    def read(self) -> None:
        """Take the events one by one, to the end of the first document."""
        while (event := self.events.next()) is not None:
            match event:
                case ScalarEvent():
                    self._scalar(event)
                case CollectionStartEvent():
                    self._open(event)
                case CollectionEndEvent():
                    self._close(event)
                case AliasEvent():
                    self._alias(event)
                case DocumentStartEvent():
                    self._documents += 1
                    if self._documents > 1:
                        return self._second_document(event)
        return None

    def finish(self, *, is_whole: bool) -> None:
        """What is known only at the end, and what the scanner noted and passed over."""
        self.reports.speak_up()
        self.reports.steps = ()
        if is_whole:
            self._anchors.report_unused()
        report_tags(self.reports, self.events.tags, self._bare_tags)
        for start, end in self.events.escapes:
            help = "write \\\\ for a backslash, or use single quotes"
            self._error("FB100", f"'{self._text[start:end]}' is no escape that YAML knows", start, end, help=help)

    def too_deep(self, at: int) -> None:
        """The bound on nesting."""
        self.reports.speak_up()
        help = "take brackets or '- ' away"
        self._error("FB106", f"nested deeper than {MAX_DEPTH} levels", at, at + 1, help=help)

    def _second_document(self, event: Event) -> None:
        at = _start(event)
        help = "one file holds one job; put each into its own"
        self._error("FB102", "more than one YAML document", at, at + 3, help=help)

    # --- scalars ---

    def _scalar(self, event: ScalarEvent) -> None:
        end = _end(event)
        start = min(self._content_start(event), end)
        self._count(1, start)
        style = _STYLES[event.style]
        parent_indent = self.events.block_parents.pop(start, -1) if style in ("literal", "folded") else -1
        node = Scalar(
            start=start, end=end, style=style, text=event.value, value=event.value, parent_indent=parent_indent
        )
        is_key = self._awaits_key()
        if is_key:
            self._key(node)
        elif style == "plain":
            self._plain_value(node, is_tagged=event.tag is not None)
        if style == "double":
            self._check_escapes(event.value, start, end)
        if event.anchor:
            self._add_anchor(event.anchor, node, size=1, height=0, start=_start(event))
        if not is_key:
            self._attach(node)

    def _plain_value(self, node: Scalar, *, is_tagged: bool) -> None:
        resolved = resolve(node.text)
        node.value = resolved.value
        if resolved.fault:
            self._odd_number(node, resolved.fault)
        if is_tagged or (not node.text and self._misses_space(node)):
            return
        dropped = swallowed_text(self._source, node.text, node.value, node.end)
        if dropped:
            self.reports.add(dropped.problem)
            node.value = node.value or dropped.text

    def _odd_number(self, node: Scalar, fault: str) -> None:
        shown = short(node.text)
        match fault:
            case "not finite":
                message, help = f"'{shown}' is not a number that can be used", "give a number with digits"
            case "too large":
                message, help = f"the number {shown} is too large", "whole numbers go up to 2^63"
            case _:
                message = f"{shown} is the number {node.value}; its leading zeros are dropped"
                help = f'write {node.value}, or quote it if the zeros matter: "{shown}"'
                self.reports.steps = self._steps()
                self.reports.warning("FB117", message, node.start, node.end, help=help)
                return
        self._error("FB114", message, node.start, node.end, help=f"{help}, or quote it if it is text")

    def _misses_space(self, node: Scalar) -> bool:
        """`{colour:red}`: hardly a key without a value."""
        frame = self._stack[-1] if self._stack else None
        if frame is None or not frame.is_flow or frame.key is None or frame.key.text is None:
            return False
        key = frame.key
        glued = glued_colon(frame.key.text, self._text, key.start, key.end)
        if glued is None or ":" in self._text[key.end : node.start]:
            return False
        self._error("FB100", "a space is missing after ':'", glued[0], glued[0] + 1, help=glued[1])
        return True

    def _check_escapes(self, value: str, start: int, end: int) -> None:
        if not CONTROL.search(value):
            return
        spans = Spans(double_pieces(self._text, start + 1, end - 1))
        for found in CONTROL.finditer(value):
            if not self.reports.is_open:
                return
            first, last = spans.span(found.start(), found.end()) or (start, end)
            remedy = "write the character itself" if "\ud800" <= found[0] <= "\udfff" else "delete it"
            self._error("FB116", f"{control_name(found[0])} in a text", first, last, help=remedy)

    # --- keys ---

    def _awaits_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].node, MapNode) and self._stack[-1].key is None

    def _key(self, node: Scalar) -> None:
        frame = self._stack[-1]
        assert isinstance(frame.node, MapNode), "BUG: a key outside of a mapping"
        start, end = node.start, node.end
        self.keys.append((start, end))
        refusal, first = refuse_key(node.text, node.style, self._text[:start][-24:]), frame.node.entries.get(node.text)
        if refusal:
            self._error(refusal.code, refusal.message, start, end, help=refusal.help)
        elif first:
            self.reports.steps = self._steps()
            report_twice(self.reports, node.text, start, end, first=first)
        if node.style == "double":
            report_hidden(self.reports, node.text, start, end)
        frame.key = _Key(start=start, end=end, text=None if refusal or first else node.text)

    # --- aliases and collections ---

    def _alias(self, event: AliasEvent) -> None:
        start, end, name = _start(event), _end(event), event.anchor or ""
        if self._awaits_key():
            self._error("FB112", "keys must be words, and this is an alias", start, end, help="write the key out")
            self._stack[-1].key = _Key(start=start, end=end, text=None)
            return
        anchor = self._find_anchor(name, start, end)
        self._count(anchor.size if anchor else 1, start, by_alias=anchor is not None)
        if anchor is None:
            self._attach(Scalar(start=start, end=end, style="plain", text="", value=None, parent_indent=-1))
            return
        if len(self._stack) + anchor.height > MAX_DEPTH:
            self.too_deep(start)
            raise _Stop
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, anchor.height)
        self._attach(Alias(start=start, end=end, target=anchor.node))

    def _find_anchor(self, name: str, start: int, end: int) -> Anchor | None:
        if any(frame.anchor == name for frame in self._stack):
            message = f"the alias '*{name}' stands inside of what it repeats"
            self._error("FB110", message, start, end, help="write the value out")
            return None
        anchor = self._anchors.find(name)
        if anchor is None:
            key = self._stack[-1].key if self._stack else None
            self.reports.steps = self._steps()
            self._anchors.report_undefined(name, start, end, key=key.text if key else None)
        return anchor

    def _open(self, event: CollectionStartEvent) -> None:
        start = self._content_start(event)
        self._count(1, start)
        if len(self._stack) >= MAX_DEPTH:
            self.too_deep(start)
            raise _Stop
        is_mapping = isinstance(event, MappingStartEvent)
        is_flow = bool(event.flow_style)
        is_key = self._awaits_key()
        template = is_mapping and is_flow and self._text.startswith("{{", start)
        if template:
            self._unquoted_template(start)
        elif is_key:
            kind = "mapping" if is_mapping else "list"
            self._error(
                "FB112", f"keys must be words, and this is a {kind}", start, start + 1, help="quote it if it is text"
            )
        if is_key or template:
            self.reports.silence()
        node = (
            MapNode(start=start, end=start, entries={}, value={})
            if is_mapping
            else ListNode(start=start, end=start, items=[], value=[])
        )
        self._stack.append(
            _Frame(
                node=node,
                anchor=event.anchor,
                anchor_start=_start(event),
                counted_before=self._counted - 1,
                height=0,
                key=None,
                is_key=is_key,
                is_silent=is_key or template,
                is_flow=is_flow,
            )
        )

    def _unquoted_template(self, start: int) -> None:
        closed = self._text.find("}}", start)
        line_end = self._source.line_span(self._source.position(start)[0])[1]
        end = closed + 2 if 0 <= closed < line_end else start + 2
        is_inner = any(frame.is_flow for frame in self._stack)
        help = quoted_help(self._text[start : end if is_inner else line_end])
        self._error("FB112", "a template must stand in quotes", start, end, help=help)

    def _close(self, event: Event) -> None:
        frame = self._stack.pop()
        node = frame.node
        node.end = _end(event) if frame.is_flow else _end_of_last(node)
        if frame.is_silent:
            self.reports.speak()
        if frame.anchor:
            size = self._counted - frame.counted_before
            self._add_anchor(frame.anchor, node, size=size, height=frame.height + 1, start=frame.anchor_start)
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, frame.height + 1)
        if frame.is_key:
            self._stack[-1].key = _Key(start=node.start, end=node.end, text=None)
        else:
            self._attach(node)

    # --- the tree ---

    def _attach(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        if isinstance(frame.node, ListNode):
            frame.node.items.append(node)
            frame.node.value.append(node.value)
            return
        key, frame.key = frame.key, None
        assert key is not None, "BUG: a value without a key"
        frame.node.end = max(frame.node.end, node.end, key.end)
        if key.text is not None:
            frame.node.entries[key.text] = Entry(key_start=key.start, key_end=key.end, node=node)
            frame.node.value[key.text] = node.value

    def _content_start(self, event: NodeEvent) -> int:
        """Where a node begins behind its anchor and tag."""
        start: int = _start(event)
        if event.anchor is None and getattr(event, "tag", None) is None:
            return start
        while found := _PROPERTY.match(self._text, start):
            if self._text[start] == "!" and isinstance(event, ScalarEvent) and not event.value and not event.style:
                self._bare_tags.add(start)
            start = found.end()
        return start

    def _add_anchor(self, name: str, node: Scalar | ListNode | MapNode, *, size: int, height: int, start: int) -> None:
        sign = max(self._text.find(f"&{name}", start), start)
        self._anchors.add(Anchor(name=name, node=node, size=size, height=height, start=sign, used=False))

    def _count(self, size: int, at: int, *, by_alias: bool = False) -> None:
        self._counted += size
        if self._counted <= MAX_NODES:
            return
        what = "with this alias the file stands for" if by_alias else "the file holds"
        self.reports.speak_up()
        self._error("FB105", f"{what} more than {MAX_NODES:,} values", at, at + 1, help=USE_A_TABLE)
        raise _Stop

    def _error(self, code: str, message: str, start: int, end: int, *, help: str) -> None:
        self.reports.steps = self._steps()
        self.reports.error(code, message, start, end, help=help)

    def _steps(self) -> Steps:
        steps: list[str | int] = []
        for frame in self._stack:
            if isinstance(frame.node, ListNode):
                steps.append(len(frame.node.items))
            elif frame.key and frame.key.text is not None:
                steps.append(frame.key.text)
            else:
                break
        return tuple(steps)


def _start(event: Event) -> int:
    mark = event.start_mark
    assert mark is not None, "BUG: an event from a text has its place"
    return mark.index


def _end(event: Event) -> int:
    mark = event.end_mark
    assert mark is not None, "BUG: an event from a text has its place"
    return mark.index


def _end_of_last(node: ListNode | MapNode) -> int:
    if isinstance(node, ListNode):
        return node.items[-1].end if node.items else node.start
    return node.end
