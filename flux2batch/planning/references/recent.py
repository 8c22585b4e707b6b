"""Keep what was made last, up to a number of bytes, for any thread that asks."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from flux2batch.planning.references.picture import Picture


class Recent:
    """Prepared pictures by the digest of their recipe: a hundred shots with one reference prepare it once."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, digest: str) -> Picture | None:
        """The picture, if it is still there."""
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
            return self._kept.get(digest)

    def put(self, digest: str, picture: Picture) -> None:
        """Remember it, and forget what was asked for longest ago."""
        size = len(picture.content or b"")
        with self._lock:
            if digest in self._kept or size > self._max_bytes:
                return
            self._kept[digest] = picture
            self._bytes += size
            while self._bytes > self._max_bytes:
                _, forgotten = self._kept.popitem(last=False)
                self._bytes -= len(forgotten.content or b"")
