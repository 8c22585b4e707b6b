"""What may stand before the ':' of a mapping: words, each once."""

from __future__ import annotations

import re
from typing import NamedTuple

from flux2batch.reading.hidden import HIDDEN, hidden_name
from flux2batch.reading.problems import Note
from flux2batch.reading.spans import Style
from flux2batch.reading.yaml_nodes import Entry
from flux2batch.reading.yaml_reports import Reports, short
from flux2batch.reading.yaml_scalars import resolve


class Refusal(NamedTuple):
    """Why a scalar cannot be a key."""

    code: str
    message: str
    help: str


_NUMBER_AND_COMMA = re.compile(r"(?<!\d)(\d+),\Z")  # 8,00 where 8.00 is meant
_EMPTY = Refusal("FB112", "keys must be words, and this one is empty", "write a word before the ':'")
_MERGE = Refusal("FB110", "merge keys ('<<') are not part of YAML 1.2", "write the keys out")


def refuse_key(text: str, style: Style, before: str) -> Refusal | None:
    """Why this cannot be a key; any text in quotes can, and unquoted whatever is no number, true, false or null.

    `before` is some of what stands before it.
    """
    if not text:
        return _EMPTY
    if style != "plain":
        return None
    if text == "<<":
        return _MERGE
    if isinstance(resolve(text).value, str):
        return None
    comma = _NUMBER_AND_COMMA.search(before)
    help = f"is {comma[1]}.{text} meant?" if comma and text.isdecimal() else f'quote it: "{short(text)}"'
    return Refusal("FB112", f"keys must be words, got {short(text)}", help)


def report_twice(reports: Reports, text: str, start: int, end: int, *, first: Entry) -> None:
    """The second of two equal keys, with the place of the first."""
    place = reports.source.place(first.key_start, first.key_end)
    note = Note(text=f"first at line {place.line}", where=place)
    message = f"key '{short(text)}' appears twice in this mapping"
    reports.error("FB113", message, start, end, help="delete one of the two", notes=[note])


def report_hidden(reports: Reports, text: str, start: int, end: int) -> None:
    """A character that cannot be seen and came into a key by an escape; others are found in the text itself."""
    written = reports.source.text[start:end]
    escaped = next((found[0] for found in HIDDEN.finditer(text) if found[0] not in written), None)
    if escaped:
        message = f"{hidden_name(escaped)} cannot be seen and stands in a key"
        reports.error("FB120", message, start, end, help="delete it")


def glued_colon(text: str, source: str, start: int, end: int) -> tuple[int, str] | None:
    """The colon of a key such as `colour:red`, which in braces is one long key without a value; and the way out."""
    colon = source.find(":", start, end)
    if colon < 0 or source[start] in "\"'":
        return None
    name, _, rest = text.partition(":")
    return colon, f"write '{short(name)}: {short(rest)}'"
