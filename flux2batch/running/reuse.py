"""Pictures that are paid for already in other run directories: found by their shot's id, and laid here as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flux2batch.engine.events import Adopted, Intended, Saved
from flux2batch.engine.lifecycle import Life, Phase
from flux2batch.engine.run_directory import INNER, is_run_directory, look_into
from flux2batch.errors import MachineError, UsageError
from flux2batch.money import ZERO, Money
from flux2batch.pictures.checking import Checked, check
from flux2batch.pictures.placing import Gallery, Placed
from flux2batch.pictures.trimming import trim
from flux2batch.planning.shot import Shot, ShotId


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """A done shot in another run directory."""

    root: Path
    life: Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """What the run directories around have of a plan's shots."""

    finds: Mapping[ShotId, Find]
    pending: Mapping[ShotId, tuple[Path, Money]]  # in flight or unknown there: it may be paid for already
    unreadable: tuple[str, ...]


NOBODY = Neighbourhood(finds={}, pending={}, unreadable=())


def look_around(wanted: Iterable[ShotId], roots: Sequence[Path]) -> Neighbourhood:
    """Search these run directories, in order, for shots that are wanted."""
    missing = set(wanted)
    finds: dict[ShotId, Find] = {}
    pending: dict[ShotId, tuple[Path, Money]] = {}
    unreadable: list[str] = []
    for root in roots:
        if not missing:
            break
        try:
            with look_into(root) as directory:
                if directory.journal.meta("kind") != "real":
                    continue
                standing = directory.journal.standing()
                for shot in missing & standing.ended.keys():
                    if standing.ended[shot].phase is Phase.DONE:
                        finds[shot] = Find(root=root, life=directory.journal.life(shot))
                for shot in missing & standing.open.keys():
                    life = standing.open[shot]
                    if life.phase not in (Phase.PLANNED, Phase.INTENT):
                        pending.setdefault(shot, (root, life.committed))
        except (MachineError, UsageError) as error:
            unreadable.append(str(error))
        missing -= finds.keys()
    pending = {shot: where for shot, where in pending.items() if shot not in finds}
    return Neighbourhood(finds=finds, pending=pending, unreadable=tuple(unreadable))


def neighbours(root: Path, further: Iterable[Path]) -> Iterator[Path]:
    """The run directories beside this one, by name, then those that the user names."""
    own = root.resolve()
    beside = sorted(root.parent.iterdir()) if root.parent.is_dir() else []
    for place in (*beside, *further):
        candidates = [place] if is_run_directory(place) else sorted(place.glob("*/")) if place.is_dir() else []
        for one in candidates:
            if is_run_directory(one) and one.resolve() != own and (place not in beside or one == place):
                yield one


def adopt(shot: Shot, find: Find, *, gallery: Gallery, originals: Gallery) -> Adopted | None:
    """Lay the found pictures where this plan wants them; None where they are no longer what that journal says."""
    theirs = Gallery(find.root, known=_nothing)
    their_originals = Gallery(find.root / INNER / "originals", known=_nothing)
    frames = len(find.life.saved)
    wanted_trim = (shot.trim.width, shot.trim.height) if shot.trim else None
    laid: list[Saved] = []
    for saved in find.life.saved:
        places = shot.paths[saved.frame :: frames]
        same_cut = (wanted_trim is None and saved.original is None) or (
            wanted_trim == (saved.width, saved.height) and saved.original is not None
        )
        if same_cut:
            one = _linked(saved, places, gallery=gallery, theirs=theirs)
            if one is not None and saved.original is not None:
                one = replace(one, original=_copied(saved.original, places[0], their_originals, originals))
        else:
            one = _cut_anew(
                saved,
                places,
                wanted_trim,
                gallery=gallery,
                originals=originals,
                theirs=theirs,
                their_originals=their_originals,
            )
        if one is None:
            return None
        laid.append(one)
    return Adopted(source=str(find.root), intended=_as_planned(shot, find.life), saved=tuple(laid))


def _linked(saved: Saved, places: Sequence[str], *, gallery: Gallery, theirs: Gallery) -> Saved | None:
    placed = [gallery.adopt(theirs, saved.path, path, sha256=saved.sha256) for path in places]
    return _told(saved, placed, size=(saved.width, saved.height), original=None)


def _copied(original: str, place: str, theirs: Gallery, ours: Gallery) -> str | None:
    """The picture as it came, so that it can be cut otherwise here as well; None where it is no longer there."""
    content = theirs.read(original, sha256=None)
    checked = check(content, asked_format="", asked_size=None) if isinstance(content, bytes) else None
    kept = ours.place_original(checked.content, place) if isinstance(checked, Checked) else None
    return kept.path if isinstance(kept, Placed) else None


def _cut_anew(
    saved: Saved,
    places: Sequence[str],
    wanted: tuple[int, int] | None,
    *,
    gallery: Gallery,
    originals: Gallery,
    theirs: Gallery,
    their_originals: Gallery,
) -> Saved | None:
    """The picture as it came, trimmed to what this plan wants."""
    from_original = saved.original is not None
    content = (
        their_originals.read(str(saved.original), sha256=None)
        if from_original
        else theirs.read(saved.path, sha256=saved.sha256)
    )
    if not isinstance(content, bytes):
        return None
    checked = check(content, asked_format=saved.media_type.removeprefix("image/"), asked_size=None)
    if not isinstance(checked, Checked):
        return None
    original = None
    if wanted is not None:
        kept = originals.place_original(checked.content, places[0])
        if not isinstance(kept, Placed):
            return None
        original = kept.path
    cut = trim(checked.content, wanted) if wanted is not None else checked.content
    placed = [gallery.place(cut, path) for path in places]
    return _told(saved, placed, size=wanted or (checked.width, checked.height), original=original)


def _told(saved: Saved, placed: Sequence[object], *, size: tuple[int, int], original: str | None) -> Saved | None:
    fine = [one for one in placed if isinstance(one, Placed)]
    if len(fine) != len(placed):
        return None
    return Saved(
        frame=saved.frame,
        path=fine[0].path,
        copies=tuple(one.path for one in fine[1:]),
        sha256=fine[0].sha256,
        size_bytes=fine[0].size_bytes,
        width=size[0],
        height=size[1],
        media_type=saved.media_type,
        original=original,
        remark=saved.remark,
    )


def _as_planned(shot: Shot, theirs: Life) -> Intended:
    """What ledger and sheet need to know of the shot: as this plan has it, at no price."""
    known = theirs.intended
    return Intended(
        take=0,
        reserve=ZERO,
        estimate=ZERO,
        model=shot.model,
        endpoint=shot.endpoint,
        prompt=shot.prompt,
        params=dict(shot.params),
        references=known.references if known else (),
        coordinates={axis: (one.id, one.label) for axis, one in shot.coordinates.items()},
        repeat=shot.repeat,
        paths=shot.paths,
        frames=len(theirs.saved),
        trim=(shot.trim.width, shot.trim.height) if shot.trim else None,
    )


def _nothing(_path: str) -> str | None:
    return None
