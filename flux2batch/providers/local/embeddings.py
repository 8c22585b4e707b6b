"""Prompts as the text encoder sees them, kept for the shots that share them: they change only with the prompt."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

_MOST_BYTES = 512 * 1024 * 1024  # sixty prompts of klein, thirty of dev; in main memory, not on the device


class Embeddings:
    """The least recently used go first. A copy to main memory and back changes no bit."""

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._bytes = 0
        self._most_bytes = most_bytes

    def get(self, prompt: str, device: str, encode: Callable[[str], Any]) -> tuple[Any, bool]:
        """The prompt's embedding on this device, and whether it was there already."""
        known = self._kept.get(prompt)
        if known is not None:
            self._kept.move_to_end(prompt)
            return known.to(device), True
        made = encode(prompt)
        self._keep(prompt, made.to("cpu"))
        return made, False

    def clear(self) -> None:
        """Another model is loaded: its text encoder sees other things."""
        self._kept.clear()
        self._bytes = 0

    def _keep(self, prompt: str, embedding: Any) -> None:
        self._kept[prompt] = embedding
        self._bytes += _size(embedding)
        while self._bytes > self._most_bytes and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(embedding: Any) -> int:
    return int(embedding.numel() * embedding.element_size())
