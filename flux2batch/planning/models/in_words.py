"""What the catalogue says about a model, in words: for `flux2batch models` and its page in the documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from flux2batch.money import show
from flux2batch.planning.models.catalogue import Entry, Parameter
from flux2batch.planning.models.pricing import PriceOverride, describe, quote
from flux2batch.planning.models.sizes import megapixels

_EVERYWHERE = ("seed", "output_format", "safety_tolerance", "safety_checker")
"""No reason to choose one model over another."""

SERVICES: Mapping[str, str] = {"bfl": "BFL", "fal": "fal", "local": "your own machine"}


def controls(entry: Entry) -> list[str]:
    """The parameters by which this model can be steered where others cannot."""
    return [
        name
        for name, parameter in entry.parameters.items()
        if name not in _EVERYWHERE and parameter.sent_as is not None
    ]


def price_of_one_megapixel(entry: Entry, prices: Mapping[str, PriceOverride] | None = None) -> str:
    """What a picture of 1024x1024 costs: the figure by which models are compared."""
    priced = quote(entry, width=1024, height=1024, references=(), prices=prices)
    if priced is None:
        return "unknown"
    return show(priced.max) if priced.max else "no bill"


def values(parameter: Parameter) -> str:
    """Which values a parameter may have: "1.5 to 10", "png, jpeg, webp"."""
    schema = parameter.schema
    if "enum" in schema:
        only = "only " if len(schema["enum"]) == 1 else ""
        return only + ", ".join(plainly(value) for value in schema["enum"])
    if schema["type"] == "boolean":
        return "true, false"
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    return {"integer": "whole numbers", "number": "numbers"}.get(schema["type"], "text")


def sent(parameter: Parameter) -> str:
    """The service's own name for a parameter, and what it is sent where the values differ."""
    if parameter.sent_as is None:
        return "not sent"
    turned = {value: given for value, given in parameter.sent_values.items() if json.dumps(given) != value}
    if parameter.schema["type"] == "boolean" and turned:
        return f"{parameter.sent_as} (the other way round)"
    return f"{parameter.sent_as} (as text)" if turned else parameter.sent_as


def plainly(value: Any) -> str:
    """A value as it is written in a job file."""
    return value if isinstance(value, str) else json.dumps(value)


def prices(entry: Entry) -> list[str]:
    """The price list in sentences, with its date and source."""
    if entry.price is None:
        return ["not known: a plan refuses it unless the configuration has a price, or --assume-price"]
    lines = [describe(entry.price)]
    if entry.edit_price:
        lines.append(f"with references: {describe(entry.edit_price)}")
    assumed = [price.assumed for price in (entry.price, entry.edit_price) if price and price.assumed]
    lines += [f"assumed: {why}" for why in assumed]
    return [*lines, f"as of {entry.price.asof.isoformat()}, {entry.price.source}"]


def sizes(entry: Entry) -> list[str]:
    """Which sizes it draws, and which one unless told."""
    each = entry.sizes
    return [
        f"{each.min_side} to {each.max_side} a side in steps of {each.multiple_of}, "
        f"{megapixels(each.max_pixels)} MP at most",
        f"unless told {each.default}, with references {each.default_with_references}",
    ]


def references(entry: Entry) -> list[str]:
    """How many references it takes, and what becomes of them."""
    each = entry.references
    limits = f"at most {each.max}, each up to {each.max_bytes // 10**6} MB and {each.max_pixels // 10**6} megapixels"
    aspect = f", at most {each.max_aspect}:1" if each.max_aspect else ""
    changed = [f"sides are cropped to multiples of {each.multiple_of}"]
    if each.shrunk_above_pixels < each.max_pixels:
        changed.insert(0, f"above {megapixels(each.shrunk_above_pixels)} MP they are shrunk")
    return [limits, f"at least {each.min_side} pixels a side{aspect}", "; ".join(changed)]


def example_job(entry: Entry) -> str:
    """A job file that runs on this model, with its own controls written out."""
    steered = [name for name in controls(entry) if name != "num_images"]
    swept = _sweep(entry)
    fixed = [name for name in steered if name not in swept]
    lines = [
        "flux2batch: 1",
        f"model: {entry.model}",
        'prompt: "a paper boat on a {{ colour }} sea"',
        "params:",
        "  size: 1024x1024",
        *(f"  {name}: {plainly(entry.parameters[name].default)}" for name in fixed),
        "sweep:",
        '  colour: [blue, "#FF5733 coral"]',
        *(f"  {name}: {axis}" for name, axis in swept.items()),
        "  seed: 1..2",
        "budget: {max_usd: 2.00}",
    ]
    return "\n".join(lines) + "\n"


def _sweep(entry: Entry) -> dict[str, str]:
    guidance = entry.parameters.get("guidance")
    return {"guidance": "2..5"} if guidance and guidance.sent_as else {}


def as_data(entry: Entry, overrides: Mapping[str, PriceOverride] | None = None) -> dict[str, Any]:
    """Everything about a model as plain data, for programs."""
    priced = quote(entry, width=1024, height=1024, references=(), prices=overrides)
    return {
        "model": entry.model,
        "provider": entry.provider,
        "title": entry.title,
        "best_for": entry.best_for,
        "speed": entry.speed,
        "revision": entry.revision,
        "endpoint": entry.endpoint,
        "edit_endpoint": entry.edit_endpoint,
        "usd_for_1024x1024": None if priced is None else float(priced.max),
        "price": _price_data(entry),
        "parameters": {name: _parameter_data(parameter) for name, parameter in entry.parameters.items()},
        "not_taken": dict(entry.ignored),
        "sizes": {
            "multiple_of": entry.sizes.multiple_of,
            "min_side": entry.sizes.min_side,
            "max_side": entry.sizes.max_side,
            "max_pixels": entry.sizes.max_pixels,
            "presets": {name: list(size) for name, size in entry.sizes.presets.items()},
        },
        "references": {
            "max": entry.references.max,
            "max_bytes": entry.references.max_bytes,
            "max_pixels": entry.references.max_pixels,
            "min_side": entry.references.min_side,
        },
        "prompt_max_tokens": entry.prompt_max_tokens,
        "concurrency": {"start": entry.concurrency_start, "max": entry.concurrency_max},
        "licence": entry.licence,
        "remarks": list(entry.remarks),
        "notes": list(entry.notes),
        "judged": dict(entry.judged),
        "example": example_job(entry),
    }


def _price_data(entry: Entry) -> dict[str, Any] | None:
    price = entry.price
    if price is None:
        return None
    return {
        "formula": price.formula,
        "usd": {name: float(amount) for name, amount in price.amounts.items()},
        "usd_with_references": {name: float(amount) for name, amount in entry.edit_price.amounts.items()}
        if entry.edit_price
        else None,
        "asof": price.asof.isoformat(),
        "source": price.source,
        "assumed": price.assumed,
    }


def _parameter_data(parameter: Parameter) -> dict[str, Any]:
    return {
        "schema": dict(parameter.schema),
        "default": parameter.default,
        "sent_as": parameter.sent_as,
        "description": parameter.description,
    }


# The page of the documents.


def page(models: Iterable[Entry]) -> str:
    """docs/models.md: every model, and what was judged and why."""
    every = list(models)
    parts = [_INTRODUCTION, _overview(every), _HOW, *(_section(entry) for entry in every)]
    return "\n".join(parts).rstrip("\n") + "\n"


_INTRODUCTION = """\
# Models

<!-- Made by `flux2batch models --markdown`; a test keeps it. Change schemas/models/, not this page. -->

The catalogue is data: one file a model in `schemas/models/`. This page is made from it.
"""

_HOW = """\
## How it was judged

Where the documents of a service disagree with one another, its schema is believed before its pages, its pages before
third parties, and what was seen in a recorded answer before all of them. Each section below says what was decided.

- **Defaults are sent.** Every default stands in every request, so that a changed default of a service changes no
  picture without a word. Ours, the same for all models: `upsampling: false`, `output_format: png`, `seed: 1`,
  `size: 1024x1024` without references and `match` with them. The others are the service's.
- **Nothing is ignored in silence.** A parameter that a service would pass over is an error here that names the models
  that take it, unless its value says what the model does anyway.
- **A megapixel is 1,048,576 pixels**, as the services bill. Sizes are asked for in multiples of 16.
- **`{exact: WxH}`** asks for the smallest legal size that covers it and of which at most a tenth is cut away.
- **Prices are dated.** What a service says it charged always wins over the estimate. Prices of your own stand in
  `config.toml`: `[prices]` with `"bfl/flux-2-pro" = 0.03` for a whole picture, or
  `"bfl/flux-2-pro" = {first = 0.03, further = 0.015, reference = 0.015}` for its parts.

## Adding a model

Copy a file of `schemas/models/`, change what differs, and name its folder in `config.toml`:

```toml
[models]
folders = ["~/my-models"]
```

`flux2batch schema model` prints the schema of such a file, with a description of every key.
"""


def _overview(models: list[Entry]) -> str:
    rows = [
        f"| `{each.model}` | {each.best_for} | {price_of_one_megapixel(each)} | {each.references.max} "
        f"| {', '.join(controls(each)) or '–'} |"
        for each in models
    ]
    head = ["| model | best for | 1024x1024 | references | own controls |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _section(entry: Entry) -> str:
    facts = {
        "Speed": [entry.speed],
        "Price": prices(entry),
        "Sizes": sizes(entry),
        "References": references(entry),
        "Prompt": [f"at most {entry.prompt_max_tokens:,} tokens"] if entry.prompt_max_tokens else ["no limit known"],
        "At once": [f"starts with {entry.concurrency_start}, at most {entry.concurrency_max}"],
        "Licence of the weights": [entry.licence] if entry.licence else [],
        "Every plan says": list(entry.remarks),
    }
    endpoint = f"`{entry.endpoint}`" + (f", with references `{entry.edit_endpoint}`" if entry.edit_endpoint else "")
    lines = [
        f"## {entry.model}",
        "",
        f"{entry.title} at {endpoint}: {entry.best_for}.",
        "",
        *(f"- {name}: {'; '.join(said)}" for name, said in facts.items() if said),
        *(f"- {note}" for note in entry.notes),
        "",
        "| parameter | values | default | sent as |",
        "|---|---|---|---|",
        *(
            f"| `{name}` | {values(parameter)} | {plainly(parameter.default)} | {sent(parameter)} |"
            for name, parameter in entry.parameters.items()
        ),
        "",
        *_listed("Not taken:", entry.ignored),
        *_listed("Judged:", entry.judged),
    ]
    return "\n".join(lines)


def _listed(title: str, said: Mapping[str, str]) -> list[str]:
    return [title, "", *(f"- `{name}`: {text}" for name, text in said.items()), ""] if said else []
