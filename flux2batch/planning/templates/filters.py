"""The filters of templates, each with a bound on what it may be given and on what it may give.

A call into C cannot be interrupted, so what would be too long is predicted before the call where it can be.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable
from typing import Any

from jinja2 import Undefined

from flux2batch.planning.sweep.slugs import slug as slug_of
from flux2batch.planning.templates.comparisons import order_key
from flux2batch.planning.templates.faults import refuse
from flux2batch.planning.templates.meter import METER, check_size, size_of
from flux2batch.planning.templates.plain import given, to_text
from flux2batch.planning.templates.values import EmptyCell, KeyedTable, ValueObject, kind_of

MAX_WIDTH = 1_000
"""Numeric arguments: widths, digits, spaces of an indent."""


def _text(value: Any, name: str) -> str:
    if isinstance(value, (list, tuple, dict, KeyedTable)):
        refuse("FB305", f"'{name}' works on a text, got {kind_of(value)}")
    return to_text(value)


def _width(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        refuse("FB305", f"'{name}' needs a whole number, got {kind_of(value)}")
    if not -MAX_WIDTH <= value <= MAX_WIDTH:
        refuse("FB306", f"'{name}' takes numbers up to {MAX_WIDTH:,}, got {value}")
    return value


def _items(value: Any, name: str) -> list[Any]:
    if isinstance(value, KeyedTable):
        return list(value.rows)
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, dict):
        return list(value)
    return refuse("FB305", f"'{name}' works on a list, got {kind_of(value)}")


def _field(item: Any, attribute: str | None) -> Any:
    if attribute is None:
        return item
    if attribute.startswith("_"):
        refuse("FB304", "names that begin with '_' cannot be used in templates")
    item = item.fields if isinstance(item, ValueObject) else item
    if not isinstance(item, dict) or attribute not in item:
        refuse("FB301", f"an item of the list has no field '{attribute}'", name=attribute)
    return item[attribute]


def _upper(value: Any) -> str:
    return _text(value, "upper").upper()


def _lower(value: Any) -> str:
    return _text(value, "lower").lower()


def _capitalize(value: Any) -> str:
    return _text(value, "capitalize").capitalize()


_WORD = re.compile(r"[^-\s(\[{<]+")


def _title(value: Any) -> str:
    return _WORD.sub(lambda word: word[0][0].upper() + word[0][1:].lower(), _text(value, "title"))


def _trim(value: Any, chars: str | None = None) -> str:
    return _text(value, "trim").strip(None if chars is None else to_text(chars))


def _replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = _text(value, "replace"), to_text(old), to_text(new)
    times = text.count(old) if count is None else min(_width(count, "replace"), text.count(old))
    check_size(len(text) + times * (len(new) - len(old)))
    return text.replace(old, new, times)


def _default(value: Any, default: Any = "", boolean: bool = False) -> Any:
    if isinstance(value, (Undefined, EmptyCell)) or value is None or (boolean and not value):
        return default
    return value


def _join(value: Any, between: Any = "", attribute: str | None = None) -> str:
    parts = [to_text(_field(item, attribute)) for item in _items(value, "join")]
    glue: str = to_text(between)
    check_size(sum(map(len, parts)) + len(glue) * max(0, len(parts) - 1))
    return glue.join(parts)


def _first(value: Any) -> Any:
    return _end(value, "first", 0)


def _last(value: Any) -> Any:
    return _end(value, "last", -1)


def _end(value: Any, name: str, index: int) -> Any:
    items = value if isinstance(value, str) else _items(value, name)
    if not items:
        refuse("FB305", f"'{name}' of nothing: the list or text is empty", "write what stands in for it, with {% if %}")
    return items[index]


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(_items(value, "length"))


def _int(value: Any, default: Any = None, base: int = 10) -> Any:
    if isinstance(value, str) and base != 10:
        try:
            return int(value, _width(base, "int"))
        except ValueError:
            return _no_number(value, default, "int")
    read = _float(value, default, name="int")
    if read is default and default is not None:
        return default
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,18}\s*", value):
        return int(value)  # exact, where the way over a float is not
    return int(value) if isinstance(value, int) else int(read)


def _float(value: Any, default: Any = None, *, name: str = "float") -> Any:
    if isinstance(value, str):
        written = value.strip().replace(",", ".") if value.count(",") == 1 and "." not in value else value.strip()
        if len(written) > 40 or not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", written, re.ASCII):
            return _no_number(value, default, name)
        value = float(written)
    if not isinstance(value, (int, float)):
        return _no_number(value, default, name)
    try:
        read = float(value)
    except OverflowError:
        return _no_number(value, default, name)
    return read if math.isfinite(read) else _no_number(value, default, name)


def _no_number(value: Any, default: Any, name: str) -> Any:
    if default is None:
        refuse(
            "FB305", f"'{name}' cannot read {kind_of(value)} as a number", f"write what stands in for it: | {name}(0)"
        )
    return default


def _round(value: Any, precision: int = 0, method: str = "common") -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse("FB305", f"'round' works on a number, got {kind_of(value)}")
    digits = _width(precision, "round")
    if method == "common":
        return float(round(value, digits))
    if method not in ("ceil", "floor"):
        refuse("FB305", f"'round' knows 'common', 'ceil' and 'floor', not {kind_of(method)}")
    scale = 10.0 ** min(max(digits, -15), 15)
    return float((math.ceil if method == "ceil" else math.floor)(value * scale) / scale)


def _abs(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse("FB305", f"'abs' works on a number, got {kind_of(value)}")
    return abs(value)


def _sort(value: Any, reverse: bool = False, case_sensitive: bool = False, attribute: str | None = None) -> list[Any]:
    def key(item: Any) -> Any:
        return order_key(_field(item, attribute), case_sensitive=case_sensitive)

    return sorted(_items(value, "sort"), key=key, reverse=bool(reverse))


def _unique(value: Any, case_sensitive: bool = False, attribute: str | None = None) -> list[Any]:
    kept: dict[Any, Any] = {}
    for item in _items(value, "unique"):
        kept.setdefault(order_key(_field(item, attribute), case_sensitive=case_sensitive), item)
    return list(kept.values())


def _reverse(value: Any) -> Any:
    return value[::-1] if isinstance(value, str) else _items(value, "reverse")[::-1]


def _string(value: Any) -> str:
    return _text(value, "string")


def _tojson(value: Any, indent: int | None = None) -> str:
    value = _for_json(value, depth=0)
    width = None if indent is None else _width(indent, "tojson")
    if width is not None:
        # Every item stands on a line of its own, and the indent grows with the depth.
        check_size(size_of(value) * (1 + abs(width) * _MAX_JSON_DEPTH // 4))
    return json.dumps(value, ensure_ascii=False, indent=width)


_MAX_JSON_DEPTH = 16


def _for_json(value: Any, depth: int) -> Any:
    if depth > _MAX_JSON_DEPTH:
        refuse("FB306", f"'tojson' goes at most {_MAX_JSON_DEPTH} levels deep")
    if isinstance(value, ValueObject):
        value = value.value
    if isinstance(value, KeyedTable):
        value = list(value.rows)
    if isinstance(value, dict):
        return {to_text(key): _for_json(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_for_json(inner, depth + 1) for inner in value]
    if isinstance(value, EmptyCell) or value is None or isinstance(value, (str, bool, int, float)):
        return value
    return given(value)


def _truncate(value: Any, length: int = 255, killwords: bool = False, end: Any = "…", leeway: int = 0) -> str:
    text: str = _text(value, "truncate")
    ellipsis: str = to_text(end)
    length, leeway = _width(length, "truncate"), _width(leeway, "truncate")
    if length < len(ellipsis):
        refuse("FB305", f"'truncate' to {length} characters has no room for '{ellipsis}'")
    if len(text) <= length + leeway:
        return text
    kept = text[: length - len(ellipsis)]
    return (kept if killwords else kept.rsplit(" ", 1)[0]) + ellipsis


def _slug(value: Any) -> str:
    return slug_of(_text(value, "slug"))


def _bounded(work: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with its input taken out of its wrapping, its work counted and its result measured."""

    @functools.wraps(work)
    def bounded(value: Any, *args: Any, **named: Any) -> Any:
        value = given(value)
        check_size(METER.spend_on(value))
        result = work(value, *map(given, args), **{name: given(argument) for name, argument in named.items()})
        if result is not value:
            check_size(size_of(result))
        return result

    return bounded


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": _bounded(_abs),
    "capitalize": _bounded(_capitalize),
    "default": _default,  # what is missing is its business
    "first": _bounded(_first),
    "float": _bounded(_float),
    "int": _bounded(_int),
    "join": _bounded(_join),
    "last": _bounded(_last),
    "length": _bounded(_length),
    "lower": _bounded(_lower),
    "replace": _bounded(_replace),
    "reverse": _bounded(_reverse),
    "round": _bounded(_round),
    "slug": _bounded(_slug),
    "sort": _bounded(_sort),
    "string": _bounded(_string),
    "title": _bounded(_title),
    "tojson": _bounded(_tojson),
    "trim": _bounded(_trim),
    "truncate": _bounded(_truncate),
    "unique": _bounded(_unique),
    "upper": _bounded(_upper),
}
