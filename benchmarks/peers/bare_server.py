"""BFL's protocol in bare http.server, as one writes it in an afternoon: no checks, no faults, one picture for all."""

import json
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LATENCY_S = float(sys.argv[1])
began: dict[str, float] = {}


class Service(BaseHTTPRequestHandler):
    """Answers at once; a picture is ready after the latency."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        task = str(uuid.uuid4())
        began[task] = time.monotonic()
        self.say({"id": task, "polling_url": f"{base}/v1/get_result?id={task}", "cost": 3.0})

    def do_GET(self) -> None:
        if self.path.startswith("/picture"):
            self.give(picture, "image/jpeg")
            return
        ready = time.monotonic() - began[self.path.rpartition("=")[2]] >= LATENCY_S
        self.say(
            {"status": "Ready" if ready else "Pending", "result": {"sample": f"{base}/picture"} if ready else None}
        )

    def say(self, told: object) -> None:
        self.give(json.dumps(told).encode(), "application/json")

    def give(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
server.daemon_threads = True
base = f"http://127.0.0.1:{server.server_port}"
picture = bytes(20_000)
print(base, "bench", 0.0, flush=True)
server.serve_forever()
