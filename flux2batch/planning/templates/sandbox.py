"""The sandbox in which templates run: plain data, listed filters, bounded operators, no attribute of any object.

Jinja's immutable sandbox is the second wall. The first is that nothing a template can reach has an attribute: `a.b` is
the item "b" of a mapping, and the only things that can be called are macros, `ref` and `refs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from jinja2 import StrictUndefined, Template, Undefined
from jinja2.environment import TemplateModule
from jinja2.exceptions import UndefinedError
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing as _missing

from flux2batch.planning.templates.comparisons import COMPARISONS
from flux2batch.planning.templates.faults import Refusal, refuse
from flux2batch.planning.templates.filters import FILTERS
from flux2batch.planning.templates.jinja_tests import TESTS
from flux2batch.planning.templates.meter import MAX_OUTPUT, METER, check_size
from flux2batch.planning.templates.paths import safe_component
from flux2batch.planning.templates.plain import given, number, to_text
from flux2batch.planning.templates.values import KeyedTable, ValueObject, kind_of
from flux2batch.reading.suggest import did_you_mean

MAX_NUMBER = 10**12
"""Operands of `*` and `%`; every other result is bounded by them and by the length of a template."""

_ENTERING = 10
"""Steps that entering a macro or a file costs beside its nodes."""

LOOP_FIELDS = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem", "depth"}
)


class Absent(StrictUndefined):
    """What is not there: an error when it is used, and nothing when `default` or `is defined` asks for it."""

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = _missing,
        name: str | None = None,
        exc: Any = UndefinedError,  # noqa: ARG002  # jinja hands it over
    ) -> None:
        reason = (
            Refusal("FB301", f"unknown variable '{name}'", name=name)
            if name
            else Refusal("FB301", hint or "not defined")
        )
        super().__init__(hint, obj, name)
        self._raise(reason)

    @classmethod
    def because(cls, reason: Refusal) -> Absent:
        """Something that is not there for this reason."""
        absent = cls()
        absent._raise(reason)
        return absent

    def _raise(self, reason: Refusal) -> None:
        # Jinja calls this with its own message to make the exception.
        self._undefined_exception = lambda _: reason  # type: ignore[assignment]  # jinja asks for a class, and calls it


class JobContext(Context):
    """One rendering's names. Jinja's own sets up blocks and exports that job templates do not have."""

    def __init__(
        self,
        environment: JobEnvironment,
        parent: dict[str, Any],
        name: str | None,
        blocks: object = None,  # noqa: ARG002  # jinja hands it over
        globals: MutableMapping[str, Any] | None = None,  # noqa: ARG002  # jinja's signature
    ) -> None:
        self.parent = parent
        self.vars = {}
        self.environment = environment
        self.eval_ctx = environment.eval_context
        self.exported_vars = set()
        self.name = name
        self.globals_keys = set()
        self.blocks = {}


class JobEnvironment(ImmutableSandboxedEnvironment):
    """Compiles checked syntax trees and is the runtime of what it compiled."""

    context_class = JobContext
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    intercepted_unops = frozenset({"+", "-"})

    def __init__(self, *, paths: bool) -> None:
        super().__init__(
            undefined=Absent,
            finalize=_path_text if paths else to_text,
            autoescape=False,
            keep_trailing_newline=True,
            optimized=False,
            cache_size=0,
        )
        self.globals.clear()
        self.filters = {**FILTERS, **OPERATORS}
        self.tests = dict(TESTS)
        self.eval_context = EvalContext(self, None)
        self.eval_context.autoescape = False
        self.files: dict[str, Template] = {}  # compiled before anything that includes them is rendered
        self.file_steps: dict[str, int] = {}
        self.macro_steps: dict[str, int] = {}

    def get_template(self, name: Any, parent: str | None = None, globals: Any = None) -> Template:  # noqa: ARG002  # jinja's signature
        """An included file. It was compiled when its tag was: nothing is opened while a template is rendered."""
        METER.spend(_ENTERING + self.file_steps[name])
        return self.files[name]

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`"""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        if isinstance(obj, KeyedTable) and not attribute.startswith("_"):
            wanted = ", ".join(obj.key) or "KEY"
            way = f"write {obj.name}[{wanted}].{attribute}"
            refuse("FB305", f"'{obj.name}' is a table: name the row first", way, name=attribute)
        return _item(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`"""
        return _item(obj, argument)

    def call(self, context: Context, obj: Any, *args: Any, **named: Any) -> Any:  # noqa: ARG002  # jinja's signature
        """A macro, `ref` or `refs`: the syntax tree holds no other call."""
        named.pop("_loop_vars", None)
        named.pop("_block_vars", None)
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()
        if isinstance(obj, Macro):
            for argument in (*args, *named.values()):
                if isinstance(argument, Undefined):
                    argument._fail_with_undefined_error()  # here, and not somewhere in the macro's file
            METER.spend(_ENTERING + self.macro_steps[obj.name])
            METER.enter()
            try:
                return obj(*args, **named)
            finally:
                METER.leave()
        if isinstance(obj, LoopContext) or not callable(obj):
            refuse("FB304", f"{kind_of(obj)} cannot be called", "only ref(…), refs(…) and macros can")
        steps = METER.steps
        answer = obj(*map(given, args), **{name: given(value) for name, value in named.items()})
        METER.steps = steps  # whatever the answer cost, it was not the template's own work
        METER.spend(10)
        return answer

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002  # jinja's signature
        """`left operator right`"""
        if operator == "+" and not (type(left) in _NUMBERS and type(right) in _NUMBERS):
            return _added(given(left), given(right))
        left, right = number(left, operator), number(right, operator)
        if operator in ("*", "%") and (abs(left) > MAX_NUMBER or abs(right) > MAX_NUMBER):
            refuse("FB306", f"'{operator}' takes numbers up to {MAX_NUMBER:,}")
        if operator in ("/", "//", "%") and right == 0:
            refuse("FB305", "division by zero")
        return self.binop_table[operator](left, right)

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:  # noqa: ARG002  # jinja's signature
        """`-arg`"""
        return self.unop_table[operator](number(arg, operator))

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """The text of a macro."""
        parts = list(parts)
        if sum(map(len, parts)) > MAX_OUTPUT:
            refuse_output()
        text = "".join(parts)
        METER.spend_on(text)
        return text


_NUMBERS = frozenset({int, float})


def refuse_output() -> None:
    """The rendered text is longer than any prompt."""
    refuse("FB306", f"the rendered text is longer than {MAX_OUTPUT:,} characters", "no model reads so much: shorten it")


def _path_text(value: Any) -> str:
    return safe_component(to_text(value))


def _item(obj: Any, key: Any) -> Any:
    """The item of plain data. Nothing here ever asks an object for an attribute."""
    if isinstance(key, str) and key.startswith("_"):
        return _private(key)
    if isinstance(obj, Undefined):
        return obj  # so that `| default` can stand behind a whole chain
    if isinstance(obj, KeyedTable):
        return _row(obj, key)
    if isinstance(obj, ValueObject):
        return _field(obj, key)
    if isinstance(obj, dict):
        key = _plain_key(key)
        return obj[key] if key in obj else _no_field(list(obj), key)
    if isinstance(obj, (list, tuple, str)):
        return _entry(obj, given(key))
    if isinstance(obj, LoopContext) and key in LOOP_FIELDS:
        return _beside(obj, key)
    if isinstance(obj, TemplateModule):
        return _macro(obj, key)
    return Absent.because(Refusal("FB301", f"{kind_of(obj)} has no field '{key}'", name=str(key)))


def _private(key: str) -> Any:
    if "__" in key:
        refuse("FB706", f"'{key}' reaches for the inside of the program", name=key)
    return refuse("FB304", f"'{key}': names that begin with '_' cannot be used in templates", name=key)


def _row(table: KeyedTable, key: Any) -> Any:
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, Undefined):
            part._fail_with_undefined_error()
    row = table.row(key)
    return row if row is not None else Absent.because(Refusal("FB316", table.absence(key), _near_row(table, key)))


def _near_row(table: KeyedTable, key: Any) -> str | None:
    if len(table.key) != 1 or len(table) > 2_000:
        return None
    from flux2batch.planning.templates.values import as_key

    return did_you_mean(as_key(key), [as_key(row.get(table.key[0])) for row in table])


def _field(obj: ValueObject, key: Any) -> Any:
    try:
        return obj.field(_plain_key(key))
    except KeyError:
        if isinstance(obj.value, (list, tuple)) and isinstance(key, int):
            return _entry(obj.value, key)
        return _no_field(obj.field_names(), key)


def _plain_key(key: Any) -> Any:
    key = given(key)
    if isinstance(key, (str, int)):
        return key
    return refuse("FB305", f"{kind_of(key)} is no name of a field")


def _entry(obj: list[Any] | tuple[Any, ...] | str, key: Any) -> Any:
    if isinstance(key, bool) or not isinstance(key, int):
        return Absent.because(Refusal("FB301", f"{kind_of(obj)} has no field '{key}'", name=str(key)))
    if -len(obj) <= key < len(obj):
        return obj[key]
    return Absent.because(Refusal("FB301", f"{kind_of(obj)} has no entry {key}, only {len(obj)} (the first is 0)"))


def _no_field(names: Iterable[Any], key: Any) -> Any:
    known = [str(name) for name in names]
    help = did_you_mean(str(key), known) or (f"its fields: {', '.join(known[:12])}" if known else None)
    return Absent.because(Refusal("FB301", f"no field '{key}' here", help, name=str(key)))


def _beside(loop: LoopContext, key: str) -> Any:
    return getattr(loop, key)  # one of LOOP_FIELDS


def _macro(module: TemplateModule, key: Any) -> Any:
    macro = vars(module).get(key)
    if isinstance(macro, Macro):
        return macro
    known = [name for name, value in vars(module).items() if isinstance(value, Macro)]
    return Absent.because(
        Refusal("FB301", f"the file has no macro '{key}'", did_you_mean(str(key), known), name=str(key))
    )


def _added(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        check_size(len(left) + len(right))
        METER.spend_on(left)
        return left + right
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        check_size(len(left) + len(right))
        METER.spend_on(left)
        METER.spend_on(right)
        return [*left, *right]
    if _is_number(left) and _is_number(right):
        return left + right
    return refuse("FB305", f"cannot add {kind_of(left)} and {kind_of(right)}", "to put texts together, write ~")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _joined(*parts: Any) -> str:
    """`a ~ b ~ c`"""
    texts = [to_text(part) for part in parts]
    check_size(sum(map(len, texts)))
    text = "".join(texts)
    METER.spend_on(text)
    return text


def _looped(value: Any, body_steps: int) -> Iterator[Any]:
    """The items of a loop, each paid for before its turn."""
    if isinstance(value, KeyedTable):
        items: Iterable[Any] = value.rows
    else:
        items = given(value)
        if not isinstance(items, (list, tuple, dict)):
            refuse("FB305", f"a loop needs a list, got {kind_of(items)}")
    for item in items:
        METER.spend(body_steps)
        yield item


def _sliced(value: Any, start: Any, stop: Any, step: Any) -> Any:
    """`a[start:stop:step]`"""
    value = given(value)
    if not isinstance(value, (str, list, tuple)):
        refuse("FB305", f"cannot take a part of {kind_of(value)}")
    bounds = [given(bound) for bound in (start, stop, step)]
    for bound in bounds:
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
            refuse("FB305", f"a part is taken by whole numbers, got {kind_of(bound)}")
    if bounds[2] == 0:
        refuse("FB305", "the step of a part cannot be 0")
    METER.spend_on(value)
    return value[slice(*bounds)]


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "_joined": _joined,
    "_looped": _looped,
    "_sliced": _sliced,
    **{f"_{name}": compare for name, compare in COMPARISONS.items()},
}
"""What operators become in the syntax tree. No template can name them: names with `_` are refused."""
