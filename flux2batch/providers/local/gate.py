"""Many draw at the same time; whoever loads a model is alone: loading changes settings of the whole process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Whoever waits to load goes before those who come to draw, so that it is not kept waiting for ever."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._drawing = 0
        self._wanting = 0  # to load
        self._loading = False

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Beside others who draw, and while nobody loads."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._loading or self._wanting))
            self._drawing += 1
        try:
            yield
        finally:
            with self._changed:
                self._drawing -= 1
                self._changed.notify_all()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Alone."""
        with self._changed:
            self._wanting += 1
            self._changed.wait_for(lambda: not (self._loading or self._drawing))
            self._wanting -= 1
            self._loading = True
        try:
            yield
        finally:
            with self._changed:
                self._loading = False
                self._changed.notify_all()
