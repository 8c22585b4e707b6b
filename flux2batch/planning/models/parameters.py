"""Whether a model takes a parameter and a value, and what its service is sent for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flux2batch.planning.fault import Fault
from flux2batch.planning.models.catalogue import Entry, Parameter, entries
from flux2batch.planning.models.sizes import SIZE_PARAMETERS, pixels_fault, side_fault
from flux2batch.planning.sweep.numerals import number_in, whole
from flux2batch.reading.suggest import closest

# jsonschema costs about 190 µs a request, so the few keywords that an entry's schemas use are read by hand here, and a
# value is checked where it varies and not once a shot.

SERVICE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "guidance_scale": "guidance",
        "cfg": "guidance",
        "cfg_scale": "guidance",
        "num_inference_steps": "steps",
        "num_steps": "steps",
        "image_size": "size",
        "aspect_ratio": "aspect",
        "prompt_upsampling": "upsampling",
        "disable_pup": "upsampling",
        "enable_prompt_expansion": "upsampling",
        "enable_safety_checker": "safety_checker",
        "num_images_per_prompt": "num_images",
        "n": "num_images",
        "format": "output_format",
        "input_image": "references",
        "image_url": "references",
        "image_urls": "references",
        **{f"input_image_{number}": "references" for number in range(2, 9)},
    }
)
"""What the services call our parameters → what they are called here."""

_KINDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}


def convert(entry: Entry, name: str, value: Any) -> Any:
    """A rendered value or a cell of data as the parameter wants it: text that is a number is read as one (1088, 2,5).

    Anything else comes back as it is; `check_value` then says what is wrong with it. Literals of a job are not
    converted: quotes in YAML mean text.
    """
    if not isinstance(value, str):
        return value
    if name in ("width", "height", "megapixels"):
        return _or_itself(number_in(value), value)
    parameter = entry.parameters.get(name)
    if parameter is None:
        return value
    match parameter.schema["type"]:
        case "integer" | "number":
            return _or_itself(number_in(value), value)
        case "boolean":
            return {"true": True, "false": False}.get(value.strip().lower(), value)
        case _:
            return value


def check_value(entry: Entry, name: str, value: Any) -> Fault | None:
    """What is wrong with giving this model this value, or None. Of a size only what one side shows by itself."""
    if name in ("width", "height"):
        return _check_side(entry, name, value)
    if name in SIZE_PARAMETERS:
        return None
    parameter = entry.parameters.get(name)
    if parameter is None:
        return _not_taken(entry, name)
    return _check_against(parameter, value, entry)


def check_together(entry: Entry, params: Mapping[str, Any], n_references: int) -> tuple[Fault, ...]:
    """What is wrong with values that are each fine: too many references, too many pixels."""
    return tuple(fault for fault in (_check_references(entry, n_references), _check_pixels(entry, params)) if fault)


def check_prompt(entry: Entry, prompt: str) -> Fault | None:
    """Whether the prompt is longer than the model reads (FB210), by an estimate on the safe side."""
    limit = entry.prompt_max_tokens
    if limit is None or len(prompt.encode("utf-8")) <= limit:
        return None  # no tokenizer makes more than a token of a byte
    tokens = estimated_tokens(prompt)
    if tokens <= limit:
        return None
    return Fault(
        code="FB210",
        message=f"the prompt is about {round(tokens, -2) or tokens:,} tokens long, {entry.model} reads {limit:,}",
        help="shorten it: what is too much is refused or dropped",
        parameter="prompt",
    )


def estimated_tokens(text: str) -> int:
    """How many tokens a text may be: a fourth of a word's letters each in ASCII, one for every other character."""
    foreign = sum(1 for character in text if character > "\x7f") if not text.isascii() else 0
    return -(-(len(text) - foreign) // 4) + foreign


def check_model(model: str, folders: tuple[Path, ...] = ()) -> Fault | None:
    """What is wrong with the name of a model: misspelt (FB203), or not at this provider (FB604)."""
    known = entries(folders)
    if model in known:
        return None
    provider, _, name = model.partition("/")
    elsewhere = [other.partition("/")[0] for other in known if other.partition("/")[2] == name]
    if elsewhere and provider in {other.partition("/")[0] for other in known}:
        return Fault(
            code="FB604",
            message=f"{name} is not on {provider} (providers: {', '.join(elsewhere)})",
            help=f"write model: {elsewhere[0]}/{name}",
            parameter="model",
        )
    near = _meant(model, known)
    return Fault(
        code="FB203",
        message=f"there is no model '{model}'",
        help=f"did you mean '{near}'?" if near else f"the models are {', '.join(known)}",
        parameter="model",
    )


def request_fields(entry: Entry, params: Mapping[str, Any]) -> dict[str, Any]:
    """The service's own fields for these neutral parameters, prompt and references apart.

    Every default is sent, so that a changed default of the service changes no picture. `params` holds width and height
    and whatever of the entry's parameters the job says; others are passed over (they were checked long ago).
    """
    sent = {
        parameter.sent_as: _sent(parameter, _given(params, parameter))
        for parameter in entry.parameters.values()
        if parameter.sent_as is not None and _given(params, parameter) is not None
    }
    return {**_size_fields(entry, params), **sent, **entry.fixed}


def _size_fields(entry: Entry, params: Mapping[str, Any]) -> dict[str, Any]:
    sides = {"width": params["width"], "height": params["height"]}
    return sides if entry.sizes.sent_as == "width-height" else {"image_size": sides}


def _given(params: Mapping[str, Any], parameter: Parameter) -> Any:
    value = params.get(parameter.name)
    return parameter.default if value is None else value


def _sent(parameter: Parameter, value: Any) -> Any:
    plain = _plain(parameter, value)
    return parameter.sent_values.get(json.dumps(plain), plain) if parameter.sent_values else plain


def _plain(parameter: Parameter, value: Any) -> Any:
    """The value as JSON has it: 20 for 20.0 where a whole number is meant, a float for a decimal."""
    match parameter.schema["type"]:
        case "integer":
            return int(value)
        case "number":
            return int(value) if value == int(value) else float(value)
        case _:
            return value


def _or_itself(number: int | Decimal | None, text: str) -> Any:
    return text if number is None else number


def _check_side(entry: Entry, name: str, value: Any) -> Fault | None:
    side = None if isinstance(value, str) else whole(value)
    return _wrong_kind(name, "integer", value) if side is None else side_fault(entry, name, side)


def _check_against(parameter: Parameter, value: Any, entry: Entry) -> Fault | None:
    schema, name = parameter.schema, parameter.name
    if not _is_kind(schema["type"], value):
        return _wrong_kind(name, schema["type"], value)
    if "enum" in schema:
        return None if value in schema["enum"] else _not_one_of(parameter, value, entry)
    low, high = schema.get("minimum"), schema.get("maximum")
    if (low is not None and value < low) or (high is not None and value > high):
        return Fault(
            code="FB204",
            message=f"{name} must be {_range(low, high)}, got {value}",
            help=f"the limits are those of {entry.model}",
            parameter=name,
        )
    step = schema.get("multipleOf")
    if step is not None and Decimal(str(value)) % Decimal(str(step)):
        return Fault(
            code="FB204", message=f"{name} must be a multiple of {step}, got {value}", help=None, parameter=name
        )
    return None


def _is_kind(kind: str, value: Any) -> bool:
    match kind:
        case "integer":
            return not isinstance(value, str) and whole(value) is not None
        case "number":
            return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and value == value
        case "boolean":
            return isinstance(value, bool)
        case _:
            return isinstance(value, str)


def _range(low: Any, high: Any) -> str:
    if high is None:
        return f"{low} or more"
    return f"at most {high}" if low is None else f"{low} to {high}"


def _wrong_kind(name: str, kind: str, value: Any) -> Fault:
    number = kind in ("integer", "number")
    quoted = isinstance(value, str) and number and number_in(value) is not None
    help_text = "remove the quotes" if quoted else "write true or false" if kind == "boolean" else None
    return Fault(
        code="FB205",
        message=f"{name} must be {_KINDS[kind]}, got {_described(value)}",
        help=help_text,
        parameter=name,
    )


def _described(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'the text "{value[:60]}"'
        case None:
            return "nothing"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return str(value)


def _not_one_of(parameter: Parameter, value: Any, entry: Entry) -> Fault:
    name, legal = parameter.name, parameter.schema["enum"]
    if parameter.sent_as is None:  # its one value says what the model does anyway: any other would be ignored
        return Fault(
            code="FB602",
            message=f"{name} can only be {_described(legal[0])} on {entry.model}, got {_described(value)}",
            help=parameter.description,
            parameter=name,
        )
    near = closest(value, legal) if isinstance(value, str) else None
    return Fault(
        code="FB203",
        message=f"{name} must be one of {', '.join(map(str, legal))}, got {_described(value)}",
        help=f"did you mean '{near}'?" if near else None,
        parameter=name,
    )


def _not_taken(entry: Entry, name: str) -> Fault:
    if name in SERVICE_NAMES:
        return Fault(
            code="FB201",
            message=f"'{name}' is called '{SERVICE_NAMES[name]}' here",
            help=f"write {SERVICE_NAMES[name]}, for every model",
            parameter=name,
        )
    takers = [other for other in entries().values() if name in other.parameters and other.parameters[name].sent_as]
    if not takers and name not in entry.ignored:
        return _unknown(name)
    near = [other for other in takers if other.provider == entry.provider]
    far = [other for other in takers if other.provider != entry.provider]
    return Fault(
        code="FB602",
        message=_who_takes(name, near, far, entry),
        help=_joined(entry.ignored.get(name), f"remove it, or choose {_listed(near + far)}" if takers else None),
        parameter=name,
    )


def _who_takes(name: str, near: Sequence[Entry], far: Sequence[Entry], entry: Entry) -> str:
    """The one model that takes it, where that is simple; on the same service, where others have it elsewhere."""
    alone = near or far
    if len(alone) != 1:
        return f"{entry.model} takes no '{name}'"
    here = f"on {entry.provider} " if near and far else ""
    return f"{here}'{name}' works only with {alone[0].model}, and not with {entry.model}"


def _joined(*parts: str | None) -> str:
    return "; ".join(part for part in parts if part)


def _listed(models: Sequence[Entry]) -> str:
    """Four names at most: a longer list is not read, and `flux2batch models` has it."""
    names = ", ".join(model.model for model in models[:4])
    return f"{names} and {len(models) - 4} more" if len(models) > 5 else ", ".join(model.model for model in models)


def _unknown(name: str) -> Fault:
    known = {*SIZE_PARAMETERS, *(parameter for other in entries().values() for parameter in other.parameters)}
    near = closest(name, sorted(known))
    return Fault(
        code="FB201",
        message=f"unknown parameter '{name}'",
        help=f"did you mean '{near}'?" if near else f"known parameters: {', '.join(sorted(known))}",
        parameter=name,
    )


def _check_references(entry: Entry, count: int) -> Fault | None:
    most = entry.references.max
    if count <= most:
        return None
    roomier = [other for other in entries().values() if other.references.max >= count]
    return Fault(
        code="FB603",
        message=f"{count} references, but {entry.model} takes at most {most}",
        help=_joined(
            f"choose {_listed(roomier)}" if roomier else None,
            "lay several out on one board: {collage: [a.png, b.png]}",
        ),
        parameter="references",
    )


def _check_pixels(entry: Entry, params: Mapping[str, Any]) -> Fault | None:
    width, height = params.get("width"), params.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        return None
    return pixels_fault(entry, width, height, parameter="width")


def _meant(model: str, known: Mapping[str, Entry]) -> str | None:
    """The model that a service's own name stands for (fal-ai/flux-2/flash), or the one that is spelt most like it."""
    path = "/" + model.strip("/")
    for name, entry in known.items():
        if path in (entry.endpoint, entry.edit_endpoint, entry.endpoint.removeprefix("/v1")):
            return name
    bare = [name for name in known if name.partition("/")[2] == model]
    return bare[0] if bare else closest(model, known)
