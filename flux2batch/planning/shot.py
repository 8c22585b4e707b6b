"""The shot: one picture request, complete and frozen, as it flows from the plan to the provider and the sheet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NewType

from flux2batch.money import Money

ShotId = NewType("ShotId", str)
"""The identity of a shot: 32 hexadecimal digits (see planning/identity.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinate:
    """Where a shot stands on one axis. `value` is plain data; of a row it is the row."""

    id: str
    label: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One picture that goes with a request. It is prepared (opened, turned upright, encoded) only when it is sent."""

    name: str  # the name in the job: several pictures of a glob share it
    kind: Literal["file", "url", "color", "collage", "bytes"]
    source: str  # path relative to the job's folder, URL, #RRGGBB, or a description
    sources: tuple[str, ...]  # absolute paths of the files that it is made of; () for a URL or a colour
    digest: str  # its recipe, as it enters a shot's identity
    width: int | None  # of what is sent; None for a URL
    height: int | None
    file_bytes: int  # on disk, as the plan lists uploads; 0 where nothing is uploaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """`{exact: WxH}`: what the picture is scaled and trimmed to after it came. Not part of the identity."""

    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The price of one shot before it is sent, and its parts as the plan shows them."""

    min: Money
    max: Money
    parts: tuple[tuple[str, Money], ...]  # ("picture 1 MP", …), ("reference 2 MP", …)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture request. `params` has neutral names and final values, the size always as width and height."""

    id: ShotId
    index: int  # position in the whole plan, from 0; never changes with --only or --limit
    model: str  # bfl/flux-2-pro
    endpoint: str  # /v1/flux-2-pro, or the edit endpoint where there are references
    prompt: str
    params: Mapping[str, Any]
    references: tuple[Reference, ...]
    coordinates: Mapping[str, Coordinate]
    repeat: int  # from 1
    paths: tuple[str, ...]  # one a frame and for each equal shot that shares it; with extension, "/" between folders
    trim: Trim | None
    quote: Quote | None  # None: the price is unknown
