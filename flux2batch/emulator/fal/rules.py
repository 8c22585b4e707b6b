"""What fal's FLUX.2 endpoints accept and cost, and how they refuse: in the style of pydantic's first version.

Written from fal's model pages and client types, and on purpose not from this package's own catalogue of models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MEGAPIXEL = 2**20
PRESETS = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint: its limits, its defaults and its price."""

    edits: bool
    most_references: int | None  # further ones are dropped without a word; None: no limit in the schema
    steps: tuple[int, int, int] | None  # default, least, most
    guidance: tuple[float, float, float] | None
    size: str | None  # the default preset; None or "auto" follow the first reference
    frames: bool  # takes num_images, and answers with timings, prompt and flags
    formats: tuple[str, ...]
    format: str
    expands: bool
    accelerates: bool
    sides: tuple[int, int]
    tolerance: bool
    unit_price: float
    unit: str
    tiers: tuple[float, float] | None  # in units: first output megapixel, each further one; None: by area
    reference_mp: float | None  # what every reference counts as, for it is resized to that; None: what it has


_STEPS, _FEW_STEPS = (28, 4, 50), (4, 4, 8)
_DEV = Endpoint(
    edits=False,
    most_references=None,
    steps=_STEPS,
    guidance=(2.5, 0, 20),
    size="landscape_4_3",
    frames=True,
    formats=("jpeg", "png", "webp"),
    format="png",
    expands=True,
    accelerates=True,
    sides=(512, 2048),
    tolerance=False,
    unit_price=0.012,
    unit="megapixels",
    tiers=None,
    reference_mp=None,
)
_FLASH = replace(_DEV, steps=None, accelerates=False, unit_price=0.005)
_TURBO = replace(_FLASH, unit_price=0.008)
_KLEIN = replace(_DEV, steps=_FEW_STEPS, guidance=None, expands=False, accelerates=False, unit_price=0.005)
_KLEIN_BASE = replace(_DEV, guidance=(5, 0, 20), expands=False, unit_price=0.009)
_PRO = replace(
    _DEV,
    steps=None,
    guidance=None,
    frames=False,
    formats=("jpeg", "png"),
    format="jpeg",
    expands=False,
    accelerates=False,
    sides=(64, 14142),
    tolerance=True,
    unit_price=0.01,
    unit="credits",
    tiers=(3.0, 1.5),
)
_FLEX = replace(_PRO, steps=(28, 2, 50), guidance=(3.5, 1.5, 10), expands=True, tiers=(5.0, 5.0))
_MAX = replace(_PRO, tiers=(7.0, 3.0))


def _edit(endpoint: Endpoint, **changed: Any) -> Endpoint:
    return replace(endpoint, edits=True, **{"size": None, "most_references": 4, **changed})


_FOLLOWS: dict[str, Any] = {"size": "auto", "most_references": None}
ENDPOINTS: dict[str, Endpoint] = {
    "fal-ai/flux-2": _DEV,
    "fal-ai/flux-2/edit": _edit(_DEV),
    "fal-ai/flux-2/flash": _FLASH,
    "fal-ai/flux-2/flash/edit": _edit(_FLASH, size="square_hd", reference_mp=1.0),
    "fal-ai/flux-2/turbo": _TURBO,
    "fal-ai/flux-2/turbo/edit": _edit(_TURBO, size="square_hd", reference_mp=1.0),
    "fal-ai/flux-2/klein/4b": _KLEIN,
    "fal-ai/flux-2/klein/4b/edit": _edit(_KLEIN, unit_price=0.01),
    "fal-ai/flux-2/klein/9b": replace(_KLEIN, unit_price=0.006),
    "fal-ai/flux-2/klein/9b/edit": _edit(_KLEIN, unit_price=0.011),
    "fal-ai/flux-2/klein/4b/base": _KLEIN_BASE,
    "fal-ai/flux-2/klein/4b/base/edit": _edit(_KLEIN_BASE),
    "fal-ai/flux-2/klein/9b/base": replace(_KLEIN_BASE, unit_price=0.011),
    "fal-ai/flux-2/klein/9b/base/edit": _edit(_KLEIN_BASE, unit_price=0.011),
    "fal-ai/flux-2-pro": _PRO,
    "fal-ai/flux-2-pro/edit": _edit(_PRO, **_FOLLOWS),
    "fal-ai/flux-2-flex": _FLEX,
    "fal-ai/flux-2-flex/edit": _edit(_FLEX, **_FOLLOWS),
    "fal-ai/flux-2-max": _MAX,
    "fal-ai/flux-2-max/edit": _edit(_MAX, **_FOLLOWS),
}


def billable_units(endpoint: Endpoint, *, output: float, frames: int, references: list[float]) -> float:
    """The units of the header, from megapixels; by area they come with the dust of binary floats, as fal's do."""
    if endpoint.tiers is None:
        counted = [one if endpoint.reference_mp is None else endpoint.reference_mp for one in references]
        return output * frames + sum(counted)
    first, further = endpoint.tiers
    return first + further * (_whole(output) - 1 + sum(_whole(one) for one in references))


def _whole(megapixels: float) -> int:
    return max(1, math.ceil(megapixels))


# Validation.

_Checked = tuple[object, dict[str, Any] | None]
_Check = Callable[[object], _Checked]
_REQUIRED = object()


def check(endpoint: Endpoint, body: object) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read an input: its fields with defaults, and the complaints. Unknown fields are dropped, as fal does."""
    if not isinstance(body, dict):
        return {}, [{"loc": ["body"], "msg": "value is not a valid dict", "type": "type_error.dict"}]
    values: dict[str, Any] = {}
    complaints: list[dict[str, Any]] = []
    for name, (field, default) in _fields(endpoint).items():
        if name not in body or (body[name] is None and default is not _REQUIRED):
            if default is _REQUIRED:
                complaints.append({"loc": ["body", name], "msg": "field required", "type": "value_error.missing"})
            values[name] = default
            continue
        values[name], complaint = field(body[name])
        if complaint is not None:
            complaints.append({"loc": ["body", name, *complaint.pop("inside", ())], **complaint})
    return values, complaints


def _fields(endpoint: Endpoint) -> dict[str, tuple[_Check, object]]:
    fields: dict[str, tuple[_Check, object]] = {"prompt": (_text, _REQUIRED)}
    if endpoint.edits:
        fields["image_urls"] = (_texts, _REQUIRED)
    fields["image_size"] = (_size(endpoint), endpoint.size)
    fields["seed"] = (_whole_number(None, None), None)
    if endpoint.steps is not None:
        default, least, most = endpoint.steps
        fields["num_inference_steps"] = (_whole_number(least, most), default)
    if endpoint.guidance is not None:
        usual, low, high = endpoint.guidance
        fields["guidance_scale"] = (_number(low, high), usual)
    if endpoint.frames:
        fields["num_images"] = (_whole_number(1, 4), 1)
    if endpoint.expands:
        fields["enable_prompt_expansion"] = (_boolean, False)
    if endpoint.accelerates:
        fields["acceleration"] = (_one_of("none", "regular", "high"), "regular")
    if endpoint.tolerance:
        fields["safety_tolerance"] = (_one_of("1", "2", "3", "4", "5"), "2")
    fields["enable_safety_checker"] = (_boolean, True)
    fields["output_format"] = (_one_of(*endpoint.formats), endpoint.format)
    fields["sync_mode"] = (_boolean, False)
    return fields


def _complaint(kind: str, message: str, **context: object) -> _Checked:
    told: dict[str, Any] = {"msg": message, "type": kind}
    if context:
        told["ctx"] = context
    return None, told


def _text(value: object) -> _Checked:
    if isinstance(value, str):
        return value, None
    if value is None:
        return _complaint("type_error.none.not_allowed", "none is not an allowed value")
    if isinstance(value, int | float):
        return str(value), None
    return _complaint("type_error.str", "str type expected")


def _texts(value: object) -> _Checked:
    if value is None:
        return _complaint("type_error.none.not_allowed", "none is not an allowed value")
    if not isinstance(value, list):
        return _complaint("type_error.list", "value is not a valid list")
    for number, one in enumerate(value):
        if not isinstance(one, str):
            return None, {"msg": "str type expected", "type": "type_error.str", "inside": (number,)}
    return value, None


def _boolean(value: object) -> _Checked:
    word = value.lower() if isinstance(value, str) else value
    if word in (True, 1, "1", "true", "t", "yes", "y", "on"):
        return True, None
    if word in (False, 0, "0", "false", "f", "no", "n", "off"):
        return False, None
    return _complaint("value_error.bool", "value could not be parsed to a boolean")


def _whole_number(least: int | None, most: int | None) -> _Check:
    def field(value: object) -> _Checked:
        try:
            number = int(value)  # type: ignore[call-overload]  # anything may stand here; the attempt is the check
        except (TypeError, ValueError, OverflowError):
            return _complaint("type_error.integer", "value is not a valid integer")
        return _within(number, least, most)

    return field


def _number(least: float, most: float) -> _Check:
    def field(value: object) -> _Checked:
        try:
            number = float(value)  # type: ignore[arg-type]  # as above
        except (TypeError, ValueError):
            return _complaint("type_error.float", "value is not a valid float")
        return _within(number, least, most)

    return field


def _within(number: float, least: float | None, most: float | None) -> _Checked:
    if least is not None and not number >= least:
        message = f"ensure this value is greater than or equal to {least:g}"
        return _complaint("value_error.number.not_ge", message, limit_value=least)
    if most is not None and not number <= most:
        message = f"ensure this value is less than or equal to {most:g}"
        return _complaint("value_error.number.not_le", message, limit_value=most)
    return number, None


def _one_of(*choices: str) -> _Check:
    permitted = ", ".join(f"'{choice}'" for choice in choices)

    def field(value: object) -> _Checked:
        if value in choices:
            return value, None
        message = f"unexpected value; permitted: {permitted}"
        return _complaint("value_error.const", message, given=value, permitted=list(choices))

    return field


def _size(endpoint: Endpoint) -> _Check:
    presets = [*PRESETS, "auto"] if endpoint.size == "auto" else list(PRESETS)
    least, most = endpoint.sides

    def field(value: object) -> _Checked:
        if isinstance(value, str):
            return _one_of(*presets)(value)
        if not isinstance(value, Mapping):
            return _complaint("type_error.dict", "value is not a valid dict")
        sides = []
        for name in ("width", "height"):
            side, complaint = _whole_number(least, most)(value.get(name, 512))
            if complaint is not None:
                return None, {**complaint, "inside": (name,)}
            sides.append(side)
        return tuple(sides), None

    return field
