"""Names that a faulty job may have defined: what they stand for is not known, and who uses them is not judged."""

from __future__ import annotations

from collections.abc import Iterable

from flux2batch.reading.lost import Lost


class Unsure:
    """The names of axes, constants and tables that were lost with a mistake; more are added as they turn up."""

    def __init__(self, lost: Lost | None = None) -> None:
        self.lost = lost or Lost()
        self.names = set(self.lost.names)

    def add(self, names: Iterable[str]) -> None:
        """These could not be read."""
        self.names.update(name.removeprefix("params.") for name in names)

    def holds(self, name: str) -> bool:
        """Whether a name that means nothing may have meant something."""
        return name in self.names or self.lost.holds(name)
