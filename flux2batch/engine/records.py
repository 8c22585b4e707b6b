"""Events as the journal writes them: a kind and a JSON payload, read back into the very same value.

The form follows from the dataclasses in events.py by their types, so an event cannot be written in one way and read in
another. A field that a later version adds must say in `_ADDED` what it is in older journals.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin

from flux2batch.engine import events
from flux2batch.engine.events import Event

KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind for kind in (*get_args(events.ShotEvent), *get_args(events.RunEvent))
}

_ADDED: Mapping[tuple[str, str], Any] = {("RunBegan", "flags"): ()}
"""(kind, field) → its value in journals that were written before the field existed."""

_Turn = Callable[[Any], Any]

_written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class UnreadableRecord(ValueError):
    """The journal holds something that no event can have written."""


def encode(event: Event) -> tuple[str, str]:
    """The event's kind and payload."""
    payload = {name: to(getattr(event, name)) for name, to, _ in _fields(type(event))}
    return type(event).__name__, _text(payload)


def _text(payload: Any) -> str:
    text = _written(payload)
    try:
        text.encode()
    except UnicodeEncodeError:  # the name of a file that is not UTF-8: JSON can write it, UTF-8 cannot
        return json.dumps(payload, separators=(",", ":"))
    return text


def decode(kind: str, payload: str) -> Event:
    """The event that was written. Raises UnreadableRecord for anything else."""
    shape = KINDS.get(kind)
    if shape is None:
        raise UnreadableRecord(f"an event of a kind never heard of: {kind}")
    try:
        return typing.cast("Event", _build(shape, json.loads(payload)))
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        raise UnreadableRecord(f"an event {kind} that cannot be read") from error


def to_plain(value: Any) -> Any:
    """A dataclass of the engine as plain JSON data."""
    return {name: to(getattr(value, name)) for name, to, _ in _fields(type(value))}


def from_plain(shape: type, plain: Any) -> Any:
    """The dataclass that `to_plain` was given."""
    return _build(shape, plain)


def _build(shape: type, plain: Any) -> Any:
    if not isinstance(plain, dict):
        raise TypeError("not an object")
    values = {
        name: back(plain[name]) if name in plain else _ADDED[shape.__name__, name] for name, _, back in _fields(shape)
    }
    return shape(**values)


_known: dict[type, tuple[tuple[str, _Turn, _Turn], ...]] = {}


def _fields(shape: type) -> tuple[tuple[str, _Turn, _Turn], ...]:
    """Each field with how it is written and how it is read back; worked out once a type."""
    if shape not in _known:
        hints = typing.get_type_hints(shape)
        _known[shape] = tuple((field.name, *_turns(hints[field.name])) for field in dataclasses.fields(shape))
    return _known[shape]


def _same(value: Any) -> Any:
    return value


def _turns(hint: Any) -> tuple[_Turn, _Turn]:
    """How a value of this type is written, and how it is read back."""
    if isinstance(hint, typing.NewType):
        return _turns(hint.__supertype__)
    if hint is Decimal:
        return str, _decimal
    if hint is datetime:
        return datetime.isoformat, datetime.fromisoformat
    if hint is Any:
        return _same, _same
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return to_plain, lambda plain: _build(hint, plain)
    if isinstance(hint, type) and issubclass(hint, str) and hint is not str:
        return str, hint
    if hint is str:
        return _same, _shared
    if hint in (int, float, bool):
        return _same, _checked(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = [argument for argument in arguments if argument is not type(None)]
        assert len(inner) == 1, f"BUG: {hint} cannot be written"
        to, back = _turns(inner[0])
        return lambda v: None if v is None else to(v), lambda v: None if v is None else back(v)
    if origin is Literal:
        return _same, _one_of(arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        to, back = _turns(arguments[0])
        return lambda v: [to(one) for one in v], lambda v: tuple(back(one) for one in _listed(v))
    if origin is tuple:
        pairs = [_turns(argument) for argument in arguments]
        return (
            lambda v: [to(one) for (to, _), one in zip(pairs, v, strict=True)],
            lambda v: tuple(back(one) for (_, back), one in zip(pairs, _listed(v), strict=True)),
        )
    if isinstance(origin, type) and issubclass(origin, Mapping):
        to, back = _turns(arguments[1])
        return (
            lambda v: {key: to(one) for key, one in v.items()},
            lambda v: {sys.intern(key): back(one) for key, one in v.items()},
        )
    raise AssertionError(f"BUG: {hint} cannot be written")


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _shared(value: Any) -> str:
    """The one copy of a text: of a hundred thousand shots most share their model, their axes, their addresses."""
    if not isinstance(value, str):
        raise TypeError("not str")
    return sys.intern(value)


def _checked(shape: type) -> _Turn:
    allowed = (int, float) if shape is float else shape

    def check(value: Any) -> Any:
        if not isinstance(value, allowed) or (isinstance(value, bool) and shape is not bool):
            raise TypeError(f"not {shape.__name__}")
        return value

    return check


def _one_of(allowed: tuple[Any, ...]) -> _Turn:
    def check(value: Any) -> Any:
        if value not in allowed:
            raise ValueError("not one of the known words")
        return value

    return check


@lru_cache(maxsize=1024)
def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise TypeError("not a decimal")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("not a finite number")
    return number
