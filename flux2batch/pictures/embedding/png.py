"""Descriptions in PNG: one run of texts right behind the header, of which the last is our JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flux2batch.pictures.description import caption, parameters, to_json
from flux2batch.pictures.embedding import xmp
from flux2batch.pictures.parts import Part, png

_RECORD, _XMP = "flux2batch", "XML:com.adobe.xmp"


def embed(content: bytes, parts: Sequence[Part], told: Mapping[str, Any]) -> bytes:
    """The file with the description in it. None of ours is there yet."""
    theirs = next((part for part in parts if _text_in(part, content)[0] == _XMP), None)
    texts = [
        ("parameters", parameters(told)),
        ("Description", caption(told)),
        (_XMP, xmp.packet(told) if theirs is None else None),
        (_RECORD, to_json(told)),
    ]
    ours = b"".join(png.text(keyword, _sayable(text)) for keyword, text in texts if text)
    if theirs is not None:
        merged = xmp.merged(_text_in(theirs, content)[1], told)
        if merged is not None:
            content = content[: theirs.start] + png.text(_XMP, merged) + content[theirs.end :]
    header = parts[0].end
    return content[:header] + ours + content[header:]


def record(content: bytes, parts: Sequence[Part]) -> str | None:
    """Our JSON."""
    texts = (_text_in(part, content) for part in parts)
    return next((text for keyword, text in texts if keyword == _RECORD), None)


def undone(content: bytes, parts: Sequence[Part]) -> bytes:
    """The file without ours."""
    kept = [content[: parts[0].end]]
    run: list[bytes] = []
    in_run = True
    for part in parts[1:]:
        keyword, text = _text_in(part, content)
        raw = content[part.start : part.end]
        in_run = in_run and part.kind == "iTXt"
        if in_run and keyword == _RECORD:
            run.clear()  # the run up to here is ours
            in_run = False
        elif keyword == _XMP and (bare := xmp.undone(text)) != text:
            run.append(png.text(_XMP, bare) if bare else b"")
        else:
            run.append(raw)
    return b"".join([*kept, *run])


def _text_in(part: Part, content: bytes) -> tuple[str, str]:
    found = png.text_of(part.body(content)) if part.kind == "iTXt" else None
    return found or ("", "")


def _sayable(text: str) -> str:
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")
