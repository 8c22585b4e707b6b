"""Write where a picture comes from into its file, without touching a pixel, and read it back.

Content credentials (C2PA) stay in the file. They are bound to its bytes, so a verifier will say of a file that got a
description that it was changed since it was signed; with `metadata: none` a picture is kept as it came, to the byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from flux2batch.pictures import parts, paths
from flux2batch.pictures.checking import MAX_BYTES
from flux2batch.pictures.description import Description, Level, facts, from_json
from flux2batch.pictures.embedding import jpeg, png, webp
from flux2batch.pictures.parts import Part
from flux2batch.planning.references.formats.stripped import Format

_MODULES: dict[Format, ModuleType] = {"PNG": png, "JPEG": jpeg, "WEBP": webp}
_MAX_SIDECAR_BYTES = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A picture with its description in it."""

    content: bytes
    unsealed: bool  # it has content credentials, and these no longer vouch for every byte of the file


def embed(content: bytes, description: Description, *, level: Level) -> Described:
    """The picture with as much of the description as the level says, in place of one that was in it before."""
    content = without_description(content)
    if level == "none":
        return Described(content=content, unsealed=False)
    module, found = _opened(content)
    return Described(
        content=module.embed(content, found, facts(description, level)),
        unsealed=any(_is_credential(part, content) for part in found),
    )


def without_description(content: bytes) -> bytes:
    """The picture without what we wrote into it, and with all that others did."""
    module, found = _opened(content)
    bare: bytes = module.undone(content, found)
    return bare


def read_description(path: Path) -> Description | None:
    """What the picture, or the file beside it, says of its origin. Anybody may have written it: believe it as such."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    return description_in(content) or _beside(path)


def description_in(content: bytes) -> Description | None:
    """What the bytes of a picture say of its origin."""
    if len(content) > MAX_BYTES or parts.format_of(content) is None:
        return None
    found = parts.take_apart(content)
    kind = parts.format_of(content)
    if isinstance(found, parts.Broken) or kind is None:
        return None
    record = _MODULES[kind].record(content, found)
    return from_json(record) if record else None


def _beside(path: Path) -> Description | None:
    try:
        with Path(paths.sidecar_path(str(path))).open("rb") as file:
            return from_json(file.read(_MAX_SIDECAR_BYTES))
    except OSError:
        return None


def _opened(content: bytes) -> tuple[ModuleType, tuple[Part, ...]]:
    kind = parts.format_of(content)
    found = parts.take_apart(content)
    assert kind is not None, "BUG: only what `check` has passed is described"
    assert not isinstance(found, parts.Broken), "BUG: only what `check` has passed is described"
    return _MODULES[kind], found


def _is_credential(part: Part, content: bytes) -> bool:
    """Where each format keeps a C2PA manifest: a JUMBF box in APP11, a chunk of its own elsewhere."""
    if part.kind == "APP11":
        return b"c2pa" in part.body(content)[:200]
    return part.kind in ("caBX", "C2PA")
