"""A proxy that spoils answers on purpose: it stands before an emulator's doors and is told what to do to each answer.

    with Emulator(latency="0") as emulator, ChaosProxy(emulator, spoil) as proxy:
        …                              # `spoil` gets each exchange and says which harm comes to its answer
        proxy.exchanges                # what was asked, and how much of each answer was let through

The harms are those of toxiproxy by other names: latency, slicing, cutting at byte N, a reset there, a slow close,
garbage and a stall. Every harm comes to an answer that the service has given: what it booked stays booked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from flux2batch.emulator.server import Emulator

Kind = Literal["latency", "slice", "cut", "reset", "slow close", "garbage", "stall"]
_NOISE = b"\x16\x03\x01\xff\x00HTTP/9.9 999 \x00\r\n{{{\xc3\x28"
_MOST_HEAD = 1_000_000


@dataclass(frozen=True, slots=True)
class Harm:
    """What comes to an answer. `at` is the byte, counted from the status line's first; `s` is how long it takes."""

    kind: Kind
    at: int = 0
    s: float = 0.0


@dataclass(slots=True)
class Exchange:
    """One request, the service's answer to it, and how much of that was let through."""

    door: str
    method: str
    path: str
    body: bytes
    answer: bytes = b""
    harm: Harm | None = None
    passed: int = 0

    @property
    def delivered(self) -> bytes:
        """What the client can have read."""
        return self.answer[: self.passed]


Spoil = Callable[[Exchange], Harm | None]
"""Decides over an answer when it is known and not yet passed on. It is called in the proxy's thread."""


@dataclass
class ChaosProxy:
    """One listener for each door of the emulator, whose answers then name the proxy's doors and not its own."""

    emulator: Emulator
    spoil: Spoil
    arrived: Callable[[Exchange], None] = lambda _exchange: None  # a request is here, and the service knows nothing yet
    exchanges: list[Exchange] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._behind = dict(self.emulator.urls)
        self._open = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="chaos", daemon=True)
        self._thread.start()
        assert self._open.wait(20), "the proxy did not open its doors"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(20)
        self.emulator.urls.update(self._behind)

    @contextlib.contextmanager
    def in_use(self, state: Path) -> Iterator[None]:
        """This process's environment leads through the proxy, and remembers nothing outside the folder."""
        ours = {
            "BFL_BASE_URL": self.emulator.urls["bfl"],
            "BFL_API_KEY": self.emulator.bfl_api_key,
            "FAL_BASE_URL": self.emulator.urls["fal"],
            "FAL_KEY": self.emulator.fal_key,
            "XDG_STATE_HOME": str(state),
            "XDG_CONFIG_HOME": str(state),
        }
        before = {name: os.environ.get(name) for name in ours}
        os.environ |= ours
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value

    def posts(self) -> list[Exchange]:
        """The submits."""
        return [one for one in self.exchanges if one.method == "POST"]

    async def _serve(self) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        listeners = []
        for door, behind in self._behind.items():
            listener = await asyncio.start_server(self._talker(door, behind), "127.0.0.1", 0, limit=_MOST_HEAD)
            self.emulator.urls[door] = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            listeners.append(listener)
        self._open.set()
        await self._closing.wait()
        for listener in listeners:
            listener.close()
        talks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    def _talker(self, door: str, behind: str) -> Callable[..., object]:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._talk(door, behind, reader, writer)
            writer.close()

        return talk

    async def _talk(self, door: str, behind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to = urlsplit(behind)
        onward: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while head := await _head(reader):
                method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
                exchange = Exchange(door, method, path, await reader.readexactly(_length(head)))
                self.exchanges.append(exchange)
                self.arrived(exchange)
                onward = onward or await asyncio.open_connection(to.hostname, to.port, limit=_MOST_HEAD)
                onward[1].write(head + exchange.body)
                answered = await _head(onward[0])
                exchange.answer = answered + await onward[0].readexactly(_length(answered))
                exchange.harm = self.spoil(exchange)
                if not await self._pass_on(exchange, writer) or b"connection: close" in (head + answered).lower():
                    return
        finally:
            if onward is not None:
                onward[1].close()

    async def _pass_on(self, exchange: Exchange, writer: asyncio.StreamWriter) -> bool:
        """Hand the answer on as the harm has it; whether the connection may go on."""
        harm, answer = exchange.harm, exchange.answer
        whole = len(answer)
        match harm:
            case None:
                await _write(writer, exchange, whole)
                return True
            case Harm(kind="latency", s=s):
                await asyncio.sleep(s)
                await _write(writer, exchange, whole)
                return True
            case Harm(kind="slice", at=size, s=s):
                while exchange.passed < whole:
                    await _write(writer, exchange, min(whole, exchange.passed + max(1, size)))
                    await asyncio.sleep(s)
                return True
            case Harm(kind="cut", at=at):
                await _write(writer, exchange, at)
            case Harm(kind="reset", at=at):
                await _write(writer, exchange, at)
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case Harm(kind="slow close", s=s):
                await _write(writer, exchange, whole)
                await asyncio.sleep(s)
            case Harm(kind="garbage", at=at):
                await _write(writer, exchange, at)
                writer.write(_NOISE)
                await writer.drain()
            case Harm(kind="stall", at=at, s=s):
                await _write(writer, exchange, at)
                await asyncio.sleep(s)
        return False


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)


async def _write(writer: asyncio.StreamWriter, exchange: Exchange, upto: int) -> None:
    writer.write(exchange.answer[exchange.passed : upto])
    exchange.passed = min(upto, len(exchange.answer))
    await writer.drain()
