"""Webhooks of one run: each take is given its address, calls are heard and checked, and the executor is told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from flux2batch.engine.calling import Called
from flux2batch.engine.events import Intended, Ticket
from flux2batch.errors import UsageError
from flux2batch.planning.shot import ShotId
from flux2batch.providers.calls import Call, CallsBack, Forged, Named, Unverified
from flux2batch.providers.contract import Hook, Prepared, Provider
from flux2batch.providers.hosts import is_loopback_host
from flux2batch.providers.registry import ticket_for
from flux2batch.webhooks.listener import Heard, Listener
from flux2batch.webhooks.seals import Address, Seals, key_in

LISTEN = "127.0.0.1:8787"
_LONGEST_URL = 1900  # BFL takes 2083 characters; a take's own part is under a hundred
_EXTRA = "pip install 'flux2batch[webhooks]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where services are to call, and where this run hears it."""

    url: str
    host: str
    port: int


def read_webhook(url: str, listen: str, *, emulated: bool) -> Webhook:
    """The two flags, understood. Raises UsageError with what would do."""
    try:
        parts = urlsplit(url)
        named = parts.port is None or parts.port > 0
    except ValueError:
        named = False
    if not named or parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
        raise UsageError("--webhook wants the address at which services reach you, as https://public.example/hook.")
    if parts.query or parts.fragment or "@" in parts.netloc or len(url) > _LONGEST_URL:
        raise UsageError("--webhook wants a plain address: no user name, no '?', no '#'. Each take adds its own path.")
    here = is_loopback_host(parts.hostname)
    if emulated and not here:
        raise UsageError(f"The emulator calls nobody but this machine. Say --webhook http://{listen}/hook.")
    if not emulated and here:
        raise UsageError(f"No service can call {parts.hostname}: --webhook wants an address that leads to you.")
    if parts.scheme == "http" and not here:
        raise UsageError("--webhook wants https: what a service says to you would stand on the wire in plain text.")
    host, port = _listen_at(listen)
    return Webhook(url=url, host=host, port=port)


def _listen_at(written: str) -> tuple[str, int]:
    host, colon, port = written.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"--webhook-listen wants an address of this machine and a port, as {LISTEN}.")
    return host, int(port)


class Calls:
    """What services say while a run goes on. Calls come in threads of the listener; the executor takes them up."""

    def __init__(self, *, seals: Seals, providers: Mapping[str, Provider]) -> None:
        self._seals = seals
        self._providers = providers
        self._lock = threading.Lock()
        self._waiting: dict[Called, None] = {}  # in order, each once
        self.wake: Callable[[], None] = _nobody
        self.refused: Counter[str] = Counter()  # why, and how often
        self.taken = 0

    # For the workers and the executor.

    @property
    def services(self) -> frozenset[str]:
        """Those that can call."""
        return frozenset(name for name, provider in self._providers.items() if _calls_back(provider) is not None)

    def hook_for(self, prepared: Prepared, take: int) -> Hook | None:
        """Where the service is to call about this take; None where it cannot."""
        service = prepared.model.partition("/")[0]
        if service not in self.services:
            return None
        return self._seals.hook(Address(service=service, shot=ShotId(prepared.shot_id), take=take))

    def heard(self) -> list[Called]:
        """The calls since it was last asked."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), {}
        return waiting

    def ticket(self, call: Called, intended: Intended) -> Ticket:
        """The ticket of the task that a call names. Where to ask about it is never taken from the call."""
        service = intended.model.partition("/")[0]
        return ticket_for(
            service,
            call.task_id,
            model=intended.model,
            endpoint=intended.endpoint,
            origin=self._providers[service].origin,
            poll_url=None,
        )

    # For the listener.

    def answer(self, heard: Heard) -> HTTPStatus:
        """Check a call; the executor is told of one that is the service's own."""
        address = self._seals.read(heard.path)
        provider = None if address is None else _calls_back(self._providers.get(address.service))
        if address is None or provider is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "the path is none of this run's")
        call = Call(headers=heard.headers, body=heard.body, at_s=time.time())
        match provider.heed(call, self._seals.hook(address)):
            case Forged(reason=reason):
                return self._refuse(HTTPStatus.FORBIDDEN, reason)
            case Unverified(reason=reason):
                return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, reason)
            case Named(task_id=task_id, is_over=is_over):
                self._take(Called(shot=address.shot, take=address.take, task_id=task_id, is_over=is_over))
        return HTTPStatus.OK

    def _take(self, call: Called) -> None:
        with self._lock:
            self._waiting[call] = None
            self.taken += 1
        self.wake()

    def _refuse(self, status: HTTPStatus, reason: str) -> HTTPStatus:
        with self._lock:
            self.refused[reason] += 1
        return status


@contextmanager
def open_calls(
    webhook: Webhook, *, providers: Mapping[str, Provider], state_folder: Path, run_directory_id: str
) -> Iterator[Calls]:
    """Listen from here on. Raises MachineError where nobody can, and UsageError where a signature cannot be checked."""
    if "fal" in providers:
        from flux2batch.providers.fal_signature import can_verify

        if not can_verify():
            raise UsageError(f"fal signs its calls, and what checks that is not installed: {_EXTRA}")
    seals = Seals(key_in(state_folder), run_directory_id=run_directory_id, base_url=webhook.url)
    calls = Calls(seals=seals, providers=providers)
    with Listener(webhook.host, webhook.port, answer=calls.answer):
        yield calls


def _calls_back(provider: object) -> CallsBack | None:
    return provider if isinstance(provider, CallsBack) else None


def _nobody() -> None:
    """Nobody is to be woken yet."""
