"""The job: what one job file asks for, typed and frozen, before anything is expanded or opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from flux2batch.money import Money
from flux2batch.reading.document import Document
from flux2batch.reading.problems import Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisSource:
    """An axis as written; planning/axes.py turns it into values. `steps` finds its text and its places."""

    name: str
    written: Any  # a list, a mapping, or a scalar such as 1..5 or data.products
    steps: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSource:
    """A table under `data:`. Exactly one of `file` and `picks` is set."""

    name: str
    file: str | None
    picks: str | None
    key: tuple[str, ...]  # the columns of the key; () where rows have none
    rows: str | None  # a filter expression
    steps: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceSource:
    """A reference as written. Exactly one of the sources is set; every text may be a template."""

    name: str
    path: str | None  # a path or an https URL
    glob: str | None
    max: int | None  # of a glob
    color: str | None
    collage: tuple[str, ...] | str | None
    optional: bool
    steps: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An `exclude` entry, or what an `override` matches: a part of the coordinates and/or an expression."""

    match: Mapping[str, Any]
    where: str | None
    steps: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """An `include` entry: one whole point of the sweep."""

    coordinates: Mapping[str, Any]
    steps: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An `override` entry: what it matches, the parameters it sets, and its own repeat."""

    rule: Rule
    set: Mapping[str, Any]
    repeat: Repeat | None
    steps: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """How often each point is asked for: with seed, seed+1 …, or the identical request each time."""

    count: int
    same_seed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the job may spend over all calls, and where it starts to warn."""

    max_usd: Money | None
    warn_usd: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run behaves; never part of a shot's identity."""

    concurrency: int | None  # None: auto
    timeout_s: Decimal  # of one shot
    order: Literal["written", "spread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where pictures go and what is written into them."""

    path: str | None  # a template; None: made of the axes' ids
    metadata: Literal["full", "minimal", "none"]
    sidecar: bool  # a .json beside each picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job file. Texts that may be templates are kept as written; planning renders them."""

    document: Document
    file: Path | None  # None where it was given as Python data
    folder: Path  # paths in the job are relative to this
    root: Path  # the job's folder: nothing outside is read (flux2batch.toml may make it a parent of `folder`)
    allowed: tuple[Path, ...]  # further folders, by --allow-path or configuration
    name: str
    description: str | None
    tags: tuple[str, ...]
    model: str  # a literal or a template
    prompt: Any  # text, {"file": …}, or a mapping sent as a structured prompt
    params: Mapping[str, Any]
    variables: Mapping[str, Any]  # `vars`
    data: tuple[TableSource, ...]
    references: tuple[ReferenceSource, ...]
    sweep: tuple[AxisSource, ...]
    zips: tuple[tuple[AxisSource, ...], ...]
    draws: tuple[AxisSource, ...]
    exclude: tuple[Rule, ...]
    include: tuple[Inclusion, ...]
    override: tuple[Override, ...]
    repeat: Repeat
    equal: Literal["error", "share"]
    budget: Budget
    run: RunOptions
    output: Output
    sheet: Mapping[str, Any]
