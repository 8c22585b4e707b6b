"""Templates of a job: compiled once for a job, rendered once for a shot, safe whoever wrote them.

How the bounds hold without a clock: the source, its nodes, its depth and its loops inside one another are limited
before anything runs. Each turn of a loop, each macro and each included file then pays for its nodes in steps, each
filter for the length of what it goes over, and no value and no output grows beyond its limit, which is checked before
it is made wherever that can be known. So work and memory are bounded by numbers that are the same on every machine.

Data is never a template: what a rendering puts into a text is not looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from flux2batch.planning.templates.faults import Refusal, TemplateFault
from flux2batch.planning.templates.files import TemplateFolder
from flux2batch.planning.templates.meter import MAX_OUTPUT, METER
from flux2batch.planning.templates.paths import safe_component
from flux2batch.planning.templates.values import EmptyCell, KeyedTable, ValueObject

if TYPE_CHECKING:
    from flux2batch.planning.templates.compiler import Compiler, Unit

__all__ = [
    "EmptyCell",
    "Expression",
    "KeyedTable",
    "Refusal",
    "Template",
    "TemplateFault",
    "TemplateFolder",
    "ValueObject",
    "compile_expression",
    "compile_template",
    "is_static",
    "other_syntax",
    "safe_component",
]


def is_static(text: str) -> bool:
    """Whether the text has no tags, so that it is its own rendering. Jinja is not even imported for it."""
    if "{" not in text:
        return True
    opened = text.find("{#")
    return not ("{{" in text or "{%" in text or (opened >= 0 and "#}" in text[opened + 2 :]))


class Template:
    """A text with tags. A comment `{# … #}` is left out; a `{#` that nothing ends is plain text."""

    def __init__(self, text: str, compiler: Compiler | None, unit: Unit | None, *, single: bool) -> None:
        self.text = text
        self.is_static = unit is None
        self.is_single_expression = single
        self.names: frozenset[str] = frozenset(unit.spans) if unit else frozenset()
        self._compiler = compiler
        self._unit = unit
        self._expression: Unit | None = None

    def name_span(self, name: str) -> tuple[int, int]:
        """Where a name of `names` stands first: characters of the text."""
        assert self._unit is not None
        return self._unit.spans[name]

    def render(self, scope: dict[str, Any]) -> str:
        """The text for these values; TemplateFault where one is missing or does not fit."""
        unit, compiler = self._unit, self._compiler
        if unit is None or compiler is None:
            return self.text
        METER.start()
        pieces: list[str] = []
        size = 0
        try:
            for piece in unit.root(compiler.context(unit, scope)):
                size += len(piece)
                if size > MAX_OUTPUT:
                    _refuse_output()
                pieces.append(piece)
        except Exception as raised:
            raise compiler.fault(unit, raised, scope) from None
        return "".join(pieces)

    def value(self, scope: dict[str, Any]) -> Any:
        """The value of a template that is one single expression, in its own type (an empty cell is an EmptyCell, equal
        to ""); the rendered text of any other."""
        if not self.is_single_expression or self._compiler is None:
            return self.render(scope)
        if self._expression is None:
            # Spaces stand in for the braces, so that characters count as in the template.
            inside = self.text[2:-2].removeprefix("-").removesuffix("-")
            before = len(self.text) - 2 - len(inside) - self.text.endswith("-}}")
            self._expression = self._compiler.expression(" " * before + inside)
        return _evaluated(self._compiler, self._expression, scope)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


class Expression:
    """A Jinja expression: `where`, `when`, `rows`, `--only`."""

    def __init__(self, text: str, compiler: Compiler, unit: Unit) -> None:
        self.text = text
        self.names: frozenset[str] = frozenset(unit.spans)
        self._compiler = compiler
        self._unit = unit

    def name_span(self, name: str) -> tuple[int, int]:
        """Where a name of `names` stands first: characters of the text."""
        return self._unit.spans[name]

    def evaluate(self, scope: dict[str, Any]) -> Any:
        """The value for these values; TemplateFault where one is missing or does not fit."""
        return _evaluated(self._compiler, self._unit, scope)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def compile_template(text: str, *, folder: TemplateFolder | None, kind: Literal["text", "path"]) -> Template:
    """The template, ready to render; TemplateFault where it cannot be one.

    Of kind "path", every expression gives one safe component: only the text around them can hold a "/".
    """
    if is_static(text):
        return Template(text, None, None, single=False)
    from flux2batch.planning.templates.compiler import compiler_for

    compiler = compiler_for(folder, paths=kind == "path")
    unit, single = compiler.template(text)
    return Template(text, compiler, unit, single=single)


def compile_expression(text: str) -> Expression:
    """The expression, ready to evaluate; TemplateFault where it cannot be one."""
    from flux2batch.planning.templates.compiler import compiler_for

    compiler = compiler_for(None, paths=False)
    return Expression(text, compiler, compiler.expression(text))


def _evaluated(compiler: Compiler, unit: Unit, scope: dict[str, Any]) -> Any:
    from flux2batch.planning.templates.compiler import result_of

    METER.start()
    context = compiler.context(unit, scope)
    try:
        for _ in unit.root(context):
            pass
        return result_of(context)
    except Exception as raised:
        raise compiler.fault(unit, raised, scope) from None


def _refuse_output() -> None:
    raise Refusal(
        "FB306", f"the rendered text is longer than {MAX_OUTPUT:,} characters", "no model reads so much: shorten it"
    )


# What is opened and never closed reaches to the end: looking for it anew from every brace would take ages.
_TAG = re.compile(r"\{\{.*?(?:\}\}|\Z)|\{%.*?(?:%\}|\Z)|\{#.*?(?:#\}|\Z)", re.DOTALL)
_OTHER = re.compile(
    r"(?<![{$])\{(?P<brace>[^\W\d]\w*(?:\.\w+)*)\}(?!\})"
    r"|\$\{(?P<shell>[^\W\d]\w*(?:\.\w+)*)\}"
    r"|\$(?P<dollar>[^\W\d]\w*)"
    r"|<(?P<angle>[^\W\d]\w*(?:\.\w+)*)>"
)


def other_syntax(text: str, known_names: Iterable[str]) -> Iterator[TemplateFault]:
    """Placeholders of other tools that name something the job knows: warnings, for the text may mean them."""
    known = frozenset(known_names)
    tags = [match.span() for match in _TAG.finditer(text)]
    for match in _OTHER.finditer(text):
        start, end = match.span()
        written = match[match.lastgroup or 0]
        if written.split(".")[0] not in known or any(a <= start < b for a, b in tags):
            continue
        yield TemplateFault(
            "FB307", f"'{match[0]}' looks like a placeholder", start, end, f"templates are written {{{{ {written} }}}}"
        )
