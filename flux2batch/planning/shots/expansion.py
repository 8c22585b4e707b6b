"""From a job to its shots: the one fixed order in which axes, rules, repeats, draws and texts come into play.

    product × zip groups → when → exclude → include → override → repeat → draw → render → check

Nothing is kept of a shot that has passed: a plan of a million is walked as often as it is needed, and every walk gives
the same shots in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from flux2batch.planning.canonical import canonical_json, encode_text
from flux2batch.planning.models.parameters import check_prompt, check_value, convert
from flux2batch.planning.shots.findings import Findings, of_fault, of_template_fault
from flux2batch.planning.shots.names import Moment, Names, View
from flux2batch.planning.shots.paths import Paths, path_fault
from flux2batch.planning.shots.prompts import BrokenLeaf, Prompt
from flux2batch.planning.shots.request import Request, Requests
from flux2batch.planning.shots.settings import Layers
from flux2batch.planning.shots.texts import depends_on, remembered, widened
from flux2batch.planning.sweep.draws import Circle, seed_of
from flux2batch.planning.sweep.grid import Column, Grid, Point, key_of
from flux2batch.planning.sweep.rules import Condition, Matcher
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.reading.job import Repeat
from flux2batch.reading.problems import Problem, Steps, error

_KEPT_REQUESTS = 4096
_FEW = 512


class Draft(NamedTuple):
    """A shot as the walk finds it: cheap to make, complete enough to compare, price and choose."""

    number: int  # its index in the plan
    raw: int  # the number of its point in the product; behind all of them where `include` added it
    repeat: int
    point: Point
    request: Request
    seed: int
    prompt: str
    path: str  # without extension
    id: bytes | None  # None where something about it is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A job made ready for the walk: everything is compiled, and nothing has been expanded."""

    grid: Grid
    names: Names
    layers: Layers
    requests: Requests
    conditions: tuple[tuple[Column, Condition], ...]  # `when`, in the order in which they can be asked
    exclude: tuple[Matcher, ...]
    include: tuple[Point, ...]
    overrides: tuple[tuple[int, Matcher, Repeat | None], ...]
    repeat: Repeat
    prompts: Mapping[int, Prompt]  # by the index on the axis `prompt`; 0 where there is none
    prompt_column: Column | None
    paths: Paths
    path_steps: Steps
    given: View  # what requests depend on besides their columns
    given_positions: tuple[int, ...]
    literal_seed: int  # of `params`, for draws
    findings: Findings


class Walk:
    """One walk over all shots. It counts them by request and notes what is wrong, each thing once for the whole plan.

    `let_go` is handed each request that is no longer kept, with its counts; `finish` hands over the rest. Prompts and
    paths that another walk has `judged` already are not judged again.
    """

    def __init__(
        self,
        script: Script,
        findings: Findings,
        *,
        let_go: Callable[[Request], None] = lambda _: None,
        judged: bool = False,
    ) -> None:
        self._script = script
        self._findings = findings
        self._let_go = let_go
        self._judged = judged
        self._requests: dict[Any, Request] = {}
        self._faulty: list[Request] = []
        self._circles = [Circle(c.name, [c.value(i).id for i in range(c.count)]) for c in script.grid.drawn]
        self._pick_request = key_of(script.given_positions)
        self._pick_prompt = script.prompt_column.position if script.prompt_column else None
        self._prompts = {index: self._remembering(prompt) for index, prompt in script.prompts.items()}
        self._seed_column = script.grid.column("seed")
        self._told_prompts: dict[tuple[str, str], Problem | None] = {}

    def points(self) -> Iterator[tuple[int, Point]]:
        """The points that are left when `when`, `exclude` and `include` have spoken, each with its raw number."""
        script = self._script
        moment = Moment((), None, None, 1, 0)
        conditions, exclude = script.conditions, script.exclude
        for raw, product_point in enumerate(script.grid.points()):
            point: Point | None = product_point
            moment.point = product_point
            if conditions and (point := self._told(product_point, moment)) is None:
                continue
            if exclude and _any_matches(exclude, moment):
                continue
            assert point is not None
            yield raw, point
        yield from enumerate(script.include, start=script.grid.count)

    def drafts(self) -> Iterator[Draft]:
        """Every shot, in order."""
        script = self._script
        moment = Moment((), None, None, 1, 0)
        matched: tuple[int, ...] = ()
        count, same_seed = script.repeat.count, script.repeat.same_seed
        index = 0
        for raw, point in self.points():
            if script.overrides:
                moment.point = point
                matched, count, same_seed = self._repeat_of(moment)
            for repeat in range(1, count + 1):
                moment.point = self._drawn(point, repeat, same_seed) if self._circles else point
                moment.given, moment.repeat, moment.index = None, repeat, index
                yield self._draft(raw, moment, matched, same_seed)
                index += 1

    def finish(self) -> None:
        """Hand over every request, and complete the findings with the number of shots that each problem hits."""
        for request in self._faulty:
            self._findings.hit_more(request.problems, request.shots - 1)
        self._faulty.clear()
        self._let_all_go()

    def in_words(self, index: int, point: Point) -> str:
        """Which shot it is, for a message: sweep item 17 (color=red, seed=3)."""
        if not self._script.grid.columns:
            return f"shot {index + 1}"
        return f"sweep item {index + 1}{point_in_words(self._script.grid, point)}"

    def _told(self, point: Point, moment: Moment) -> Point | None:
        """The point with `none` where a condition is false; None for all but the first that it makes equal."""
        for column, condition in self._script.conditions:
            if condition.holds(moment):
                continue
            position = column.position
            if point[position] != 0:
                return None
            moment.point = point = (*point[:position], column.none_index, *point[position + 1 :])
        return point

    def _repeat_of(self, moment: Moment) -> tuple[tuple[int, ...], int, bool]:
        matched = []
        repeat = self._script.repeat
        for number, rule, own in self._script.overrides:
            if rule.matches(moment):
                matched.append(number)
                repeat = own or repeat
        return tuple(matched), repeat.count, repeat.same_seed

    def _drawn(self, point: Point, repeat: int, same_seed: bool) -> Point:
        """The point with a value of each drawn axis.

        What is drawn depends on the other axes by name and id and on the seed with its repeat, so that `repeat: 4`
        draws what `seed: 1..4` would draw.
        """
        coordinates: dict[str, Any] = {}
        seed = self._script.literal_seed
        for column, index in zip(self._script.grid.crossed, point, strict=True):
            value = column.value(index)
            if column is self._seed_column and type(value.value) is int:
                seed = value.value
            else:
                coordinates[column.name] = value.id
        if same_seed and repeat > 1:
            coordinates["repeat"] = repeat
        key = canonical_json([coordinates, seed if same_seed else seed + repeat - 1])
        return (*point, *(circle.draw(key) for circle in self._circles))

    def _draft(self, raw: int, moment: Moment, matched: tuple[int, ...], same_seed: bool) -> Draft:
        request = self._request(moment, matched)
        request.shots += 1
        moment.given = request
        problems: list[Problem] = []
        rises = 0 if same_seed else moment.repeat - 1
        moment.seed = seed = self._seed(moment.point, request, rises, problems)
        prompt, prompt_json, prompt_problem = self._prompt(moment)
        if prompt_problem or len(prompt) > request.short_prompt:
            problems += self._prompt_problems(prompt, prompt_problem, request, moment)
        path = self._path(moment, request, problems)
        id = None
        if problems:
            self._findings.hit(problems, self.in_words(moment.index, moment.point))
        elif request.id_of is not None:
            id = request.id_of(prompt_json, seed, moment.repeat if same_seed else 1)
        return Draft(moment.index, raw, moment.repeat, moment.point, request, seed, prompt, path, id)

    def _request(self, moment: Moment, matched: tuple[int, ...]) -> Request:
        script = self._script
        key: Any = (self._pick_request(moment.point), matched)
        if script.given.repeat or script.given.index:
            key = (*key, moment.repeat, moment.index if script.given.index else 0)
        request = self._requests.get(key)
        if request is not None:
            return request
        if len(self._requests) >= _KEPT_REQUESTS:
            self._let_all_go()
        request = script.requests.make(script.layers.merged(moment.point, matched), moment)
        if request.problems:
            self._findings.hit(request.problems, self.in_words(moment.index, moment.point))
            self._faulty.append(request)
        self._requests[key] = request
        return request

    def _let_all_go(self) -> None:
        for request in self._requests.values():
            self._let_go(request)
        self._requests.clear()

    def _seed(self, point: Point, request: Request, rises: int, problems: list[Problem]) -> int:
        column = self._seed_column
        written: Any = None
        if column is not None:
            value = column.value(point[column.position])
            written, steps = value.value, value.steps
        if written is None:
            written, steps = request.seed, request.seed_steps
        if written is None:
            return 1 + rises
        if type(written) is not int:
            written = self._made_seed(written, point, request)
        seed = written + rises if type(written) is int else written
        if type(seed) is int and 0 <= seed <= request.most_seed:
            return seed
        fault = check_value(request.entry, "seed", seed) if request.entry else None
        if fault:
            problems.append(of_fault(fault, where=self._findings.document.place(steps), steps=steps))
        return 1

    def _made_seed(self, written: Any, point: Point, request: Request) -> Any:
        """The seed that a rule makes of coordinates, or that a text or a decimal number is."""
        if isinstance(written, Mapping):
            grid = self._script.grid
            wanted = written.get("per") or [column.name for column in grid.crossed]
            columns = [column for column in grid.columns if column.name in wanted]
            return seed_of({column.name: column.value(point[column.position]).id for column in columns})
        made = convert(request.entry, "seed", written) if request.entry else written
        return int(made) if isinstance(made, float) and made.is_integer() else made

    def _prompt(self, moment: Moment) -> tuple[str, str, Problem | None]:
        if self._pick_prompt is None:
            return self._prompts[0](moment)
        return self._prompts[moment.point[self._pick_prompt]](moment)

    def _remembering(self, prompt: Prompt) -> Callable[[Moment], tuple[str, str, Problem | None]]:
        script = self._script
        view = widened(script.names.view(prompt.source.names), script.given)
        behind = depends_on(view, script.given_positions)
        varies = prod(script.grid.columns[position].count for position in behind)
        # A prompt that differs with nearly every shot is not worth remembering.
        keep = 512 if varies * 2 <= script.grid.count or varies <= _FEW else 1
        return remembered(view, behind, lambda moment: _rendered(prompt, moment), keep=keep)

    def _prompt_problems(
        self, prompt: str, problem: Problem | None, request: Request, moment: Moment
    ) -> tuple[Problem, ...]:
        if problem is not None:
            return (problem,)
        if request.entry is None:
            return ()
        key = (request.model, prompt)
        if key not in self._told_prompts:
            if len(self._told_prompts) > _FEW:
                self._told_prompts.clear()
            fault = check_prompt(request.entry, prompt)
            source = self._script.prompts[
                moment.point[self._pick_prompt] if self._pick_prompt is not None else 0
            ].source
            where = self._findings.document.place(source.steps)
            self._told_prompts[key] = of_fault(fault, where=where, steps=source.steps) if fault else None
        told = self._told_prompts[key]
        return (told,) if told else ()

    def _path(self, moment: Moment, request: Request, problems: list[Problem]) -> str:
        script = self._script
        steps = script.path_steps
        try:
            name = script.paths.name(moment)
        except TemplateFault as fault:
            where = self._findings.document.inside(steps, fault.start, fault.end)
            problems.append(of_template_fault(fault, where=where, steps=steps))
            return ""
        if self._judged:
            return name
        wrong = path_fault(name) or (script.paths.extension_fault(request) if script.paths.written_extension else None)
        if wrong:
            problems.append(of_fault(wrong, where=self._findings.document.place(steps), steps=steps))
        return name


def _any_matches(rules: Sequence[Matcher], moment: Moment) -> bool:
    """Whether one of them does. All are asked, also behind one that does: a rule that never matches is an error."""
    matched = False
    for rule in rules:
        matched = rule.matches(moment) or matched
    return matched


def point_in_words(grid: Grid, point: Point) -> str:
    """The coordinates of a point: (color=red, seed=3)."""
    named = [f"{c.name}={c.value(index).id}" for c, index in zip(grid.columns, point, strict=False)]
    return f" ({', '.join(named)})" if named else ""


def _rendered(prompt: Prompt, moment: Moment) -> tuple[str, str, Problem | None]:
    """The prompt, the same as JSON, and what is wrong with it."""
    try:
        text = prompt.render(moment)
    except BrokenLeaf as broken:
        return "", '""', broken.problem
    if not text.strip():
        source = prompt.source
        first = source.leaves[0].source if source.leaves else None
        where = first.place(0, len(first.text)) if first else None
        help = "the values of this shot leave nothing of it"
        return text, '""', error("FB209", "the prompt is empty", where=where, steps=source.steps, help=help)
    return text, encode_text(text), None
