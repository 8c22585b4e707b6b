"""Which shots of a plan are asked for: --only, --picks, --limit, --sample and --shard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flux2batch.errors import InvalidInput
from flux2batch.planning.shots.expansion import Draft, Script
from flux2batch.planning.shots.names import Moment
from flux2batch.planning.shots.texts import depends_on, remembered, widened
from flux2batch.planning.sweep.shards import Shard
from flux2batch.planning.tables.content import DataFile
from flux2batch.planning.templates.faults import TemplateFault
from flux2batch.planning.templating import compile_expression
from flux2batch.reading.document import Document
from flux2batch.reading.problems import Place, Problem, error, has_errors

Test = Callable[[Draft], bool]
_WHOLE_ID = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is asked for: a test comes first, then the sample among what passes it, then the limit, then the shard.

    So the shards of a sample are together the sample.
    """

    test: Test | None
    picked: Picked | None  # the part of the test that is a file of picks
    limit: int | None
    sample: int | None
    shard: Shard | None

    @property
    def asks_every_shot(self) -> bool:
        """Whether the test is put to each shot of the job, when the plan is counted."""
        return self.limit is None and self.sample is None and self.shard is None

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self.test is None and self.limit is None and self.sample is None and self.shard is None

    @classmethod
    def of(
        cls,
        only: str | None,
        picks: Path | None,
        limit: int | None,
        sample: int | None,
        script: Script,
        document: Document,
        *,
        shard: Shard | None,
    ) -> Selection:
        """The selection that these options ask for; raises InvalidInput."""
        picked = Picked(picks, script) if picks is not None else None
        made = cls(test=picked, picked=picked, limit=limit, sample=sample, shard=shard)
        return made if only is None else made.only(only, script, document)

    def only(self, expression: str, script: Script, document: Document) -> Selection:
        """Of these the ones for which an expression is true."""
        del document
        test = _expression_test(expression, script)
        before = self.test
        both = test if before is None else (lambda draft: before(draft) and test(draft))
        return replace(self, test=both)


def _expression_test(text: str, script: Script) -> Test:
    try:
        expression = compile_expression(text)
    except TemplateFault as fault:
        raise InvalidInput([_of_flag(text, fault.code, fault.message, fault.start, fault.end, fault.help)]) from None
    unknown = script.names.unknown(expression.names)
    if unknown:
        raise InvalidInput(
            _of_flag(
                text,
                "FB301",
                f"unknown variable '{name}'",
                *expression.name_span(name),
                script.names.meant(name, expression),
            )
            for name in unknown
        )
    view = widened(script.names.view(expression.names), script.given)

    def ask(moment: Moment) -> bool:
        try:
            return bool(expression.evaluate(view.scope(moment)))
        except TemplateFault as fault:
            raise InvalidInput(
                [_of_flag(text, fault.code, fault.message, fault.start, fault.end, fault.help)]
            ) from None

    asked = remembered(view, depends_on(view, script.given_positions), ask)
    return lambda draft: asked(Moment(draft.point, draft.request, draft.seed, draft.repeat, draft.number))


def _of_flag(text: str, code: str, message: str, start: int, end: int, help: str | None) -> Problem:
    return error(code, message, where=place_of_flag(text, start, end), help=help)


def place_of_flag(text: str, start: int = 0, end: int | None = None) -> Place:
    """A part of what was written behind --only."""
    column_behind = (len(text) if end is None else end) + 1
    return Place(file="--only", line=1, column=start + 1, end_line=1, end_column=column_behind, line_text=text)


class Picked:
    """The test of a file of picks. It remembers what it has found, so that it can be said what is gone."""

    def __init__(self, path: Path, script: Script) -> None:
        self._rows = _rows(path)
        self._by_id: dict[str, set[int]] = {}
        self._others: list[tuple[int, Mapping[str, Any]]] = []  # by a part of an id, a path, or where they stand
        for number, row in enumerate(self._rows):
            if isinstance(row.get("shot"), str) and len(row["shot"]) == _WHOLE_ID:
                self._by_id.setdefault(row["shot"], set()).add(number)
            else:
                self._others.append((number, row))
        self._found: set[int] = set()
        self._script = script
        self._columns = {column.name: column for column in script.grid.columns}

    def __call__(self, draft: Draft) -> bool:
        shot = draft.id.hex() if draft.id else ""
        found = set(self._by_id.get(shot, ()))
        if self._others:
            paths = self._script.paths.of(draft.path, draft.request)
            found |= {number for number, row in self._others if self._names(row, shot, paths, draft)}
        self._found |= found
        return bool(found)

    @property
    def gone(self) -> list[str]:
        """The picks that no shot was found for, as people know them."""
        lost = (row for number, row in enumerate(self._rows) if number not in self._found)
        return [str(row.get("path") or row.get("shot") or _point(row)) for row in lost]

    @property
    def count(self) -> int:
        return len(self._rows)

    def _names(self, row: Mapping[str, Any], shot: str, paths: Sequence[str], draft: Draft) -> bool:
        if isinstance(row.get("shot"), str):
            return shot.startswith(row["shot"])
        if isinstance(row.get("path"), str):
            return row["path"] in paths
        named = [(self._columns[name], row[name]) for name in row if name in self._columns and row[name] is not None]
        return bool(named) and all(draft.point[column.position] in column.find(value) for column, value in named)


def _point(row: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in row.items() if value is not None)


def _rows(path: Path) -> list[Mapping[str, Any]]:
    from flux2batch.planning.tables.from_yaml import read_picks

    place = Place(file=str(path), line=1, column=1, end_line=1, end_column=1, line_text=None)
    try:
        content = path.read_bytes()
    except OSError as refused:
        raise InvalidInput([error("FB001", f"no such file: {refused.strerror}", where=place)]) from None
    file = DataFile(content, path=str(path), name=str(path), code="FB314")
    rows = read_picks(file)
    if rows is None or has_errors(file.problems):
        raise InvalidInput(file.problems)
    return [row.cells for row in rows.rows]
