"""Words for keys and values in messages, and the smallest way out of a wrong kind of value."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from flux2batch.reading.branches import kind
from flux2batch.reading.document import Document
from flux2batch.reading.masking import without_keys
from flux2batch.reading.problems import Steps

_LONGEST = 48


def called(steps: Steps) -> str:
    """What a value is called: its key, or its number in a list."""
    if not steps:
        return "the job"
    last = steps[-1]
    if isinstance(last, str):
        return last
    return f"entry {last + 1} of {called(steps[:-1])}"


def shown(document: Document, steps: Steps, value: Any) -> str:
    """What was found, as short as a message needs it."""
    match kind(value):
        case "nothing":
            return "nothing"
        case "list":
            return "a list"
        case "mapping":
            return "a mapping"
        case "text":
            return f'text "{_short(value)}"'
        case "boolean":
            return "true" if value else "false"
        case _:
            return document.written(steps) or str(value)


def listed(words: Collection[object]) -> str:
    """a, b or c."""
    texts = [str(word) for word in words]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def remedy(document: Document, steps: Steps, value: Any, wanted: frozenset[str]) -> str | None:
    """The smallest change that makes the value one of the wanted kinds, or None where none is obvious."""
    if isinstance(value, str):
        return _remedy_for_text(steps, value, wanted)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _remedy_for_number(document, steps, value, wanted)
    if isinstance(value, bool) and "text" in wanted:
        return f'put it in quotes: "{str(value).lower()}"'
    if isinstance(value, list):
        return _remedy_for_list(steps)
    if isinstance(value, dict):
        return _remedy_for_mapping(steps, value, wanted)
    return None


def _remedy_for_text(steps: Steps, text: str, wanted: frozenset[str]) -> str | None:
    if "boolean" in wanted and text.casefold() in _TRUE | _FALSE:
        return f"write {'true' if text.casefold() in _TRUE else 'false'}"
    if "number" in wanted and _NUMBER.fullmatch(text):
        return "remove the quotes"
    if "number" in wanted and (number := _number_in(text)):
        return f"write {number}"
    if _is_parameter(steps) and _RANGE.search(text):
        return f"a range stands under 'sweep', as in sweep: {{{steps[-1]}: {_short(text)}}}"
    if _is_axis(steps):
        return _remedy_for_axis(text)
    if steps[:1] == ("data",) and len(steps) == 2:
        return f"write {{file: {_short(text)}}}"
    if "list" in wanted and "text" not in wanted:
        return f"write [{_short(text)}]"
    return None


def _remedy_for_axis(text: str) -> str:
    if ends := _SPAN.fullmatch(text):
        return f"for the numbers from {ends[1]} to {ends[2]} write {ends[1]}..{ends[2]}"
    return f"write [{_short(text)}]"


def _remedy_for_number(document: Document, steps: Steps, value: float, wanted: frozenset[str]) -> str | None:
    written = document.written(steps) or str(value)
    if steps[-1:] == ("timeout",):
        return f"say the unit: {written}s or {written}m"
    if steps[-1:] == ("size",):
        return f"write {written}x{written}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 and "number" in wanted:
        return f"write {int(value)}"
    if _is_axis(steps):
        return f"write [{written}]"
    return f'put it in quotes: "{written}"' if "text" in wanted else None


def _remedy_for_list(steps: Steps) -> str | None:
    if steps == ("prompt",):
        return "to try several prompts, make them an axis: sweep: {prompt: […]}"
    if _is_parameter(steps):
        return f"to try several values, make it an axis: sweep: {{{steps[-1]}: […]}}"
    if steps[:1] in (("sweep",), ("draw",), ("zip",)) and len(steps) >= 3:
        return "a value that is itself a list needs a name: {id: …, parts: […]}"
    return None


def _remedy_for_mapping(steps: Steps, value: dict[str, Any], wanted: frozenset[str]) -> str | None:
    keys = {str(key).casefold() for key in value}
    if _is_axis(steps) and keys & {"from", "start", "min"} and keys & {"to", "stop", "end", "max"}:
        return "a range is written 1..5 step 2"
    if "list" in wanted and len(steps) == 1:
        return "put it in a list: begin the line with '- ', or set it in [ ]"
    if _is_parameter(steps) and steps[-1] == "size" and {"width", "height"} <= keys:
        return "write 1024x768, or width and height instead of size"
    if steps[:1] == ("references",) and keys & {"url", "file", "image", "src"}:
        return "a file or an https URL stands under 'path'"
    return None


def _is_parameter(steps: Steps) -> bool:
    return len(steps) >= 2 and steps[-2] in ("params", "set")


def _is_axis(steps: Steps) -> bool:
    return (len(steps) == 2 and steps[0] in ("sweep", "draw")) or (len(steps) == 3 and steps[0] == "zip")


def _number_in(text: str) -> str | None:
    bare = re.sub(r"[\s_$€]|usd", "", text, flags=re.IGNORECASE)
    bare = re.sub(r",(?=\d{3}(\D|$))", "", bare).replace(",", ".", 1)
    return bare if len(bare) <= _LONGEST and _NUMBER.fullmatch(bare) else None


def _short(text: str) -> str:
    flat = " ".join(without_keys(text[: 4 * _LONGEST]).split())  # before it is cut: half a key is one as well
    return flat if len(flat) <= _LONGEST and len(text) <= 4 * _LONGEST else f"{flat[: _LONGEST - 1]}…"


_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_SPAN = re.compile(r"(\d+(?:\.\d+)?) *(?:-|–|to|:|\.\.\.|…) *(\d+(?:\.\d+)?)")  # as a range is written elsewhere
_RANGE = re.compile(r"[0-9]\s*\.\.|[0-9]#[0-9]")
_TRUE = frozenset(("true", "yes", "on", "y", "1"))
_FALSE = frozenset(("false", "no", "off", "n", "0"))
