"""A receiver of callbacks, and a picture to send."""

from __future__ import annotations

import base64
import http.server
import io
import json
import threading
from typing import Any

from PIL import Image


def picture(width: int = 96, height: int = 64) -> str:
    sink = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 60)).save(sink, "PNG")
    return base64.b64encode(sink.getvalue()).decode()


class Hook:
    """A receiver of callbacks."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], Any]] = []
        heard = self.heard

        class Ear(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard.append(({name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ear)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook/intent-1"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
