"""YAML text as plain data with the place of every key and value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flux2batch.reading.files import read_file as read_file
from flux2batch.reading.hidden import hidden_characters
from flux2batch.reading.plain_data import plain_data, shown
from flux2batch.reading.problems import Place, Problem, Steps, error, has_errors, in_order
from flux2batch.reading.source import Source
from flux2batch.reading.spans import (
    Piece,
    Spans,
    block_text,
    double_pieces,
    plain_pieces,
    single_pieces,
)
from flux2batch.reading.yaml_nodes import Alias, Entry, ListNode, MapNode, Node, Scalar
from flux2batch.reading.yaml_text import decode
from flux2batch.reading.yaml_tree import Tree, build

if TYPE_CHECKING:
    from flux2batch.reading.yaml_faults import Patch

_MAX_FAULTS = 20
_MAX_READ = 400_000  # characters over all readings of one faulty file: each fault that is painted over costs one more

# Errors that change no other value: the first of two equal keys counts, a stand-in takes the place of a lost character.
_LOCAL = {"FB113", "FB115", "FB116", "FB120", "FB121"}

Expected = Literal["job", "anything"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document: `data` is built of dict, list, str, int, float, bool and None (YAML 1.2 core types).

    An alias shares its value with what it repeats, so `data` must not be changed in place.
    """

    name: str  # as the user named the file; "<dict>" where a job was given as Python data
    text: str
    data: Any
    _source: Source | None = field(repr=False)
    _root: Node | None = field(repr=False)

    def place(self, steps: Steps) -> Place | None:
        """Where the value stands (its opening character to its end); of its nearest parent if it is not written."""
        node = self._nearest(steps)
        return self._source.place(node.start, node.end) if node and self._source else None

    @property
    def whole(self) -> Place | None:
        """The file itself, for what is wrong with the job and stands nowhere in it; None for Python data."""
        if self._source is None:
            return None
        return Place(file=self.name, line=1, column=1, end_line=1, end_column=1, line_text=None)

    def key_place(self, steps: Steps) -> Place | None:
        """Where the last key of `steps` stands; the value's own place in a list."""
        entry = self._entry(steps)
        if entry is None or self._source is None:
            return self.place(steps)
        return self._source.place(entry.key_start, entry.key_end)

    def inside(self, steps: Steps, start: int, end: int) -> Place | None:
        """Where characters start..end of a text value stand, through quotes, escapes, folds and block scalars.

        The place of the whole value where it has no such characters, or is no text.
        """
        node = self._find(steps)
        scalar = _target(node) if node else None
        if self._source is None or not isinstance(scalar, Scalar):
            return self.place(steps)
        span = Spans(_pieces(self._source.text, scalar)).span(start, end)
        return self._source.place(*span) if span else self.place(steps)

    def written(self, steps: Steps) -> str | None:
        """A scalar as it was written, without quotes: "2.0" for the number 2.0; None for a list or mapping."""
        if self._source is None:
            return shown(self.data, steps)
        node = self._find(steps)
        scalar = _target(node) if node else None
        return scalar.text if isinstance(scalar, Scalar) else None

    def is_plain(self, steps: Steps) -> bool:
        """Whether it is an unquoted scalar (only those may be ranges)."""
        node = self._find(steps)
        scalar = _target(node) if node else None
        return isinstance(scalar, Scalar) and scalar.style == "plain"

    def is_added(self, steps: Steps) -> bool:  # noqa: ARG002  # what a document with patches asks
        """Whether the value stands on the command line, and nothing of that name in the file."""
        return False

    def _find(self, steps: Steps) -> Node | None:
        node = self._root
        for step in steps:
            node = _child(node, step) if node else None
        return node

    def _nearest(self, steps: Steps) -> Node | None:
        node = self._root
        for step in steps:
            child = _child(node, step) if node else None
            if child is None:
                break
            node = child
        return node

    def _entry(self, steps: Steps) -> Entry | None:
        parent = self._find(steps[:-1]) if steps else None
        mapping = _target(parent) if parent else None
        return mapping.entries.get(str(steps[-1])) if isinstance(mapping, MapNode) else None


def read_document(raw: bytes, *, name: str, expected: Expected = "job") -> tuple[Document | None, tuple[Problem, ...]]:
    """The document in these bytes, or None and what is wrong.

    Warnings come with a document, and so do errors that leave the other values as they were meant (a key that appears
    twice, a byte that is no UTF-8): what else is wrong can then be said in the same breath.
    A job must be a mapping with something in it; where `anything` is expected a list or a single value will do.
    """
    decoded = decode(raw, name=name)
    source, problems = decoded.source, list(decoded.problems)
    if problems and not source.text:
        return None, tuple(problems)
    tree, faults = _read(source)
    problems += [*faults, *tree.problems, *hidden_characters(source, tree.keys)]
    if expected == "job" and not has_errors(problems):
        problems += _refuse_shape(source, tree)
    found = tuple(in_order(problems))
    if not tree.is_whole or faults or any(p.severity == "error" and p.code not in _LOCAL for p in found):
        return None, found
    data = tree.root.value if tree.root else None
    return Document(name=name, text=source.text, data=data, _source=source, _root=tree.root), found


def document_of(data: Mapping[str, Any], *, name: str = "<dict>") -> Document:
    """A document around Python data: it has no places and nothing in it is plain.

    Raises InvalidInput where the data holds what a job file could not.
    """
    return Document(name=name, text="", data=plain_data(data, name=name), _source=None, _root=None)


def _read(source: Source) -> tuple[Tree, list[Problem]]:
    """Read to the end, painting over each fault that allows it: all faults in one go."""
    text, faults = source.text, list[Problem]()
    rounds = min(_MAX_FAULTS, _MAX_READ // (len(text) + 1) + 1)
    while True:
        tree = build(source, text)
        if tree.failure is None:
            return tree, faults
        from flux2batch.reading.yaml_faults import diagnose

        fault = diagnose(source, text, tree.failure, tree)
        faults.append(fault.problem)
        painted = _paint(text, fault.patch) if fault.patch else text
        if painted == text or len(faults) >= rounds:
            return tree, faults
        text = painted


def _paint(text: str, patch: Patch) -> str:
    return text[: patch.start] + patch.paint * (patch.end - patch.start) + text[patch.end :]


def _refuse_shape(source: Source, tree: Tree) -> list[Problem]:
    root = tree.root
    value = root.value if root else None
    if value is None:
        help = "'flux2batch init' writes a first job"
        return [error("FB101", "the file is empty", where=source.place(0, 0), help=help)]
    if isinstance(value, dict) or root is None:
        return []
    kind = {list: "a list", str: "text", bool: "true or false"}.get(type(value), "a number")
    help = "a job begins with the line 'flux2batch: 1'"
    if isinstance(value, str) and (glued := value.partition(":"))[1] and glued[0].isidentifier():
        help = f"a space is missing after '{glued[0]}:'"
    first = source.place(root.start, root.end)
    return [error("FB103", f"expected a mapping with 'flux2batch' and 'prompt', got {kind}", where=first, help=help)]


def _child(node: Node, step: str | int) -> Node | None:
    target = _target(node)
    if isinstance(target, MapNode):
        entry = target.entries.get(str(step))
        return entry.node if entry else None
    if isinstance(target, ListNode) and isinstance(step, int) and 0 <= step < len(target.items):
        return target.items[step]
    return None


def _target(node: Node) -> Scalar | ListNode | MapNode:
    return node.target if isinstance(node, Alias) else node


def _pieces(text: str, scalar: Scalar) -> list[Piece]:
    match scalar.style:
        case "plain":
            return plain_pieces(text, scalar.start, scalar.end)
        case "single":
            return single_pieces(text, scalar.start + 1, scalar.end - 1)
        case "double":
            return double_pieces(text, scalar.start + 1, scalar.end - 1)
        case _:
            block = block_text(text, scalar.start, scalar.parent_indent)
            return block.pieces if block else []
