"""A reference in the form in which it goes to a provider."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A reference ready to be sent: encoded bytes, or a URL that is handed on as text. Exactly one is set."""

    content: bytes | None
    media_type: str | None
    url: str | None
