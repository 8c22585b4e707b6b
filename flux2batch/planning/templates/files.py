"""The files of a job's `templates/` folder: what `include` and `import` may name, each read and compiled once."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from flux2batch.planning.templates.faults import Refusal

if TYPE_CHECKING:
    from flux2batch.planning.templates.compiler import Compiler

FOLDER = "templates"
MAX_BYTES = 64 * 1024


class OpensFiles(Protocol):
    """The door to the files of a job's folder: planning/files/folder.py."""

    def open(self, path: str, *, max_bytes: int = ...) -> object:
        """An opened file with `content`, or a fault with `message` and `help`."""


class TemplateFolder:
    """Reads files of `templates/` by their names there; compilers for it are kept, so that each file is read once."""

    def __init__(self, read: Callable[[str], str]) -> None:
        self.read = read  # raises Refusal
        self.compilers: dict[str, Compiler] = {}

    @classmethod
    def of(cls, folder: OpensFiles) -> TemplateFolder:
        """The `templates/` folder beside a job file."""

        def read(name: str) -> str:
            normal = posixpath.normpath(name)
            if normal.startswith(("/", "..")) or "\\" in name or normal == ".":
                raise Refusal("FB702", f"'{name}' is outside the {FOLDER}/ folder", f"move the file into {FOLDER}/")
            opened = folder.open(f"{FOLDER}/{normal}", max_bytes=MAX_BYTES)
            content = getattr(opened, "content", None)
            if content is None:
                raise Refusal(
                    getattr(opened, "code", "FB401"), str(getattr(opened, "message", "")), getattr(opened, "help", None)
                )
            try:
                return str(content, "utf-8-sig")
            except UnicodeDecodeError:
                raise Refusal("FB302", f"'{FOLDER}/{normal}' is not UTF-8 text", "save it as UTF-8") from None

        return cls(read)
