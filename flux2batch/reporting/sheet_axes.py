"""The axes of a sheet: the job's own, and what lies beside them: repeats, frames, runs and versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flux2batch.reporting.sheet_story import KnownShot, merged

Kind = Literal["run", "job", "repeat", "frame", "version"]

_MANY = 24  # values that still stand side by side


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetAxis:
    """An axis of the page, with the values that some cell has."""

    name: str
    kind: Kind
    values: Mapping[str, str]  # id → label, in order

    @property
    def is_numeric(self) -> bool:
        """Whether all its values are numbers, but for `none` where a condition left it out."""
        return bool(self.values) and all(_is_number(value) or value == "none" for value in self.values)

    def written(self) -> dict[str, Any]:
        """As the page reads it."""
        return {
            "name": self.name,
            "title": self.name,
            "kind": self.kind,
            "numeric": self.is_numeric,
            "values": [{"id": id, "label": label} for id, label in self.values.items()],
        }


def axes_of(
    orders: Sequence[tuple[str, Mapping[str, Mapping[str, str]]]], shots: Sequence[Sequence[KnownShot]]
) -> tuple[SheetAxis, ...]:
    """The axes of these runs, each (its own name, its axes) beside its shots. A job's axis keeps its order and name."""
    own = _own([order for _, order in orders], (shot for of_run in shots for shot in of_run))
    taken = {axis.name for axis in own}
    runs = {name: name for name, _ in orders}
    repeats = max((shot.repeat for of_run in shots for shot in of_run), default=1)
    frames = max((shot.frames for of_run in shots for shot in of_run), default=1)
    versions = max((shot.version for of_run in shots for shot in of_run), default=0)
    axes: list[SheetAxis] = []
    if len(orders) > 1:
        axes.append(SheetAxis(name=_free("run", taken), kind="run", values=runs))
    axes += own
    if versions:
        axes.append(SheetAxis(name=_free("version", taken), kind="version", values=_versions(versions)))
    if repeats > 1:
        axes.append(SheetAxis(name=_free("repeat", taken), kind="repeat", values=_numbers(repeats)))
    if frames > 1:
        axes.append(SheetAxis(name=_free("frame", taken), kind="frame", values=_numbers(frames)))
    return tuple(axes)


def _own(orders: Sequence[Mapping[str, Mapping[str, str]]], shots: Iterable[KnownShot]) -> list[SheetAxis]:
    known: dict[str, dict[str, str]] = {}
    for of_run in orders:
        for name, values in of_run.items():
            known[name] = merged(known[name], values) if name in known else dict(values)
    used: dict[str, dict[str, str]] = {name: {} for name in known}
    for shot in shots:
        for name, (id, label) in shot.coordinates.items():
            used.setdefault(name, {}).setdefault(id, label)
    axes = []
    for name, values in used.items():
        order: dict[str, str] = known.get(name, {})
        ordered = {id: label for id, label in order.items() if id in values}
        ordered |= {id: label for id, label in values.items() if id not in order}
        if ordered:
            axes.append(SheetAxis(name=name, kind="job", values=ordered))
    return axes


def _numbers(count: int) -> dict[str, str]:
    return {str(number): str(number) for number in range(1, count + 1)}


def _versions(count: int) -> dict[str, str]:
    """Counted back from now."""
    return {"now": "now", "earlier": "earlier"} | {f"earlier-{n}": f"earlier, {n}" for n in range(2, count + 1)}


def _free(name: str, taken: Collection[str]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def _is_number(text: str) -> bool:
    try:
        return float(text) == float(text)  # all but nan
    except ValueError:
        return False


def first_view(axes: Sequence[SheetAxis], asked: Mapping[str, Any]) -> dict[str, Any]:
    """How the page opens: as the job's `sheet:` says, or so that one can see what each axis does."""
    names = [axis.name for axis in axes]
    view: dict[str, Any] = {
        "x": _known(asked.get("x"), names),
        "y": _known(asked.get("y"), names),
        "rows": [name for name in _listed(asked.get("rows")) if name in names],
        "cols": [],
        "cycle": _known(asked.get("cycle"), names),
        "caption": ["coordinates"],
    }
    placed = [view["x"], view["y"], view["cycle"], *view["rows"]]
    left = [axis for axis in axes if len(axis.values) > 1 and axis.name not in placed]
    if view["x"] is None and view["y"] is None:
        left = _placed(view, left)
    # Nothing is hidden: what found no place makes sections, and runs and versions stand side by side.
    beside = [axis.name for axis in left if axis.kind in ("run", "version") and len(axis.values) <= _MANY]
    view["cols"] = beside
    view["rows"] += [axis.name for axis in left if axis.name not in beside]
    return view


def _placed(view: dict[str, Any], left: list[SheetAxis]) -> list[SheetAxis]:
    """Give x and y to the axes that are about something; chance and repeats are for stepping through."""
    chance = [axis for axis in left if axis.name == "seed" or axis.kind in ("repeat", "frame")]
    telling = [axis for axis in left if axis.kind == "job" and axis not in chance]
    if len(telling) < 2:
        telling += chance[: 2 - len(telling)]
    small = [axis for axis in telling if len(axis.values) <= _MANY] or telling
    if small:
        view["x"] = small[-1].name
    if len(small) > 1:
        view["y"] = small[-2].name
    rest = [axis for axis in left if axis.name not in (view["x"], view["y"])]
    stepped = next((axis.name for axis in rest if axis in chance), None)
    if view["cycle"] is None and stepped is not None:
        view["cycle"] = stepped
    return [axis for axis in rest if axis.name != view["cycle"]]


def _known(name: object, names: Collection[str]) -> str | None:
    return name if isinstance(name, str) and name in names else None


def _listed(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, (list, tuple)) else []
