"""Old pictures beside new ones: for every shot that changed, what is there already of either."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from flux2batch.engine.lifecycle import UNBORN, Life, Phase
from flux2batch.engine.run_directory import look_into
from flux2batch.errors import MachineError, UsageError
from flux2batch.planning.comparing import Change
from flux2batch.planning.plan_line import PlanLine
from flux2batch.planning.reasons_in_words import because
from flux2batch.planning.shot import ShotId
from flux2batch.reporting.sheet_data import ShownRun
from flux2batch.reporting.sheet_story import KnownShot, ReferenceNamed
from flux2batch.running.recorded_run import Present, RecordedRun, ReferenceThumbnails
from flux2batch.running.reuse import neighbours
from flux2batch.running.thumbnail_folder import ThumbnailFolder

NOW = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """A shot's pictures where some run directory has them. `life` names them as the page does."""

    root: Path
    life: Life
    files: Mapping[str, Path]  # as the page names it → where it is


@dataclass(frozen=True, slots=True, kw_only=True)
class OldAndNew:
    """Both sides of a comparison, as a sheet shows them."""

    runs: tuple[ShownRun, ShownRun]
    found: tuple[Lying, ...]
    axes: tuple[str, ...]  # the axes of the job on which the changed shots differ


def old_and_new(
    changes: Sequence[Change],
    run: RecordedRun,
    *,
    name: str,
    first: Path | None,
    page_folder: Path,
    thumbnails: ThumbnailFolder,
    chooses: Callable[[Sequence[KnownShot]], Callable[[KnownShot], bool]],
) -> OldAndNew:
    """The changed shots twice: as they were in `name`, and as the run directory has them now.

    Pictures are looked for in `first` (a run directory that was named), in the run directory itself, its `earlier/`
    among it, and in those beside it that are of its kind.
    """
    wanted = {change.was.id for change in changes} | {change.now.id for change in changes}
    lying = _lying(wanted, _places(run, first), page_folder)
    known = {shot.id: shot for shot in run.shots()}
    pairs = [(_old(change, known, lying), _new(change, known, lying, name)) for change in changes]
    wants = chooses([new for _, new in pairs])
    pairs = [(old, new) for old, new in pairs if wants(new)]

    def shown(name: str, shots: Sequence[KnownShot], id: str) -> ShownRun:
        return ShownRun(
            name=name,
            path=".",
            command=run.command,
            directory_id=id,
            story=run.story,
            shots=shots,
            is_there=lambda path: any(path in one.files for one in lying.values()),
            reference_thumbnail=ReferenceThumbnails(run, thumbnails),
        )

    now = NOW if name != NOW else f"{NOW}-2"
    return OldAndNew(
        runs=(
            shown(name, [old for old, _ in pairs], f"{run.directory_id}@{name}"),
            shown(now, [new for _, new in pairs], run.directory_id),
        ),
        found=tuple(lying[shot.id] for pair in pairs for shot in pair if shot.id in lying),
        axes=_differing([new for _, new in pairs]),
    )


def _places(run: RecordedRun, first: Path | None) -> Iterator[Path]:
    own_kind = _kind(run.root)
    if first is not None:
        yield first
    yield run.root
    yield from (root for root in neighbours(run.root, ()) if _kind(root) == own_kind)


def _kind(root: Path) -> str | None:
    with suppress(MachineError, UsageError), look_into(root) as directory:
        return directory.journal.meta("kind")
    return None


def _lying(wanted: Iterable[str], places: Iterable[Path], page_folder: Path) -> dict[str, Lying]:
    """Where the pictures of these shots lie; the first place that has one counts."""
    missing = set(wanted)
    found: dict[str, Lying] = {}
    for root in places:
        if not missing:
            break
        # What is damaged or in use beside this run is no reason to show nothing of it.
        with suppress(MachineError, UsageError), look_into(root) as directory:
            done = directory.journal.standing().ended
            for id in sorted(missing & {str(id) for id, life in done.items() if life.phase is Phase.DONE}):
                lying = _as_page_names_it(directory.journal.life(ShotId(id)), root, page_folder)
                if lying.files:
                    found[id] = lying
        missing -= found.keys()
    return found


def _as_page_names_it(life: Life, root: Path, page_folder: Path) -> Lying:
    present = Present(root)
    saved = []
    files: dict[str, Path] = {}
    for one in life.saved:
        file = present.file(one.path)
        if file is None:
            continue
        named = _from(page_folder, file)
        files[named] = file
        saved.append(replace(one, path=named))
    return Lying(root=root, life=replace(life, saved=tuple(saved), missing=()), files=files)


def _from(folder: Path, file: Path) -> str:
    try:
        return os.path.relpath(file.resolve(), folder.resolve()).replace(os.sep, "/")
    except ValueError as error:
        raise UsageError(f"The sheet and its pictures must lie on one drive: {error}.") from error


def _new(change: Change, known: Mapping[str, KnownShot], lying: Mapping[str, Lying], name: str) -> KnownShot:
    """The shot as it is now, and what changed said with its picture."""
    life = _life(change.now.id, lying, "it has not been made yet")
    said = f"changed since {name}: {because(change.reasons)}"
    told = replace(life, saved=tuple(replace(one, remark=_joined(one.remark, said)) for one in life.saved), source=None)
    return _shot(change.now, change.now, known, told)


def _old(change: Change, known: Mapping[str, KnownShot], lying: Mapping[str, Lying]) -> KnownShot:
    """The shot as it was, at the place of the one that stands there now."""
    return _shot(change.was, change.now, known, _life(change.was.id, lying, "its picture is in no run directory here"))


def _life(id: str, lying: Mapping[str, Lying], otherwise: str) -> Life:
    return lying[id].life if id in lying else replace(UNBORN, reason=otherwise)


def _joined(first: str | None, second: str) -> str:
    return f"{first}; {second}" if first else second


def _shot(line: PlanLine, place: PlanLine, known: Mapping[str, KnownShot], life: Life) -> KnownShot:
    now = known.get(place.id)
    labelled = {axis: (id, id) for axis, id in place.coordinates.items()}
    frames = max((one.frame for one in life.saved), default=0) + 1
    return KnownShot(
        id=line.id,
        index=now.index if now is not None else 0,
        model=line.model,
        endpoint=line.endpoint,
        prompt=line.prompt,
        params=line.params,
        references=tuple(
            ReferenceNamed(name=one.name, kind=one.digest.partition(":")[0], source=one.source, digest=one.digest)
            for one in line.references
        ),
        coordinates=now.coordinates if now is not None else labelled,
        repeat=place.repeat,
        frames=frames,
        paths=tuple(one.path for one in life.saved) or line.paths[:frames],
        trim=life.intended.trim if life.intended is not None else None,
        life=life,
        version=0,
    )


def _differing(shots: Sequence[KnownShot]) -> tuple[str, ...]:
    values: dict[str, set[str]] = {}
    for shot in shots:
        for axis, (id, _) in shot.coordinates.items():
            values.setdefault(axis, set()).add(id)
    return tuple(axis for axis, ids in values.items() if len(ids) > 1)
