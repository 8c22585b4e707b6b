"""What shots come to together: their price by what they ask for, and the files that would be uploaded to whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flux2batch.money import Money
from flux2batch.planning.configuration import Configuration
from flux2batch.planning.models.pricing import Estimate
from flux2batch.planning.shot import Quote, Reference, Trim
from flux2batch.planning.shots.request import Request, Requests

if TYPE_CHECKING:
    from flux2batch.planning.references.shelf import ReferenceShelf, Upload


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Shots that ask for the same: one model, one size, so many references, one price."""

    model: str
    endpoint: str
    width: int
    height: int
    trim: Trim | None
    frames: int
    references: int
    quote: Quote | None
    shots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the shots that are asked for come to."""

    shots: int
    cost: Estimate
    batches: tuple[Batch, ...]
    uploads: tuple[tuple[Upload, tuple[str, ...]], ...]  # each file with the hosts that it goes to
    hosts: tuple[str, ...]
    models: tuple[tuple[str, int], ...]
    without: tuple[tuple[str, int], ...]  # optional references, and the shots that go without them


class Tally:
    """Adds up requests with the number of shots that were chosen of each."""

    def __init__(self) -> None:
        self.batches: Counter[tuple[Any, ...]] = Counter()
        self.references: dict[tuple[Reference, str], None] = {}
        self.models: Counter[str] = Counter()
        self.present: Counter[str] = Counter()
        self.shots = 0

    def add(self, request: Request, chosen: int) -> None:
        """So many shots with this request."""
        if not chosen:
            return
        params = request.params
        key = (
            request.model,
            request.endpoint,
            params.get("width", 0),
            params.get("height", 0),
            request.trim,
            request.frames,
            len(request.references),
            request.quote,
        )
        self.batches[key] += chosen
        self.models[request.model] += chosen
        self.shots += chosen
        provider = request.model.partition("/")[0]
        self.references |= {(reference, provider): None for reference in request.references}
        self.present.update(dict.fromkeys({reference.name for reference in request.references}, chosen))

    def totals(self, requests: Requests, configuration: Configuration, shelf: Callable[[], ReferenceShelf]) -> Totals:
        """What was added, as a plan shows it."""
        batches = tuple(Batch(**dict(zip(_BATCH, key, strict=True)), shots=n) for key, n in self.batches.items())
        least = sum((batch.quote.min * batch.shots for batch in batches if batch.quote), Decimal(0))
        most = sum((batch.quote.max * batch.shots for batch in batches if batch.quote), Decimal(0))
        unknown = sum(batch.shots for batch in batches if batch.quote is None)
        hosts = {model.partition("/")[0]: _host_of(model, configuration) for model in self.models}
        return Totals(
            shots=self.shots,
            cost=Estimate(min=Money(least), max=Money(most), shots=self.shots, unknown=unknown),
            batches=batches,
            uploads=tuple(_uploads(self.references, hosts, shelf)),
            hosts=tuple(sorted({host for host in hosts.values() if host})),
            models=tuple(self.models.items()),
            without=tuple(_without(requests, self)),
        )


_BATCH = ("model", "endpoint", "width", "height", "trim", "frames", "references", "quote")


def _uploads(
    references: Iterable[tuple[Reference, str]], hosts: Mapping[str, str | None], shelf: Callable[[], ReferenceShelf]
) -> Iterator[tuple[Upload, tuple[str, ...]]]:
    used = [(reference, hosts[provider]) for reference, provider in references if reference.sources]
    if not used:
        return
    goes_to: dict[str, dict[str, None]] = {}
    for reference, host in used:
        for source in reference.sources:
            goes_to.setdefault(source, {}).update({host: None} if host else {})
    for upload in shelf().uploads(reference for reference, _ in used):
        targets = tuple(goes_to.get(upload.absolute, ()))
        if targets:
            yield upload, targets


def _without(requests: Requests, tally: Tally) -> Iterator[tuple[str, int]]:
    for source in requests.sources:
        missing = tally.shots - tally.present[source.name]
        if source.optional and missing:
            yield source.name, missing


def _host_of(model: str, configuration: Configuration) -> str | None:
    """Where a model's requests go; None for one's own machine."""
    service = configuration.services.get(model.partition("/")[0])
    return urlsplit(service.base_url).hostname if service else None
