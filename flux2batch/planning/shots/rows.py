"""Shots out of drafts, and rows out of shots: what leaves the planner."""

from __future__ import annotations

from typing import Any

from flux2batch.planning.shot import Coordinate, Shot, ShotId
from flux2batch.planning.shots.expansion import Draft, Script
from flux2batch.planning.shots.survey import Survey
from flux2batch.planning.sweep.kept import KEPT


class Builder:
    """Makes shots of drafts."""

    def __init__(self, script: Script, surveyed: Survey) -> None:
        self._script = script
        self._shared = surveyed.shared
        self._names = tuple(column.name for column in script.grid.columns)
        self._columns = script.grid.columns
        self._coordinates: list[dict[int, Coordinate]] = [{} for _ in self._columns]

    def shot(self, draft: Draft) -> Shot:
        """The shot of a draft that has nothing wrong with it."""
        request = draft.request
        assert draft.id is not None, "BUG: a plan with a broken shot"
        paths = self._script.paths.of(draft.path, request)
        if draft.number in self._shared:
            paths = tuple(dict.fromkeys((*paths, *self._shared[draft.number])))
        return Shot(
            id=ShotId(draft.id.hex()),
            index=draft.number,
            model=request.model,
            endpoint=request.endpoint,
            prompt=draft.prompt,
            params={**request.params, "seed": draft.seed},
            references=request.references,
            coordinates=self._where(draft),
            repeat=draft.repeat,
            paths=paths,
            trim=request.trim,
            quote=request.quote,
        )

    def _where(self, draft: Draft) -> dict[str, Coordinate]:
        return {
            name: known.get(index) or self._coordinate(known, position, index)
            for position, (name, known, index) in enumerate(
                zip(self._names, self._coordinates, draft.point, strict=True)
            )
        }

    def _coordinate(self, known: dict[int, Coordinate], position: int, index: int) -> Coordinate:
        if len(known) >= KEPT:
            known.clear()
        value = self._columns[position].value(index)
        return known.setdefault(index, Coordinate(id=value.id, label=value.label, value=value.value))


def row_of(shot: Shot) -> dict[str, Any]:
    """A shot as `plan --jsonl` prints it."""
    return {
        "schema_version": 1,
        "id": shot.id,
        "index": shot.index,
        "model": shot.model,
        "endpoint": shot.endpoint,
        "prompt": shot.prompt,
        "params": dict(shot.params),
        "references": [
            {"name": r.name, "kind": r.kind, "source": r.source, "digest": r.digest} for r in shot.references
        ],
        "coordinates": {name: coordinate.id for name, coordinate in shot.coordinates.items()},
        "repeat": shot.repeat,
        "paths": list(shot.paths),
        "trim": f"{shot.trim.width}x{shot.trim.height}" if shot.trim else None,
        "cost_usd": None if shot.quote is None else {"min": float(shot.quote.min), "max": float(shot.quote.max)},
    }
