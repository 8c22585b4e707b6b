"""How a reference enters a shot's identity: by its recipe, written out in its `digest`.

    file:1:SHA256                    the source file's bytes, and the version of our preparation
    color:#0047AB:1024x1024          a swatch
    collage:1:grid-1:SHA256          the hashes of its sources in their order, and the layout
    url:https://…                    as it stands

What is sent (turned, stripped, encoded) is made anew each time and would differ with the version of an imaging library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from flux2batch.planning.references import collage, swatch
from flux2batch.planning.references.decoding import Examined
from flux2batch.planning.shot import Reference

PREPARATION = 1
"""Raise it when a change in preparing makes another picture of the same file: every shot with a file gets a new id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is remembered of a file that was read: everything but its bytes."""

    path: str  # as the plan shows it
    absolute: str
    sha256: str
    file_bytes: int
    examined: Examined


def source_of(content: bytes, *, path: str, absolute: str, examined: Examined) -> Source:
    """A file that was read and judged."""
    return Source(
        path=path,
        absolute=absolute,
        sha256=hashlib.sha256(content).hexdigest(),
        file_bytes=len(content),
        examined=examined,
    )


def file_digest(sha256: str) -> str:
    """The recipe of a file, whatever it is called and wherever it lies."""
    return f"file:{PREPARATION}:{sha256}"


def collage_digest(sha256s: Iterable[str]) -> str:
    """The recipe of a board of these files, in this order."""
    sources = hashlib.sha256("\n".join(sha256s).encode()).hexdigest()
    return f"collage:{PREPARATION}:{collage.LAYOUT}:{sources}"


def from_file(name: str, source: Source, *, kind: Literal["file", "bytes"] = "file") -> Reference:
    """A file, or bytes that came without one."""
    return Reference(
        name=name,
        kind=kind,
        source=source.path,
        sources=(source.absolute,) if kind == "file" else (),
        digest=file_digest(source.sha256),
        width=source.examined.width,
        height=source.examined.height,
        file_bytes=source.file_bytes,
    )


def from_url(name: str, url: str, examined: Examined | None = None) -> Reference:
    """An https URL. Its size is known only where somebody looked (--check-urls), and never part of its identity."""
    return Reference(
        name=name,
        kind="url",
        source=url,
        sources=(),
        digest=f"url:{url}",
        width=examined.width if examined else None,
        height=examined.height if examined else None,
        file_bytes=0,
    )


def from_colour(name: str, colour: str) -> Reference:
    """A swatch."""
    return Reference(
        name=name,
        kind="color",
        source=colour,
        sources=(),
        digest=f"color:{colour}:{swatch.SIDE}x{swatch.SIDE}",
        width=swatch.SIDE,
        height=swatch.SIDE,
        file_bytes=0,
    )


def from_collage(name: str, sources: Sequence[Source]) -> Reference:
    """A board of several files."""
    board = collage.lay_out([(source.examined.width, source.examined.height) for source in sources])
    return Reference(
        name=name,
        kind="collage",
        source=" + ".join(source.path for source in sources),
        sources=tuple(source.absolute for source in sources),
        digest=collage_digest(source.sha256 for source in sources),
        width=board.width,
        height=board.height,
        file_bytes=sum(source.file_bytes for source in sources),
    )
