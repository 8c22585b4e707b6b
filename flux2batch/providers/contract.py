"""What the engine asks of a provider: one small interface, without retries, sleeping or state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from flux2batch.engine.events import Downloaded, NotSent, Polled, Submitted, Ticket
from flux2batch.money import Money
from flux2batch.planning.references.picture import Picture as Picture
from flux2batch.planning.shot import Shot
from flux2batch.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Where a service is to call about one take. Nobody else may know: not a log, not a journal, not an error."""

    url: str = field(repr=False)  # ends in the seal
    seal: Secret
    secret: Secret  # what BFL says in return; fal signs

    @property
    def hidden(self) -> tuple[str, ...]:
        """What is to be taken out of every answer before it is kept or shown."""
        return (self.seal.reveal(), self.secret.reveal())


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request in full, before any socket is opened. The key is not in it."""

    model: str
    path: str
    body: bytes
    shot_id: str
    hook: Hook | None = None  # set by whoever listens; what is asked for is the same with it and without


class Line(Protocol):
    """A connection that is up and has carried nothing yet."""

    def close(self) -> None: ...


class Provider(Protocol):
    """Every method says what happened as a value and raises for nothing that a service or a network did."""

    name: str
    origin: str  # scheme://host:port of the API, as the journal records it

    def prepare(self, shot: Shot, pictures: Sequence[Picture]) -> Prepared: ...

    def connect(self, prepared: Prepared) -> Line | NotSent: ...

    def send(self, line: Line, prepared: Prepared) -> Submitted: ...

    def poll(self, ticket: Ticket) -> Polled: ...

    def fetch(self, url: str) -> Downloaded: ...

    def balance(self) -> Money | None: ...

    def find(self, prepared: Prepared, *, since: datetime) -> tuple[Ticket, ...]: ...

    def close(self) -> None: ...


@runtime_checkable
class Engine(Protocol):
    """What a provider has beside the above that draws on machines of one's own, and sends nothing anywhere."""

    @property
    def at_once(self) -> int:
        """How many shots keep it busy, by now."""
        ...

    def check(self, models: Sequence[str]) -> None:
        """Raise what is wrong with what it needs for these models. Quick: nothing is loaded."""
        ...

    def make_ready(self, models: Sequence[str]) -> Sequence[str]:
        """Load what it needs, once; lines for people on what draws where."""
        ...

    def stop(self) -> None:
        """Hand back what is not drawn yet: it costs nothing to draw it later."""
        ...
