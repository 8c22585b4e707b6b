"""Names in a job that point at its axes: do they exist?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from flux2batch.reading.document import Document
from flux2batch.reading.problems import Problem, Steps, error
from flux2batch.reading.suggest import closest, did_you_mean
from flux2batch.reading.unknown_keys import parameters, unusable_name


def name_problems(document: Document, *, may_be_lost: Callable[[str], bool] | None = None) -> Iterator[Problem]:
    """What is wrong with the names in a job whose shape is right. A name that `may_be_lost` is not complained of."""
    data = document.data
    yield from _unusable(document)
    crossed = {name: None for group in (data.get("sweep", {}), *data.get("zip", ())) for name in group}
    drawn = data.get("draw", {})
    misspelt: dict[str, Problem] = {}
    for name, problem in _by_name(document, crossed, drawn):
        if may_be_lost and may_be_lost(name):
            continue
        axis = _misspelt_axis(name, document, (*crossed, *drawn))
        if axis is None:
            yield problem
        elif axis[-1] not in misspelt:
            misspelt[str(axis[-1])] = _misspelt_parameter(document, axis, name)
    yield from misspelt.values()


def _by_name(document: Document, crossed: Collection[str], drawn: Collection[str]) -> Iterator[tuple[str, Problem]]:
    """The names that no axis has, each with what is wrong there."""
    for steps, rule in _rules(document.data):
        for problem in _rule_problems(document, steps, rule, crossed, drawn):
            yield str(problem.steps[-1]), problem
    yield from _pointers(document, (*crossed, *drawn))


def _misspelt_axis(name: str, document: Document, axes: Collection[str]) -> Steps | None:
    """The axis that was meant to set the parameter `name`: then the mistake is there, and not where it is written
    right."""
    if name in axes or name not in parameters():
        return None
    near = closest(name, [axis for axis in axes if axis not in parameters()])
    return None if near is None else next((steps for steps in _axes(document.data) if steps[-1] == near), None)


def _misspelt_parameter(document: Document, axis: Steps, name: str) -> Problem:
    message = f"axis '{axis[-1]}' sets no parameter, and is called '{name}' elsewhere in the job"
    return error("FB201", message, where=document.key_place(axis), steps=axis, help=f"did you mean '{name}'?")


def _axes(data: Mapping[str, Any]) -> Iterator[Steps]:
    yield from (("sweep", name) for name in data.get("sweep", {}))
    yield from (("zip", index, name) for index, group in enumerate(data.get("zip", ())) for name in group)
    yield from (("draw", name) for name in data.get("draw", {}))


def _unusable(document: Document) -> Iterator[Problem]:
    # Beyond what a regular expression of the schema can say: 'Größe' and '色' are names, '½' and '🦊' are not.
    data = document.data
    places: list[Steps] = [("sweep",), ("draw",), ("vars",), ("data",), ("references",)]
    places += [("zip", index) for index in range(len(data.get("zip", ())))]
    for steps in places:
        group = data.get(steps[0], {}) if len(steps) == 1 else data["zip"][steps[1]]
        for name in group:
            if not str(name).removeprefix("params.").isidentifier():
                yield unusable_name(document, steps, str(name))


def _rules(data: Mapping[str, Any]) -> Iterator[tuple[Steps, Mapping[str, Any]]]:
    for index, rule in enumerate(data.get("exclude", ())):
        yield ("exclude", index), rule
    for index, point in enumerate(data.get("include", ())):
        yield ("include", index), point
    for index, entry in enumerate(data.get("override", ())):
        yield ("override", index, "match"), entry["match"]


def _rule_problems(
    document: Document, steps: Steps, rule: Mapping[str, Any], crossed: Collection[str], drawn: Collection[str]
) -> Iterator[Problem]:
    for name in rule:
        if name in crossed or (name == "where" and steps[0] != "include"):
            continue
        at = (*steps, name)
        if name in drawn:
            message = f"'{name}' is drawn after '{steps[0]}' is done, so a rule cannot name it"
            help = None
        elif name == "where":
            message = "'include' names whole points, so it has no 'where'"
            help = "name every axis with its value"
        else:
            message = f"no axis is called '{name}'"
            help = did_you_mean(name, crossed) or _axes_are(crossed)
        yield error("FB201", message, where=document.key_place(at), steps=at, help=help)


def _pointers(document: Document, axes: tuple[str, ...]) -> Iterator[tuple[str, Problem]]:
    for steps, name, others in _named(document.data):
        if name not in axes and name not in others:
            problem = error(
                "FB203",
                f"no axis is called '{name}'",
                where=document.place(steps),
                steps=steps,
                help=did_you_mean(name, (*axes, *others)) or _axes_are(axes),
            )
            yield name, problem


def _named(data: Mapping[str, Any]) -> Iterator[tuple[Steps, str, tuple[str, ...]]]:
    """Where the name of an axis stands as a value, and what else is possible there."""
    sheet = data.get("sheet", {})
    # What repeats is not an axis, but it is something to lay out: by its number, or by the seeds that it counts up.
    repeats = ("repeat", "seed") if "repeat" in data or any("repeat" in o for o in data.get("override", ())) else ()
    for key in ("x", "y", "cycle"):
        if key in sheet:
            yield ("sheet", key), sheet[key], repeats
    for index, name in enumerate(sheet.get("rows", ())):
        yield ("sheet", "rows", index), name, repeats
    seed = data.get("params", {}).get("seed")
    if isinstance(seed, dict) and "per" in seed:
        for index, name in enumerate(seed["per"]):
            yield ("params", "seed", "per", index), name, ()


def _axes_are(axes: Collection[str]) -> str:
    return f"the axes are {', '.join(axes)}" if axes else "the job has no axes"
