"""Two plans held against each other: which shots are new, gone or changed, why, and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flux2batch.money import ZERO, Money
from flux2batch.planning.models.pricing import Estimate
from flux2batch.planning.plan_line import LineReference, PlanLine

Identifying = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Of a model's parameters those that enter a shot's id."""

_SIZE = ("width", "height")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """An input that is another one now. `None` says that there was, or is, no such input."""

    input: (
        str  # model, endpoint, prompt, size, the name of a parameter, "reference NAME", "order of references", repeat
    )
    was: Any
    now: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A shot that stands where another one stood."""

    was: PlanLine
    now: PlanLine
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The same shot at other paths, which costs nothing."""

    was: PlanLine
    now: PlanLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What became of a plan."""

    added: tuple[PlanLine, ...]
    removed: tuple[PlanLine, ...]
    changed: tuple[Change, ...]
    moved: tuple[Move, ...]
    kept: int  # shots that are as they were, the moved ones among them
    before: Estimate
    after: Estimate
    to_buy: Estimate  # the new and the changed ones

    @property
    def is_none(self) -> bool:
        """Whether both plans ask for the same pictures at the same places."""
        return not (self.added or self.removed or self.changed or self.moved)

    @property
    def delta(self) -> tuple[Money, Money] | None:
        """What the whole plan costs more than it did, at the least and at the most; None where a price is not known."""
        if self.before.unknown or self.after.unknown:
            return None
        return Money(self.after.min - self.before.min), Money(self.after.max - self.before.max)


def compare(before: Iterable[PlanLine], after: Iterable[PlanLine], *, identifying: Identifying) -> Difference:
    """What is new, gone and changed between two plans. Shots of one id ask for the same picture."""
    old = {line.id: line for line in before}
    new = {line.id: line for line in after}
    partners = _partners(
        [line for id, line in old.items() if id not in new], [line for id, line in new.items() if id not in old]
    )
    changed = tuple(
        Change(was=partners[id], now=line, reasons=reasons(partners[id], line, identifying=identifying))
        for id, line in new.items()
        if id in partners
    )
    left = {change.was.id for change in changed}
    added = tuple(line for id, line in new.items() if id not in old and id not in partners)
    return Difference(
        added=added,
        removed=tuple(line for id, line in old.items() if id not in new and id not in left),
        changed=changed,
        moved=tuple(
            Move(was=old[id], now=line) for id, line in new.items() if id in old and old[id].paths != line.paths
        ),
        kept=len(old.keys() & new.keys()),
        before=_sum(old.values()),
        after=_sum(new.values()),
        to_buy=_sum([*added, *(change.now for change in changed)]),
    )


def reasons(was: PlanLine, now: PlanLine, *, identifying: Identifying) -> tuple[Reason, ...]:
    """Which of the inputs that make a shot's id differ."""
    found = [*_plain_reasons(was, now), *_parameter_reasons(was, now, identifying), *_reference_reasons(was, now)]
    if was.repeat != now.repeat:
        found.append(Reason(input="repeat", was=was.repeat, now=now.repeat))
    if not found and was.endpoint != now.endpoint:
        found.append(Reason(input="endpoint", was=was.endpoint, now=now.endpoint))
    return tuple(found)


def new_values(difference: Difference, before: Iterable[PlanLine]) -> dict[str, dict[str, int]]:
    """The values of axes that no shot had before, and how many new shots have each."""
    known = {(axis, id) for line in before for axis, id in line.coordinates.items()}
    counts = Counter(
        (axis, id) for line in difference.added for axis, id in line.coordinates.items() if (axis, id) not in known
    )
    found: dict[str, dict[str, int]] = {}
    for (axis, id), shots in counts.items():
        found.setdefault(axis, {})[id] = shots
    return found


# Who stands where whom stood


def _partners(gone: Sequence[PlanLine], come: Sequence[PlanLine]) -> dict[str, PlanLine]:
    """For new shots (by id) the one whose place each took: its point of the sweep, its path, or its axes that are left.

    An axis of one value that is added or renamed moves every point of the sweep, and is no reason to call all shots
    new: the axes that both plans have decide then, where they leave no doubt.
    """
    common = _axes(gone) & _axes(come)
    found: dict[str, PlanLine] = {}
    taken: set[str] = set()
    for key in (_point, _path, lambda line: _point_on(line, common)):
        rest_gone = [line for line in gone if line.id not in taken]
        rest_come = [line for line in come if line.id not in found]
        for was, now in _pairs(rest_gone, rest_come, key):
            found[now.id] = was
            taken.add(was.id)
    return found


def _pairs(
    gone: Sequence[PlanLine], come: Sequence[PlanLine], key: Callable[[PlanLine], Hashable]
) -> Iterator[tuple[PlanLine, PlanLine]]:
    """Those that are alone with their key on either side."""
    once_gone, once_come = _once(gone, key), _once(come, key)
    return ((once_gone[place], line) for place, line in once_come.items() if place in once_gone)


def _once(lines: Sequence[PlanLine], key: Callable[[PlanLine], Hashable]) -> dict[Hashable, PlanLine]:
    counts = Counter(map(key, lines))
    return {place: line for line in lines if counts[place := key(line)] == 1}


def _point(line: PlanLine) -> Hashable:
    return frozenset(line.coordinates.items()), line.repeat


def _path(line: PlanLine) -> Hashable:
    return line.path


def _point_on(line: PlanLine, axes: frozenset[str]) -> Hashable:
    return frozenset((axis, id) for axis, id in line.coordinates.items() if axis in axes), line.repeat


def _axes(lines: Iterable[PlanLine]) -> frozenset[str]:
    return frozenset(axis for line in lines for axis in line.coordinates)


# Why


def _plain_reasons(was: PlanLine, now: PlanLine) -> Iterator[Reason]:
    if was.model != now.model:
        yield Reason(input="model", was=was.model, now=now.model)
    if was.prompt != now.prompt:
        yield Reason(input="prompt", was=was.prompt, now=now.prompt)


def _parameter_reasons(was: PlanLine, now: PlanLine, identifying: Identifying) -> Iterator[Reason]:
    old, new = dict(identifying(was.model, was.params)), dict(identifying(now.model, now.params))
    old_size, new_size = _size(old), _size(new)
    if old_size != new_size:
        yield Reason(input="size", was=old_size, now=new_size)
    for name in dict.fromkeys((*new, *old)):
        # What only one of two models knows comes with the model.
        comes_along = was.model != now.model and not (name in old and name in new)
        if name not in _SIZE and not comes_along and old.get(name) != new.get(name):
            yield Reason(input=name, was=old.get(name), now=new.get(name))


def _size(params: Mapping[str, Any]) -> str | None:
    return f"{params['width']}x{params['height']}" if all(side in params for side in _SIZE) else None


def _reference_reasons(was: PlanLine, now: PlanLine) -> Iterator[Reason]:
    if [one.digest for one in was.references] == [one.digest for one in now.references]:
        return
    found = list(_references_by_name(was, now))
    if found:
        yield from found
        return
    order_was, order_now = ([one.name for one in line.references] for line in (was, now))
    yield Reason(input="order of references", was=", ".join(order_was), now=", ".join(order_now))


def _references_by_name(was: PlanLine, now: PlanLine) -> Iterator[Reason]:
    old, new = _by_name(was), _by_name(now)
    for name in dict.fromkeys((*new, *old)):
        before, after = old.get(name, ()), new.get(name, ())
        if [one.digest for one in before] == [one.digest for one in after]:
            continue
        same_files = [one.source for one in before] == [one.source for one in after]
        yield Reason(input=f"reference {name}", was=_named(before, same_files), now=_named(after, same_files))


def _by_name(line: PlanLine) -> dict[str, tuple[LineReference, ...]]:
    found: dict[str, tuple[LineReference, ...]] = {}
    for one in line.references:
        found[one.name] = (*found.get(one.name, ()), one)
    return found


def _named(references: Sequence[LineReference], with_digest: bool) -> str | None:
    """The sources; where they are the same on both sides only what is in them tells."""
    if not references:
        return None
    return ", ".join(f"{one.source} ({_short(one.digest)})" if with_digest else one.source for one in references)


def _short(digest: str) -> str:
    return digest.rpartition(":")[2][:8]


# What it costs


def _sum(lines: Iterable[PlanLine]) -> Estimate:
    least, most, shots, unknown = ZERO, ZERO, 0, 0
    for line in lines:
        shots += 1
        if line.cost is None:
            unknown += 1
            continue
        least, most = Money(least + line.cost[0]), Money(most + line.cost[1])
    return Estimate(min=least, max=most, shots=shots, unknown=unknown)
