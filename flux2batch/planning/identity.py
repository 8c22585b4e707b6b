"""The identity of a shot: the hash of everything that can change its picture, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from flux2batch.planning.canonical import canonical_text, digest, encode_text, tagged
from flux2batch.planning.shot import ShotId

IDENTITY_VERSION = 1
"""Raised when the algorithm changes: every picture then counts as new, so it is never raised without need."""

_TAG = f"shot/{IDENTITY_VERSION}"
_DIGITS = 32


def shot_id(
    *,
    model: str,
    endpoint: str,
    params: Mapping[str, Any],
    prompt: str,
    references: Sequence[str],
    repeat: int = 1,
) -> ShotId:
    """The id of a shot: 32 hexadecimal digits.

    `params` are the identifying ones by neutral name (see catalogue.identifying), with width and height; `references`
    are the digests of the recipes, in the order of the request. `repeat` counts only where the identical request is
    made again: a repeat with a seed of its own differs by its seed.
    """
    return ShotId(digest(_TAG, _enters(model, endpoint, params, prompt, references, repeat))[:_DIGITS])


def ids_of_seeds(
    *, model: str, endpoint: str, params: Mapping[str, Any], references: Sequence[str]
) -> Callable[[str, int | None, int], bytes]:
    """`shot_id` for many shots that differ in prompt (as JSON text), seed and repeat alone, as 16 bytes each.

    Most shots of a plan do, and the rest of the canonical JSON is then the same text: it is written once.
    """
    provider, _, name = model.partition("/")
    fixed = {key: value for key, value in params.items() if key != "seed"}
    lower = canonical_text({key: value for key, value in fixed.items() if key < "seed"})[1:-1]
    upper = canonical_text({key: value for key, value in fixed.items() if key > "seed"})[1:-1]
    endpoint_text, name_text, provider_text = (encode_text(text) for text in (endpoint, name, provider))
    start = tagged(_TAG) + f'{{"endpoint":{endpoint_text},"model":{name_text},"params":{{{lower}'.encode()
    seeded = f'{"," if lower else ""}"seed":'
    before_upper = f",{upper}" if upper else ""
    unseeded = f",{upper}" if upper and lower else upper
    listed = canonical_text(list(references))

    def id_of(prompt_json: str, seed: int | None, repeat: int) -> bytes:
        params_end = unseeded if seed is None else f"{seeded}{seed}{before_upper}"
        repeated = "" if repeat == 1 else f',"repeat":{repeat}'
        rest = f'{params_end}}},"prompt":{prompt_json},"provider":{provider_text},"references":{listed}{repeated}}}'
        return sha256(start + rest.encode("utf-8", "surrogatepass")).digest()[: _DIGITS // 2]

    return id_of


def _enters(
    model: str, endpoint: str, params: Mapping[str, Any], prompt: str, references: Sequence[str], repeat: int
) -> dict[str, Any]:
    provider, _, name = model.partition("/")
    value: dict[str, Any] = {
        "provider": provider,
        "model": name,
        "endpoint": endpoint,
        "params": params,
        "prompt": prompt,
        "references": list(references),
    }
    return value if repeat == 1 else {**value, "repeat": repeat}
