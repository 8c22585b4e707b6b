"""The least of an editor: a client of the Language Server Protocol over a process's stdin and stdout."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_PATIENCE_S = 60


class LanguageServer:
    """A server that was started, and what it said."""

    def __init__(self, process: subprocess.Popen[bytes], settings: Mapping[str, Any]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin: IO[bytes] = process.stdin
        self._settings = settings
        self._said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._next_id = 0
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}
        threading.Thread(target=self._listen, args=(process.stdout,), daemon=True).start()

    def request(self, method: str, params: Any) -> Any:
        """The answer to a request; what else the server says meanwhile is taken care of."""
        self._next_id += 1
        id = self._next_id
        self._send({"id": id, "method": method, "params": params})
        while (message := self._hear()).get("id") != id or "method" in message:
            self._take(message)
        assert "error" not in message, message["error"]
        return message["result"]

    def notify(self, method: str, params: Any) -> None:
        """Tell the server something."""
        self._send({"method": method, "params": params})

    def open(self, file: Path, text: str) -> str:
        """Open a document as an editor does, whatever is on disk; its URI."""
        uri = file.as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def diagnostics(self, uri: str) -> list[dict[str, Any]]:
        """What the server finds wrong with a document, as soon as it says so."""
        while uri not in self._diagnostics:
            self._take(self._hear())
        return self._diagnostics.pop(uri)

    def at(self, method: str, uri: str, line: int, character: int) -> Any:
        """The answer to a request about a place (from 0)."""
        return self.request(
            f"textDocument/{method}",
            {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}},
        )

    def _take(self, message: Mapping[str, Any]) -> None:
        match message.get("method"):
            case "textDocument/publishDiagnostics":
                self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
            case "workspace/configuration":
                sections = [item.get("section", "") for item in message["params"]["items"]]
                self._send({"id": message["id"], "result": [self._section(name) for name in sections]})
            case _ if "id" in message and "method" in message:
                self._send({"id": message["id"], "result": None})

    def _section(self, name: str) -> Any:
        """An editor's settings have dotted names, and are asked for by what stands before the dot."""
        found: dict[str, Any] = {}
        for key, value in self._settings.items():
            if key.startswith(f"{name}."):
                inner = found
                *outer, last = key.removeprefix(f"{name}.").split(".")
                for step in outer:
                    inner = inner.setdefault(step, {})
                inner[last] = value
        return found or None

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._stdin.flush()

    def _hear(self) -> dict[str, Any]:
        message = self._said.get(timeout=_PATIENCE_S)
        assert message is not None, "the server ended"
        return message

    def _listen(self, stream: IO[bytes]) -> None:
        for message in _messages(stream):
            self._said.put(message)
        self._said.put(None)


def _messages(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    while True:
        length = 0
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            return
        yield json.loads(stream.read(length))


@contextmanager
def serving(command: Sequence[str], folder: Path, settings: Mapping[str, Any]) -> Iterator[LanguageServer]:
    """A language server for a folder, with an editor's settings."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder
    ) as process:
        server = LanguageServer(process, settings)
        try:
            server.request(
                "initialize",
                {
                    "processId": None,
                    "rootUri": folder.as_uri(),
                    "workspaceFolders": [{"uri": folder.as_uri(), "name": folder.name}],
                    "capabilities": {
                        "textDocument": {
                            "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                            "hover": {"contentFormat": ["markdown"]},
                        },
                        "workspace": {"configuration": True, "workspaceFolders": True},
                    },
                },
            )
            server.notify("initialized", {})
            server.notify("workspace/didChangeConfiguration", {"settings": None})
            yield server
            server.request("shutdown", None)
            server.notify("exit", None)
            process.wait(timeout=_PATIENCE_S)
        finally:
            process.kill()
