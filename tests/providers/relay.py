"""Stands before a server, hands everything on, and keeps what was asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from raw_server import RawServer, read_request, serving


@contextmanager
def relaying(base_url: str) -> Iterator[RawServer]:
    """A server at `.url` that passes each request to the base URL, one a connection."""
    to = urlsplit(base_url)

    def script(connection: socket.socket, server: RawServer) -> None:
        request = read_request(connection, server)
        with socket.create_connection((to.hostname, to.port), timeout=10) as onward:
            onward.sendall(request)
            while piece := onward.recv(65536):
                connection.sendall(piece)

    with serving(script) as server:
        yield server


def bodies(server: RawServer) -> list[dict[str, Any]]:
    """The JSON that was posted."""
    posted = [request for request in server.received if request.startswith(b"POST ")]
    return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in posted]
