"""A service under test, the real one or the emulator: how it is asked, and what may be spent on it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import requests
from PIL import Image

from flux2batch.planning.models.catalogue import entries
from flux2batch.planning.models.pricing import quote
from flux2batch.providers.hosts import BFL, FAL, Forbidden, HostRules, judge

LIMIT_USD = Decimal("1.00")
SIDE = 512


class TooDear(AssertionError):
    """The next submit could bring the sum above what may be spent."""


@dataclass(slots=True)
class Purse:
    """What the submits so far may have cost at most. It is asked before each submit, refused ones included."""

    limit_usd: Decimal = LIMIT_USD
    spent_usd: Decimal = Decimal(0)

    def take(self, usd: Decimal) -> None:
        if self.spent_usd + usd > self.limit_usd:
            raise TooDear(
                f"${self.spent_usd} may be spent and the next submit may cost ${usd}: ${self.limit_usd} at most"
            )
        self.spent_usd += usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where it is, its key, and the cheapest of its models."""

    name: str
    base_url: str
    platform_url: str  # prices and accounts, which fal has on a host of their own
    key: str = field(repr=False)
    model: str
    purse: Purse = field(default_factory=Purse)
    patience_s: float = 120.0
    pause_s: float = 1.0

    @property
    def rules(self) -> HostRules:
        return replace({"bfl": BFL, "fal": FAL}[self.name], base_url=self.base_url)

    def headers(self, key: str | None = None) -> dict[str, str]:
        told = self.key if key is None else key
        return {"x-key": told} if self.name == "bfl" else {"Authorization": f"Key {told}"}

    def submit(self, body: dict[str, Any], *, frames: int = 1, model: str | None = None) -> requests.Response:
        """Ask for a picture of one megapixel at most, or for something that should be refused; both count as paid."""
        entry = entries()[model or self.model]
        price = quote(entry, width=1024, height=1024, references=(), frames=frames)
        assert price is not None, f"BUG: no price for {entry.model}"
        self.purse.take(price.max)
        return self._ask("POST", self.base_url + entry.endpoint, json=body, headers=self.headers())

    @property
    def endpoint(self) -> str:
        return entries()[self.model].endpoint

    def submit_with(self, key: str) -> requests.Response:
        """Ask with another key, which costs nothing where it is wrong, as it should be."""
        return self._ask("POST", self.base_url + self.endpoint, json={"prompt": "a boat"}, headers=self.headers(key))

    def ask(self, url: str, *, method: str = "GET") -> requests.Response:
        """Ask the API, with the key, and only where the key may go."""
        verdict = judge(url, purpose="api", rules=self.rules)
        assert not isinstance(verdict, Forbidden), f"{url}: {verdict.reason}"
        return self._ask(method, url, headers=self.headers())

    def ask_openly(self, url: str) -> requests.Response:
        """Ask without the key."""
        return self._ask("GET", url)

    def picture(self, url: str) -> Image.Image:
        """The picture behind a link, fetched without the key."""
        verdict = judge(url, purpose="download", rules=self.rules)
        assert not isinstance(verdict, Forbidden), f"{url}: {verdict.reason}"
        got = self._ask("GET", url)
        assert got.status_code == 200, got.status_code
        return Image.open(io.BytesIO(got.content), formats=("JPEG", "PNG", "WEBP"))

    def until(self, look: Callable[[], requests.Response], good: Callable[[Any], bool]) -> list[requests.Response]:
        """All answers up to the first good one."""
        ends = time.monotonic() + self.patience_s
        seen = [look()]
        while not good(seen[-1].json()):
            assert time.monotonic() < ends, seen[-1].text[:300]
            time.sleep(self.pause_s)  # polite: it may be the real service that is asked
            seen.append(look())
        return seen

    def _ask(self, method: str, url: str, **what: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, url, timeout=60, allow_redirects=False, **what)


def real(name: str, key: str) -> Service:
    """The real service."""
    if name == "bfl":
        return Service(
            name="bfl", base_url=BFL.base_url, platform_url=BFL.base_url, key=key, model="bfl/flux-2-klein-4b"
        )
    return Service(
        name="fal", base_url=FAL.base_url, platform_url="https://api.fal.ai", key=key, model="fal/flux-2-flash"
    )
