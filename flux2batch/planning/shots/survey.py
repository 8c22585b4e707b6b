"""The first walk over a plan: everything wrong with any shot, rules that never match, equal shots and equal paths."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from flux2batch.planning.shots.expansion import Draft, Script, Walk
from flux2batch.planning.shots.findings import Findings
from flux2batch.planning.shots.paths import folded
from flux2batch.planning.shots.script import too_many
from flux2batch.planning.shots.totals import Tally
from flux2batch.planning.sweep.equality import Digests, digest_of_text
from flux2batch.planning.sweep.grid import Point
from flux2batch.planning.sweep.rules import never_matched
from flux2batch.reading.job import Job
from flux2batch.reading.problems import Steps, error

_MOST_NAMED = 10
"""Pairs of equal shots or paths that are named one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What the walk found. `shared` holds the paths of later equal shots by their first, and those are `skipped`."""

    shots: int
    shared: Mapping[int, tuple[str, ...]]
    skipped: frozenset[int]
    tally: Tally  # of all shots, equal ones counted each


def survey(job: Job, script: Script, findings: Findings, *, max_shots: int) -> Survey:
    """Walk over everything once; twice where something is equal, to say what."""
    tally = Tally()
    ids, paths, count = _first_walk(job, script, findings, max_shots, tally)
    if count is None:
        return Survey(shots=0, shared={}, skipped=frozenset(), tally=tally)
    for what, rules in (("exclude", script.exclude), ("override", [rule for _, rule, _ in script.overrides])):
        findings.add(never_matched(rule, script.grid, what, findings) for rule in rules if not rule.matched)

    equal_ids, equal_paths = ids.repeated(), paths.repeated()
    if not equal_ids and not equal_paths:
        return Survey(shots=count, shared={}, skipped=frozenset(), tally=tally)
    return _Confirming(job, script, findings, count, tally).survey(equal_ids, equal_paths)


def paths_of(draft: Draft, script: Script) -> tuple[str, ...]:
    """The paths of a draft's pictures."""
    return script.paths.of(draft.path, draft.request)


def _first_walk(
    job: Job, script: Script, findings: Findings, max_shots: int, tally: Tally
) -> tuple[Digests, Digests, int | None]:
    ids, paths = Digests(), Digests()
    walk = Walk(script, findings, let_go=lambda request: tally.add(request, request.shots))
    count = 0
    for draft in walk.drafts():
        count += 1
        if count > max_shots:
            findings.add([too_many(job, script.grid.columns, script.grid.count * job.repeat.count, max_shots)])
            return ids, paths, None
        if draft.id is None:
            if findings.is_hopeless:
                walk.finish()
                return ids, paths, None
            continue
        ids.add(int.from_bytes(draft.id[:8]))
        for path in script.paths.of(draft.path, draft.request):
            paths.add(digest_of_text(folded(path)))
    walk.finish()
    if count == 0:
        steps: Steps = ("exclude",) if job.exclude else ("sweep",)
        findings.error("FB309", "the rules leave no shots", steps, key=True)
    findings.total = count
    return ids, paths, count


class _Confirming:
    """The second walk: what seemed equal by eight bytes, looked at in full."""

    def __init__(self, job: Job, script: Script, findings: Findings, count: int, tally: Tally) -> None:
        self.job = job
        self.script = script
        self.findings = findings
        self.count = count
        self.tally = tally
        self.walk = Walk(script, Findings(job.document), judged=True)

    def survey(self, equal_ids: frozenset[int], equal_paths: frozenset[int]) -> Survey:
        by_id: dict[bytes, list[Draft]] = defaultdict(list)
        by_path: dict[str, list[tuple[str, Draft]]] = defaultdict(list)
        for draft in self.walk.drafts():
            if draft.id is None:
                continue
            if int.from_bytes(draft.id[:8]) in equal_ids:
                by_id[draft.id].append(draft)
            for path in paths_of(draft, self.script):
                if digest_of_text(folded(path)) in equal_paths:
                    by_path[folded(path)].append((path, draft))

        shares = self.job.equal == "share"
        equals = [group for group in by_id.values() if len(group) > 1]
        if equals and not shares:
            self._complain_of_shots(equals)
        self._complain_of_paths(_rivals(by_path, shares))
        if not shares:
            return Survey(shots=self.count, shared={}, skipped=frozenset(), tally=self.tally)
        shared = {group[0].number: tuple(self._paths_behind(group)) for group in equals}
        skipped = frozenset(draft.number for group in equals for draft in group[1:])
        return Survey(shots=self.count - len(skipped), shared=shared, skipped=skipped, tally=self.tally)

    def _paths_behind(self, group: Sequence[Draft]) -> Iterator[str]:
        for draft in group[1:]:
            yield from paths_of(draft, self.script)

    def _complain_of_shots(self, groups: Sequence[Sequence[Draft]]) -> None:
        for group in groups[:_MOST_NAMED]:
            first, second = group[0], group[1]
            more = f", and {len(group) - 2} more are as well" if len(group) > 2 else ""
            steps = self._steps_of_difference(first.point, second.point)
            self.findings.add(
                [
                    error(
                        "FB606",
                        f"shots {first.number + 1} and {second.number + 1} are identical{more}",
                        where=self.job.document.key_place(steps),
                        steps=steps,
                        help="leave one out; or say what is meant: equal: share buys the picture once and lays it at "
                        "each path, repeat: {count: 2, seed: same} asks for it again",
                        notes=[self.walk.in_words(draft.number, draft.point) for draft in (first, second)],
                    )
                ]
            )
        self._count_rest(groups, "equal shots", "FB606")

    def _complain_of_paths(self, rivals: Sequence[tuple[tuple[str, Draft], tuple[str, Draft]]]) -> None:
        written = self.job.output.path is not None
        for (path, first), (other, second) in rivals[:_MOST_NAMED]:
            steps: Steps = ("output", "path") if written else self._steps_of_difference(first.point, second.point)
            where = self.job.document.place(steps) if written else self.job.document.key_place(steps)
            notes = [self.walk.in_words(draft.number, draft.point) for draft in (first, second)]
            numbers = f"shots {first.number + 1} and {second.number + 1}"
            if path == other:
                code, message = "FB501", f"{numbers} both write '{path}'"
            else:
                code = "FB502"
                message = f"{numbers} write '{path}' and '{other}', which are one file on a Mac and on Windows"
            self.findings.add(
                [
                    error(
                        code,
                        message,
                        where=where,
                        steps=steps,
                        help=self._way_out(first.point, second.point),
                        notes=notes,
                    )
                ]
            )
        self._count_rest(rivals, "pairs of equal paths", "FB501")

    def _count_rest(self, groups: Sequence[object], what: str, code: str) -> None:
        if len(groups) > _MOST_NAMED:
            steps: Steps = ("output", "path") if code == "FB501" else ("sweep",)
            self.findings.error(code, f"there are {len(groups) - _MOST_NAMED:,} more {what}", steps)

    def _way_out(self, first: Point, second: Point) -> str:
        columns = self.script.grid.columns
        differing = [c.name for c, a, b in zip(columns, first, second, strict=False) if a != b]
        names = [name for name in differing if not name.startswith("params.")]
        if names and self.job.output.path is not None:
            return f"add {{{{ {names[0]} }}}} to the path, or {{{{ index }}}}"
        return "write an output.path that tells them apart, with {{ index }} if need be"

    def _steps_of_difference(self, first: Point, second: Point) -> Steps:
        for column, one, other in zip(self.script.grid.columns, first, second, strict=False):
            if one != other:
                return column.axis.steps
        return ("repeat",) if self.job.repeat.count > 1 else ("sweep",)


def _rivals(
    by_path: Mapping[str, Sequence[tuple[str, Draft]]], shares: Literal[True, False]
) -> list[tuple[tuple[str, Draft], tuple[str, Draft]]]:
    """For every path that several shots would write, the first two of them."""
    found = []
    for group in by_path.values():
        first = group[0]
        rival = next((each for each in group[1:] if not (shares and each[1].id == first[1].id)), None)
        # Equal shots are reported as such; that they also write to one path goes without saying.
        if rival is not None and rival[1].id != first[1].id:
            found.append((first, rival))
    return found
