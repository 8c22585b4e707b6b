"""Turn any text into one name of a path that is safe on every system."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAX_BYTES = 80

# Separators and what shells, Windows and URLs give a meaning; white space of any kind becomes one space.
_MEANS_SOMETHING = re.compile(r"[/\\:*?\"<>|;`$]+")
_SPACE = re.compile(r"\s+")
_MINUS = re.compile(r"^ ?-(?=\.?[0-9])")  # a name cannot begin with a minus, and -1 is not 1
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"} | {f"{d}{n}" for d in ("com", "lpt") for n in "0123456789¹²³"}
)


@lru_cache(maxsize=32_768)  # a job has few values and many paths
def safe_component(text: str) -> str:
    """The text as one file or folder name: `bfl/flux-2-pro` is `bfl-flux-2-pro`. Letters of every script stay."""
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(character for character in composed if _stays(character))
    spaced = _MINUS.sub("minus", _SPACE.sub(" ", kept))
    name = _cut(_MEANS_SOMETHING.sub("-", spaced).lstrip(" .-~")).rstrip(" .")
    if not name:
        return "_"
    if not _is_device(name):
        return name
    device, dot, rest = name.partition(".")  # nul.png_ would be the device as well
    return f"{device}_{dot}{rest}"


def _stays(character: str) -> bool:
    # Left out are Cc, Cf (bidi, zero width), Cs (lone surrogates), Co and Cn; white space becomes a space later.
    # The two joiners shape letters of Persian and of Indian scripts.
    category = unicodedata.category(character)
    return character.isspace() or character in "\u200c\u200d" or category[0] != "C"


def _is_device(name: str) -> bool:
    return name.split(".")[0].rstrip(" ").lower() in _DEVICES


def _cut(name: str) -> str:
    """The beginning that fits into the bytes, ending between two letters and not inside one."""
    raw = name.encode()
    if len(raw) <= MAX_BYTES:
        return name
    short = raw[:MAX_BYTES].decode(errors="ignore")
    while short and unicodedata.combining(name[len(short)]):
        name, short = name[: len(short)], short[:-1]
    return short
