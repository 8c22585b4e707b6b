"""Cut done pictures anew where the job wants another exact size by now: from the original, for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from flux2batch.engine.events import Event, Saved
from flux2batch.engine.journal import Journal, Standing
from flux2batch.engine.lifecycle import Life, Phase
from flux2batch.engine.reconciling import earlier_path
from flux2batch.engine.run_directory import RunDirectory
from flux2batch.errors import Refused
from flux2batch.pictures.checking import Checked, check
from flux2batch.pictures.describing import without_description
from flux2batch.pictures.paths import with_extension
from flux2batch.pictures.placing import Conflict, Gallery, Placed
from flux2batch.pictures.trimming import trim
from flux2batch.planning.shot import Shot, ShotId
from flux2batch.running.feed import phase_of

_Size = tuple[int, int]
Describe = Callable[[bytes, ShotId, Life, int], tuple[bytes, bytes | None]]
Record = Callable[[Sequence[tuple[ShotId | None, Event]]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recut:
    """A done shot whose pictures are cut otherwise than the plan wants them."""

    shot: ShotId
    life: Life
    wanted: _Size | None  # None: as they came


def to_cut(plan: Iterable[Shot], standing: Standing, journal: Journal, directory: RunDirectory) -> tuple[Recut, ...]:
    """Which they are. A job that never had an exact size is not looked through."""
    was_trimmed = directory.originals.is_dir() and any(directory.originals.iterdir())
    found: list[Recut] = []
    for shot in plan:
        if not (shot.trim or was_trimmed) or phase_of(standing, shot.id) is not Phase.DONE:
            continue
        life, wanted = journal.life(shot.id), (shot.trim.width, shot.trim.height) if shot.trim else None
        if any(_cut_of(saved, life) != wanted and _is_there(saved, shot.id, directory) for saved in life.saved):
            found.append(Recut(shot=shot.id, life=life, wanted=wanted))
    return tuple(found)


def _is_there(saved: Saved, shot: ShotId, directory: RunDirectory) -> bool:
    """At its place, or where a run that was killed in the middle had moved it."""
    return any((directory.root / path).is_file() for path in (saved.path, _aside(saved.path, saved, shot)))


def _cut_of(saved: Saved, life: Life) -> _Size | None:
    """The exact size that a picture was cut to. One that was taken over as it lay may have no original here."""
    size = (saved.width, saved.height)
    if saved.original is not None:
        return size
    taken_over = life.source is not None and life.intended is not None and life.intended.trim == size
    return size if taken_over else None


def cut_anew(
    recuts: Iterable[Recut], *, gallery: Gallery, originals: Gallery, describe: Describe, record: Record
) -> None:
    """Cut each; the old cut goes to `earlier/`. Asked again after a crash in the middle, it finishes what it began."""
    for recut in recuts:
        for saved in recut.life.saved:
            if _cut_of(saved, recut.life) != recut.wanted:
                one = _cut(saved, recut, gallery=gallery, originals=originals, describe=describe)
                record([(recut.shot, one)] if one else [])


def _cut(saved: Saved, recut: Recut, *, gallery: Gallery, originals: Gallery, describe: Describe) -> Saved | None:
    """None where the picture is no longer what the journal says: it is left as it is."""
    whole = _as_it_came(saved, recut, gallery=gallery, originals=originals)
    if whole is None:
        return None
    kept = None
    if recut.wanted is not None:
        kept = _placed(originals.place_original(whole.content, saved.path))
    cut = whole.content if recut.wanted is None else trim(whole.content, recut.wanted)
    content, beside = describe(cut, recut.shot, recut.life, saved.frame)
    placed = [_exchanged(place, content, saved, recut.shot, gallery) for place in (saved.path, *saved.copies)]
    if beside is not None:
        for one in placed:
            gallery.place_sidecar(beside, one.path)
    width, height = recut.wanted or (whole.width, whole.height)
    return replace(
        saved,
        path=placed[0].path,
        copies=tuple(one.path for one in placed[1:]),
        sha256=placed[0].sha256,
        size_bytes=placed[0].size_bytes,
        width=width,
        height=height,
        original=kept.path if kept else None,
    )


def _as_it_came(saved: Saved, recut: Recut, *, gallery: Gallery, originals: Gallery) -> Checked | None:
    present = [gallery.read(path, sha256=saved.sha256) for path in (saved.path, _aside(saved.path, saved, recut.shot))]
    there = next((one for one in present if isinstance(one, bytes)), None)
    if there is None:
        return None  # deleted or changed by hand: reported as such, and not put back unasked
    content: object = there
    if saved.original is not None:
        content = originals.read(saved.original, sha256=None)
    elif _cut_of(saved, recut.life) is not None:
        return None
    if not isinstance(content, bytes):
        return None
    bare = content if saved.original is not None else without_description(content)
    checked = check(bare, asked_format="", asked_size=None)
    return checked if isinstance(checked, Checked) else None


def _exchanged(place: str, content: bytes, saved: Saved, shot: ShotId, gallery: Gallery) -> Placed:
    """The new cut in the place of the old one, which steps aside first."""
    moved = gallery.move(place, _aside(place, saved, shot), sha256=saved.sha256)
    if isinstance(moved, Conflict):
        raise _in_the_way(moved)
    return _placed(gallery.place(content, place))


def _placed(placed: Placed | Conflict) -> Placed:
    if isinstance(placed, Conflict):
        raise _in_the_way(placed)
    return placed


def _in_the_way(conflict: Conflict) -> Refused:
    return Refused(
        f"{conflict.path} is where a picture of another exact size goes, but {conflict.reason}."
        " Move that file away, then run again."
    )


def _aside(path: str, saved: Saved, shot: ShotId) -> str:
    """`fox/a.png` of 1080 × 1350 steps aside to `earlier/fox/a-01234567-1080x1350.png`."""
    kept = PurePosixPath(earlier_path(path, shot))
    named = kept.with_name(f"{kept.stem}-{saved.width}x{saved.height}{kept.suffix}")
    return with_extension(str(named), PurePosixPath(path).suffix)


def count_of(recuts: Iterable[Recut]) -> int:
    """How many pictures they are."""
    return sum(len(recut.life.saved) for recut in recuts)
