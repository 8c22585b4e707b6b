"""Hosts that are not there: six names on loopback with certificates of their own, and all that they receive."""

from __future__ import annotations

import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_CERTIFICATE = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=fake"

Answer = tuple[int, dict[str, str], bytes]


@dataclass(slots=True)
class FakeHost:
    """One name. `received` holds whole requests as they came, `greeted` counts connections before any request."""

    name: str
    answers: dict[str, Answer] = field(default_factory=dict)  # by path without its query
    received: list[str] = field(default_factory=list)
    greeted: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"https://{self.name}"


class FakeHosts:
    """Several hosts behind a resolver that knows nobody else. Which address a name has may change between lookups."""

    def __init__(self, names: Iterable[str], folder: Path) -> None:
        self.hosts = {name: FakeHost(name) for name in names}
        self.asked: list[str] = []  # names that somebody wanted to be resolved
        self.may_see_the_key: set[str] = set()
        self.certificate = folder / "ca.pem"
        self._key = folder / "key.pem"
        self._servers: list[ThreadingHTTPServer] = []
        self._certify()
        for host in self.hosts.values():
            self._serve(host)

    def __getitem__(self, name: str) -> FakeHost:
        return self.hosts[name]

    def everything(self, *, but: Iterable[str] = ()) -> str:
        """All that all hosts but these have received."""
        return "\n".join(text for host in self.hosts.values() if host.name not in but for text in host.received)

    def resolve(self, host: Any, port: Any, *_args: Any, **_more: Any) -> list[Any]:
        """Stands in for socket.getaddrinfo: a known name at 443 leads to its server, anything else to nowhere."""
        name = host.decode() if isinstance(host, bytes) else str(host)
        self.asked.append(name)
        if name in self.hosts and port == 443:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", self.hosts[name].port))]
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _certify(self) -> None:
        certificate, key = _certified(tuple(self.hosts))
        self.certificate.write_bytes(certificate)
        self._key.write_bytes(key)

    def _serve(self, host: FakeHost) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self._key)
        server = _Server(host, context)
        host.port = server.server_address[1]
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: FakeHost, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _handler(host))
        self._host = host
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        self._host.greeted += 1
        try:
            encrypted = self._context.wrap_socket(request, server_side=True)
        except OSError:
            return
        with encrypted:
            super().finish_request(encrypted, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up is what these tests are about


@cache
def _certified(names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """A certificate for these names and its key, made once in a session: that takes longer than most tests."""
    with tempfile.TemporaryDirectory(prefix="fake-hosts-") as name:
        certificate, key = Path(name, "ca.pem"), Path(name, "key.pem")
        command = [*_CERTIFICATE.split(), "-addext", f"subjectAltName={','.join(f'DNS:{each}' for each in names)}"]
        subprocess.run(
            [*command, "-keyout", str(key), "-out", str(certificate)], cwd=name, capture_output=True, check=True
        )
        return certificate.read_bytes(), key.read_bytes()


def _handler(host: FakeHost) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            host.received.append(f"{self.requestline}\n{self.headers}\n{body.decode('utf-8', 'replace')}")
            status, headers, content = host.answers.get(self.path.partition("?")[0], (404, {}, b"{}"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, *_args: Any) -> None:
            pass

    return Handler
