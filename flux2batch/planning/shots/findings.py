"""Collects what is wrong with a plan: each thing once, with the first shot it hits and how many there are."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from flux2batch.planning.fault import Fault
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.reading.document import Document
from flux2batch.reading.problems import Note, Place, Problem, Steps, error, in_order, warning

_MOST_OVERWORKED = 20
_OF_A_PICTURE = "FB407"
_MOST_PLACES = 3  # of those that name one picture


@dataclass(slots=True)
class _Finding:
    problem: Problem
    first: str | None  # the first shot, in words
    shots: int


class Findings:
    """Problems by what they are about; a thing that is wrong with a thousand shots is one problem."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.total = 0  # shots, once they are counted
        self._found: dict[Hashable, _Finding] = {}
        self._overworked = 0

    def add(self, problems: Iterable[Problem]) -> None:
        """Problems that no shot is needed for."""
        for problem in problems:
            self._found.setdefault(problem, _Finding(problem, None, 0))

    def error(self, code: str, message: str, steps: Steps, help: str | None = None, *, key: bool = False) -> None:
        """One error at a place of the job, at its key or at its value."""
        where = self.document.key_place(steps) if key else self.document.place(steps)
        self.add([error(code, message, where=where, steps=steps, help=help)])

    def warn(self, code: str, message: str, steps: Steps, help: str | None = None, *, key: bool = False) -> None:
        """One warning."""
        where = self.document.key_place(steps) if key else self.document.place(steps)
        self.add([warning(code, message, where=where, steps=steps, help=help)])

    def hit(self, problems: Iterable[Problem], shot: str, *, shots: int = 1) -> None:
        """A shot has these problems, and so have others like it."""
        for problem in problems:
            finding = self._found.setdefault(problem, _Finding(problem, shot, 0))
            finding.first = finding.first or shot
            finding.shots += shots
            self._overworked += problem.code == "FB306"

    @property
    def is_hopeless(self) -> bool:
        """Whether templates that do too much work would be rendered for every shot to come, at a great cost of time."""
        return self._overworked >= _MOST_OVERWORKED

    def hit_more(self, problems: Iterable[Problem], shots: int) -> None:
        """So many more shots have problems that are known already."""
        for problem in problems:
            self._found[problem].shots += shots

    def holds(self, code: str) -> bool:
        """Whether a problem with this code is among them."""
        return any(finding.problem.code == code for finding in self._found.values())

    @property
    def has_errors(self) -> bool:
        """Whether anything of it stops a plan."""
        return any(finding.problem.severity == "error" for finding in self._found.values())

    def all(self) -> list[Problem]:
        """All of them, without the shots that they hit."""
        return [finding.problem for finding in self._found.values()]

    def all_shots(self, shots: int) -> list[Problem]:
        """Those that hit every one of so many shots."""
        return [finding.problem for finding in self._found.values() if finding.shots >= shots]

    def problems(self) -> tuple[Problem, ...]:
        """All of them in order; what does not hit every shot says which one it hits first."""
        return tuple(in_order(_with_shots(finding, self.total) for finding in _each_once(self._found.values())))


def _each_once(findings: Iterable[_Finding]) -> list[_Finding]:
    """What is wrong with one picture is one finding, wherever the picture is named; its further places are notes."""
    alike: dict[Hashable, list[_Finding]] = {}
    for finding in findings:
        problem = finding.problem
        is_one = problem.code == _OF_A_PICTURE
        alike.setdefault((problem.severity, problem.message, problem.help) if is_one else problem, []).append(finding)
    return [_joined(first, others) if others else first for first, *others in alike.values()]


def _joined(first: _Finding, others: Sequence[_Finding]) -> _Finding:
    places = dict.fromkeys(other.problem.where for other in others if other.problem.where != first.problem.where)
    notes = [Note(text="it is named here as well", where=place) for place in list(places)[:_MOST_PLACES]]
    more = len(places) - len(notes)
    notes += [Note(text=f"and at {more:,} more {'place' if more == 1 else 'places'}", where=None)] if more else []
    problem = replace(first.problem, notes=(*first.problem.notes, *notes))
    # One shot may go with the picture twice, by two references: how many shots there are is then not known.
    is_one_reference = all(other.problem.steps == first.problem.steps for other in others)
    shots = first.shots + sum(other.shots for other in others) if is_one_reference else 0
    return _Finding(problem, first.first, shots)


def of_fault(fault: Fault, *, where: Place | None, steps: Steps) -> Problem:
    """A fault where it was written."""
    return error(fault.code, fault.message, where=where, steps=steps, help=fault.help)


def of_template_fault(fault: TemplateFault, *, where: Place | None, steps: Steps) -> Problem:
    """A template's fault where its characters stand."""
    return error(fault.code, fault.message, where=where, steps=steps, help=fault.help)


def _with_shots(finding: _Finding, shots: int) -> Problem:
    is_alone = finding.first == "shot 1"  # the only shot of a job without axes has no number to be told
    if finding.first is None or finding.shots == 0 or (finding.shots == shots and (shots > 1 or is_alone)):
        return finding.problem
    more = finding.shots - 1
    others = "" if not more else " and one more shot" if more == 1 else f" and {more:,} more shots"
    return replace(
        finding.problem, notes=(*finding.problem.notes, Note(text=f"in {finding.first}{others}", where=None))
    )
