"""Read a template into a syntax tree that holds nothing but what job templates may do."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

from flux2batch.planning.templates.column_names import with_a_space
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.planning.templates.filters import FILTERS
from flux2batch.planning.templates.jinja_tests import TESTS
from flux2batch.planning.templates.sandbox import JobEnvironment
from flux2batch.planning.templates.tokens import Tokens, TooManyTokens
from flux2batch.reading.suggest import did_you_mean

MAX_SOURCE = 16_384
MAX_NODES = 500
MAX_DEPTH = 40
MAX_LOOPS = 3
"""Loops inside one another."""

FUNCTIONS = frozenset({"ref", "refs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """A checked tree, ready to be compiled, with its tokens to find places by."""

    tokens: Tokens
    tree: nodes.Template
    size: int
    macros: dict[str, int]  # defined here, with their sizes


def read_template(text: str, environment: JobEnvironment, *, is_file: bool) -> Syntax:
    """The tree of a text with tags. Only files of `templates/` may define macros."""
    tokens = _tokens(text, environment, state=None)
    tree = _parsed(tokens, environment, lambda parser: parser.parse())
    return _checked(tokens, tree, is_file=is_file)


def read_expression(text: str, environment: JobEnvironment) -> Syntax:
    """The tree of an expression: its value is assigned to `_value`."""
    tokens = _tokens(text, environment, state="variable")
    expression = _parsed(tokens, environment, _whole_expression)
    target = nodes.Name(RESULT, "store", lineno=1)
    checked = _checked(tokens, nodes.Template([nodes.Output([expression], lineno=1)], lineno=1), is_file=False)
    output = checked.tree.body[0]
    assert isinstance(output, nodes.Output)
    checked.tree.body = [nodes.Assign(target, output.nodes[0], lineno=output.nodes[0].lineno)]
    return checked


RESULT = "_value"
_TAKE_APART = "move parts of it into files of templates/"


def _tokens(text: str, environment: JobEnvironment, *, state: str | None) -> Tokens:
    if len(text) > MAX_SOURCE:
        raise TemplateFault("FB306", f"the template is longer than {MAX_SOURCE:,} characters", 0, 1, _TAKE_APART)
    return Tokens(text, environment.lexer, state=state)


def _parsed(tokens: Tokens, environment: JobEnvironment, parse: Callable[[Parser], Any]) -> Any:
    parser = Parser(environment, "")
    try:
        parser.stream = tokens.stream()
        return parse(parser)
    except TemplateSyntaxError as fault:
        raise _syntax_fault(fault, tokens) from None
    except RecursionError:
        raise TemplateFault("FB306", "the template is nested too deeply", 0, 1, "take it apart") from None
    except TooManyTokens:
        raise TemplateFault("FB306", f"the template has more than {MAX_NODES} parts", 0, 1, _TAKE_APART) from None
    except ValueError:
        # Python reads no whole number of more than 4,300 digits.
        last = tokens.pieces[-1]
        raise TemplateFault("FB306", "the number is too long", last.start, last.end) from None


def _whole_expression(parser: Parser) -> nodes.Expr:
    if parser.stream.eos:
        raise TemplateSyntaxError("the expression is empty", 1)
    expression = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError(f"unexpected '{parser.stream.current.value}'", parser.stream.current.lineno)
    return expression


_WORDS: tuple[tuple[str, str], ...] = (
    (r"Missing end of raw directive", "'{% raw %}' is never closed"),
    (r"[Uu]nexpected end of template.*following tags: '(?:elif' or 'else' or ')?(\w+)'.*", r"'{% \1 %}' is missing"),
    (r"[Uu]nexpected end of template.*", "the template ends in the middle of a tag"),
    (r"expected token 'end of print statement', got '(.*)'", r"unexpected '\1'"),
    (r"expected token 'end of statement block', got '(.*)'", r"unexpected '\1'"),
    (r"[Ee]xpected an expression, got '(.*)'", "a value is missing here"),
    (r"unexpected 'end of (print statement|statement block|template)'", "a value is missing here"),
    (r"expected token '(.*)', got '(.*)'", r"expected '\1', got '\2'"),
    (r"Encountered unknown tag '(\w+)'.*", r"unknown tag '\1'"),
    (r"unexpected char '?(.*?)'? at \d+", r"unexpected '\1'"),
)


def _syntax_fault(fault: TemplateSyntaxError, tokens: Tokens) -> TemplateFault:
    offset = (fault.lineno or 1) - 1
    message = str(fault.message or "cannot be read").split("\n")[0]
    for pattern, words in _WORDS:
        if match := re.fullmatch(pattern, message, re.DOTALL):
            message = match.expand(words)
            break
    tag = re.fullmatch(r"unknown tag '(\w+)'", message)
    if tag and tag[1] in _KNOWN_TAGS:
        return TemplateFault("FB302", f"'{tag[1]}' has nothing to end or to continue", *_token_span(tokens, offset))
    if tag:
        help = did_you_mean(tag[1], _TAGS) or "the tags are if, for, include, import and from"
        return TemplateFault("FB302", message, *_token_span(tokens, offset), help)

    opened = tokens.opened(len(tokens.text))
    ending = "}}" if opened is not None and opened.kind == "variable_begin" else "%}"
    if opened is not None and _never_closed(tokens.text, opened.end, ending):
        return TemplateFault(
            "FB302", f"'{opened.value}' is never closed", opened.start, opened.end, f"it ends with '{ending}'"
        )
    if message.startswith("'{% end"):
        start, end = _unended(tokens)
        return TemplateFault("FB302", message, start, end, None)
    message = message[:1].lower() + message[1:]
    start, end = _token_span(tokens, offset)
    return TemplateFault("FB302", message, start, end, _syntax_help(message) or with_a_space(tokens.text, start))


_TAGS = ("if", "elif", "else", "endif", "for", "endfor", "include", "import", "from", "macro", "endmacro", "raw")
_KNOWN_TAGS = frozenset({"elif", "else", "endif", "endfor", "endmacro"})


def _syntax_help(message: str) -> str | None:
    if message in ("unexpected '='", "expected ',', got '='"):
        return "to compare, write =="
    if message in ("unexpected '&'", "unexpected '!'"):
        return "the words are and, or, not"
    return None


def _never_closed(text: str, start: int, ending: str) -> bool:
    """Whether the tag's end is missing before the next tag begins."""
    end = text.find(ending, start)
    following = re.compile(r"\{[{%]").search(text, start)
    return end < 0 or (following is not None and following.start() < end)


def _unended(tokens: Tokens) -> tuple[int, int]:
    """The tag that waits for its end."""
    waiting: list[tuple[int, int]] = []
    for opening, word in zip(tokens.pieces, tokens.pieces[1:], strict=False):
        if opening.kind != "block_begin":
            continue
        if word.value in ("if", "for", "macro"):
            waiting.append((word.start, word.end))
        elif word.value in ("endif", "endfor", "endmacro") and waiting:
            waiting.pop()
    return waiting[-1] if waiting else tokens.tag(len(tokens.text))


def _token_span(tokens: Tokens, offset: int) -> tuple[int, int]:
    piece = tokens.at(offset)
    if piece is not None and piece.start <= offset < piece.end and piece.kind != "data":
        return piece.start, piece.end
    return min(offset, len(tokens.text)), min(offset + 1, len(tokens.text))


def _checked(tokens: Tokens, tree: nodes.Template, *, is_file: bool) -> Syntax:
    try:
        check = _Check(tokens, is_file=is_file)
        check.names_of_macros(tree)
        check.visit(tree, depth=0, loops=0)
        macros = {macro.name: size_of_tree(macro) for macro in tree.find_all(nodes.Macro)}
        bounded = _Rewriting().visit(tree)
    except RecursionError:
        raise TemplateFault("FB306", "the template is nested too deeply", 0, 1, "take it apart") from None
    return Syntax(tokens=tokens, tree=bounded, size=check.nodes, macros=macros)


def size_of_tree(node: nodes.Node) -> int:
    """How many nodes a tree has."""
    return 1 + sum(size_of_tree(child) for child in node.iter_child_nodes())


_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Tuple, nodes.List, nodes.Dict,
    nodes.Pair, nodes.Keyword, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.If,
    nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Add, nodes.Sub, nodes.Mul,
    nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos, nodes.Concat, nodes.For, nodes.Include, nodes.Import,
    nodes.FromImport, nodes.Macro, nodes.Call,
)  # fmt: skip

_REFUSED: dict[type[nodes.Node], tuple[str, str | None]] = {
    nodes.Assign: ("'set'", "put constants under vars"),
    nodes.AssignBlock: ("'set'", "put constants under vars"),
    nodes.Pow: ("the operator '**'", "multiply"),
    nodes.With: ("'with'", None),
    nodes.CallBlock: ("'call'", None),
    nodes.FilterBlock: ("'filter' as a block", "write the filter behind a value: {{ name | upper }}"),
    nodes.Block: ("'block'", "use include or a macro"),
    nodes.Extends: ("'extends'", "use include or a macro"),
    nodes.ScopedEvalContextModifier: ("'autoescape'", None),
}

_PROBES = frozenset({"format", "format_map", "mro", "subclasses", "func_globals", "gi_frame", "cr_frame"})
_INSIDES = frozenset({"self", "super", "cycler", "joiner", "lipsum", "namespace", "get_flashed_messages", "url_for"})


class _Check:
    """Walks the tree from left to right and raises for the first thing that is not allowed."""

    def __init__(self, tokens: Tokens, *, is_file: bool) -> None:
        self.nodes = 0
        self._tokens = tokens
        self._is_file = is_file
        self._macros: set[str] = set()
        self._modules: set[str] = set()

    def names_of_macros(self, tree: nodes.Template) -> None:
        for node in tree.find_all((nodes.Macro, nodes.FromImport, nodes.Import)):
            if isinstance(node, nodes.Macro):
                self._macros.add(node.name)
            elif isinstance(node, nodes.Import):
                self._modules.add(node.target)
            elif isinstance(node, nodes.FromImport):
                self._macros.update(_imported(node).values())

    def visit(self, node: nodes.Node, *, depth: int, loops: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._raise("FB306", f"the template has more than {MAX_NODES} parts", node, _TAKE_APART)
        if depth > MAX_DEPTH:
            self._raise("FB306", "the template is nested too deeply", node, "take it apart")
        if not isinstance(node, _ALLOWED):
            self._refuse_kind(node)
        checks = _CHECKS.get(type(node))
        if checks is not None:
            checks(self, node)
        inner = loops
        if isinstance(node, nodes.For):
            inner = loops + 1
            if inner > MAX_LOOPS:
                self._raise("FB306", f"more than {MAX_LOOPS} loops stand inside one another", node)
        for child in node.iter_child_nodes():
            self.visit(child, depth=depth + 1, loops=inner)

    def _refuse_kind(self, node: nodes.Node) -> None:
        what, help = _REFUSED.get(type(node), (f"'{type(node).__name__.lower()}'", None))
        self._raise("FB304", f"{what} cannot be used in job templates", node, help)

    def name(self, node: nodes.Name) -> None:
        self._public(node.name, node)
        if node.ctx != "load" and node.name in FUNCTIONS:
            self._raise("FB304", f"'{node.name}' is a function and cannot be the name of something else", node)
        if node.name in ("self", "super"):
            self._raise("FB706", f"'{node.name}' reaches for the inside of the program", node)

    def getattr(self, node: nodes.Getattr) -> None:
        self._public(node.attr, node)
        # Of a text that is written out nobody wants a field; a method of it is how past sandboxes were left.
        if isinstance(node.node, nodes.Const) and node.attr in _PROBES:
            self._raise("FB706", f"'{node.attr}' of a text reaches for the inside of the program", node)

    def getitem(self, node: nodes.Getitem) -> None:
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            self._public(node.arg.value, node.arg)

    def const(self, node: nodes.Const) -> None:
        value = node.value
        if isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= 2**63):
            self._raise("FB306", "the number is too large", node)

    def filter(self, node: nodes.Filter) -> None:
        if node.name == "attr":
            self._raise("FB706", "the filter 'attr' reaches for the inside of the program", node, "write product.name")
        self._public(node.name, node)
        if node.name not in FILTERS:
            help = did_you_mean(node.name, FILTERS) or f"the filters: {', '.join(FILTERS)}"
            self._raise("FB303", f"unknown filter '{node.name}'", node, help)
        self._arguments(FILTERS[node.name], "filter", node)

    def test(self, node: nodes.Test) -> None:
        self._public(node.name, node)
        if node.name not in TESTS:
            help = did_you_mean(node.name, TESTS) or f"the tests: {', '.join(TESTS)}"
            self._raise("FB303", f"unknown test '{node.name}'", node, help)
        self._arguments(TESTS[node.name], "test", node)

    def _arguments(self, function: Callable[..., Any], what: str, node: nodes.Filter | nodes.Test) -> None:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self._raise("FB304", "'*' and '**' before an argument cannot be used in job templates", node)
        signature = inspect.signature(function)
        try:
            signature.bind(None, *node.args, **_named(node))
        except TypeError:
            takes = ", ".join(list(signature.parameters)[1:]) or "nothing in brackets"
            self._raise("FB303", f"wrong arguments for the {what} '{node.name}'", node, f"it takes: {takes}")

    def compare(self, node: nodes.Compare) -> None:
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        for side in sides:
            if isinstance(side, nodes.Const) and side.value is None:
                self._raise("FB304", "a comparison with none is always false", side, "ask: is none, or: is not none")

    def call(self, node: nodes.Call) -> None:
        callee = node.node
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self._raise("FB304", "'*' and '**' before an argument cannot be used in job templates", node)
        if isinstance(callee, nodes.Name):
            self._called_name(callee)
        elif isinstance(callee, nodes.Getattr):
            self._called_field(callee)
        else:
            self._raise("FB304", "only ref(…), refs(…) and macros can be called", node)

    def _called_name(self, callee: nodes.Name) -> None:
        if callee.name in FUNCTIONS or callee.name in self._macros:
            return
        self._public(callee.name, callee)
        if callee.name in _INSIDES:
            self._raise("FB706", f"'{callee.name}' reaches for the inside of the program", callee)
        help = did_you_mean(callee.name, {*FUNCTIONS, *self._macros})
        if callee.name in FILTERS:
            help = f"{callee.name} is a filter: write {{{{ name | {callee.name} }}}}"
        self._raise("FB304", f"'{callee.name}' cannot be called: only ref, refs and macros can", callee, help)

    def _called_field(self, callee: nodes.Getattr) -> None:
        if isinstance(callee.node, nodes.Name) and callee.node.name in self._modules:
            return
        self._public(callee.attr, callee)
        # What holds a probe may be hidden in what it is called on: {{ x.__class__.mro() }}.
        for field in callee.find_all(nodes.Getattr):
            self._public(field.attr, field)
        for name in callee.find_all(nodes.Name):
            self._public(name.name, name)
        if callee.attr in _PROBES:
            self._raise("FB706", f"calling '{callee.attr}' reaches for the inside of the program", callee)
        help = f"write it as a filter: | {callee.attr}" if callee.attr in FILTERS else "only ref, refs and macros can"
        self._raise("FB304", f"'{callee.attr}' cannot be called", callee, help)

    def loop(self, node: nodes.For) -> None:
        if node.recursive:
            self._raise("FB304", "'recursive' cannot be used in job templates", node)

    def file(self, node: nodes.Include | nodes.Import | nodes.FromImport) -> None:
        if not (isinstance(node.template, nodes.Const) and isinstance(node.template.value, str)):
            self._raise("FB304", "the name of a file is written out, in quotes", node)
        if isinstance(node, nodes.Include) and node.ignore_missing:
            self._raise("FB304", "'ignore missing' cannot be used in job templates", node)
        if isinstance(node, nodes.Include) and not node.with_context:
            self._raise("FB304", "'without context' cannot be used in job templates", node, "use a macro")
        if isinstance(node, nodes.Import):
            self._public(node.target, node)
            self._target(node.target, node)
        if isinstance(node, nodes.FromImport):
            for name in _imported(node).values():
                self._public(name, node)
                self._target(name, node)

    def macro(self, node: nodes.Macro) -> None:
        if not self._is_file:
            self._raise(
                "FB304", "macros are defined in files of templates/", node, "then: {% from 'FILE' import NAME %}"
            )
        self._public(node.name, node)
        self._target(node.name, node)

    def _target(self, name: str, node: nodes.Node) -> None:
        if name in FUNCTIONS:
            self._raise("FB304", f"'{name}' is a function and cannot be the name of something else", node)

    def _public(self, name: str, node: nodes.Node) -> None:
        if "__" in name and name.startswith("_"):
            self._raise("FB706", f"'{name}' reaches for the inside of the program", node)
        if name.startswith("_"):
            self._raise("FB304", f"'{name}': names that begin with '_' cannot be used in templates", node)

    def _raise(self, code: str, message: str, node: nodes.Node, help: str | None = None) -> None:
        raise TemplateFault(code, message, *span_of(node, self._tokens), help)


_CHECKS: dict[type[nodes.Node], Callable[[_Check, Any], None]] = {
    nodes.Name: _Check.name,
    nodes.Getattr: _Check.getattr,
    nodes.Getitem: _Check.getitem,
    nodes.Const: _Check.const,
    nodes.Filter: _Check.filter,
    nodes.Test: _Check.test,
    nodes.Compare: _Check.compare,
    nodes.Call: _Check.call,
    nodes.For: _Check.loop,
    nodes.Include: _Check.file,
    nodes.Import: _Check.file,
    nodes.FromImport: _Check.file,
    nodes.Macro: _Check.macro,
}


def span_of(node: nodes.Node, tokens: Tokens) -> tuple[int, int]:
    """The word or sign that a node is written with."""
    offset = node.lineno - 1
    written = node.name if isinstance(node, nodes.Test) else "**" if isinstance(node, nodes.Pow) else None
    if written and (word := tokens.word(written, *tokens.tag(offset))):
        return word
    piece = tokens.after(offset) if isinstance(node, nodes.Getattr) else tokens.at(offset)
    if piece is None or piece.kind in ("data", "variable_begin", "block_begin"):
        return tokens.tag(offset)
    return piece.start, piece.end


def _named(node: nodes.Filter | nodes.Test) -> dict[str, Any]:
    return {keyword.key: keyword.value for keyword in node.kwargs}  # type: ignore[misc]  # jinja says Expr: a Keyword


def _imported(node: nodes.FromImport) -> dict[str, str]:
    """The macro's name in its file and the name that it has here."""
    return dict((name, name) if isinstance(name, str) else name for name in node.names)


class _Rewriting(NodeTransformer):
    """Puts our bounded functions in the place of operators that Jinja would leave to Python."""

    def visit_Compare(self, node: nodes.Compare) -> nodes.Expr:
        self.generic_visit(node)
        left = node.expr
        whole: nodes.Expr | None = None
        for operand in node.ops:
            link = _function(f"_{operand.op}", left, [operand.expr], node)
            whole = link if whole is None else nodes.And(whole, link, lineno=node.lineno)
            left = operand.expr
        assert whole is not None
        return whole

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:
        self.generic_visit(node)
        return _function("_joined", node.nodes[0], node.nodes[1:], node)

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Expr:
        self.generic_visit(node)
        if node.expr2 is None:
            node.expr2 = nodes.Const("", lineno=node.lineno)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        none = nodes.Const(None, lineno=node.lineno)
        bounds = [node.arg.start or none, node.arg.stop or none, node.arg.step or none]
        return _function("_sliced", node.node, bounds, node)

    def visit_For(self, node: nodes.For) -> nodes.For:
        steps = 1 + sum(size_of_tree(part) for part in (*node.body, *([node.test] if node.test else [])))
        self.generic_visit(node)
        node.iter = _function("_looped", node.iter, [nodes.Const(steps, lineno=node.lineno)], node)
        return node


def _function(name: str, first: nodes.Node, rest: list[nodes.Expr], node: nodes.Node) -> nodes.Filter:
    assert isinstance(first, nodes.Expr)
    return nodes.Filter(first, name, rest, [], None, None, lineno=node.lineno)


def parts(tree: nodes.Node) -> Iterator[nodes.Node]:
    """The node and all below it, in the order in which they are written."""
    yield tree
    for child in tree.iter_child_nodes():
        yield from parts(child)
