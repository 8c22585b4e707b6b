"""What a faulty job held beside its sound part: problems that may only come from there are not told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What a faulty job held beside its sound part, as far as it bears on that part."""

    names: frozenset[str] = frozenset()  # what may have been defined there
    everything: bool = False  # a whole section of names is unreadable: any name may have been defined
    rules: bool = False  # of a sweep: which points there are is uncertain
    references: bool = False

    def holds(self, name: str) -> bool:
        """Whether a name that is unknown may have been meant to be defined in the lost part."""
        return self.everything or name in self.names
