"""Small mistakes made in code on purpose: a mutant is one module with one change, found by its number or its words."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
_DROPPED = (ast.Expr, ast.Assign, ast.AugAssign, ast.Return, ast.Raise)
_UNTOUCHED = (ast.Assert, ast.Import, ast.ImportFrom)  # an assertion says BUG: it holds no behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change to one module."""

    file: str  # relative to the package
    line: int
    within: str  # the function or class that it is in
    change: str
    source: str

    @property
    def name(self) -> str:
        """What it is called where survivors are explained: it stays when lines move."""
        return f"{self.file} {self.within}: {self.change}"


def mutants(package: Path, file: str) -> list[Mutant]:
    """Every mutant of one module, in the order of its lines."""
    tree = ast.parse((package / file).read_text(encoding="utf-8"))
    found: list[Mutant] = []
    same: Counter[tuple[str, str]] = Counter()
    for within, holder, attribute, position, change, replacement in _changes(tree, "", None):
        mutated = copy.deepcopy(tree)
        spot = _same_place(tree, mutated, holder)
        _put(spot, attribute, position, copy.deepcopy(replacement))
        line = _line(holder, attribute, position)
        same[within, change] += 1
        # Of two equal numbers in one statement the second is another mutant.
        change += f" ({same[within, change]})" if same[within, change] > 1 else ""
        source = ast.unparse(ast.fix_missing_locations(mutated))
        found.append(Mutant(file=file, line=line, within=within or "module", change=change, source=source))
    return sorted(found, key=lambda one: one.line)


_Change = tuple[str, ast.AST, str, int | None, str, ast.AST | None]


def _changes(node: ast.AST, within: str, statement: ast.stmt | None) -> Iterator[_Change]:
    """Where something may be put in another's place: holder, attribute, position in its list, words, what is put."""
    if isinstance(node, _UNTOUCHED):
        return
    for attribute, value in ast.iter_fields(node):
        if attribute in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for position, child in children:
            if not isinstance(child, ast.AST):
                continue
            inner = f"{within}.{child.name}".lstrip(".") if _is_named(child) else within
            around = child if isinstance(child, ast.stmt) else statement
            for words, replacement in _instead(child, is_body=attribute in ("body", "orelse", "finalbody")):
                # A number alone tells nobody where it stands.
                where = f" in {_short(around, 60)}" if around is not None and around is not child else ""
                yield inner, node, attribute, position, words + where, replacement
            if _is_function(child):
                yield from _early(child, inner)
            yield from _changes(child, inner, around)


def _instead(node: ast.AST, *, is_body: bool) -> Iterator[tuple[str, ast.AST | None]]:
    """What may stand in this node's place."""
    match node:
        case ast.Compare(ops=[operator]):
            for other in _COMPARED[type(operator)]:
                changed = copy.deepcopy(node)
                changed.ops = [other()]
                yield _said(node, changed), changed
        case ast.BoolOp(op=operator):
            changed = copy.deepcopy(node)
            changed.op = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield _said(node, changed), changed
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _said(node, operand), operand
        case ast.BinOp(op=operator) if type(operator) in _COUNTED:
            changed = copy.deepcopy(node)
            changed.op = _COUNTED[type(operator)]()
            yield _said(node, changed), changed
        case ast.Constant(value=bool() as truth):
            changed = ast.Constant(value=not truth)
            yield _said(node, changed), changed
        case ast.Constant(value=int() | float() as number):
            for step in (1, -1):
                changed = ast.Constant(value=number + step)
                yield _said(node, changed), changed
        case ast.IfExp(test=test) if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            changed = copy.deepcopy(node)
            changed.test = ast.UnaryOp(op=ast.Not(), operand=changed.test)
            yield _said(node, changed), changed
        case ast.If(test=test) if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            changed = copy.deepcopy(node)
            changed.test = ast.UnaryOp(op=ast.Not(), operand=changed.test)
            yield f"if {_short(test)} → if not {_short(test)}", changed
        case ast.Dict(keys=keys) if len(keys) > 1:
            for number, key in enumerate(keys):
                if key is not None:
                    changed = copy.deepcopy(node)
                    del changed.keys[number], changed.values[number]
                    yield f"without {_short(key)}: {_short(node.values[number])}", changed
        case ast.Set(elts=elements) if len(elements) > 1:
            for number, element in enumerate(elements):
                changed = copy.deepcopy(node)
                del changed.elts[number]
                yield f"without {_short(element)}", changed
        case ast.Call(func=ast.Name(id="replace"), keywords=keywords):
            for number, keyword in enumerate(keywords):
                changed = copy.deepcopy(node)
                del changed.keywords[number]
                yield f"{_short(node.func)}(…) without {_short(keyword)}", changed
    if is_body and isinstance(node, _DROPPED) and not _is_docstring(node) and not _holds_no_behaviour(node):
        yield f"without {_short(node)}", ast.Pass()


def _early(function: ast.FunctionDef | ast.AsyncFunctionDef, within: str) -> Iterator[_Change]:
    """The function returns before it does anything."""
    at = 1 if _is_docstring(function.body[0]) else 0
    rest = function.body[at:]
    if len(rest) > 1 or (rest and not isinstance(rest[0], (*_DROPPED, ast.Pass))):
        yield within, function, "body", at, "returns at once", ast.Return(value=None)


def _put(holder: ast.AST, attribute: str, position: int | None, replacement: ast.AST | None) -> None:
    if position is None:
        setattr(holder, attribute, replacement)
        return
    if isinstance(replacement, ast.Return) and replacement.value is None and _is_function(holder):
        getattr(holder, attribute).insert(position, replacement)
        return
    getattr(holder, attribute)[position] = replacement


def _same_place(tree: ast.AST, other: ast.AST, node: ast.AST) -> ast.AST:
    return next(there for here, there in zip(ast.walk(tree), ast.walk(other), strict=True) if here is node)


def _line(holder: ast.AST, attribute: str, position: int | None) -> int:
    value = getattr(holder, attribute)
    node = value if position is None else value[position]
    return int(getattr(node, "lineno", getattr(holder, "lineno", 1)))


def _said(before: ast.AST, after: ast.AST) -> str:
    return f"{_short(before)} → {_short(after)}"


def _short(node: ast.AST, most: int = 110) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _is_named(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) or _is_function(node)


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _holds_no_behaviour(node: ast.AST) -> bool:
    """What may be left out and nothing can tell."""
    match node:
        case ast.Return(value=None | ast.Constant(value=None)):
            return True  # most often the last line
        case ast.Raise(exc=ast.Call(func=ast.Name(id="AssertionError"))):
            return True  # it says BUG, as an assertion does
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript(value=ast.Name())):
            return name[:1].isupper() and not name.isupper()  # another name for a type: annotations are not evaluated
        case _:
            return False
