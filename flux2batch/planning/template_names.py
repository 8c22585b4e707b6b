"""Find the names that a template takes from outside, and where each stands first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jinja2 import nodes

_OF_LOOPS = frozenset({"loop"})
_OF_MACROS = frozenset({"varargs", "kwargs", "caller"})

FreeNames = dict[str, nodes.Node]
"""Each name with the first node that uses it; a name that an included file uses, with the tag that includes it."""


def free_names(
    body: Iterable[nodes.Node], bound: frozenset[str], included: Callable[[str], list[nodes.Node]]
) -> FreeNames:
    """The names in these nodes that nothing in them defines. `included` gives the nodes of a file."""
    found: FreeNames = {}
    _walk(list(body), bound, included, found)
    return found


def _walk(
    siblings: list[nodes.Node], bound: frozenset[str], included: Callable[[str], list[nodes.Node]], found: FreeNames
) -> frozenset[str]:
    """Notes what is free in nodes that follow one another. What one of them defines, the next ones know."""
    for node in siblings:
        match node:
            case nodes.Name():
                if node.ctx == "load" and node.name not in bound:
                    found.setdefault(node.name, node)
            case nodes.For():
                _walk([node.iter], bound, included, found)
                inside = (
                    bound
                    | _OF_LOOPS
                    | {target.name for target in node.target.find_all(nodes.Name)}
                    | _own_name(node.target)
                )
                _walk([*([node.test] if node.test else []), *node.body], inside, included, found)
                _walk(list(node.else_), bound, included, found)
            case nodes.Macro():
                _walk(list(node.defaults), bound, included, found)
                arguments = {argument.name for argument in node.args}
                bound |= {node.name}
                _walk(list(node.body), bound | arguments | _OF_MACROS, included, found)
            case nodes.Import():
                bound |= {node.target}
            case nodes.FromImport():
                bound |= {name if isinstance(name, str) else name[1] for name in node.names}
            case nodes.Include():
                assert isinstance(node.template, nodes.Const)
                inner: FreeNames = {}
                _walk(included(node.template.value), bound, included, inner)
                for name in inner:
                    found.setdefault(name, node)
            case _:
                _walk(list(node.iter_child_nodes()), bound, included, found)
    return bound


def _own_name(target: nodes.Node) -> set[str]:
    return {target.name} if isinstance(target, nodes.Name) else set()
