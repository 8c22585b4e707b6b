"""What is told about a picture beside its pixels, and the JSON in which it is told."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flux2batch import __version__
from flux2batch.engine.events import Intended
from flux2batch.engine.lifecycle import Life
from flux2batch.planning.shot import ShotId
from flux2batch.safe_text import safe

Level = Literal["full", "minimal", "none"]

SCHEMA_VERSION = 1
_HIDDEN = "****"

# Of the parameters only those that say how the picture was made: others may carry addresses and secrets of webhooks.
_TOLD = (
    "width", "height", "seed", "guidance", "steps", "upsampling", "safety_tolerance", "acceleration", "output_format",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Where a picture comes from. What `minimal` leaves out is None or empty when it is read back."""

    version: str  # of flux2batch
    emulated: bool  # a stand-in, drawn by the emulator
    shot: str
    frame: int  # from 1
    model: str
    seed: int | None
    job: str | None
    coordinates: Mapping[str, tuple[str, str]]  # axis → (id, label)
    prompt: str | None
    final_prompt: str | None  # as the service rewrote it, where it tells
    params: Mapping[str, Any]
    references: tuple[tuple[str, str], ...]  # (name, digest); never where the file lay
    cost_usd: str | None


def describe(
    shot: ShotId, life: Life, *, frame: int, job: str, emulated: bool, secrets: Collection[str]
) -> Description:
    """What the journal knows of a shot's picture. `secrets` (the keys in use) are blotted out wherever they turn up."""
    intended = life.intended
    assert intended is not None, "BUG: a picture without an intent"
    blot = _Blot(secrets)
    rendered = life.rendered
    seed = rendered.seed if rendered is not None and rendered.seed is not None else intended.params.get("seed")
    final = rendered.prompt if rendered is not None else None
    return Description(
        version=__version__,
        emulated=emulated,
        shot=shot,
        frame=frame + 1,
        model=intended.model,
        seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
        job=blot(job),
        coordinates={
            axis: (blot(_without_folder(id)), blot(_without_folder(label)))
            for axis, (id, label) in intended.coordinates.items()
        },
        prompt=blot(intended.prompt),
        final_prompt=None if final is None or final == intended.prompt else blot(final),
        params={name: intended.params[name] for name in _TOLD if _is_plain(intended.params.get(name))},
        references=_references(intended),
        cost_usd=None if life.charge is None else str(life.charge.usd),
    )


class _Blot:
    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = sorted((secret for secret in secrets if len(secret) >= 8), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text


_ABSOLUTE = re.compile(r"(?:[A-Za-z]:[\\/]|[\\/~]).*[\\/]", re.DOTALL)


def _without_folder(text: str) -> str:
    """A value that is a path of this machine, by its last name: `--allow-path` brings such values onto an axis."""
    return _ABSOLUTE.sub("", text, count=1) if _ABSOLUTE.match(text) and "\n" not in text else text


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, bool)) or (isinstance(value, str) and len(value) <= 40)


def _references(intended: Intended) -> tuple[tuple[str, str], ...]:
    # "name source digest": the source is a path, and stays at home.
    return tuple((line.split(" ", 1)[0], line.rsplit(" ", 1)[-1]) for line in intended.references)


# JSON.


def facts(description: Description, level: Level) -> dict[str, Any]:
    """The description as plain data, as much of it as the level allows."""
    told: dict[str, Any] = {"flux2batch": description.version, "schema_version": SCHEMA_VERSION}
    if description.emulated:
        told["emulated"] = True
    told |= {"shot": description.shot, "frame": description.frame, "model": description.model}
    if description.seed is not None:
        told["seed"] = description.seed
    if level == "minimal":
        return told
    told["job"] = description.job
    told["coordinates"] = {axis: {"id": id, "label": label} for axis, (id, label) in description.coordinates.items()}
    told["prompt"] = description.prompt
    if description.final_prompt is not None:
        told["final_prompt"] = description.final_prompt
    told["params"] = dict(description.params)
    told["references"] = [{"name": name, "digest": digest} for name, digest in description.references]
    if description.cost_usd is not None:
        told["cost_usd"] = description.cost_usd
    return told


def to_json(told: Mapping[str, Any]) -> str:
    """One line of ASCII: no reader of any format stumbles over it, and nothing in it can hide."""
    return json.dumps(told, separators=(",", ":"))


def from_json(text: str | bytes) -> Description | None:
    """The description, or None where the text is none. It may have been written by anybody."""
    try:
        told = json.loads(text)
        if not isinstance(told, dict):
            return None
        return Description(
            version=_text(told["flux2batch"]),
            emulated=told.get("emulated") is True,
            shot=_text(told["shot"]),
            frame=_number(told["frame"]),
            model=_text(told["model"]),
            seed=None if "seed" not in told else _number(told["seed"]),
            job=_text_or_none(told.get("job")),
            coordinates={
                _text(axis): (_text(value["id"]), _text(value["label"]))
                for axis, value in told.get("coordinates", {}).items()
            },
            prompt=_text_or_none(told.get("prompt")),
            final_prompt=_text_or_none(told.get("final_prompt")),
            params={name: value for name, value in told.get("params", {}).items() if _is_plain(value)},
            references=tuple((_text(one["name"]), _text(one["digest"])) for one in told.get("references", ())),
            cost_usd=_text_or_none(told.get("cost_usd")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def sidecar(description: Description, level: Level) -> bytes:
    """The file that lies beside the picture: for people as well, so one fact a line."""
    text = json.dumps(facts(description, level), indent=1)
    # A browser that guesses wrong about the file must find no markup in it.
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode() + b"\n"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a number")
    return value


# Words for programs that know nothing of us.


def software(told: Mapping[str, Any]) -> str:
    """Who made the file."""
    stand_in = " emulator (a stand-in, not a generated picture)" if told.get("emulated") else ""
    return f"flux2batch {told['flux2batch']}{stand_in}"


def caption(told: Mapping[str, Any]) -> str | None:
    """The prompt, as text that is safe to show."""
    prompt = told.get("prompt")
    return safe(prompt) if prompt else None


def parameters(told: Mapping[str, Any]) -> str | None:
    """Prompt and parameters in the form that many viewers of generated pictures read under this very name."""
    prompt = caption(told)
    if prompt is None:
        return None
    params = told.get("params", {})
    named = {
        "Steps": params.get("steps"),
        "CFG scale": params.get("guidance"),
        "Seed": told.get("seed"),
        "Size": f"{params['width']}x{params['height']}" if {"width", "height"} <= params.keys() else None,
        "Model": told["model"],
        "Version": software(told),
    }
    return f"{prompt}\n" + ", ".join(f"{name}: {value}" for name, value in named.items() if value is not None)
