"""Ask a service which of its tasks are ours: the listing that settles a lost answer, where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flux2batch.engine.events import Ticket
from flux2batch.planning.plan import Plan
from flux2batch.planning.references.picture import Picture
from flux2batch.planning.references.preparing import prepare
from flux2batch.planning.shot import ShotId
from flux2batch.running.feed import service_of
from flux2batch.running.services import Services
from flux2batch.running.settling import Doubt

LISTS = frozenset({"fal"})
"""Services that list their tasks with what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the service lists for a take: `ticket` where it is exactly one that no other shot has."""

    doubt: Doubt
    ticket: Ticket | None
    says: str


def look(plan: Plan, services: Services, wanted: Iterable[Doubt], known: dict[str, ShotId]) -> Iterator[Found]:
    """Ask for each of these takes. Nothing is sent that could cost anything."""
    shots = {doubt.shot: doubt for doubt in wanted}
    for shot in plan:
        doubt = shots.pop(shot.id, None)
        if doubt is None:
            continue
        service = service_of(shot.model)
        if service not in LISTS:
            yield Found(doubt=doubt, ticket=None, says=f"{service} lists no tasks: only you can settle it")
            continue
        pictures = [prepare(reference, plan.shelf) for reference in shot.references]
        whole = [picture for picture in pictures if isinstance(picture, Picture)]
        if len(whole) < len(pictures):
            yield Found(doubt=doubt, ticket=None, says="a reference has changed: what was sent cannot be compared")
            continue
        provider = services.providers[service]
        prepared = provider.prepare(shot, whole)
        assert doubt.sent_at is not None, "BUG: unknown and never sent"
        listed = provider.find(prepared, since=doubt.sent_at)
        free = [ticket for ticket in listed if known.get(ticket.task_id, shot.id) == shot.id]
        if len(free) == 1:
            known[free[0].task_id] = shot.id
            yield Found(doubt=doubt, ticket=free[0], says=f"listed as {free[0].task_id}")
        elif free:
            ids = ", ".join(ticket.task_id for ticket in free[:5])
            yield Found(doubt=doubt, ticket=None, says=f"listed {len(free)} times: {ids}; choose with --task-id")
        else:
            says = "not listed (yet): some services list a task only when it has ended, so look again in a while"
            yield Found(doubt=doubt, ticket=None, says=says)
    for doubt in shots.values():
        yield Found(doubt=doubt, ticket=None, says="the job asks for other shots by now: what was sent is not known")
