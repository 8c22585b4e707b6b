"""What one worker of a run does: prepare and connect, send, poll, fetch and place. All real adapters meet here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from flux2batch.engine.events import (
    Downloaded,
    DownloadFailed,
    Fetched,
    Frame,
    LinkExpired,
    NotSent,
    Polled,
    Rejected,
    Saved,
    Submitted,
    Ticket,
)
from flux2batch.engine.lifecycle import Life
from flux2batch.engine.work import Fetch
from flux2batch.errors import MachineError
from flux2batch.pictures.checking import Checked, Flaw, check
from flux2batch.pictures.paths import with_extension
from flux2batch.pictures.placing import Conflict, Gallery, Placed
from flux2batch.pictures.trimming import trim
from flux2batch.pictures.troubles import unforeseen
from flux2batch.planning.files.folder import FileFault
from flux2batch.planning.references.picture import Picture
from flux2batch.planning.references.preparing import prepare
from flux2batch.planning.references.shelf import ReferenceShelf
from flux2batch.planning.shot import Reference, Shot, ShotId
from flux2batch.providers.calls import CallsBack
from flux2batch.providers.contract import Hook, Line, Prepared, Provider

_UNREADABLE = "FB412"
"""The machine's doing, not the file's: a full table of open files, a disk that fails. It may pass."""

Describe = Callable[[bytes, ShotId, Life, int], tuple[bytes, bytes | None]]
"""Write what is known of a shot into its picture, and into the file beside it where the job asks for one."""

MakeWay = Callable[[str], None]
"""Move the picture of an earlier plan out of the way of a new one, just before that is put in place."""


class Hooks(Protocol):
    """Gives each take its own address."""

    def hook_for(self, prepared: Prepared, take: int) -> Hook | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RealHands:
    """Shared by all threads of a crew; it keeps no state of its own."""

    providers: Mapping[str, Provider]
    shelf: ReferenceShelf
    gallery: Gallery
    originals: Gallery
    describe: Describe
    make_way: MakeWay
    hooks: Hooks | None  # where services are to call, if they are

    def open(self, shot: Shot, take: int) -> tuple[Line, Prepared] | NotSent | Rejected:
        """The slow work before a submit: references read and encoded, the body written, the connection made."""
        pictures: list[Picture] = []
        for reference in shot.references:
            picture = self._prepared(reference)
            if not isinstance(picture, Picture):
                if picture.code == _UNREADABLE:
                    raise MachineError(f"{picture.message}. Its shots were not sent; run again when it can be read.")
                return Rejected(status=0, reason=f"{picture.code} {picture.message}", parameters=())
            pictures.append(picture)
        provider = self.providers[_provider_of(shot.model)]
        prepared = provider.prepare(shot, pictures)
        if self.hooks is not None:
            prepared = replace(prepared, hook=self.hooks.hook_for(prepared, take))
        line = provider.connect(prepared)
        return line if isinstance(line, NotSent) else (line, prepared)

    def _prepared(self, reference: Reference) -> Picture | FileFault:
        try:
            return prepare(reference, self.shelf)
        except OSError as problem:
            raise unforeseen(problem) or problem from problem

    def send(self, line: Line, prepared: Prepared) -> Submitted:
        return self.providers[_provider_of(prepared.model)].send(line, prepared)

    def poll(self, ticket: Ticket, *, called: bool) -> Polled:
        provider = self.providers[ticket.provider]
        return provider.collect(ticket) if called and isinstance(provider, CallsBack) else provider.poll(ticket)

    def fetch(self, work: Fetch) -> Saved | LinkExpired | DownloadFailed:
        """Download one frame, check it, and put it in place: whole and durable, or not at all."""
        life = work.life
        assert life.ticket is not None, "BUG: a picture without a ticket"
        frame = life.frames[work.frame]
        came: Downloaded = self.providers[life.ticket.provider].fetch(frame.url)
        if not isinstance(came, Fetched):
            return came
        checked = _checked(came.content, life)
        if isinstance(checked, Flaw):
            # A page of HTML behind a good link is the link's fault: ask for a fresh one before trying again.
            return LinkExpired(reason=f"what came is no picture: {checked.reason}")
        return self._keep(work, checked, frame, remark=came.remark)

    def _keep(self, work: Fetch, checked: Checked, frame: Frame, *, remark: str | None) -> Saved:
        life = work.life
        assert life.intended is not None, "BUG: a picture without an intent"
        paths = life.intended.paths[work.frame :: life.intended.frames]
        content, size, original = checked.content, (checked.width, checked.height), None
        if life.intended.trim is not None:
            original = _sound(self.originals.place_original(checked.content, paths[0])).path
            content, size = trim(checked.content, life.intended.trim), life.intended.trim
        content, beside = self.describe(content, work.shot, life, work.frame)
        for path in paths:
            self.make_way(with_extension(path, checked.extension))
        placed = [_sound(self.gallery.place(content, path)) for path in paths]
        if beside is not None:
            for one in placed:
                self.gallery.place_sidecar(beside, one.path)
        remarks = [remark, checked.remark, "the service flagged it; the picture is black" if frame.nsfw else None]
        return Saved(
            frame=work.frame,
            path=placed[0].path,
            copies=tuple(one.path for one in placed[1:]),
            sha256=placed[0].sha256,
            size_bytes=placed[0].size_bytes,
            width=size[0],
            height=size[1],
            media_type=checked.media_type,
            original=original,
            remark="; ".join(one for one in remarks if one) or None,
        )


def _sound(placed: Placed | Conflict) -> Placed:
    if isinstance(placed, Conflict):
        raise MachineError(
            f"{placed.path} cannot be saved: {placed.reason}. The picture is paid for and waits;"
            " move what is in its way, then run again."
        )
    return placed


def _checked(content: bytes, life: Life) -> Checked | Flaw:
    params = life.intended.params if life.intended else {}
    width, height = params.get("width"), params.get("height")
    size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
    return check(content, asked_format=str(params.get("output_format", "png")), asked_size=size)


def _provider_of(model: str) -> str:
    return model.partition("/")[0]
