"""Turn what the validator found into problems in plain words, with exact places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flux2batch.reading import unknown_keys
from flux2batch.reading.branches import Schema, chosen, kind, kinds, marks, resolved
from flux2batch.reading.document import Document
from flux2batch.reading.problems import Note, Problem, Steps, error
from flux2batch.reading.suggest import closest, did_you_mean
from flux2batch.reading.validator import findings_in
from flux2batch.reading.wording import called, listed, remedy, shown

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator


# Editors show `errorMessage` instead of all that they would say, also of a key that is not known. So a mapping that
# names all its keys says with a word of ours what it must be.
_SAID = ("errorMessage", "kindMessage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One finding of the validator, with what the translations below need to know."""

    document: Document
    validator: Validator
    found: ValidationError
    steps: Steps
    value: Any
    keyword: str
    rule: Any  # what the keyword asks for
    schema: Schema
    whole: Schema  # where `schema` is one of several forms of the value: the schema that has them all
    forms: tuple[Schema, ...]  # those forms, or ()

    @property
    def root(self) -> Schema:
        """The whole schema."""
        return self.validator.schema  # type: ignore[return-value]  # a mapping: it is never just true or false

    @property
    def expectation(self) -> str:
        """What the schema says that the value must be."""
        said = (schema.get(key) for schema in (self.schema, self.whole) for key in _SAID)
        return str(next(filter(None, said), "must be of another kind"))

    @property
    def shown(self) -> str:
        return shown(self.document, self.steps, self.value)


def problems_of(found: ValidationError, document: Document, validator: Validator) -> Iterator[Problem]:
    """The problems behind one finding. Where several forms are possible, only the one that was meant is spoken of."""
    fault = _fault(found, document, validator)
    if fault.steps == ("flux2batch",):
        return  # said already, and better, by the check of the version
    if "propertyNames" in found.absolute_schema_path:
        yield unknown_keys.unusable_name(document, fault.steps, str(fault.value))
        return
    yield from _TRANSLATIONS[fault.keyword](fault)


def _fault(found: Any, document: Document, validator: Validator) -> Fault:
    parent = found.parent
    among_forms = parent is not None and parent.validator == "anyOf" and parent.absolute_path == found.absolute_path
    return Fault(
        document=document,
        validator=validator,
        found=found,
        steps=tuple(found.absolute_path),
        value=found.instance,
        keyword=found.validator,
        rule=found.validator_value,
        schema=found.schema,
        whole=parent.schema if among_forms else found.schema,
        forms=tuple(parent.validator_value) if among_forms else (),
    )


def _several_forms(fault: Fault) -> Iterator[Problem]:
    forms, value = fault.rule, fault.value
    if not fault.steps:
        yield from _missing_unless_misspelt(fault, "prompt")
        return
    if all("type" not in resolved(form, fault.root) and "required" in form for form in forms):
        yield _missing(fault, list(marks(forms, fault.root)))
        return
    form = chosen(forms, value, fault.root)
    if form is not None:
        for inner in findings_in(fault.validator, value, forms[form], fault.found):
            yield from problems_of(inner, fault.document, fault.validator)
        return
    if isinstance(value, dict) and not _has_a_remedy(fault):
        yield from _unmarked(fault)
    else:
        yield _not_possible(fault) if _is_another_word(fault) else _wrong_kind(fault)


def _unmarked(fault: Fault) -> Iterator[Problem]:
    """A mapping without any of the keys that would tell its form."""
    keys = marks(fault.rule, fault.root)
    misspelt = _misspelt(fault.value, keys)
    if misspelt is not None:
        yield from unknown_keys.problems(fault.document, (*fault.steps, misspelt), keys, fault.root)
    elif keys and fault.value:
        yield _missing(fault, list(keys))
    else:
        yield _wrong_kind(fault)


def _misspelt(value: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((str(key) for key in value if closest(str(key), keys)), None)


def _is_another_word(fault: Fault) -> bool:
    """Whether text stands where text may stand, and only not this one."""
    wanted = kinds(fault.schema, fault.root)
    if not isinstance(fault.value, str) or "text" not in wanted or _is_axis(fault.schema):
        return False
    return not _has_a_remedy(fault)


def _has_a_remedy(fault: Fault) -> bool:
    return remedy(fault.document, fault.steps, fault.value, kinds(fault.whole, fault.root)) is not None


def _wrong_type(fault: Fault) -> Iterator[Problem]:
    yield _wrong_kind(fault)


def _wrong_word(fault: Fault) -> Iterator[Problem]:
    if kind(fault.value) not in kinds(fault.schema, fault.root) or _has_a_remedy(fault):
        yield _wrong_kind(fault)
    else:
        yield _not_possible(fault)


def _wrong_form(fault: Fault) -> Iterator[Problem]:
    if fault.steps == ("prompt",):
        yield _empty_prompt(fault)
    elif fault.steps == ("name",):
        yield error(
            "FB212",
            f"name {fault.expectation}, got {fault.shown}",
            where=fault.document.place(fault.steps),
            steps=fault.steps,
            help='not possible are / \\ : * ? " < > |, a . or - at the beginning, and more than 100 characters',
        )
    elif _is_axis(fault.whole):
        yield _wrong_kind(fault)
    else:
        yield _not_possible(fault)


def _empty_prompt(fault: Fault) -> Problem:
    return error(
        "FB209",
        "the prompt is empty",
        where=fault.document.place(fault.steps),
        steps=fault.steps,
        help='say what to draw: prompt: "a paper boat"',
    )


def _too_short(fault: Fault) -> Iterator[Problem]:
    if fault.steps == ("prompt",):
        yield _empty_prompt(fault)
        return
    what = called(fault.steps)
    yield error(
        "FB207",
        f"{what} is empty",
        where=fault.document.place(fault.steps),
        steps=fault.steps,
        help=f"{what} {fault.expectation}; or leave it out",
    )


def _number_out_of_range(fault: Fault) -> Iterator[Problem]:
    bounds = {"exclusiveMinimum": "more than", "minimum": "at least", "maximum": "at most"}
    yield error(
        "FB204",
        f"{called(fault.steps)} must be {bounds[fault.keyword]} {fault.rule:,}, got {fault.shown}",
        where=fault.document.place(fault.steps),
        steps=fault.steps,
    )


def _wrong_length(fault: Fault) -> Iterator[Problem]:
    count = len(fault.value)
    found = "an empty list" if count == 0 else f"{count} {'entry' if count == 1 else 'entries'}"
    yield error(
        "FB205",
        f"{called(fault.steps)} {fault.expectation}, got {found}",
        where=fault.document.place(fault.steps),
        steps=fault.steps,
    )


def _twice(fault: Fault) -> Iterator[Problem]:
    entries = fault.value
    second = next(i for i, entry in enumerate(entries) if entry in entries[:i])
    at = (*fault.steps, second)
    yield error(
        "FB208",
        f"{shown(fault.document, at, entries[second])} stands twice in {called(fault.steps)}",
        where=fault.document.place(at),
        steps=at,
        help="remove one of them",
    )


def _missing_keys(fault: Fault) -> Iterator[Problem]:
    for key in fault.rule:
        if key not in fault.value and (*fault.steps, key) != ("flux2batch",):
            yield from _missing_unless_misspelt(fault, key)


def _missing_unless_misspelt(fault: Fault, key: str) -> Iterator[Problem]:
    """`promt` is one mistake and not two: an unknown key and a missing one."""
    known = fault.schema.get("properties", {})
    if not any(closest(str(other), (key,)) for other in fault.value if other not in known):
        yield _missing(fault, [key])


def _keys_too_many(fault: Fault) -> Iterator[Problem]:
    known = tuple(fault.schema["properties"])
    of_other_forms = marks(fault.forms, fault.root)
    for key in fault.value:
        if key in known:
            continue
        if key in of_other_forms:
            yield _both(fault, fault.schema["required"][0], str(key))
        else:
            yield from unknown_keys.problems(fault.document, (*fault.steps, key), known, fault.root)


def _forbidden(fault: Fault) -> Iterator[Problem]:
    if fault.value is None:
        yield _wrong_kind(fault)
        return
    first, second = (key for key in fault.value if key in fault.rule["required"])
    yield _both(fault, first, second)


def _wrong_kind(fault: Fault) -> Problem:
    what, steps = called(fault.steps), fault.steps
    if fault.value is None:
        return error(
            "FB207",
            f"{what} has no value",
            where=fault.document.key_place(steps),
            steps=steps,
            help="give it a value, or leave the key out" if steps and isinstance(steps[-1], str) else "leave it out",
        )
    return error(
        "FB205",
        f"{what} {fault.expectation}, got {fault.shown}",
        where=fault.document.place(steps),
        steps=steps,
        help=remedy(fault.document, steps, fault.value, kinds(fault.whole, fault.root)),
    )


def _not_possible(fault: Fault) -> Problem:
    words = _words(fault.whole, fault.root)
    return error(
        "FB203",
        f"{called(fault.steps)} {fault.expectation}, got {fault.shown.removeprefix('text ')}",
        where=fault.document.place(fault.steps),
        steps=fault.steps,
        help=_nearest(fault.value, words) if isinstance(fault.value, str) else None,
    )


def _nearest(value: str, words: tuple[str, ...]) -> str | None:
    """The word that was meant; of names such as bfl/flux-2-pro also by the part behind the stroke."""
    tails = {word.rpartition("/")[2]: word for word in reversed(words)}
    tail = closest(value, tails) if "/" not in value else None
    return f"did you mean '{tails[tail]}'?" if tail else did_you_mean(value, words)


def _words(schema: Schema, root: Schema) -> tuple[str, ...]:
    """The words that are possible for a value; where any word is, those of the examples."""
    schema = resolved(schema, root)
    fixed = [word for form in (schema, *schema.get("anyOf", ())) for word in resolved(form, root).get("enum", ())]
    return tuple(word for word in (fixed or schema.get("examples", ())) if isinstance(word, str))


def _missing(fault: Fault, keys: list[str]) -> Problem:
    document, steps = fault.document, fault.steps
    beside = next(iter(fault.value), None)
    where = document.place(steps) if beside is None else document.key_place((*steps, beside))
    wanted = listed([f"'{key}'" for key in keys])
    return error(
        "FB202",
        f"missing key {wanted}" + (f" in {called(steps)}" if steps else ""),
        where=where,
        steps=steps,
        help='say what to draw: prompt: "a paper boat"' if keys == ["prompt"] and not steps else None,
    )


def _both(fault: Fault, first: str, second: str) -> Problem:
    document, at = fault.document, (*fault.steps, second)
    is_size = fault.steps[-1:] in (("params",), ("set",))
    return error(
        "FB208",
        f"give either '{first}' or '{second}'",
        where=document.key_place(at),
        steps=at,
        help=_ONE_SIZE if is_size else f"remove '{first}' or '{second}'",
        notes=(Note(text=f"'{first}' stands here", where=document.key_place((*fault.steps, first))),),
    )


_ONE_SIZE = "the size is one parameter: 'size', or 'width' with 'height', or 'aspect' with 'megapixels'"


def _is_axis(schema: Schema) -> bool:
    return schema.get("title") == "an axis"


_TRANSLATIONS: dict[str, Callable[[Fault], Iterator[Problem]]] = {
    "additionalProperties": _keys_too_many,
    "anyOf": _several_forms,
    "enum": _wrong_word,
    "exclusiveMinimum": _number_out_of_range,
    "maxItems": _wrong_length,
    "maxLength": _wrong_form,
    "minItems": _wrong_length,
    "minLength": _too_short,
    "minProperties": _too_short,
    "maximum": _number_out_of_range,
    "minimum": _number_out_of_range,
    "not": _forbidden,
    "pattern": _wrong_form,
    "required": _missing_keys,
    "type": _wrong_type,
    "uniqueItems": _twice,
}
