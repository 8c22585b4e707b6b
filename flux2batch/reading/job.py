"""The job: what one job file asks for, typed and frozen, before anything is expanded or opened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

from flux2batch.money import Money, usd
from flux2batch.reading.document import Document
from flux2batch.reading.lost import Lost
from flux2batch.reading.problems import Note, Problem, Steps, error


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisSource:
    """An axis as written; planning/sweep/axes.py turns it into values. `steps` finds its text and its places."""

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
    lost: Lost | None = None  # set: only the sound part of a faulty file, to find what else is wrong with it

    def _repr_html_(self) -> str:
        """The job as a notebook shows it."""
        from flux2batch.reading.job_html import job_html

        return job_html(self)


def job_of(
    document: Document,
    *,
    file: Path | None,
    folder: Path,
    root: Path,
    allowed: Iterable[Path] = (),
    lost: Lost | None = None,
) -> Job:
    """The job in a document whose shape was checked and found right."""
    from flux2batch.reading.schema import with_defaults

    data = with_defaults(document.data)
    return Job(
        document=document,
        file=file,
        folder=folder,
        root=root,
        allowed=tuple(allowed),
        name=data.get("name") or _name_of(file),
        description=data.get("description"),
        tags=tuple(data["tags"]),
        model=data["model"],
        prompt=data.get("prompt"),
        params=data["params"],
        variables=data["vars"],
        data=tuple(_table(name, written) for name, written in data["data"].items()),
        references=tuple(_reference(name, written) for name, written in data["references"].items()),
        sweep=_axes(data["sweep"], ("sweep",)),
        zips=tuple(_axes(group, ("zip", index)) for index, group in enumerate(data["zip"])),
        draws=_axes(data["draw"], ("draw",)),
        exclude=tuple(_rule(rule, ("exclude", index)) for index, rule in enumerate(data["exclude"])),
        include=tuple(
            Inclusion(coordinates=point, steps=("include", index)) for index, point in enumerate(data["include"])
        ),
        override=tuple(_override(entry, ("override", index)) for index, entry in enumerate(data["override"])),
        repeat=_repeat(data["repeat"]),
        equal=data["equal"],
        budget=Budget(max_usd=_amount(document, data, "max_usd"), warn_usd=_amount(document, data, "warn_usd")),
        run=RunOptions(
            concurrency=None if data["run"]["concurrency"] == "auto" else data["run"]["concurrency"],
            timeout_s=_seconds(data["run"]["timeout"]),
            order=data["run"]["order"],
        ),
        output=Output(
            path=data["output"].get("path"), metadata=data["output"]["metadata"], sidecar=data["output"]["sidecar"]
        ),
        sheet=data["sheet"],
        lost=lost,
    )


def jobs_of_one_name(jobs: Iterable[Job]) -> tuple[Problem, ...]:
    """A problem for every job whose run directory would be that of an earlier one: same folder, same name."""
    return tuple(_of_one_name(jobs))


def _of_one_name(jobs: Iterable[Job]) -> Iterator[Problem]:
    first: dict[tuple[Path, str], Job] = {}
    for job in jobs:
        # Folders that tell capitals apart may be carried to one that does not.
        earlier = first.setdefault((job.folder, job.name.casefold()), job)
        if earlier is job or (job.file is not None and earlier.file == job.file):
            continue
        steps = ("name",) if "name" in job.document.data else ()
        yield error(
            "FB211",
            f"two jobs of this folder are called '{job.name}', so their pictures would go to one run directory",
            where=job.document.place(("name",)),
            steps=steps,
            help="give one of them another name",
            notes=(Note(text=f"first in {earlier.document.name}", where=earlier.document.place(("name",))),),
        )


def _name_of(file: Path | None) -> str:
    """A job without a name is called after its file, less what no folder can be called."""
    stem = "job" if file is None else re.sub(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|]', "-", file.stem)
    return stem.lstrip(" .-")[:100] or "job"


def _axes(written: Mapping[str, Any], steps: Steps) -> tuple[AxisSource, ...]:
    return tuple(AxisSource(name=name, written=axis, steps=(*steps, name)) for name, axis in written.items())


def _table(name: str, written: Mapping[str, Any]) -> TableSource:
    key = written.get("key", ())
    return TableSource(
        name=name,
        file=written.get("file"),
        picks=written.get("picks"),
        key=(key,) if isinstance(key, str) else tuple(key),
        rows=written.get("rows"),
        steps=("data", name),
    )


def _reference(name: str, written: str | Mapping[str, Any]) -> ReferenceSource:
    source: Mapping[str, Any] = {"path": written, "optional": False} if isinstance(written, str) else written
    collage = source.get("collage")
    return ReferenceSource(
        name=name,
        path=source.get("path"),
        glob=source.get("glob"),
        max=source.get("max"),
        color=source.get("color"),
        collage=tuple(collage) if isinstance(collage, list) else collage,
        optional=source["optional"],
        steps=("references", name),
    )


def _rule(written: Mapping[str, Any], steps: Steps) -> Rule:
    match = {axis: value for axis, value in written.items() if axis != "where"}
    return Rule(match=match, where=written.get("where"), steps=steps)


def _override(written: Mapping[str, Any], steps: Steps) -> Override:
    return Override(
        rule=_rule(written["match"], (*steps, "match")),
        set=written.get("set", {}),
        repeat=_repeat(written["repeat"]) if "repeat" in written else None,
        steps=steps,
    )


def _repeat(written: int | Mapping[str, Any]) -> Repeat:
    if isinstance(written, int):
        return Repeat(count=written, same_seed=False)
    return Repeat(count=written["count"], same_seed=written.get("seed") == "same")


def _amount(document: Document, data: Mapping[str, Any], key: str) -> Money | None:
    """The sum exactly as it was written: 8.10 has no last digit as a float."""
    value = data["budget"].get(key)
    if value is None:
        return None
    try:
        return usd(Decimal(document.written(("budget", key)) or str(value)))
    except InvalidOperation:  # 0x10 is a number of YAML and none of Decimal
        return usd(Decimal(str(value)))


_SECONDS = {"s": 1, "m": 60, "h": 3600}


def _seconds(duration: str) -> Decimal:
    return Decimal(duration[:-1]) * _SECONDS[duration[-1]]
