"""Compile checked templates with the files that they include, and find the characters that an error comes from."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from jinja2 import Template as JinjaTemplate
from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.runtime import Context

from flux2batch.planning.templates.faults import Refusal, TemplateFault
from flux2batch.planning.templates.files import FOLDER, TemplateFolder
from flux2batch.planning.templates.meter import METER
from flux2batch.planning.templates.names import free_names
from flux2batch.planning.templates.plain import given
from flux2batch.planning.templates.sandbox import JobContext, JobEnvironment
from flux2batch.planning.templates.syntax import RESULT, Syntax, read_expression, read_template, span_of
from flux2batch.planning.templates.tokens import Tokens
from flux2batch.planning.templates.values import EmptyCell
from flux2batch.reading.suggest import did_you_mean

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One compiled text. `spans` are the names that it takes from outside, with the place of their first use."""

    tokens: Tokens
    template: JinjaTemplate
    root: Callable[[Context], Iterator[str]]
    code_name: str  # how tracebacks call it
    file: str | None  # templates/NAME; None for the text of a job
    spans: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    unit: Unit
    macros: frozenset[str]


class Compiler:
    """Compiles for one folder and one kind of output. Its environment is made once: that costs more than a template."""

    def __init__(self, folder: TemplateFolder | None, *, paths: bool) -> None:
        self.environment = JobEnvironment(paths=paths)
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._being_read: list[str] = []

    def template(self, text: str) -> tuple[Unit, bool]:
        """The compiled text, and whether it is one single expression."""
        syntax = read_template(text, self.environment, is_file=False)
        single = _is_single_expression(syntax)
        return self._unit(syntax, file=None), single

    def expression(self, text: str) -> Unit:
        """The compiled expression."""
        return self._unit(read_expression(text, self.environment), file=None)

    def _unit(self, syntax: Syntax, *, file: str | None) -> Unit:
        self._read_files(syntax)
        spans = {
            name: span_of(node, syntax.tokens)
            for name, node in free_names(syntax.tree.body, lambda name: self._files[name].unit.spans).items()
        }
        code_name = f"<job template {next(_numbers)}>"
        METER.start()
        syntax.tree.set_environment(self.environment)
        try:
            code = self.environment.compile(syntax.tree, file, code_name)
        except (SyntaxError, RecursionError, MemoryError):
            raise TemplateFault("FB306", "the template is nested too deeply", 0, 1, "take it apart") from None
        except TemplateError as fault:
            raise TemplateFault("FB302", str(fault.message or "cannot be compiled"), 0, 1) from None
        template = JinjaTemplate.from_code(self.environment, code, {})
        return Unit(
            tokens=syntax.tokens,
            template=template,
            root=template.root_render_func,
            code_name=code_name,
            file=file,
            spans=spans,
        )

    def _read_files(self, syntax: Syntax) -> None:
        """Compile what the tags of this text name."""
        for node in syntax.tree.find_all((nodes.Include, nodes.Import, nodes.FromImport)):
            assert isinstance(node, nodes.Include | nodes.Import | nodes.FromImport)
            assert isinstance(node.template, nodes.Const)
            name = str(node.template.value)
            where = syntax.tokens.word(name, *syntax.tokens.tag(node.lineno - 1)) or span_of(node, syntax.tokens)
            self._read_file(name, where)
            if isinstance(node, nodes.FromImport):
                self._check_imported(node, name, where)
            if isinstance(node, nodes.Import | nodes.FromImport) and not node.with_context:
                self._check_closed(name, where)

    def _read_file(self, name: str, where: tuple[int, int]) -> None:
        if name in self._being_read:
            circle = " → ".join([*self._being_read[self._being_read.index(name) :], name])
            raise TemplateFault("FB306", f"the files include one another in a circle: {circle}", *where)
        if name not in self._files:
            self._being_read.append(name)
            try:
                self._compile_file(name, where)
            finally:
                self._being_read.pop()

    def _compile_file(self, name: str, where: tuple[int, int]) -> None:
        if self._folder is None:
            raise TemplateFault("FB304", "there is no folder to include files from", *where)
        try:
            text = _without_last_line_end(self._folder.read(name))
        except Refusal as refusal:
            raise TemplateFault(refusal.code, refusal.message, *where, refusal.help) from None
        shown = f"{FOLDER}/{name}"
        try:
            syntax = read_template(text, self.environment, is_file=True)
            unit = self._unit(syntax, file=shown)
        except TemplateFault as fault:
            raise TemplateFault(fault.code, _in_file(shown, text, fault), *where, fault.help) from None
        self._files[name] = _File(unit=unit, macros=frozenset(syntax.macros))
        self.environment.files[name] = unit.template
        self.environment.file_steps[name] = syntax.size
        for macro, size in syntax.macros.items():
            known = self.environment.macro_steps.get(macro, 0)
            self.environment.macro_steps[macro] = max(known, size)

    def _check_imported(self, node: nodes.FromImport, name: str, where: tuple[int, int]) -> None:
        known = self._files[name].macros
        for imported in node.names:
            macro = imported if isinstance(imported, str) else imported[0]
            if macro not in known:
                help = did_you_mean(macro, known) or f"it defines: {', '.join(sorted(known)) or 'no macro'}"
                raise TemplateFault("FB301", f"'{FOLDER}/{name}' defines no macro '{macro}'", *where, help)

    def _check_closed(self, name: str, where: tuple[int, int]) -> None:
        """A macro that is imported without the context sees only its arguments."""
        file = self._files[name]
        for free, span in file.unit.spans.items():
            line, column = _line_and_column(file.unit.tokens.text, span[0])
            raise TemplateFault(
                "FB301",
                f"{FOLDER}/{name}:{line}:{column}: a macro sees only its arguments, and '{free}' is none",
                *where,
                "hand it over as an argument, or import the file 'with context'",
            )

    def context(self, unit: Unit, scope: dict[str, Any]) -> JobContext:
        """The names of one rendering."""
        return JobContext(self.environment, scope, unit.file)

    def fault(self, unit: Unit, raised: Exception, scope: Mapping[str, Any]) -> TemplateFault:
        """What was raised while the unit ran, at the characters of its text that caused it."""
        refusal = _as_refusal(raised)
        help = refusal.help
        if refusal.name and refusal.message == f"unknown variable '{refusal.name}'":
            help = help or did_you_mean(refusal.name, scope)
        units = {file.unit.code_name: file.unit for file in self._files.values()}
        message = refusal.message
        start, end = 0, len(unit.tokens.text)
        if refusal.name:
            start, end = unit.tokens.word(refusal.name, start, end) or (start, end)
        frames = list(_frames(raised.__traceback__))
        for code_name, line in frames:
            if code_name == unit.code_name:
                start, end = _span(unit, line, refusal.name)
        inner = next(((units[name], line) for name, line in reversed(frames) if name in units), None)
        if inner is not None and refusal.code != "FB316":  # that names the file and the line that matter
            row, column = _line_and_column(inner[0].tokens.text, _span(*inner, refusal.name)[0])
            message = f"{inner[0].file}:{row}:{column}: {message}"
        return TemplateFault(refusal.code, message, start, end, help)


@functools.cache
def _compiler_without_files(paths: bool) -> Compiler:
    return Compiler(None, paths=paths)


def compiler_for(folder: TemplateFolder | None, *, paths: bool) -> Compiler:
    """The one compiler for this folder and kind of output."""
    if folder is None:
        return _compiler_without_files(paths)
    kind = "path" if paths else "text"
    if kind not in folder.compilers:
        folder.compilers[kind] = Compiler(folder, paths=paths)
    return folder.compilers[kind]


def result_of(context: JobContext) -> Any:
    """What an expression was evaluated to: plain data, or an EmptyCell; what is missing is refused."""
    value = context.vars[RESULT]
    return value if isinstance(value, EmptyCell) else given(value)


def _is_single_expression(syntax: Syntax) -> bool:
    body, pieces = syntax.tree.body, syntax.tokens.pieces
    if len(body) != 1 or not isinstance(body[0], nodes.Output):
        return False
    return (
        len(body[0].nodes) == 1
        and not isinstance(body[0].nodes[0], nodes.TemplateData)
        and pieces[0].kind == "variable_begin"
        and pieces[-1].kind == "variable_end"
        and (pieces[0].start, pieces[-1].end) == (0, len(syntax.tokens.text))
        and pieces[-1].value in ("}}", "-}}")
    )


def _as_refusal(raised: Exception) -> Refusal:
    match raised:
        case Refusal():
            return raised
        case TemplateFault():
            return Refusal(raised.code, raised.message, raised.help)
        case RecursionError() | MemoryError():
            return Refusal("FB306", "the template is nested too deeply", "take it apart")
        case OverflowError():
            return Refusal("FB306", "a number grows too large")
        case ZeroDivisionError():
            return Refusal("FB305", "division by zero")
        case SecurityError():
            return Refusal("FB706", "this reaches for the inside of the program")
        case TypeError() if str(raised).startswith("macro "):
            return Refusal("FB305", str(raised))
        case ValueError() if "unpack" in str(raised):
            return Refusal("FB305", "the loop names another number of variables than its entries have")
        case TypeError() | ValueError():
            return Refusal("FB305", "this cannot be computed with these values")
        case _:
            raise raised


def _frames(traceback: TracebackType | None) -> Iterator[tuple[str, int]]:
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


def _span(unit: Unit, line: int, name: str | None) -> tuple[int, int]:
    offset = unit.template.get_corresponding_lineno(line) - 1
    start, end = unit.tokens.tag(offset)
    return (unit.tokens.word(name, start, end) if name else None) or (start, end)


def _in_file(shown: str, text: str, fault: TemplateFault) -> str:
    if fault.message.startswith(f"{FOLDER}/"):
        return fault.message
    line, column = _line_and_column(text, fault.start)
    return f"{shown}:{line}:{column}: {fault.message}"


def _without_last_line_end(text: str) -> str:
    """Every editor ends a file with a line end; in the middle of a prompt nobody means it."""
    return text.removesuffix("\n").removesuffix("\r")


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset].splitlines() or [""]
    if text[:offset].endswith(("\n", "\r")):
        before.append("")
    return len(before), len(before[-1]) + 1
