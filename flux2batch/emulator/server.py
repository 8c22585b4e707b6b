"""The emulator itself: doors, keys and books around the two services, in a thread of its own.

    with Emulator() as emulator:
        client = SomeClient(base_url=emulator.bfl_base_url, key=emulator.bfl_api_key)
        …
        assert len(emulator.books.tasks()) == 1

It listens on loopback only, talks to nobody else, and its keys open nothing but itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import socket
import ssl
import threading
from collections.abc import Awaitable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Self

from flux2batch.emulator.bfl import Bfl
from flux2batch.emulator.books import NANO, Books, Submit, Task
from flux2batch.emulator.fal.service import Fal
from flux2batch.emulator.faults import Fault, Script, parse_fault
from flux2batch.emulator.http import Request, Response, answer_json
from flux2batch.emulator.http_server import Server
from flux2batch.emulator.latency import Latency, parse_latency
from flux2batch.emulator.studio import Rules, Studio
from flux2batch.errors import MachineError

HOST = "127.0.0.1"
DOORS = ("bfl", "fal", "bfl-poll", "bfl-delivery", "fal-run", "fal-media")
FLUSH_S = 0.5


class Emulator:
    """BFL and fal on loopback. The base URLs and keys are known once it has started."""

    def __init__(
        self,
        *,
        port: int = 0,
        books: Path | None = None,
        faults: Sequence[str | Fault] = (),
        latency: str | Latency = "0",
        speed: float = 1.0,
        seed: int = 0,
        balance_usd: Decimal | float = 1000,
        active_limit: int | None = 24,
        concurrency: int = 2,
        link_s: float = 600.0,
        pricing: bool = True,
        several_origins: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`port` is BFL's, the other doors take those after it; 0 lets the system choose, or the books remember."""
        self._port = port
        self._file = books
        self._script = Script([parse_fault(fault) if isinstance(fault, str) else fault for fault in faults], seed=seed)
        self._latency = parse_latency(latency, speed=speed) if isinstance(latency, str) else latency
        self._rules = Rules(
            active_limit=active_limit,
            concurrency=concurrency,
            link_s=link_s,
            pricing=pricing,
            several_origins=several_origins,
        )
        self._balance_usd = Decimal(str(balance_usd))
        self._tls = tls
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self.books: Books
        self.urls: dict[str, str] = {}
        self.bfl_base_url = ""
        self.fal_base_url = ""
        self.bfl_api_key = ""
        self.fal_key = ""

    def __repr__(self) -> str:
        return f"<Emulator {self.bfl_base_url or 'not started'}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Open the books and the doors; when this returns, they are open."""
        self.books = Books(self._file)
        try:
            if self.books.life == 1:
                for service in ("bfl", "fal"):
                    self.books.fund(service, int(self._balance_usd * NANO))
            salt = bytes.fromhex(self.books.fact("salt", "")) or secrets.token_bytes(32)
            self.books.remember("salt", salt.hex())
            self._name_keys(salt)
            sockets = self._bind()
        except BaseException:
            self.books.close()
            raise

        studio = Studio(books=self.books, script=self._script, latency=self._latency, rules=self._rules, salt=salt)
        studio.urls = self.urls
        site = _Site(self, studio, self._script)
        started = threading.Event()
        self._thread = threading.Thread(
            target=self._live, args=(site, studio, sockets, started), name="emulator", daemon=True
        )
        self._thread.start()
        started.wait()
        if self._failure is not None:
            self.stop()
            raise self._failure

    def stop(self) -> None:
        """Close the doors and the books; what is in flight is dropped."""
        if self._thread is None:
            return
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None
        self.books.close()

    def _name_keys(self, salt: bytes) -> None:
        """Keys are derived, so that a restarted emulator knows its clients and the file does not hold a key."""

        def derived(name: str) -> str:
            return hmac.digest(salt, name.encode(), "sha256").hex()[:32]

        self.bfl_api_key = f"bfl_emulated_{derived('bfl')}"
        self.fal_key = f"emulated-{derived('fal id')[:8]}:{derived('fal secret')}"

    def _bind(self) -> dict[str, socket.socket]:
        remembered = self.books.fact("ports", "").split()
        wanted = [self._port + number if self._port else 0 for number in range(len(DOORS))]
        if not self._port and len(remembered) == len(DOORS):
            wanted = [int(port) for port in remembered]

        sockets: dict[str, socket.socket] = {}
        shared: socket.socket | None = None
        try:
            for door, port in zip(DOORS, wanted, strict=True):
                if not self._rules.several_origins and shared is not None:
                    sockets[door] = shared
                    continue
                sockets[door] = shared = _bound(port, strict=bool(self._port))
        except BaseException:
            for one in set(sockets.values()):
                one.close()
            raise
        scheme = "http" if self._tls is None else "https"
        self.urls.update({door: f"{scheme}://{HOST}:{one.getsockname()[1]}" for door, one in sockets.items()})
        self.bfl_base_url, self.fal_base_url = self.urls["bfl"], self.urls["fal"]
        self.books.remember("ports", " ".join(str(one.getsockname()[1]) for one in sockets.values()))
        return sockets

    def _live(self, site: _Site, studio: Studio, sockets: dict[str, socket.socket], started: threading.Event) -> None:
        try:
            asyncio.run(self._serve(site, studio, sockets, started))
        except BaseException as error:
            self._failure = error
        finally:
            studio.close()
            for one in set(sockets.values()):
                one.close()
            started.set()

    async def _serve(
        self, site: _Site, studio: Studio, sockets: dict[str, socket.socket], started: threading.Event
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = Server(site, tls=self._tls)
        for one in set(sockets.values()):
            doors = [door for door, other in sockets.items() if other is one]
            await server.open(doors[0], one)
        started.set()
        while not self._stopping.is_set():
            try:
                await asyncio.wait_for(self._stopping.wait(), FLUSH_S)
            except TimeoutError:
                self.books.flush()
                if len(studio.ready_seen) > 10_000:
                    studio.ready_seen.clear()
        await server.close()
        for errand in tuple(studio.errands):
            errand.cancel()
        await asyncio.gather(*studio.errands, return_exceptions=True)


def _bound(port: int, *, strict: bool) -> socket.socket:
    """A socket on this port, or on any where the port is only a wish and taken."""
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind((HOST, port))
    except OSError as error:
        if strict:
            one.close()
            raise MachineError(f"the emulator cannot listen on port {port}: {error.strerror}") from None
        one.bind((HOST, 0))
    return one


class _Site:
    """Sends each request to the service it is for, after noting which key came to which door."""

    def __init__(self, emulator: Emulator, studio: Studio, script: Script) -> None:
        self._books = studio.books
        self._studio = studio
        self._script = script
        self._keys = {"bfl": emulator.bfl_api_key, "fal": emulator.fal_key}
        self._bfl = Bfl(studio, key=emulator.bfl_api_key)
        self._fal = Fal(studio, key=emulator.fal_key)

    def connected(self, origin: str) -> bool:
        return origin not in ("bfl", "fal") or self._script.on_wire("reset-on-connect") is None

    def began(self, origin: str, method: str, path: str, length: int) -> int | None:
        if method != "POST" or origin not in ("bfl", "fal") or length <= 0 or path.startswith("/v1/models"):
            return None
        fault = self._script.on_wire("reset-in-body")
        return None if fault is None else int(length * float(fault.argument))

    def respond(self, request: Request) -> Response | Awaitable[Response]:
        if request.path.startswith("/_emulator/"):
            return self._show(request)
        self._books.saw(request.origin, self._key_seen(request))
        services: list[Bfl | Fal] = [self._bfl, self._fal]
        if request.origin.startswith("fal"):
            services.reverse()
        if self._studio.rules.several_origins and "x-fal-target-url" not in request.headers:
            del services[1:]
        for service in services:
            made = service.respond(request)
            if made is not None:
                return made
        return answer_json(404, {"detail": "Not Found"})

    def _key_seen(self, request: Request) -> str:
        """The name of the key that came along, wherever in the request it was. A strange key is known by its hash."""
        told = request.headers.get("x-key") or request.headers.get("authorization", "")
        if not told:
            everywhere = [*request.headers.values(), *request.query.values()]
            return next((name for name, key in self._keys.items() if any(key in text for text in everywhere)), "none")
        for name, key in self._keys.items():
            if key in told:
                return name
        return f"other:{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:12]}"

    def _show(self, request: Request) -> Response:
        """The books, to be read over HTTP."""
        after, limit = _number(request.query.get("after"), 0), min(_number(request.query.get("limit"), 1000), 10_000)
        match request.path.removeprefix("/_emulator/"):
            case "books":
                return answer_json(200, summary(self._books))
            case "tasks":
                return answer_json(200, [_shown(task) for task in self._books.tasks(after=after, limit=limit)])
            case "submits":
                return answer_json(200, [_shown(one) for one in self._books.submits(after=after, limit=limit)])
            case "sightings":
                seen = self._books.sightings()
                return answer_json(200, [{"origin": at, "key": key, "count": n} for (at, key), n in seen.items()])
        return answer_json(404, {"detail": "books, tasks, submits or sightings"})


def summary(books: Books) -> dict[str, object]:
    """The books in a few numbers."""
    return {
        **books.counts(),
        "charged_usd": {service: str(books.charged_by(service)) for service in ("bfl", "fal")},
        "balance_usd": {service: str(books.balance(service)) for service in ("bfl", "fal")},
    }


def _shown(row: Task | Submit) -> dict[str, object]:
    return {name: getattr(row, name) for name in type(row).__slots__}


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdigit() else otherwise
