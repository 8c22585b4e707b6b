"""A server of bare sockets that does exactly what a test tells it to, and keeps every byte that it received."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

Script = Callable[[socket.socket, "RawServer"], None]


class RawServer:
    """Listens on loopback; each connection is handed to `script` in a thread of its own."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.received: list[bytes] = []
        self.stopping = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self._script(connection, self)

    def close(self) -> None:
        self.stopping.set()
        self._listener.close()

    @property
    def posts(self) -> int:
        return sum(request.startswith(b"POST ") for request in self.received)


@contextlib.contextmanager
def serving(script: Script) -> Iterator[RawServer]:
    server = RawServer(script)
    try:
        yield server
    finally:
        server.close()


def read_request(connection: socket.socket, server: RawServer) -> bytes:
    """Read one whole request, as its Content-Length says."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        chunk = connection.recv(65536)
        if not chunk:
            break
        body += chunk
    server.received.append(head + b"\r\n\r\n" + body)
    return server.received[-1]


def reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answer(status: int, body: bytes, headers: str = "", *, length: int | None = None) -> bytes:
    """An HTTP answer with its Content-Length, or a false one."""
    declared = len(body) if length is None else length
    return f"HTTP/1.1 {status} X\r\nContent-Length: {declared}\r\n{headers}\r\n".encode() + body
