"""Copy chosen pictures out of a run directory, with a manifest that says what each of them is.

Copies, never links: an exported picture is there to be worked on, and what is done to it must not be done to ours.
Nothing is overwritten. Everything is looked at before the first file is written.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flux2batch.errors import Refused
from flux2batch.pictures import parts
from flux2batch.pictures.describing import description_in, embed
from flux2batch.pictures.description import Level, describe
from flux2batch.pictures.troubles import machine_error
from flux2batch.planning.shot import ShotId
from flux2batch.planning.tables.picks import Pick, Picks
from flux2batch.reporting.csv_rows import Cell, Form, Number, csv_row
from flux2batch.reporting.sheet_choice import choice_of, said_of
from flux2batch.reporting.sheet_story import KnownShot
from flux2batch.running.new_files import new_file, pack
from flux2batch.running.recorded_run import RecordedRun

MANIFEST = "manifest.csv"
COLUMNS = ("path", "coordinates", "prompt", "seed", "size", "cost", "rating", "note", "model", "shot")
_EMULATED = "emulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One picture that is to be exported."""

    path: str  # inside the run directory, and inside the export
    file: Path
    shot: KnownShot
    frame: int  # from 0
    pick: Pick | None
    is_first: bool  # of its shot: it carries the cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What an export would hold."""

    pictures: tuple[Chosen, ...]
    absent: tuple[str, ...]  # chosen and done, but no longer where they were put
    unknown: int  # picks that this run directory knows nothing of


def choose(run: RecordedRun, *, only: str | None, picks: Picks | None) -> Choice:
    """The pictures that these flags ask for, in the order of the picks, else of the plan.

    Raises InvalidInput for a wrong expression.
    """
    shots = run.shots()
    chooses = choice_of(shots, only=only, picks=picks)
    present = run.pictures()
    pictures: list[Chosen] = []
    absent: list[str] = []
    found: set[int] = set()
    for shot in shots:
        first = True
        for saved in shot.life.saved:
            if not chooses(shot, saved.frame + 1):
                continue
            pick = said_of(picks, shot, saved.frame + 1) if picks is not None else None
            if shot.version and (pick is None or pick.shot is None):
                continue  # what made way for another is exported when it was picked itself
            found.add(id(pick))
            file = present.file(saved.path)
            if file is None:
                absent.append(saved.path)
                continue
            pictures.append(Chosen(path=saved.path, file=file, shot=shot, frame=saved.frame, pick=pick, is_first=first))
            first = False
    unknown = sum(id(pick) not in found for pick in picks.chosen) if picks is not None else 0
    if picks is not None:  # in the order of the file: another selection since then has put other shots first
        turn = {id(pick): number for number, pick in enumerate(picks.chosen)}
        pictures.sort(key=lambda chosen: turn[id(chosen.pick)])
    return Choice(pictures=tuple(pictures), absent=tuple(absent), unknown=unknown)


def export(
    run: RecordedRun, pictures: Sequence[Chosen], *, to: Path | None, zipped: Path | None, level: Level, form: Form
) -> int:
    """Copy them to a folder, into a zip, or both; how many were new. Raises Refused where a file is in the way."""
    # Half a character, from a file name that is not UTF-8, could not be written.
    manifest = "".join(_manifest(run, pictures, form)).encode("utf-8", "replace")
    new = 0
    if to is not None:
        new = _to_folder(run, pictures, manifest, to, level)
    if zipped is not None:
        top = zipped.stem
        with new_file(zipped) as file, zipfile.ZipFile(file, "w") as packed:
            for chosen in pictures:
                pack(packed, f"{top}/{chosen.path}", content_of(run, chosen, level))
            pack(packed, f"{top}/{MANIFEST}", manifest, compressed=True)
        new += 1
    return new


def content_of(run: RecordedRun, chosen: Chosen, level: Level) -> bytes:
    """The picture with as much about its origin in it as the level says. What cannot be taken apart stays as it is."""
    content = chosen.file.read_bytes()
    if parts.format_of(content) is None or isinstance(parts.take_apart(content), parts.Broken):
        return content
    began, life = run.story.began, chosen.shot.life
    if life.intended is None:
        description = description_in(content)
    else:
        job = began.job_name if began is not None else run.name
        emulated = began is not None and began.emulated
        description = describe(ShotId(chosen.shot.id), life, frame=chosen.frame, job=job, emulated=emulated, secrets=())
    return content if description is None else embed(content, description, level=level).content


def _to_folder(run: RecordedRun, pictures: Sequence[Chosen], manifest: bytes, to: Path, level: Level) -> int:
    taken = [chosen for chosen in pictures if _is_there(to / chosen.path)]
    in_the_way = [chosen.path for chosen in taken if _differs(to / chosen.path, content_of(run, chosen, level))]
    if _is_there(to / MANIFEST) and _differs(to / MANIFEST, manifest):
        in_the_way.append(MANIFEST)
    if in_the_way:
        more = f" and {len(in_the_way) - 1} more" if len(in_the_way) > 1 else ""
        raise Refused(
            f"{to} holds another {in_the_way[0]}{more} already, and nothing is overwritten. Choose another folder."
        )
    there = {chosen.path for chosen in taken}
    for chosen in pictures:
        if chosen.path not in there:
            _write(to, chosen.path, content_of(run, chosen, level))
    if not _is_there(to / MANIFEST):
        _write(to, MANIFEST, manifest)
    return len(pictures) - len(taken)


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _differs(path: Path, content: bytes) -> bool:
    try:
        return path.is_symlink() or not path.is_file() or path.read_bytes() != content
    except OSError:
        return True


def _write(to: Path, path: str, content: bytes) -> None:
    target = to.joinpath(*path.split("/"))
    try:
        _make_folders(to, target.parent)
        with new_file(target) as file:
            file.write(content)
    except OSError as problem:
        raise machine_error(problem, to, path, needed=len(content)) from problem


def _make_folders(to: Path, folder: Path) -> None:
    """Make the folders below `to`, through none that is a link: what is exported lands where it was sent."""
    to.mkdir(parents=True, exist_ok=True)
    here = to
    for name in folder.relative_to(to).parts:
        here = here / name
        if here.is_symlink():
            raise Refused(f"{here} is a symlink, and none is followed. Choose another folder.")
        here.mkdir(exist_ok=True)


# The manifest.


def _manifest(run: RecordedRun, pictures: Sequence[Chosen], form: Form) -> Iterator[str]:
    """CSV that a spreadsheet opens without running anything in it: texts quoted and disarmed, numbers as numbers."""
    emulated = ("yes",) if run.story.began is not None and run.story.began.emulated else ()
    axes = _own_columns(pictures)
    yield form.mark + csv_row((*COLUMNS, *axes, *(_EMULATED for _ in emulated)), form)
    for chosen in pictures:
        at = {_plain(axis): id for axis, (id, _) in chosen.shot.coordinates.items()}
        yield csv_row((*_cells(chosen), *(at.get(axis) for axis in axes), *emulated), form)


def _own_columns(pictures: Sequence[Chosen]) -> Sequence[str]:
    """The axes, so that a spreadsheet can filter by one; one that is called like another column is in that already."""
    axes = dict.fromkeys(_plain(axis) for chosen in pictures for axis in chosen.shot.coordinates)
    return [axis for axis in axes if axis not in (*COLUMNS, _EMULATED)]


def _plain(axis: str) -> str:
    return axis.removeprefix("params.")


def _cells(chosen: Chosen) -> tuple[Cell, ...]:
    shot, pick, life = chosen.shot, chosen.pick, chosen.shot.life
    saved = next(one for one in life.saved if one.frame == chosen.frame)
    rendered = life.rendered
    seed = rendered.seed if rendered is not None and rendered.seed is not None else shot.params.get("seed")
    is_known = life.charge is not None or bool(life.spent)
    return (
        chosen.path,
        ", ".join(f"{axis}={id}" for axis, (id, _) in shot.coordinates.items()),
        shot.prompt,
        Number(str(seed)) if type(seed) is int else None,
        f"{saved.width}x{saved.height}",
        Number(f"{life.charged:f}") if is_known and chosen.is_first else None,
        Number(str(pick.rating)) if pick is not None and pick.rating is not None else None,
        pick.note if pick is not None else None,
        shot.model,
        shot.id,
    )
