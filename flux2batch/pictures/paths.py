"""Paths inside a run directory: which are safe to write, and where a picture's companions lie.

Every path is checked here again, whatever the plan has checked: it may come out of the journal of a run directory that
somebody else made.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from flux2batch.pictures.checking import EXTENSIONS

EARLIER = "earlier/"

_SAME = {".jpeg": ".jpg"}
_PICTURES = frozenset({*EXTENSIONS.values(), *_SAME})
_SIDECAR = ".json"

_MAX_NAME_BYTES = 255
_MAX_PATH_BYTES = 1024  # the shortest limit of a system in use; Linux takes 4096
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"} | {f"{d}{n}" for d in ("com", "lpt") for n in "0123456789¹²³"}
)


def unsafe(path: str) -> str | None:
    """Why nothing is written at this path, in a few words, or None where it may be."""
    if not path:
        return "it is empty"
    if _CONTROL.search(path):
        return "it holds a control character"
    if len(path.encode()) > _MAX_PATH_BYTES:
        return f"it is longer than {_MAX_PATH_BYTES} bytes"
    if "\\" in path:
        return "it holds a backslash"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "it is an absolute path"
    for name in path.split("/"):
        if reason := _unsafe_name(name):
            return reason
    if PurePosixPath(path).suffix.lower() not in {*_PICTURES, _SIDECAR}:
        return "it does not end like a picture"
    return None


def _unsafe_name(name: str) -> str | None:
    if name in ("", ".", ".."):
        return "it steps out of its folder" if name == ".." else "it has an empty part"
    if name.startswith("."):
        return f"'{name}' would be hidden"
    if name != name.rstrip(". "):
        return f"'{name}' ends with a dot or a space"
    if name.split(".")[0].rstrip(" ").lower() in _DEVICES:
        return f"'{name}' is the name of a device on Windows"
    if len(name.encode()) > _MAX_NAME_BYTES:
        return f"a name in it is longer than {_MAX_NAME_BYTES} bytes"
    return None


def extension(path: str) -> str:
    """The path's extension in its one form: `.jpg` for `.JPEG`."""
    suffix = PurePosixPath(path).suffix.lower()
    return _SAME.get(suffix, suffix)


def with_extension(path: str, true: str) -> str:
    """The path with the extension that tells the truth; `.jpeg` and `.JPG` are as true as `.jpg`."""
    before = PurePosixPath(path).suffix
    if extension(path) == true:
        return path
    return f"{path.removesuffix(before) if before.lower() in _PICTURES else path}{true}"


def earlier_path(path: str, shot: str) -> str:
    """Where a picture goes whose path now belongs to another shot."""
    inner = PurePosixPath(path.removeprefix(EARLIER))
    tail = f"-{shot[:8]}{inner.suffix}"
    stem = _cut(inner.stem, _MAX_NAME_BYTES - len(tail.encode()))
    return f"{EARLIER}{inner.with_name(stem + tail)}"


def original_path(path: str, sha256: str) -> str:
    """Where the picture as it came is kept that was trimmed for this path: another may come for it later."""
    name = PurePosixPath(path)
    tail = f"-{sha256[:12]}{name.suffix}"
    return str(name.with_name(_cut(name.stem, _MAX_NAME_BYTES - len(tail.encode())) + tail))


def numbered(path: str, number: int) -> str:
    """The path with a number before its extension: what is taken when somebody else's file is in the way."""
    name = PurePosixPath(path)
    tail = f"-{number}{name.suffix}"
    return str(name.with_name(_cut(name.stem, _MAX_NAME_BYTES - len(tail.encode())) + tail))


def sidecar_path(path: str) -> str:
    """Where the description of the picture at `path` lies, when it is asked for beside it."""
    return f"{path}{_SIDECAR}"


def _cut(text: str, max_bytes: int) -> str:
    return text.encode()[:max_bytes].decode(errors="ignore").rstrip(" .") or "_"
