"""Carry on behind mistakes: the part of a faulty document that is sound, for finding what else is wrong in it.

A key that is nearly a known one is read as that one. Whatever else has a problem is left out, together with what it
belongs to: an axis, a constant, a rule. What is left is never run or priced; what is said about it must be true
whatever stood in the part that was left out, so that part is remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flux2batch.reading.document import Document
from flux2batch.reading.foreign_keys import SERVICE_NAMES
from flux2batch.reading.lost import Lost
from flux2batch.reading.names import name_problems
from flux2batch.reading.problems import Problem, Steps
from flux2batch.reading.schema import check_shape, is_well_shaped, job_schema
from flux2batch.reading.suggest import closest
from flux2batch.reading.unknown_keys import near_key, parameters
from flux2batch.reading.yaml_nodes import Alias, Entry, ListNode, MapNode, Node

_NAMING = frozenset({"sweep", "zip", "draw", "vars", "data"})
_AXES = frozenset({"sweep", "zip", "draw"})
_NAMELESS = frozenset({"budget", "run", "output", "sheet"})
_HOPELESS = frozenset({"FB206", "FB701"})  # another language; a secret, which nothing more may be said about


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """The sound part of a document, what was lost of it, and what more is wrong with its shape."""

    document: Document
    lost: Lost
    further: tuple[Problem, ...]


def recover(document: Document, problems: Collection[Problem]) -> Recovered | None:
    """The sound part of a document with these problems; None where nothing sound can be told from the rest."""
    if any(problem.code in _HOPELESS for problem in problems):
        return None
    further: list[Problem] = []
    renamed = _with_keys_as_meant(document, _errors(problems))
    if renamed is not document:
        told = {problem.steps for problem in problems}
        further += [problem for problem in check_shape(renamed) if problem.steps not in told]
        if any(problem.code in _HOPELESS for problem in further):
            return None
    lost = Lost()
    cuts = {_cut(problem.steps) for problem in (*problems, *further) if problem.severity == "error"}
    sound, lost = _without(renamed, cuts, lost)
    if not is_well_shaped(sound.data):
        return None
    named = [problem for problem in name_problems(sound, may_be_lost=lost.holds) if problem not in problems]
    sound, lost = _without(sound, {_cut(problem.steps) for problem in named}, lost)
    further += (problem for problem in named if problem.steps not in {each.steps for each in (*problems, *further)})
    if not is_well_shaped(sound.data):
        return None
    return Recovered(document=sound, lost=lost, further=tuple(further))


def _errors(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]


def _with_keys_as_meant(document: Document, problems: Sequence[Problem]) -> Document:
    for problem in problems:
        if problem.code != "FB201":
            continue
        parent = _at(document.data, problem.steps[:-1])
        meant = near_key(problem.steps, job_schema())
        if meant is not None and isinstance(parent, dict) and problem.steps[-1] in parent and meant not in parent:
            document = _changed(document, {problem.steps: meant})
    return document


def _cut(steps: Steps) -> Steps:
    """What must go where there is a problem: a whole axis, and not one of its values, for others count on the rest."""
    top = steps[0] if steps else None
    return steps[: 3 if top == "zip" else 1 if top in ("prompt", "tags", "repeat") else 2]


def _without(document: Document, cuts: Collection[Steps], lost: Lost) -> tuple[Document, Lost]:
    """The document less these parts, and what is lost with them."""
    cuts = {cut for cut in cuts if cut}
    names, everything = set(lost.names), lost.everything
    for cut in cuts:
        value = _at(document.data, cut)
        if cut[0] not in _NAMELESS:
            found = {str(cut[-1]), *_keys_in(value)} - _NAMING
            meant = closest(str(cut[-1]), parameters()) if cut[0] in _AXES else None
            names |= {meant} if meant else set()
            names |= found | {SERVICE_NAMES[name] for name in found if name in SERVICE_NAMES}
        whole = cut[0] in _NAMING and (len(cut) == 1 or (cut[0] == "zip" and len(cut) == 2))
        everything = everything or (whole and not isinstance(value, dict))
    tops = {cut[0] for cut in cuts}
    after = Lost(
        names=frozenset(names),
        everything=everything,
        rules=lost.rules or bool(tops & {"exclude", "include", "override"}),
        references=lost.references or "references" in tops,
    )
    return _changed(document, dict.fromkeys(cuts)), after


def _at(value: Any, steps: Steps) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


_MOST_KEYS = 100_000


def _keys_in(value: Any) -> Iterator[str]:
    """Every key in a value, at any depth, as far as there is any use in it."""
    waiting, seen = [value], 0
    while waiting and seen < _MOST_KEYS:
        each = waiting.pop()
        seen += 1
        if isinstance(each, dict):
            yield from map(str, each)
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


Changes = Mapping[Steps, str | None]
"""A new name for a key, or None: it is left out with its value."""


def _changed(document: Document, changes: Changes) -> Document:
    """The document with these changes, every other value in its place; nothing of it is changed itself."""
    if not changes:
        return document
    data, root = _rebuilt(document.data, document._root, (), changes)
    return replace(document, data=data, _root=root)


def _rebuilt(value: Any, node: Node | None, at: Steps, changes: Changes) -> tuple[Any, Node | None]:
    below = [steps for steps in changes if len(steps) > len(at) and steps[: len(at)] == at]
    if not below or not isinstance(value, dict | list):
        return value, node
    here = {steps[len(at)] for steps in below}
    if isinstance(node, Alias):
        inner, target = _rebuilt(value, node.target, at, changes)
        return inner, replace(node, target=target) if target and not isinstance(target, Alias) else node
    if isinstance(value, dict):
        return _rebuilt_mapping(value, node if isinstance(node, MapNode) else None, at, changes, here)
    nodes = node.items if isinstance(node, ListNode) else []
    items, kept = [], []
    for index, item in enumerate(value):
        if changes.get((*at, index), "") is None:
            continue
        inner_node = nodes[index] if index < len(nodes) else None
        made, made_node = _rebuilt(item, inner_node, (*at, index), changes) if index in here else (item, inner_node)
        items.append(made)
        kept += [made_node] if made_node else []
    return items, replace(node, items=kept, value=items) if isinstance(node, ListNode) else node


def _rebuilt_mapping(
    value: dict[str, Any], node: MapNode | None, at: Steps, changes: Changes, here: Collection[str | int]
) -> tuple[dict[str, Any], MapNode | None]:
    data: dict[str, Any] = {}
    entries: dict[str, Entry] = {}
    for key, inner in value.items():
        change = changes.get((*at, key), key)
        if change is None:
            continue
        entry = node.entries.get(str(key)) if node else None
        inner_node = entry.node if entry else None
        if key in here and change == key:
            inner, inner_node = _rebuilt(inner, inner_node, (*at, key), changes)
        data[change] = inner
        if entry and inner_node:
            entries[change] = replace(entry, node=inner_node)
    return data, replace(node, entries=entries, value=data) if node else None
