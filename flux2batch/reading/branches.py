"""Choose the form that a value was meant to have, where the language allows several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

TEMPLATE = "#/definitions/template"


def resolved(schema: Schema, root: Schema) -> Schema:
    """The definition behind a reference; every reference of the job's schema points into the same file."""
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].removeprefix("#/definitions/")]
    return schema


def chosen(forms: Sequence[Schema], value: Any, root: Schema) -> int | None:
    """Which form was meant, told by the keys of a mapping or by the kind of the value; None where that is open."""
    if isinstance(value, dict):
        return _by_key([resolved(form, root) for form in forms], value)
    fitting = (i for i, form in enumerate(forms) if form.get("$ref") != TEMPLATE and kind(value) in kinds(form, root))
    return next(fitting, None)


def marks(forms: Sequence[Schema], root: Schema) -> tuple[str, ...]:
    """The keys by which the mappings among the forms are told apart: the first that each of them needs."""
    needed = (resolved(form, root).get("required", ()) for form in forms)
    return tuple(dict.fromkeys(keys[0] for keys in needed if keys))


def kinds(schema: Schema, root: Schema) -> frozenset[str]:
    """What kinds of value a schema takes: text, number, boolean, list, mapping."""
    schema = resolved(schema, root)
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return frozenset(_KIND_OF_TYPE[name] for name in types)
    if "enum" in schema:
        return frozenset(kind(word) for word in schema["enum"])
    several = schema.get("anyOf") or schema.get("allOf") or ()
    return frozenset().union(*(kinds(form, root) for form in several if form.get("$ref") != TEMPLATE))


def kind(value: Any) -> str:
    """The kind of a value, in the words of the messages."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case _:
            return "mapping"


def _by_key(forms: Sequence[Schema], value: Mapping[str, Any]) -> int | None:
    mappings = [i for i, form in enumerate(forms) if form.get("type") == "object"]
    hits = {i: sum(key in value for key in forms[i].get("required", ())) for i in mappings}
    marked = max(mappings, key=lambda i: hits[i], default=None)
    if marked is not None and hits[marked]:
        return marked
    free = [i for i in mappings if "required" not in forms[i]]
    return free[0] if free else None


_KIND_OF_TYPE = {
    "null": "nothing",
    "boolean": "boolean",
    "integer": "number",
    "number": "number",
    "string": "text",
    "array": "list",
    "object": "mapping",
}
