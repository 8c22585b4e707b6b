"""Look over a folder of weights before anything is loaded: is it whole, safe, and that of the model asked for?

Only the small files and the head of each weights file are read; no library is imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flux2batch.planning.fault import Fault
from flux2batch.planning.models.catalogue import Entry

_CODE = "FB024"
_INDEX = "model_index.json"
_LIBRARIES = ("diffusers", "transformers")  # any other would be code that lies in the folder
_MODULES = ("transformer", "text_encoder", "vae")
_PARTS = (*_MODULES, "scheduler", "tokenizer")
_MOST_JSON_BYTES = 50_000_000
_DOCS = "docs/local.md says where to get one"


def weights_fault(folder: Path, entry: Entry, others: Iterable[Entry]) -> Fault | None:
    """Why this folder cannot serve as the weights of this model; None where it can, as far as can be seen."""
    return next(_faults(folder, entry, others), None)


def _faults(folder: Path, entry: Entry, others: Iterable[Entry]) -> Iterator[Fault]:
    if not folder.is_dir():
        yield _fault(f"there is no folder {folder}, named for the weights of {entry.model}", None)
        return
    index = _read(folder / _INDEX)
    if index is None:
        yield _fault(f"{folder} is no folder of weights: it has no {_INDEX} that can be read", _DOCS)
        return
    yield from _of_another_model(folder, index, entry, others)
    for part in _PARTS:
        yield from _part_faults(folder, part, index)


def _of_another_model(folder: Path, index: Mapping[str, Any], entry: Entry, others: Iterable[Entry]) -> Iterator[Fault]:
    wanted = entry.weights
    assert wanted is not None, f"BUG: {entry.model} says nothing of its weights"
    rivals = [each for each in others if each.model != entry.model and each.weights is not None]
    pipeline, distilled = index.get("_class_name"), index.get("is_distilled")
    width = (_read(folder / "transformer" / "config.json") or {}).get("joint_attention_dim")
    fits = [each.model for each in rivals if _could_be(each, pipeline, distilled, width)]
    help = f"it looks like {fits[0]}: ask for that, or name another folder" if len(fits) == 1 else _DOCS
    if pipeline != wanted.pipeline:
        yield _fault(f"{folder} holds a {_shown(pipeline)}, and {entry.model} is a {wanted.pipeline}", help)
    if wanted.distilled is not None and bool(distilled) != wanted.distilled:
        kinds = {True: "a distilled model", False: "a base model"}
        yield _fault(f"{folder} holds {kinds[bool(distilled)]}, and {entry.model} is {kinds[wanted.distilled]}", help)
    if width != wanted.text_width and any(each.weights and each.weights.text_width == width for each in rivals):
        yield _fault(f"{folder} holds a model of another size than {entry.model}", help)


def _could_be(entry: Entry, pipeline: object, distilled: object, width: object) -> bool:
    weights = entry.weights
    return (
        weights is not None
        and weights.pipeline == pipeline
        and weights.distilled in (None, bool(distilled))
        and weights.text_width == width
    )


def _part_faults(folder: Path, part: str, index: Mapping[str, Any]) -> Iterator[Fault]:
    named = index.get(part)
    if not isinstance(named, list) or len(named) != 2 or not all(isinstance(each, str) for each in named):
        yield _fault(f"{folder / _INDEX} names no {part}", "fetch the folder again")
        return
    if named[0] not in _LIBRARIES:
        yield _fault(
            f"{folder / _INDEX} wants code of its own for its {part} ({_shown(named[0])}), which is never run",
            "take a folder in the plain form of diffusers",
        )
        return
    if not (folder / part).is_dir():
        yield _fault(f"{folder} has no folder '{part}'", "the download is not whole: fetch it again")
        return
    if part in _MODULES:
        yield from _module_faults(folder / part)


def _module_faults(folder: Path) -> Iterator[Fault]:
    if _read(folder / "config.json") is None:
        yield _fault(f"{folder} has no config.json that can be read", "fetch it again")
        return
    files = sorted(folder.glob("*.safetensors"))
    promised = {
        name
        for index in folder.glob("*.safetensors.index.json")
        for name in (_read(index) or {}).get("weight_map", {}).values()
    }
    missing = sorted(str(name) for name in promised if not (folder / str(name)).is_file())
    if missing:
        yield _fault(f"{folder} lacks {len(missing)} of its weights files, {missing[0]} first", "fetch them again")
    if not files and not missing:
        yield _fault(
            f"{folder} has no weights in the form of safetensors", "other forms may hold code, and are not read"
        )
    for file in files:
        if (short := _bytes_short(file)) is not None:
            yield _fault(f"{file} is {short}", "the download broke off: fetch it again")


def _bytes_short(file: Path) -> str | None:
    """What is wrong with the size of a weights file by its own table of contents."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if not 2 <= length <= min(size, _MOST_JSON_BYTES):
            return "no safetensors file"
        try:
            table = json.loads(opened.read(length))
            ends = [tensor["data_offsets"][1] for name, tensor in table.items() if name != "__metadata__"]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            return "no safetensors file"
    missing = 8 + length + max(ends, default=0) - size
    return f"cut short by {missing:,} bytes" if missing > 0 else None


def _read(file: Path) -> Mapping[str, Any] | None:
    try:
        if file.stat().st_size > _MOST_JSON_BYTES:
            return None
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _shown(value: object) -> str:
    return str(value)[:60]


def _fault(message: str, help: str | None) -> Fault:
    return Fault(code=_CODE, message=message, help=help, parameter="model")
