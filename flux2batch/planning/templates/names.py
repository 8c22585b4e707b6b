"""Find the names that a template takes from outside, and where each stands first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jinja2 import nodes

_OF_LOOPS = frozenset({"loop"})
_OF_MACROS = frozenset({"varargs", "kwargs", "caller"})

FreeNames = dict[str, nodes.Node]
"""Each name with the first node that uses it; a name that an included file uses, with the tag that includes it."""


def free_names(body: list[nodes.Node], included: Callable[[str], Iterable[str]]) -> FreeNames:
    """The names in these nodes that nothing in them defines. `included` gives the free names of a file."""
    found: FreeNames = {}
    # A macro may call one that is defined further down.
    macros = frozenset(node.name for node in body if isinstance(node, nodes.Macro))
    _walk(body, macros, included, found)
    return found


def _walk(
    siblings: list[nodes.Node], bound: frozenset[str], included: Callable[[str], Iterable[str]], found: FreeNames
) -> None:
    """Notes what is free in nodes that follow one another. What one of them defines, the next ones know."""
    for node in siblings:
        match node:
            case nodes.Name():
                if node.ctx == "load" and node.name not in bound:
                    found.setdefault(node.name, node)
            case nodes.For():
                _walk([node.iter, *node.else_], bound, included, found)
                inside = bound | _OF_LOOPS | _names_in(node.target)
                _walk([*([node.test] if node.test else []), *node.body], inside, included, found)
            case nodes.Macro():
                _walk(list(node.defaults), bound, included, found)
                inside = bound | _OF_MACROS | {argument.name for argument in node.args}
                _walk(list(node.body), inside, included, found)
            case nodes.Import():
                bound |= {node.target}
            case nodes.FromImport():
                bound |= {name if isinstance(name, str) else name[1] for name in node.names}
            case nodes.Include():
                assert isinstance(node.template, nodes.Const)
                for name in included(node.template.value):
                    if name not in bound:
                        found.setdefault(name, node)
            case _:
                _walk(list(node.iter_child_nodes()), bound, included, found)


def _names_in(target: nodes.Node) -> set[str]:
    """The names that a loop gives its items."""
    inner = {name.name for name in target.find_all(nodes.Name)}
    return inner | {target.name} if isinstance(target, nodes.Name) else inner
