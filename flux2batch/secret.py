"""A text that must never be shown: it can be used, and that is all."""

from __future__ import annotations

import hmac
from typing import NoReturn

_SHOWN = 4
_LONG_ENOUGH = 16  # of a shorter one, four characters are too much of the whole


class Secret:
    """A key. Logs, tracebacks, journals and f-strings see `****1234`; only `reveal()` gives the text."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The text itself: for the header of a request, and for nothing else."""
        return self.__text

    def __repr__(self) -> str:
        tail = self.__text[-_SHOWN:] if len(self.__text) >= _LONG_ENOUGH else ""
        return f"****{tail if tail.isalnum() else ''}"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__text.encode(), other.__text.encode())

    def __hash__(self) -> int:
        return hash(("Secret", self.__text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never written down")
