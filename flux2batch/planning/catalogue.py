"""The models as data: one entry a model, read from schemas/models/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a model under its neutral name."""

    name: str
    schema: Mapping[str, Any]  # JSON Schema of the value
    default: Any  # always sent explicitly; None: not sent unless given
    sent_as: str | None  # the service's name; None: never sent (its only legal value says what the model does anyway)
    sent_values: Mapping[
        str, Any
    ]  # value (as JSON text) → what is sent, where they differ ({"true": false} for disable_pup)
    identifying: bool  # enters the shot's id
    description: str
    neutral: Any  # where a later revision added it: the value at which it does not enter the id; None: always enters


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """How many pictures a model takes and what the service does to them."""

    max: int
    sent_as: tuple[str, ...] | str  # the fields one by one (BFL), or one list field (fal)
    encoding: Literal["base64", "data-uri"]
    max_bytes: int
    max_pixels: int  # refused above
    min_side: int
    shrunk_above_pixels: int  # the service shrinks above this; a warning
    multiple_of: int  # the service crops sides down to this; a warning


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Which sizes a model draws."""

    multiple_of: int
    min_side: int
    max_side: int | None
    max_pixels: int
    presets: Mapping[str, tuple[int, int]]  # neutral: the same names for every model
    sent_as: Literal["width-height", "image_size"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Dollars: first + each_further × (megapixels − 1) + reference × reference megapixels; see planning/pricing.py."""

    formula: str  # which formula of pricing.py
    amounts: Mapping[str, Decimal]
    asof: date
    source: str
    assumed: str | None  # why the price is not certain, where it is not ("unpublished: as flux-2-pro")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model."""

    model: str  # bfl/flux-2-flex
    provider: str
    name: str  # flux-2-flex
    title: str
    best_for: str
    endpoint: str
    edit_endpoint: str | None  # taken when there are references
    revision: int
    parameters: Mapping[str, Parameter]
    references: References
    sizes: Sizes
    prompt_max_tokens: int | None
    price: Price | None  # None: unknown, which the plan refuses
    edit_price: Price | None  # where the edit endpoint is billed otherwise
    ignored: Mapping[str, str]  # parameters that the service would ignore without a word → what to say instead
    fixed: Mapping[str, Any]  # fields that are always sent as they stand
    concurrency_start: int
    concurrency_max: int
    licence: str | None
    notes: tuple[str, ...]


def entries() -> Mapping[str, Entry]:
    """Every model, by its name, in the order in which `flux2batch models` lists them."""
    raise NotImplementedError
