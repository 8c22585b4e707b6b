"""What BFL accepts: the fields of each FLUX.2 endpoint and the words in which its server refuses them.

Written from BFL's OpenAPI document and from answers of the real service, and on purpose not from this package's own
catalogue of models: a mistake in one should be caught by the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MAX_PIXELS = 2048 * 2048
MIN_SIDE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One FLUX.2 endpoint and its price: in US dollars for the first megapixel, and for each further one."""

    references: int
    flexible: bool  # takes guidance, steps and prompt_upsampling
    upsamples: str  # the field that turns upsampling on or off; "" where there is none
    first: float
    further: float


_PRO = Endpoint(references=8, flexible=False, upsamples="disable_pup", first=0.03, further=0.015)
_KLEIN_9B = Endpoint(references=4, flexible=False, upsamples="", first=0.015, further=0.002)
ENDPOINTS: dict[str, Endpoint] = {
    "flux-2-pro": _PRO,
    "flux-2-pro-preview": _PRO,
    "flux-2-max": Endpoint(references=8, flexible=False, upsamples="disable_pup", first=0.07, further=0.03),
    "flux-2-flex": Endpoint(references=8, flexible=True, upsamples="prompt_upsampling", first=0.05, further=0.05),
    "flux-2-klein-4b": Endpoint(references=4, flexible=False, upsamples="", first=0.014, further=0.001),
    "flux-2-klein-9b": _KLEIN_9B,
    "flux-2-klein-9b-preview": _KLEIN_9B,
}


def reference_fields(endpoint: Endpoint) -> tuple[str, ...]:
    """`input_image` is image 1, `input_image_2` image 2, and so on."""
    return ("input_image", *(f"input_image_{number}" for number in range(2, endpoint.references + 1)))


def cost_in_credits(endpoint: Endpoint, *, output: float, references: list[float]) -> float:
    """The price in credits of a cent, from megapixels, in binary floats as BFL computes it, dust included."""
    further = sum(_whole(megapixels) for megapixels in references) + _whole(output) - 1
    return (endpoint.first + endpoint.further * further) * 100


def _whole(megapixels: float) -> int:
    return max(1, -int(-megapixels // 1))


# Validation, in pydantic's second version: type, loc, msg, input and, where there are bounds, ctx.

_Checked = tuple[object, dict[str, Any] | None]  # the value as read, or a complaint
_Check = Callable[[object], _Checked]


def check(endpoint: Endpoint, body: object) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a body: its fields with defaults filled in, and the complaints. Unknown fields are ignored, as BFL does."""
    if not isinstance(body, dict):
        message = "Input should be a valid dictionary or object to extract fields from"
        return {}, [{"type": "model_attributes_type", "loc": ["body"], "msg": message, "input": body}]

    values: dict[str, Any] = {}
    complaints: list[dict[str, Any]] = []
    for name, (field, default) in _fields(endpoint).items():
        if name not in body:
            if default is _REQUIRED:
                complaints.append({"type": "missing", "loc": ["body", name], "msg": "Field required", "input": body})
            values[name] = default
            continue
        values[name], complaint = field(body[name])
        if complaint is not None:
            complaints.append({"type": complaint["type"], "loc": ["body", name], **_without_type(complaint)})
    return values, complaints


def invalid_json(error: json.JSONDecodeError) -> dict[str, Any]:
    """The answer to a body that is not JSON."""
    detail = {
        "type": "json_invalid",
        "loc": ["body", error.pos],
        "msg": "JSON decode error",
        "input": {},
        "ctx": {"error": error.msg},
    }
    return {"detail": [detail]}


_REQUIRED = object()


def _fields(endpoint: Endpoint) -> dict[str, tuple[_Check, object]]:
    fields: dict[str, tuple[_Check, object]] = {"prompt": (_text, _REQUIRED)}
    if endpoint.flexible:
        fields["prompt_upsampling"] = (_or_null(_boolean), True)
    for name in reference_fields(endpoint):
        fields[name] = (_or_null(_text), None)
    if endpoint.flexible:
        fields["input_image_blob_path"] = (_or_null(_text), None)
    fields["seed"] = (_or_null(_whole_number()), None)
    fields["width"] = (_or_null(_whole_number(least=MIN_SIDE)), 0)
    fields["height"] = (_or_null(_whole_number(least=MIN_SIDE)), 0)
    if endpoint.flexible:
        fields["guidance"] = (_or_null(_number(least=1.5, most=10)), 5.0)
        fields["steps"] = (_or_null(_whole_number(least=1, most=50)), 50)
    fields["safety_tolerance"] = (_whole_number(least=0, most=5), 2)
    fields["output_format"] = (_or_null(_one_of("jpeg", "png", "webp")), "jpeg")
    fields["webhook_url"] = (_or_null(_url), None)
    fields["webhook_secret"] = (_or_null(_text), None)
    if endpoint.upsamples == "disable_pup":
        fields["disable_pup"] = (_boolean, False)
    return fields


def _complaint(kind: str, message: str, value: object, **context: object) -> _Checked:
    told: dict[str, Any] = {"type": kind, "msg": message, "input": value}
    if context:
        told["ctx"] = context
    return None, told


def _without_type(complaint: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in complaint.items() if name != "type"}


def _or_null(field: _Check) -> _Check:
    return lambda value: (None, None) if value is None else field(value)


def _text(value: object) -> _Checked:
    return (
        (value, None) if isinstance(value, str) else _complaint("string_type", "Input should be a valid string", value)
    )


def _boolean(value: object) -> _Checked:
    if isinstance(value, bool):
        return value, None
    word = value.lower() if isinstance(value, str) else value
    if word in (1, "1", "true", "t", "yes", "y", "on"):
        return True, None
    if word in (0, "0", "false", "f", "no", "n", "off"):
        return False, None
    if isinstance(value, str | int | float):
        return _complaint("bool_parsing", "Input should be a valid boolean, unable to interpret input", value)
    return _complaint("bool_type", "Input should be a valid boolean", value)


def _whole_number(*, least: int | None = None, most: int | None = None) -> _Check:
    def field(value: object) -> _Checked:
        number: int
        if isinstance(value, bool | int):
            number = int(value)
        elif isinstance(value, float):
            if not value.is_integer():
                message = "Input should be a valid integer, got a number with a fractional part"
                return _complaint("int_from_float", message, value)
            number = int(value)
        elif isinstance(value, str):
            if re.fullmatch(r"\s*[+-]?\d{1,4000}(?:\.0+)?\s*", value) is None:
                message = "Input should be a valid integer, unable to parse string as an integer"
                return _complaint("int_parsing", message, value)
            number = int(value.split(".")[0])
        else:
            return _complaint("int_type", "Input should be a valid integer", value)
        return _within(number, value, least, most)

    return field


def _number(*, least: float, most: float) -> _Check:
    def field(value: object) -> _Checked:
        if isinstance(value, str):
            try:
                number = float(value)
            except ValueError:
                message = "Input should be a valid number, unable to parse string as a number"
                return _complaint("float_parsing", message, value)
        elif isinstance(value, bool | int | float):
            number = float(value)
        else:
            return _complaint("float_type", "Input should be a valid number", value)
        return _within(number, value, least, most)

    return field


def _within(number: float, value: object, least: float | None, most: float | None) -> _Checked:
    if least is not None and not number >= least:
        return _complaint("greater_than_equal", f"Input should be greater than or equal to {least:g}", value, ge=least)
    if most is not None and not number <= most:
        return _complaint("less_than_equal", f"Input should be less than or equal to {most:g}", value, le=most)
    return number, None


def _one_of(*choices: str) -> _Check:
    quoted = [f"'{choice}'" for choice in choices]
    expected = f"{', '.join(quoted[:-1])} or {quoted[-1]}"

    def field(value: object) -> _Checked:
        if value in choices:
            return value, None
        return _complaint("enum", f"Input should be {expected}", value, expected=expected)

    return field


def _url(value: object) -> _Checked:
    if not isinstance(value, str):
        return _complaint("url_type", "URL input should be a string or URL", value)
    if len(value) > 2083:
        return _complaint("url_too_long", "URL should have at most 2083 characters", value, max_length=2083)
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if not parts.scheme:
        reason = "input is empty" if not value else "relative URL without a base"
        return _complaint("url_parsing", f"Input should be a valid URL, {reason}", value, error=reason)
    if parts.scheme not in ("http", "https"):
        expected = "'http' or 'https'"
        return _complaint("url_scheme", f"URL scheme should be {expected}", value, expected_schemes=expected)
    if not host:
        return _complaint("url_parsing", "Input should be a valid URL, empty host", value, error="empty host")
    return value, None
