"""The JSON Schema validator as a job needs it: strict about numbers, stable in its order, lazy, and offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jsonschema import Draft7Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

from flux2batch.reading.branches import Schema


def validator_of(schema: Schema) -> Validator:
    """A validator for a schema that is known to be sound; nothing checks it against its own metaschema here."""
    # The registry is empty and retrieves nothing: the library's own would fetch an http reference.
    validator: Validator = _Strict(schema, registry=Registry())
    return validator


def findings_in(validator: Validator, value: Any, form: Schema, found: ValidationError) -> Iterator[ValidationError]:
    """What is wrong with a value as one of its several forms, of which `found` says that it has none."""
    for inner in validator.evolve(schema=form).iter_errors(value):
        inner.parent = found
        yield inner


def _other_keys(validator: Any, allowed: Any, value: Any, schema: Schema) -> Iterator[ValidationError]:
    # The library's own goes through them in an order of chance; we stop at some number, and that must be the same ones.
    if not isinstance(value, dict):
        return
    others = [key for key in value if key not in schema.get("properties", ())]
    if isinstance(allowed, dict):
        for key in others:
            yield from validator.descend(value[key], allowed, path=key)
    elif others and not allowed:
        yield ValidationError("unknown keys")


def _several_forms(validator: Any, forms: Sequence[Schema], value: Any, _: Schema) -> Iterator[ValidationError]:
    # The library's own gathers all that is wrong with each form, though only one form is ever spoken of.
    if not any(validator.evolve(schema=form).is_valid(value) for form in forms):
        yield ValidationError("none of the forms")


def _is_whole(_: object, value: object) -> bool:
    # JSON does not tell 1e3 from 1000, but a person who writes 1e3 for a seed gets a question and not a guess.
    return isinstance(value, int) and not isinstance(value, bool)


_Strict = extend(  # type: ignore[no-untyped-call]  # the stubs leave it bare
    Draft7Validator,
    {"additionalProperties": _other_keys, "anyOf": _several_forms},
    type_checker=Draft7Validator.TYPE_CHECKER.redefine("integer", _is_whole),
)
