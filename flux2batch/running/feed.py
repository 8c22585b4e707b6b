"""The plan as the executor asks for it: lazily, of each service on its own, without what needs no doing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import ceil

from flux2batch.engine.executor import Offer, Resumed
from flux2batch.engine.journal import Standing
from flux2batch.engine.lifecycle import UNBORN, Life, Phase
from flux2batch.planning.plan import Plan
from flux2batch.planning.shot import Shot, ShotId

_MEGAPIXEL = 1024 * 1024
_ON_THE_WAY = (Phase.SENDING, Phase.ACCEPTED, Phase.READY)


class InSendingOrder:
    """A plan's shots in the order in which they are sent: as written, or spread, one of each first.

    A spread plan is walked once for each few thousand shots, so that never more of them are held.
    """

    _BLOCK = 4096

    def __init__(self, plan: Plan, asked: Iterable[Shot]) -> None:
        self._plan = plan
        self._asked = asked

    def __iter__(self) -> Iterator[Shot]:
        if self._plan.job.run.order == "written":
            yield from self._asked
            return
        order = self._plan.sending_order()
        for start in range(0, len(order), self._BLOCK):
            turn = {index: place for place, index in enumerate(order[start : start + self._BLOCK])}
            yield from sorted((shot for shot in self._asked if shot.index in turn), key=lambda shot: turn[shot.index])


class PlanFeed:
    """Offers the shots that a run directory does not have yet. `plan` is walked anew for each service."""

    def __init__(self, plan: Iterable[Shot], standing: Standing, services: Sequence[str]) -> None:
        self._plan = plan
        self._standing = standing
        self._services = services

    def services(self) -> Sequence[str]:
        return self._services

    def wanted(self, service: str) -> Iterator[Offer]:
        """Shots that were never intended, or intended and never sent."""
        for shot in self._plan:
            if service_of(shot.model) == service and phase_of(self._standing, shot.id) in (Phase.PLANNED, Phase.INTENT):
                yield _offer(shot, self._standing.open.get(shot.id))

    def again(self, shots: Mapping[ShotId, Life]) -> Iterator[Offer]:
        """Shots whose doubtful take was given up in this run."""
        for shot in self._plan:
            if shot.id in shots:
                yield _offer(shot, shots[shot.id])


def resumed(standing: Standing, services: Iterable[str], *, called: Collection[str] = ()) -> list[Resumed]:
    """What earlier runs left on its way; of services that call also what is in doubt, which a call may settle."""
    known = set(services)
    return [
        Resumed(
            id=shot,
            service=service_of(life.intended.model),
            kind=_kind(life.intended.model, life.intended.params),
            life=life,
        )
        for shot, life in standing.open.items()
        if life.intended is not None and service_of(life.intended.model) in known
        if life.phase in _ON_THE_WAY or (life.phase is Phase.UNKNOWN and service_of(life.intended.model) in called)
    ]


def phase_of(standing: Standing, shot: ShotId) -> Phase:
    """Where a shot of the plan stands."""
    ended = standing.ended.get(shot)
    return ended.phase if ended else standing.open.get(shot, UNBORN).phase


def service_of(model: str) -> str:
    """`bfl` of `bfl/flux-2-pro`."""
    return model.partition("/")[0]


def _offer(shot: Shot, life: Life | None) -> Offer:
    assert shot.quote is not None, "BUG: a shot without a price reached the run"
    return Offer(
        shot=shot,
        service=service_of(shot.model),
        kind=_kind(shot.model, shot.params),
        reserve=shot.quote.max,
        estimate=shot.quote.min,
        life=life,
    )


def _kind(model: str, params: Mapping[str, object]) -> str:
    """What a picture's pace is learnt from: pictures of one model and about one size take about as long."""
    width, height = params.get("width"), params.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        return f"{model} ? MP"
    return f"{model} {ceil(width * height / _MEGAPIXEL)} MP"
