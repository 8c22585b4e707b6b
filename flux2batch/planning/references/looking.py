"""Look at https references before their service does: `--check-urls`. Without it a plan never asks the network."""

from __future__ import annotations

from collections.abc import Callable

from flux2batch.planning.files.folder import FileFault
from flux2batch.planning.references.decoding import Examined, examine
from flux2batch.planning.references.formats import Flaw
from flux2batch.planning.references.urls import shown

Fetch = Callable[[str], bytes | str]
"""Gives the bytes behind a URL, or says in words why there are none. Its author keeps to the rules for hosts."""


class Looker:
    """What lies behind URLs, each of which is fetched once."""

    def __init__(self, fetch: Fetch, *, may_ask: Callable[[str], bool]) -> None:
        self._fetch = fetch
        self._may_ask = may_ask
        self._seen: dict[str, Examined | FileFault | None] = {}

    def look(self, url: str) -> Examined | FileFault | None:
        """The picture behind the URL, or why there is none. None where it may not be asked: others say so."""
        if url not in self._seen:
            self._seen[url] = self._look(url) if self._may_ask(url) else None
        return self._seen[url]

    def _look(self, url: str) -> Examined | FileFault:
        content = self._fetch(url)
        if isinstance(content, str):
            return _fault(f"'{shown(url)}' gives no picture: {content}", "open it in a browser that is not logged in")
        examined = examine(content)
        if isinstance(examined, Flaw):
            return _fault(f"'{shown(url)}' {examined.message}", "give the address of the picture itself")
        return examined


def _fault(message: str, help: str) -> FileFault:
    return FileFault(code="FB409", message=message, help=help)
