"""Make a short id of any text: what stands in paths, tables and messages for a value that was given none."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256

MAX_LENGTH = 40

_JOINS = re.compile(r"[\W_]+")


def slug(text: str) -> str:
    """Letters and digits of every script, `.` and `-`, at most 40; where it was cut, four of the hash end it."""
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(c if _stays(c) else "-" for c in composed).lower()
    short = re.sub("-{2,}", "-", kept).strip("-.")
    if short and len(short) <= MAX_LENGTH:
        return short
    mark = sha256(composed.encode()).hexdigest()[:4]
    return f"{short[: MAX_LENGTH - 5].rstrip('-.')}-{mark}".lstrip("-")


def _stays(character: str) -> bool:
    # Marks belong to the letters of many scripts: without them Hindi and Thai words are other words.
    return character in ".-" or unicodedata.category(character)[0] in "LMN"
