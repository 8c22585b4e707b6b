"""Which recorded shots are asked for: --only and --picks over what a run directory knows, without its job file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flux2batch.errors import InvalidInput
from flux2batch.planning.tables.picks import Pick, Picks
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.planning.templates.values import ValueObject
from flux2batch.planning.templating import Expression, compile_expression
from flux2batch.reading.problems import Place, Problem, error
from flux2batch.reading.suggest import did_you_mean
from flux2batch.reporting.sheet_story import KnownShot

Chooses = Callable[[KnownShot, int], bool]
"""Whether a shot's frame (from 1) is asked for."""

_ALWAYS = ("seed", "model", "index", "repeat")


def choice_of(shots: Iterable[KnownShot], *, only: str | None, picks: Picks | None) -> Chooses:
    """The test that these flags ask for. Raises InvalidInput where the expression names what no shot has."""
    tests: list[Chooses] = []
    if only is not None:
        tests.append(_expression_test(only, shots))
    if picks is not None:
        tests.append(lambda shot, frame: is_picked(picks, shot, frame))
    return lambda shot, frame: all(test(shot, frame) for test in tests)


def said_of(picks: Picks, shot: KnownShot, frame: int) -> Pick | None:
    """What the file says of a shot's frame (from 1)."""
    places = tuple(saved.path for saved in shot.life.saved if saved.frame == frame - 1) or shot.paths[frame - 1 : frame]
    coordinates = {axis: id for axis, (id, _) in shot.coordinates.items()}
    return picks.said_of(shot.id, paths=places, coordinates=coordinates, frame=frame)


def is_picked(picks: Picks, shot: KnownShot, frame: int) -> bool:
    """Whether the file picks a shot's frame (from 1)."""
    pick = said_of(picks, shot, frame)
    return pick is not None and pick.picked


def _expression_test(text: str, shots: Iterable[KnownShot]) -> Chooses:
    try:
        expression = compile_expression(text)
    except TemplateFault as fault:
        raise InvalidInput([_problem(text, fault)]) from None
    known = list(dict.fromkeys(name for shot in shots for name in (*_axes_of(shot), *shot.params)))
    known += [name for name in _ALWAYS if name not in known]
    unknown = sorted(expression.names - set(known), key=expression.name_span)
    if unknown:
        raise InvalidInput(_unknown(text, expression, name, known) for name in unknown)

    def test(shot: KnownShot, frame: int) -> bool:  # noqa: ARG001  # an expression speaks of the shot
        try:
            return bool(expression.evaluate(_scope(shot, expression.names)))
        except TemplateFault as fault:
            raise InvalidInput([_problem(text, fault)]) from None

    return test


def _axes_of(shot: KnownShot) -> Iterable[str]:
    return (name.removeprefix("params.") for name in shot.coordinates)


def _scope(shot: KnownShot, names: Iterable[str]) -> dict[str, Any]:
    axes = {name.removeprefix("params."): at for name, at in shot.coordinates.items()}
    own = {**shot.params, "model": shot.model, "index": shot.index, "repeat": shot.repeat}
    return {name: _on_axis(*axes[name], shot.params.get(name)) if name in axes else own.get(name) for name in names}


def _on_axis(id: str, label: str, parameter: Any) -> ValueObject:
    """A coordinate as expressions see it. Of a row the journal keeps id and label alone."""
    value = parameter if parameter is not None else _plain(id)
    return ValueObject(id=id, label=label, value=value, text=id, fields={})


_WORDS: Mapping[str, Any] = {"none": None, "true": True, "false": False}


def _plain(id: str) -> Any:
    """The value that a job would have written so."""
    if id in _WORDS:
        return _WORDS[id]
    for read in (int, float):
        try:
            return read(id)
        except ValueError:
            continue
    return id


def _unknown(text: str, expression: Expression, name: str, known: list[str]) -> Problem:
    start, end = expression.name_span(name)
    help = did_you_mean(name, known) or f"these shots have {', '.join(known[:12])}"
    return error("FB301", f"unknown variable '{name}'", where=_place(text, start, end), help=help)


def _problem(text: str, fault: TemplateFault) -> Problem:
    return error(fault.code, fault.message, where=_place(text, fault.start, fault.end), help=fault.help)


def _place(text: str, start: int, end: int) -> Place:
    return Place(file="--only", line=1, column=start + 1, end_line=1, end_column=end + 1, line_text=text)
