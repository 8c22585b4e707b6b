"""What can be wrong with a template, with the characters that earn it."""

from __future__ import annotations

from typing import NoReturn


class TemplateFault(Exception):
    """One fault of one template. `start` and `end` count characters of the template's own text.

    A fault inside an included file points at the tag that includes it, and its message names the file and the line.
    """

    def __init__(self, code: str, message: str, start: int, end: int, help: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.start = start
        self.end = end
        self.help = help

    def __repr__(self) -> str:
        return f"TemplateFault({self.code}, {self.message!r}, {self.start}..{self.end})"


class Refusal(Exception):
    """Why a template cannot go on, raised where its place is not known: by filters, operators, `ref` and `refs`.

    `name` is the word of the template that it is about, where there is one: the fault then points at that word.
    """

    def __init__(self, code: str, message: str, help: str | None = None, *, name: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.help = help
        self.name = name


def refuse(code: str, message: str, help: str | None = None, *, name: str | None = None) -> NoReturn:
    """Stop rendering for this reason."""
    raise Refusal(code, message, help, name=name)
