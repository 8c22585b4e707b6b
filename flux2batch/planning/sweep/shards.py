"""A plan in equal parts for several machines: which part a shot is in is said by its id alone, and so never changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One part of so many, counted from 1."""

    number: int
    count: int

    @classmethod
    def read(cls, written: str) -> Self:
        """The shard that `2/8` names; raises ValueError with what would do."""
        first, slash, second = written.partition("/")
        whole = all(part.isascii() and part.isdigit() and len(part) < 6 for part in (first, second))
        if not (slash and whole and 1 <= int(first) <= int(second)):
            raise ValueError(f"{written!r} is no shard: write 2/8 for the second of eight")
        return cls(number=int(first), count=int(second))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def takes(self, id: bytes) -> bool:
        """Whether the shot of this id is in it."""
        return int.from_bytes(id[:8], "big") % self.count == self.number - 1


def run_name(name: str, shard: Shard | None) -> str:
    """What a job's run directory is called: shards that meet on one machine have one each."""
    return name if shard is None else f"{name}.shard-{shard.number}-of-{shard.count}"
