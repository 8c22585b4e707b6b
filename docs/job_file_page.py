"""The page about the job file, made from its schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from flux2batch import resources

_Schema = Mapping[str, Any]

_MOST_EXAMPLES = 3

_INTRODUCTION = """
One YAML 1.2 document in UTF-8: `no` is text, `16:9` is text, `010` is ten. Unknown and duplicate keys are errors, tags
and merge keys do not exist, anchors are bounded. Only `flux2batch` and a prompt are needed.

The order in which a job becomes shots is fixed: product of `sweep` × `zip` groups → `exclude` → `include` →
`override` → `repeat` → `draw` → prompts are rendered → everything is checked. From weak to strong a parameter is set by
the model's default, `params`, an axis, `override`. `flux2batch schema` prints the schema itself, for editors.
"""

_AXES = """
| written | gives |
|---|---|
| `[20, 35, 50]`, `[5, 10, 20..50 step 10]` | as listed; ranges may stand in lists |
| `1..5`, `2..8 step 2`, `1.5..6 count 4` | both ends included, exact in decimals: 1.5, 3.0, 4.5, 6.0 |
| `20#1000` | 20 seeds from 1000 on |
| `[{id: warm, label: Warm light, text: …, set: {guidance: 3}}]` | a value with an id, fields for templates, parameters that move with it |
| `[{id: flex-g6, value: bfl/flux-2-flex, set: {guidance: 6}}]` | `value` is what the axis sets; without it the id is |
| `{values: 2..5, when: "model == 'bfl/flux-2-flex'"}` | where `when` is false the axis has the one value `none` and sends nothing |
| `data.products`, `{file: list.txt}`, `{glob: refs/*.png}` | rows, lines, files |
| `{random: [2, 6], count: 8, seed: 1}` | drawn when planned, the same everywhere |

Only a scalar without quotes is a range; quoted text is text. An axis named `model`, `size`, `aspect`, `megapixels`,
`width`, `height`, `seed`, `guidance`, `steps`, `upsampling`, `output_format`, `safety_tolerance`, `num_images` or
`acceleration` sets that parameter, any other parameter is swept as `params.NAME`, an axis called `prompt` holds
templates, and every other axis is a name for templates.
"""  # noqa: E501  # a row of a table is one line


def job_file_page(made: str) -> str:
    """Every key with what it means, its default and an example that is checked."""
    schema: _Schema = json.loads(resources.read_text("schemas/job.schema.json"))
    return "\n".join(_page(schema, made)) + "\n"


def _page(schema: _Schema, made: str) -> Iterator[str]:
    yield from ("# The job file", "", made, *_INTRODUCTION.splitlines(), "")
    for name, each in schema["properties"].items():
        yield from (f"## {name}", "", _said(each), "")
        if "default" in each and each["default"] not in ({}, []):
            yield from (f"Default: `{_flow(each['default'])}`.", "")
        if name == "sweep":
            yield from (*_AXES.strip().splitlines(), "")
        parts = each.get("properties", {})
        if parts:
            yield from ("| key | means | unless told |", "|---|---|---|")
            yield from (f"| `{part}` | {_cell(_said(inner))} | {_default(inner)} |" for part, inner in parts.items())
            yield ""
        yield from _examples(name, each)


def _said(each: _Schema) -> str:
    """The description without its own examples, which stand below it."""
    text = each.get("markdownDescription") or each["description"]
    return re.sub(r"\n*```.*?```\n*", "\n\n", text, flags=re.DOTALL).strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _default(each: _Schema) -> str:
    return f"`{_flow(each['default'])}`" if "default" in each else ""


def _examples(name: str, each: _Schema) -> Iterator[str]:
    shown = re.findall(r"```yaml\n(.*?)```", each.get("markdownDescription", ""), re.DOTALL)
    written = [text.rstrip("\n") for text in shown] or [f"{name}: {_flow(value)}" for value in each["examples"]]
    for text in written[:_MOST_EXAMPLES]:
        yield from ("```yaml", text, "```", "")


def _flow(value: Any) -> str:
    """A value on one line, as a person writes it: ranges bare, templates in quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _text(value: str) -> str:
    bare = not re.search(r"[#{}\[\],&*!|>'\"%@`]|: |^[-?:]", value)
    return value if bare and yaml.safe_load(value) == value else json.dumps(value, ensure_ascii=False)
