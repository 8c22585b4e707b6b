"""Says where shots are asked for anew only because a model's default is another one than when they were made."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from flux2batch.engine.events import Intended
from flux2batch.engine.journal import Journal
from flux2batch.planning.models.sizes import SIZE_PARAMETERS
from flux2batch.planning.plan import Plan
from flux2batch.planning.shot import Shot, ShotId
from flux2batch.reading.problems import Problem, warning

_Change = tuple[str, str, str, str]  # model, parameter, then, now


def changed_defaults(plan: Plan, journal: Journal, left: Collection[ShotId]) -> list[Problem]:
    """A warning for each default that makes new shots of old ones. `left`: done, and no longer asked for."""
    if not left:
        return []
    wanted = frozenset(left)
    before = {
        _spot_then(entry.event): entry.event.params
        for entry in journal.entries()
        if entry.shot in wanted and isinstance(entry.event, Intended)
    }
    written = frozenset(_keys(plan.job.document.data))
    changes: Counter[_Change] = Counter()
    for shot in plan:
        then = before.get(_spot_now(shot))
        if then is not None:
            changes.update(_changes(plan, shot, then, written))
    return [_told(plan, change, shots) for change, shots in changes.items()]


def _changes(plan: Plan, shot: Shot, then: Mapping[str, Any], written: Collection[str]) -> Iterator[_Change]:
    entry = plan.configuration.entry(shot.model)
    for name, parameter in entry.parameters.items() if entry else ():
        now = shot.params.get(name)
        if name in written or name in SIZE_PARAMETERS or not parameter.identifying or now != parameter.default:
            continue
        was = then.get(name, parameter.neutral)
        if was != now:
            yield shot.model, name, json.dumps(was), json.dumps(now)


def _told(plan: Plan, change: _Change, shots: int) -> Problem:
    model, name, was, now = change
    said = "1 shot changes" if shots == 1 else f"{shots:,} shots change"
    return warning(
        "FB609",
        f"{said} because {name}'s default on {model} is now {now}; it was {was} when their pictures were made",
        where=plan.job.document.whole,
        help=f"to keep the pictures write params: {{{name}: {was}}}",
    )


def _spot_now(shot: Shot) -> tuple[object, ...]:
    spot = tuple((axis, coordinate.id) for axis, coordinate in shot.coordinates.items())
    return shot.model, shot.prompt, shot.repeat, spot


def _spot_then(intended: Intended) -> tuple[object, ...]:
    spot = tuple((axis, id) for axis, (id, _) in intended.coordinates.items())
    return intended.model, intended.prompt, intended.repeat, spot


def _keys(value: Any) -> Iterator[str]:
    """Every key that a job writes anywhere: a parameter among them is no default."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key).removeprefix("params.")
            yield from _keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _keys(inner)
