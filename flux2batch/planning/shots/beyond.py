"""Look beyond a mistake: walk over what is sound of a job for problems of its values, and for nothing else.

What has a mistake already has a stand-in in the script. A problem is told only if it is there whatever the mended
part will say; in doubt it is left for the next time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from flux2batch.planning.models.sizes import SIZE_PARAMETERS
from flux2batch.planning.shots.expansion import Script, Walk
from flux2batch.planning.shots.findings import Findings
from flux2batch.planning.shots.unsure import Unsure
from flux2batch.reading.problems import Problem, Steps

_MOST_DRAFTS = 500
"""So many shots are looked at: nearly every mistake is in the first few, and the job cannot be run anyway."""


def look_beyond(
    script: Script, findings: Findings, unsure: Unsure, aside: Collection[Steps], *, rules: bool, references: bool
) -> None:
    """Add what is wrong with the values of the sound part.

    `aside` are the texts that cannot be rendered. `rules` and `references` tell whether all of these are known.
    """
    found = Findings(findings.document)
    walk = Walk(script, found)
    shots = 0
    for _ in islice(walk.drafts(), _MOST_DRAFTS):
        shots += 1
        if found.is_hopeless:
            break
    walk.finish()
    steady = rules or "model" not in {column.name for column in script.grid.columns}
    problems = found.all_shots(shots) if not steady else found.all()
    findings.add(_certain(problems, unsure, aside, references=references))


def _certain(
    problems: Collection[Problem], unsure: Unsure, aside: Collection[Steps], *, references: bool
) -> Iterator[Problem]:
    size_is_known = references and not unsure.names & set(SIZE_PARAMETERS)
    for problem in problems:
        if any(_are_one_way(problem.steps, steps) for steps in aside):
            continue
        if problem.steps[:1] == ("params",) and unsure.names.intersection(map(str, problem.steps[1:2])):
            continue  # an axis that was lost may set it
        if not size_is_known and set(problem.steps) & set(SIZE_PARAMETERS):
            continue
        if not references and "references" in problem.steps[1:]:
            continue
        yield problem


def _are_one_way(one: Steps, other: Steps) -> bool:
    """Whether one of two places is in the other."""
    length = min(len(one), len(other))
    return length > 0 and one[:length] == other[:length]
