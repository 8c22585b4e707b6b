"""The sheet of what changed: every changed shot a line, its old picture on the left and the new one on the right."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flux2batch.engine.run_directory import is_run_directory, job_file_of
from flux2batch.errors import InvalidInput, UsageError
from flux2batch.money import ZERO
from flux2batch.planning.comparing import Difference, compare
from flux2batch.planning.configuration import Configuration, load_configuration
from flux2batch.planning.plan import PlanOptions, plan_job, row_of
from flux2batch.planning.plan_line import line_of
from flux2batch.reading.load import load_job
from flux2batch.reporting.sheet_choice import choice_of
from flux2batch.reporting.sheet_data import picture_key, sheet_data
from flux2batch.reporting.sheet_page import page_of
from flux2batch.reporting.sheet_story import KnownShot
from flux2batch.running.before import Before, before_of, identifying_by, last_run
from flux2batch.running.new_files import replace_page
from flux2batch.running.old_and_new import OldAndNew, old_and_new
from flux2batch.running.recorded_run import open_recorded
from flux2batch.running.sheet_drawing import Drawn, Selected, names_in, see_to
from flux2batch.running.sheets import WrittenSheet, put_inside, written_sheet
from flux2batch.running.thumbnail_folder import FOLDER, ThumbnailFolder, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenComparison:
    """What became of it."""

    against: str
    difference: Difference
    sheet: WrittenSheet | None  # None where no shot changed: there is nothing to lay side by side
    to_run: ToRun | None  # the job changed, but has not been run since


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRun:
    """Shots that changed in the job and have no picture yet."""

    shots: int
    command: str  # what makes them


def write_against(
    root: Path, against: str, *, target: Path | None, selected: Selected, single_file: bool
) -> WrittenComparison:
    """Write the sheet of the shots that changed between REV|DIR and the plan that was last run in `root`.

    Raises UsageError where there is nothing to compare with.
    """
    now = last_run(root)
    configuration = load_configuration(max_shots=max(10_000, 2 * len(now)))
    before = _before(root, against, configuration)
    difference = compare(before.lines, now, identifying=identifying_by(configuration))
    if not difference.changed:
        to_run = _to_run(root, before, configuration)
        return WrittenComparison(against=before.name, difference=difference, sheet=None, to_run=to_run)

    target = target or root / f"against-{re.sub(r'[^A-Za-z0-9._-]+', '-', against).strip('-.') or 'then'}.html"
    # A sheet that travels alone needs no thumbnails beside it: they stay with the run.
    thumbnails = ThumbnailFolder(root if single_file else target.parent)
    with open_recorded(root) as run:
        named = Path(against) if is_run_directory(Path(against)) else None
        both = old_and_new(
            difference.changed,
            run,
            name=before.name,
            first=named,
            page_folder=target.parent,
            thumbnails=thumbnails,
            chooses=lambda shots: _chosen(shots, selected),
        )
        try:
            drawn = _drawn(both, thumbnails, title=f"{run.name}: {before.name} and now")
        finally:
            thumbnails.close(wait=False)
    if single_file:
        return WrittenComparison(
            against=before.name, difference=difference, sheet=put_inside(drawn, target), to_run=None
        )
    size = replace_page(target, page_of(drawn.data))
    sheet = written_sheet(drawn, target, size, thumbnail_bytes=thumbnails.size_of(drawn.names))
    return WrittenComparison(against=before.name, difference=difference, sheet=sheet, to_run=None)


def _to_run(root: Path, before: Before, configuration: Configuration) -> ToRun | None:
    """What changed in the job as it is now. A job that is gone, or is broken by now, is none to speak of."""
    with open_recorded(root) as run:
        asked = run.asked
    if asked.job_file is None:
        return None
    sets = [value for flag, value in asked.flags if flag == "--set"]
    allowed = [Path(value) for flag, value in asked.flags if flag == "--allow-path"]
    with suppress(InvalidInput, UsageError):
        job, _ = load_job(Path(asked.job_file), sets=sets, allow_paths=allowed)
        if job is None:
            return None
        plan = plan_job(job, configuration=configuration, options=PlanOptions(check_money=False, check_budget=False))
        lines = [line_of(row_of(shot)) for shot in plan]
        changed = compare(before.lines, lines, identifying=identifying_by(configuration)).changed
        return ToRun(shots=len(changed), command=asked.command()) if changed else None
    return None


def _before(root: Path, against: str, configuration: Configuration) -> Before:
    job = job_file_of(root)
    if job is None and not Path(against).is_dir():
        raise UsageError(f"{root} was run from Python data: there is no job file to look up in '{against}'.")
    file = Path(job or root)
    with suppress(ValueError):
        file = Path(os.path.relpath(file))
    options = PlanOptions(check_money=False)
    before = before_of(against, file, configuration=configuration, options=options)
    if before.remark is not None:
        raise UsageError(f"{before.remark}. There is nothing to compare with.")
    return before


def _chosen(shots: Sequence[KnownShot], selected: Selected) -> Any:
    chooses = choice_of(shots, only=selected.only, picks=selected.picks)
    return lambda shot: any(chooses(shot, frame) for frame in range(1, shot.frames + 1))


def _drawn(both: OldAndNew, thumbnails: ThumbnailFolder, *, title: str) -> Drawn:
    files = {name: file for one in both.found for name, file in one.files.items()}
    wanted = [
        Wanted(key, files[saved.path])
        for one in both.found
        for saved in one.life.saved
        if (key := picture_key(saved.sha256)) is not None
    ]
    for root in dict.fromkeys(one.root for one in both.found):
        thumbnails.take_over(root / FOLDER, (one.key for one in wanted))
    see_to(thumbnails, wanted, waits=True)
    data = sheet_data(
        both.runs,
        written=datetime.now(UTC),
        finished=True,
        refresh_s=None,
        shows=lambda *_: True,
        has_thumbnail=thumbnails.has,
        earlier_hidden=0,
        earlier_usd=ZERO,
        remarks=None,
    )
    data["title"] = title
    next(axis for axis in data["axes"] if axis["kind"] == "run")["title"] = "version"
    data["view"] = _view(data["axes"], both.axes)
    return Drawn(
        data=data,
        thumbnails=thumbnails,
        names=tuple(names_in(data, thumbnails)),
        originals=tuple(files.items()),
        remarks=(),
    )


def _view(axes: Sequence[dict[str, Any]], differing: Sequence[str]) -> dict[str, Any]:
    """Old and new are the two columns, and every shot is a line: what was and what is stand next to one another."""
    (run,) = (axis["name"] for axis in axes if axis["kind"] == "run")
    further = [axis["name"] for axis in axes if axis["kind"] in ("repeat", "frame")]
    *rows, y = [*differing, *further] or [None]
    return {"x": run, "y": y, "rows": rows, "cols": [], "cycle": None, "caption": ["coordinates"]}
