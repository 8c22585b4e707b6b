"""fal's files: uploads that are announced and put, or sent with a token, and finished pictures."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import Awaitable
from urllib.parse import urlsplit

from flux2batch.emulator.books import Task
from flux2batch.emulator.fal.names import iso, nanoid
from flux2batch.emulator.fal.refusals import wrong_method
from flux2batch.emulator.http import Request, Response, answer, answer_json
from flux2batch.emulator.references import Reference, Unreadable, is_url, read_base64, read_bytes, read_url
from flux2batch.emulator.studio import Studio

_FILE = re.compile(r"/files/b/([0-9a-f]{8})/([A-Za-z0-9_-]{21})\.(?:png|jpeg|webp)")
_UPLOAD = re.compile(r"/files/b/([0-9a-f]{64})_[^/]*")


class Storage:
    """Keeps what is uploaded and hands out what is drawn."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._books = studio.books
        self._tokens: dict[str, float] = {}  # short-lived upload tokens and their end

    def media_url(self, task: Task, frame: int) -> str:
        """Where the picture will lie."""
        name = nanoid(f"{task.token} {frame}")
        return f"{self._studio.urls['fal-media']}/files/b/{task.token[:8]}/{name}.{task.wish['format']}"

    def reference(self, url: str) -> Reference | Unreadable:
        """A reference by its URL: inline, uploaded here, or the text of an address elsewhere."""
        if url.startswith("data:"):
            head, _, content = url.partition(",")
            if not head.endswith(";base64"):
                return Unreadable(reason="Failed to load the image", kind="load")
            return read_base64(content, self._books)
        if not is_url(url):
            return Unreadable(reason="Failed to download the file", kind="download")
        uploaded = _UPLOAD.fullmatch(urlsplit(url).path)
        if uploaded is not None and url.startswith(self._studio.urls["fal-media"]):
            kept = self._books.blob(uploaded[1], "file")
            if kept is None:
                return Unreadable(reason="Failed to download the file", kind="download")
            return read_bytes(kept[1], self._books)
        return read_url(url)

    def file(self, request: Request) -> Response | Awaitable[Response]:
        """A file by its name."""
        uploaded = _UPLOAD.fullmatch(request.path)
        if uploaded is not None:
            return self._uploaded(request, uploaded[1])
        pending = re.fullmatch(r"/files/b/(new-[0-9a-f]{32})_([^/]*)", request.path)
        if pending is not None:
            return self._pending(request, pending[1])
        found = _FILE.fullmatch(request.path)
        if found is None or request.method not in ("GET", "HEAD"):
            return answer_json(404, {"detail": "Not found"})
        for task in self._books.task_by_token(found[1]):
            for frame in range(task.wish["frames"]):
                if nanoid(f"{task.token} {frame}") == found[2] and time.time() >= task.ready_at:
                    media = f"image/{task.wish['format']}"
                    headers = (("Content-Type", media), ("Access-Control-Allow-Origin", "*"))
                    return self._studio.deliver(task, frame, headers)
        return answer_json(404, {"detail": "Not found"})

    def _uploaded(self, request: Request, sha256: str) -> Response:
        kept = self._books.blob(sha256, "file")
        if request.method not in ("GET", "HEAD") or kept is None:
            return answer_json(404, {"detail": "Not found"})
        return answer(200, kept[1], kept[0], (("Access-Control-Allow-Origin", "*"),))

    def announce(self, request: Request, path: str) -> Response:
        """A token for uploads, or a place for one."""
        if request.method != "POST":
            return wrong_method("POST")
        media = self._studio.urls["fal-media"]
        if path == "/storage/auth/token":
            token, ends = uuid.uuid4().hex, time.time() + 3600
            self._tokens = {known: end for known, end in self._tokens.items() if end > time.time()} | {token: ends}
            told = {"token": token, "token_type": "Bearer", "base_url": media, "expires_at": iso(ends)}
            return answer_json(200, told)
        if path == "/storage/upload/initiate":
            try:
                name = re.sub(r"[^\w.-]", "_", str(json.loads(request.body).get("file_name", "file")))[-80:]
            except (ValueError, AttributeError):
                return answer_json(422, {"detail": [{"loc": ["body"], "msg": "field required", "type": "value_error"}]})
            place = f"{media}/files/b/new-{uuid.uuid4().hex}_{name}"
            signature = hmac.new(self._studio.salt, urlsplit(place).path.encode(), "sha256").hexdigest()
            return answer_json(200, {"upload_url": f"{place}?signature={signature}", "file_url": place})
        return answer_json(404, {"detail": "Not Found"})

    def _pending(self, request: Request, name: str) -> Response:
        """PUT what was announced, or GET what was put there."""
        if request.method in ("GET", "HEAD"):
            sha256 = self._books.fact(f"upload {name}", "")
            return self._uploaded(request, sha256) if sha256 else answer_json(404, {"detail": "Not found"})
        signature = hmac.new(self._studio.salt, request.path.encode(), "sha256").hexdigest()
        if request.method != "PUT" or not hmac.compare_digest(signature, request.query.get("signature", "")):
            return answer_json(403, {"detail": "Invalid signature"})
        self._books.remember(f"upload {name}", self._keep_file(request))
        return answer(200)

    def upload(self, request: Request) -> Response:
        """Take what comes with a token."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if request.method != "POST":
            return wrong_method("POST")
        if kind != "Bearer" or self._tokens.get(token, 0) < time.time():
            return answer_json(401, {"detail": "Invalid token"})
        name = re.sub(r"[^\w.-]", "_", request.headers.get("x-fal-file-name", "file"))[-80:]
        sha256 = self._keep_file(request)
        return answer_json(200, {"access_url": f"{self._studio.urls['fal-media']}/files/b/{sha256}_{name}"})

    def _keep_file(self, request: Request) -> str:
        sha256 = hashlib.sha256(request.body).hexdigest()
        media = request.headers.get("content-type", "application/octet-stream")
        self._books.keep(sha256, "file", media, request.body)
        return sha256
