"""The models as data: one entry a model, read from schemas/models/ and from the user's own folders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from flux2batch import resources
from flux2batch.errors import InvalidInput

# Start-up is measured: a job names one or two models, and only their files are read. The files in the package are held
# against schemas/model.schema.json by a test; only those of a user are checked when they are read, because jsonschema
# is slow to import.


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
    encoding: Literal["base64", "data-uri", "file"]  # file: as it is, so never a URL
    max_bytes: int
    max_pixels: int  # refused above
    min_side: int
    max_aspect: int | None  # refused where the long side is more than this many times the short one
    shrunk_above_pixels: int  # the service shrinks above this; a warning
    multiple_of: int  # the service crops sides down to this; a warning


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Which sizes a model draws."""

    multiple_of: int
    min_side: int
    max_side: int
    max_pixels: int
    presets: Mapping[str, tuple[int, int]]  # neutral: the same names for every model
    sent_as: Literal["width-height", "image_size"]
    default: str
    default_with_references: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A price list; what its amounts mean is the business of planning/models/pricing.py."""

    formula: Literal["started-megapixels", "area", "free"]
    amounts: Mapping[str, Decimal]
    reference_mp_max: int | None  # a reference is billed as at most so many megapixels
    reference_mp_fixed: int | None  # every reference is billed as so many, whatever its size
    several_references_mp_min: int | None  # several references may be billed as so many each
    asof: date
    source: str
    assumed: str | None  # why the price is not certain, where it is not ("unpublished: as flux-2-pro")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How the folder of weights of a model is told from another model's."""

    pipeline: str  # the class that the folder names
    distilled: bool | None  # None: such a folder does not say
    text_width: int  # how wide the text comes in: each size of model has its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model."""

    model: str  # bfl/flux-2-flex
    provider: str
    name: str  # flux-2-flex
    title: str
    order: int  # its place in `flux2batch models`
    best_for: str
    speed: str
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
    weights: Weights | None  # of a model that is drawn on one's own machine
    licence: str | None
    remarks: tuple[str, ...]  # what every plan with this model says
    judged: Mapping[str, str]  # where the sources disagree or are silent: what was decided, and why
    notes: tuple[str, ...]

    def __hash__(self) -> int:
        # Mappings have no hash; equal entries have equal names, which is all that caches of prices and sizes need.
        return hash((self.model, self.revision))

    def endpoint_for(self, references: int) -> str:
        """The path that a request with so many references goes to."""
        return self.edit_endpoint if references and self.edit_endpoint else self.endpoint

    def price_for(self, references: int) -> Price | None:
        """The price list of a request with so many references."""
        return self.edit_price if references and self.edit_price else self.price


def entries(folders: tuple[Path, ...] = ()) -> Mapping[str, Entry]:
    """Every model by its name, in the order of `flux2batch models`. Each file is read when it is first asked for.

    `folders` are the user's own (`[models] folders`): an entry there takes the place of ours of the same name.
    """
    return _catalogue(folders)


def entry(model: str, folders: tuple[Path, ...] = ()) -> Entry | None:
    """The entry of a model, or None where there is no such model."""
    return entries(folders).get(model)


def load_entry(path: Path) -> Entry:
    """The entry in a file. One that is not as schemas/model.schema.json wants it raises InvalidInput (FB023)."""
    return _read(_parsed(path))


def identifying(entry: Entry, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that enter a shot's id, by neutral name: the size, and those that the entry lists."""
    named = {
        name: params.get(name, parameter.default)
        for name, parameter in entry.parameters.items()
        if parameter.identifying
    }
    changing = {
        name: value
        for name, value in named.items()
        if entry.parameters[name].neutral is None or value != entry.parameters[name].neutral
    }
    return {"width": params["width"], "height": params["height"], **changing}


class _Catalogue(Mapping[str, Entry]):
    """Models by name; a file is read when its model is asked for, and all of them when the order matters."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        shipped = resources.folder("schemas") / "models"
        self._files = {_model_of(path): path for path in sorted(shipped.glob("*.json"))}
        self._read: dict[str, Entry] = {}
        for path in (path for folder in folders for path in sorted(folder.glob("*.json"))):
            own = load_entry(path)
            self._files[own.model] = path
            self._read[own.model] = own

    def __getitem__(self, model: str) -> Entry:
        if model not in self._read:
            self._read[model] = _read(json.loads(self._files[model].read_bytes()))
        return self._read[model]

    def __contains__(self, model: object) -> bool:
        return model in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._files, key=lambda model: (self[model].order, model)))

    def __len__(self) -> int:
        return len(self._files)


@cache
def _catalogue(folders: tuple[Path, ...]) -> _Catalogue:
    return _Catalogue(folders)


@cache
def presets() -> Mapping[str, tuple[int, int]]:
    """The names of sizes, the same for every model."""
    listed = json.loads(resources.read_text("schemas/size-presets.json"))
    return {name: (width, height) for name, (width, height) in listed.items()}


def _model_of(path: Path) -> str:
    provider, _, name = path.stem.partition("-")
    return f"{provider}/{name}"


def _read(written: Mapping[str, Any]) -> Entry:
    provider, _, name = written["model"].partition("/")
    return Entry(
        model=written["model"],
        provider=provider,
        name=name,
        title=written["title"],
        order=written["order"],
        best_for=written["best_for"],
        speed=written["speed"],
        endpoint=written["endpoint"],
        edit_endpoint=written["edit_endpoint"],
        revision=written["revision"],
        parameters={key: _parameter(key, value) for key, value in written["parameters"].items()},
        references=_references(written["references"]),
        sizes=Sizes(presets=presets(), **written["sizes"]),
        prompt_max_tokens=written["prompt_max_tokens"],
        price=_price(written["price"]),
        edit_price=_price(written["edit_price"]),
        ignored=written["ignored"],
        fixed=written["fixed"],
        concurrency_start=written["concurrency"]["start"],
        concurrency_max=written["concurrency"]["max"],
        weights=Weights(**written["weights"]) if "weights" in written else None,
        licence=written["licence"],
        remarks=tuple(written["remarks"]),
        judged=written["judged"],
        notes=tuple(written["notes"]),
    )


def _parameter(name: str, written: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        schema=written["schema"],
        default=written["default"],
        sent_as=written["sent_as"],
        sent_values=written.get("sent_values", {}),
        identifying=written.get("identifying", True),
        description=written["description"],
        neutral=written.get("neutral"),
    )


def _references(written: Mapping[str, Any]) -> References:
    sent_as = written["sent_as"]
    return References(**{**written, "sent_as": sent_as if isinstance(sent_as, str) else tuple(sent_as)})


def _price(written: Mapping[str, Any] | None) -> Price | None:
    if written is None:
        return None
    amounts = {name: Decimal(amount) for name, amount in written["amounts"].items()}
    return Price(**{**written, "amounts": amounts, "asof": date.fromisoformat(written["asof"])})


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        written = json.loads(path.read_bytes())
    except OSError as refused:
        raise _not_an_entry(path, f"cannot be read: {refused.strerror}") from None
    except ValueError as broken:
        raise _not_an_entry(path, f"is not JSON: {broken}") from None
    _hold_against_schema(path, written)
    return written  # type: ignore[no-any-return]  # the schema says that it is a mapping


def _hold_against_schema(path: Path, written: Any) -> None:
    import jsonschema

    schema = json.loads(resources.read_text("schemas/model.schema.json"))
    faults = jsonschema.Draft7Validator(schema).iter_errors(written)
    first = min(faults, key=lambda fault: [str(step) for step in fault.absolute_path], default=None)
    if first is not None:
        at = ".".join(str(step) for step in first.absolute_path) or "the file"
        raise _not_an_entry(path, f"is not an entry of the catalogue: {at}: {_plainly(first)}")


def _plainly(fault: Any) -> str:
    match fault.validator:
        case "required":
            missing = [key for key in fault.validator_value if key not in fault.instance]
            return "missing " + ", ".join(f"'{key}'" for key in missing)
        case "additionalProperties":
            unknown = [key for key in fault.instance if key not in fault.schema.get("properties", {})]
            return "unknown key " + ", ".join(f"'{key}'" for key in unknown)
        case "type":
            return f"{json.dumps(fault.instance, ensure_ascii=False)[:60]} is not of the right kind"
        case "enum":
            return "possible values are " + ", ".join(str(value) for value in fault.validator_value)
        case _:
            return f"{json.dumps(fault.instance, ensure_ascii=False)[:60]} is not possible here"


def _not_an_entry(path: Path, why: str) -> InvalidInput:
    from flux2batch.reading.problems import Place, error

    where = Place(file=str(path), line=1, column=1, end_line=1, end_column=1, line_text=None)
    help = "`flux2batch schema model` prints the form it needs"
    return InvalidInput([error("FB023", f"a model's file {why}", where=where, help=help)])
