"""YAML's events as plain data and a tree of nodes that know where they stand; all that is wrong on the way is noted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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

from flux2batch.reading.hidden import HIDDEN, hidden_name
from flux2batch.reading.problems import Note, Problem, error, warning
from flux2batch.reading.source import Source
from flux2batch.reading.spans import Style, double_pieces, source_span
from flux2batch.reading.suggest import did_you_mean
from flux2batch.reading.yaml_comments import quoted_help, swallowed_text
from flux2batch.reading.yaml_events import MAX_DEPTH, Events, TooDeep
from flux2batch.reading.yaml_scalars import resolve
from flux2batch.reading.yaml_text import CONTROL, control_name

MAX_NODES = 50_000
_MAX_PROBLEMS = 200  # more than are ever shown; a file of a megabyte could have a hundred thousand

_STYLES: Mapping[str | None, Style] = {
    None: "plain",
    "": "plain",
    "'": "single",
    '"': "double",
    "|": "literal",
    ">": "folded",
}
_PROPERTY = re.compile(r"[&!][^\s,\[\]{}]*+(?:\s|#[^\r\n]*+(?=[\r\n]))*+")

# Keys whose value is prose: there '*star' is a word that somebody forgot to quote, elsewhere it is meant as an alias.
_PROSE = {"prompt", "name", "description", "title", "text", "label", "note"}
# Tags that other tools give a meaning to: these are meant as tags even with nothing behind them.
_KNOWN_TAGS = {"!env", "!include", "!ref", "!file", "!secret", "!vault", "!reset", "!join", "!merge", "!var"}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What was read: the root, the problems, and the failure that ended the reading early."""

    root: Node | None
    problems: tuple[Problem, ...]
    failure: MarkedYAMLError | None
    keys: tuple[tuple[int, int], ...]  # the spans of all keys, in order
    brackets: tuple[int, ...]  # where the brackets begin that were open at the failure
    quoted: Mapping[int, int]  # end of each quoted scalar → its start


@dataclass(slots=True, kw_only=True)
class _Key:
    start: int
    end: int
    text: str | None  # None where it is no word: its value is read and dropped


@dataclass(slots=True, kw_only=True)
class _Anchor:
    node: Scalar | ListNode | MapNode
    size: int
    height: int
    start: int  # of the '&'
    used: bool


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
    template: bool  # '{{' without quotes: reported once, and nothing inside of it
    is_flow: bool


class _Stop(Exception):
    """A bound was reached, and said so."""


def build(source: Source, text: str) -> Tree:
    """Read `text`, which is the source's or the source's with faults painted over, of the same length."""
    builder = _Builder(source, text)
    failure: MarkedYAMLError | None = None
    try:
        builder.read()
    except MarkedYAMLError as raised:
        failure = raised
    except TooDeep as deep:
        builder.too_deep(deep.index)
    except _Stop:
        pass
    else:
        builder.finish()
    builder.note_lexical_faults()
    return Tree(
        root=builder.root,
        problems=tuple(builder.problems),
        failure=failure,
        keys=tuple(builder.keys),
        brackets=tuple(builder.events.brackets),
        quoted=builder.events.quoted,
    )


class _Builder:
    def __init__(self, source: Source, text: str) -> None:
        self.events = Events(text)
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self.keys: list[tuple[int, int]] = []
        self._source = source
        self._text = text
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchor] = {}
        self._all_anchors: list[_Anchor] = []
        self._bare_tags: set[int] = set()
        self._counted = 0
        self._silent = 0
        self._documents = 0

    # --- the events, one by one ---

    def read(self) -> None:
        while (event := self.events.next()) is not None:
            if isinstance(event, DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    return self._second_document(event)
            elif isinstance(event, ScalarEvent):
                self._scalar(event)
            elif isinstance(event, AliasEvent):
                self._alias(event)
            elif isinstance(event, CollectionStartEvent):
                self._open(event)
            elif isinstance(event, CollectionEndEvent):
                self._close(event)
        return None

    def _second_document(self, event: Event) -> None:
        at = _start(event)
        self._error(
            "FB102", "more than one YAML document", at, at + 3, help="one file holds one job; put each into its own"
        )

    def _scalar(self, event: ScalarEvent) -> None:
        start, end = self._content_start(event), _end(event)
        start = min(start, end)
        self._count(1, start)
        style = _STYLES[event.style]
        if self._awaits_key():
            return self._key(event, style, start, end)
        node = Scalar(
            start=start,
            end=end,
            style=style,
            text=event.value,
            value=event.value,
            parent_indent=self.events.block_parents.pop(start, -1) if style in ("literal", "folded") else -1,
        )
        if style == "plain":
            self._plain_value(node, is_tagged=event.tag is not None)
        elif style == "double":
            self._check_escapes(event.value, start, end)
        self._remember(event, node, size=1, height=0)
        self._attach(node)
        return None

    def _plain_value(self, node: Scalar, *, is_tagged: bool) -> None:
        resolved = resolve(node.text)
        node.value = resolved.value
        if resolved.fault:
            self._odd_number(node, resolved.fault)
        if is_tagged:
            return
        if not node.text and self._misses_space(node):
            return
        dropped = swallowed_text(self._source, node.text, node.value, node.end)
        if dropped and not self._silent:
            self._note(dropped)

    def _odd_number(self, node: Scalar, fault: str) -> None:
        shown = node.text if len(node.text) <= 24 else f"{node.text[:20]}…"
        match fault:
            case "not finite":
                self._error(
                    "FB114",
                    f"'{shown}' is not a number that can be used",
                    node.start,
                    node.end,
                    help="give a number with digits, or quote it if it is text",
                )
            case "too large":
                self._error(
                    "FB114",
                    f"the number {shown} is too large",
                    node.start,
                    node.end,
                    help="whole numbers go up to 2^63; quote it if it is text",
                )
            case "leading zeros":
                self._warning(
                    "FB117",
                    f"{shown} is the number {node.value}; its leading zeros are dropped",
                    node.start,
                    node.end,
                    help=f'write {node.value}, or quote it if the zeros matter: "{shown}"',
                )

    def _misses_space(self, node: Scalar) -> bool:
        """`{colour:red}` is one long key without a value: hardly what was meant."""
        frame = self._stack[-1] if self._stack else None
        if frame is None or not frame.is_flow or frame.key is None or frame.key.text is None:
            return False
        key = frame.key
        colon = self._text.find(":", key.start, key.end)
        if colon < 0 or self._text[key.start] in "\"'" or ":" in self._text[key.end : node.start]:
            return False
        self._error("FB100", "a space is missing after ':'", colon, colon + 1, help=_with_space(key.text or ""))
        return True

    def _check_escapes(self, value: str, start: int, end: int) -> None:
        if not CONTROL.search(value):
            return
        pieces = double_pieces(self._text, start + 1, end - 1)
        for found in CONTROL.finditer(value):
            first, last = source_span(pieces, found.start(), found.end()) or (start, end)
            remedy = "write the character itself" if "\ud800" <= found[0] <= "\udfff" else "delete it"
            self._error("FB116", f"{control_name(found[0])} in a text", first, last, help=remedy)

    def _alias(self, event: AliasEvent) -> None:
        start, end, name = _start(event), _end(event), event.anchor or ""
        if self._awaits_key():
            self._error("FB112", "keys must be words, and this is an alias", start, end, help="write the key out")
            self._stack[-1].key = _Key(start=start, end=end, text=None)
            return
        anchor = self._anchors.get(name)
        if any(frame.anchor == name for frame in self._stack):
            self._error(
                "FB110", f"the alias '*{name}' stands inside of what it repeats", start, end, help="write the value out"
            )
            anchor = None
        elif anchor is None:
            self._undefined(name, start, end)
        if anchor is None:
            self._count(1, start)
            self._attach(Scalar(start=start, end=end, style="plain", text="", value=None, parent_indent=-1))
            return
        anchor.used = True
        self._count(anchor.size, start, by_alias=True)
        if len(self._stack) + anchor.height > MAX_DEPTH:
            self.too_deep(start)
            raise _Stop
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, anchor.height)
        self._attach(Alias(start=start, end=end, target=anchor.node))

    def _undefined(self, name: str, start: int, end: int) -> None:
        key = self._stack[-1].key if self._stack else None
        if key is not None and key.text in _PROSE and not self._all_anchors:
            self._error("FB100", "'*' cannot start a plain value", start, start + 1, help=f'quote it: "*{name}"')
            return
        help = (
            did_you_mean(name, self._anchors)
            or f"mark a value with '&{name}' above, or quote it if it is text: \"*{name}\""
        )
        self._error("FB110", f"the alias '*{name}' stands for nothing", start, end, help=help)

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
            self._silent += 1
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
                template=template,
                is_flow=is_flow,
            )
        )

    def _unquoted_template(self, start: int) -> None:
        closed = self._text.find("}}", start)
        line_end = self._source.line_span(self._source.position(start)[0])[1]
        end = closed + 2 if 0 <= closed < line_end else start + 2
        self._error(
            "FB112", "a template must stand in quotes", start, end, help=quoted_help(self._text[start:line_end])
        )

    def _close(self, event: Event) -> None:
        frame = self._stack.pop()
        node = frame.node
        node.end = _end(event) if frame.is_flow else _end_of_last(node)
        if frame.is_key or frame.template:
            self._silent -= 1
        if frame.anchor:
            size = self._counted - frame.counted_before
            self._add_anchor(frame.anchor, node, size=size, height=frame.height + 1, start=frame.anchor_start)
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, frame.height + 1)
        if frame.is_key:
            self._stack[-1].key = _Key(start=node.start, end=node.end, text=None)
        else:
            self._attach(node)

    # --- keys ---

    def _awaits_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].node, MapNode) and self._stack[-1].key is None

    def _key(self, event: ScalarEvent, style: Style, start: int, end: int) -> None:
        frame = self._stack[-1]
        assert isinstance(frame.node, MapNode)
        self.keys.append((start, end))
        text: str | None = event.value
        first = frame.node.entries.get(event.value)
        refusal = self._refusal(event.value, style)
        if refusal:
            code, message, help = refusal
            self._error(code, message, start, end, help=help)
            text = None
        elif first:
            place = self._source.place(first.key_start, first.key_end)
            note = Note(text=f"first at line {place.line}", where=place)
            self._error(
                "FB113",
                f"key '{_short(event.value)}' appears twice in this mapping",
                start,
                end,
                help="delete one of the two",
                notes=[note],
            )
            text = None
        if style == "double":
            self._check_escapes(event.value, start, end)
            self._check_hidden(event.value, start, end)
        frame.key = _Key(start=start, end=end, text=text)
        self._remember(event, _key_node(event.value, style, start, end), size=1, height=0)

    def _refusal(self, text: str, style: Style) -> tuple[str, str, str] | None:
        if style != "plain":
            return (
                None if text else ("FB112", "keys must be words, and this one is empty", "write a word before the ':'")
            )
        if text == "<<":
            return "FB110", "merge keys ('<<') are not part of YAML 1.2", "write the keys out"
        if not text:
            return "FB112", "keys must be words, and this one is empty", "write a word before the ':'"
        resolved = resolve(text)
        if isinstance(resolved.value, str):
            return None
        return "FB112", f"keys must be words, got {_short(text)}", f'quote it: "{_short(text)}"'

    def _check_hidden(self, text: str, start: int, end: int) -> None:
        written = self._text[start:end]
        escaped = next((found[0] for found in HIDDEN.finditer(text) if found[0] not in written), None)
        if escaped:
            self._error(
                "FB120", f"{hidden_name(escaped)} cannot be seen and stands in a key", start, end, help="delete it"
            )

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

    def _remember(self, event: ScalarEvent, node: Scalar, *, size: int, height: int) -> None:
        if event.anchor:
            self._add_anchor(event.anchor, node, size=size, height=height, start=_start(event))

    def _add_anchor(self, name: str, node: Scalar | ListNode | MapNode, *, size: int, height: int, start: int) -> None:
        sign = max(self._text.find(f"&{name}", start), start)
        anchor = _Anchor(node=node, size=size, height=height, start=sign, used=False)
        self._anchors[name] = anchor
        self._all_anchors.append(anchor)

    def _count(self, size: int, at: int, *, by_alias: bool = False) -> None:
        self._counted += size
        if self._counted <= MAX_NODES:
            return
        what = "with this alias the file stands for" if by_alias else "the file holds"
        self._silent = 0
        self._error(
            "FB105",
            f"{what} more than {MAX_NODES:,} values",
            at,
            at + 1,
            help="use a range such as 1..60000, or a table under 'data'",
        )
        raise _Stop

    # --- problems ---

    def too_deep(self, at: int) -> None:
        self._silent = 0
        self._error("FB106", f"nested deeper than {MAX_DEPTH} levels", at, at + 1, help="take brackets or '- ' away")

    def finish(self) -> None:
        """What can only be known at the end: anchors that nothing uses are words that somebody forgot to quote."""
        for anchor in self._all_anchors:
            if anchor.used or not isinstance(anchor.node, Scalar):
                continue
            name = re.compile(r"&[^\s,\[\]{}]*").match(self._text, anchor.start)
            shown = name[0] if name else "&"
            self._error(
                "FB100",
                f"'&' cannot start a plain value: '{shown}' is read as a mark, and nothing uses it",
                anchor.start,
                anchor.start + 1,
                help="quote the value",
            )

    def note_lexical_faults(self) -> None:
        self._silent = 0
        for start, end in self.events.tags:
            self._tag(start, end)
        for escape in self.events.escapes:
            shown = self._text[escape.start : escape.end]
            self._error(
                "FB100",
                f"'{shown}' is no escape that YAML knows",
                escape.start,
                escape.end,
                help="write \\\\ for a backslash, or use single quotes",
            )

    def _tag(self, start: int, end: int) -> None:
        tag = self._text[start:end]
        is_prose = tag == "!" or (
            start in self._bare_tags and not tag.startswith(("!!", "!<")) and tag not in _KNOWN_TAGS
        )
        if is_prose:
            self._error("FB100", "'!' cannot start a plain value", start, start + 1, help=f'quote it: "{_short(tag)}"')
            return
        self._error(
            "FB111",
            f"tags such as '{_short(tag)}' are not allowed",
            start,
            end,
            help="write the value itself, or quote it if it is text",
        )

    def _error(
        self, code: str, message: str, start: int, end: int, *, help: str, notes: list[Note] | None = None
    ) -> None:
        if not self._silent and len(self.problems) < _MAX_PROBLEMS:
            where = self._source.place(start, end)
            self._note(error(code, message, where=where, steps=self._steps(), help=help, notes=notes or ()))

    def _warning(self, code: str, message: str, start: int, end: int, *, help: str) -> None:
        if not self._silent:
            self._note(warning(code, message, where=self._source.place(start, end), steps=self._steps(), help=help))

    def _note(self, problem: Problem) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(problem)

    def _steps(self) -> tuple[str | int, ...]:
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


def _key_node(text: str, style: Style, start: int, end: int) -> Scalar:
    value = resolve(text).value if style == "plain" else text
    return Scalar(start=start, end=end, style=style, text=text, value=value, parent_indent=-1)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _with_space(key: str) -> str:
    name, _, rest = key.partition(":")
    return f"write '{_short(name)}: {_short(rest)}'"
