"""Run directories for tests: a real journal, a real plan, and small real pictures."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from flux2batch.engine.events import (
    Accepted,
    Charge,
    Event,
    Failed,
    Frame,
    Intended,
    Moderated,
    Moved,
    Rejected,
    Rendered,
    RunBegan,
    RunEnded,
    Saved,
    SendBegan,
    Stalled,
    Ticket,
    Unanswered,
    Vanished,
)
from flux2batch.engine.journal import Journal
from flux2batch.engine.reconciling import earlier_path
from flux2batch.money import usd
from flux2batch.planning.shot import ShotId

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
PRICE = "0.06"


def picture(colour: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """A PNG of one colour, a different one for each number."""
    buffer = BytesIO()
    Image.new("RGB", size, (colour * 37 % 256, colour * 91 % 256, colour * 151 % 256)).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(kw_only=True)
class Shot:
    """What a test says of a shot; the rest is made up."""

    id: str
    coordinates: Mapping[str, str]
    path: str
    ends: str = "done"
    prompt: str = "a red fox"
    final: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    repeat: int = 1
    frames: int = 1
    reason: str = "no reason given"
    content: bytes = b""
    model: str = "bfl/flux-2-flex"
    remark: str | None = None
    trim: tuple[int, int] | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        if self.frames == 1:
            return (self.path,)
        stem, _, ending = self.path.rpartition(".")
        return tuple(f"{stem}-{number}.{ending}" for number in range(1, self.frames + 1))

    @property
    def all_params(self) -> dict[str, Any]:
        return {"width": 64, "height": 48, "seed": 101, **self.params}

    @property
    def intended(self) -> Intended:
        return Intended(
            take=1,
            reserve=usd(PRICE),
            estimate=usd(PRICE),
            model=self.model,
            endpoint="/v1/flux-2-flex",
            prompt=self.prompt,
            params=self.all_params,
            references=self.references,
            coordinates={axis: (id, f"{axis} {id}") for axis, id in self.coordinates.items()},
            repeat=self.repeat,
            paths=self.paths,
            frames=self.frames,
            trim=self.trim,
        )

    def row(self, index: int) -> dict[str, Any]:
        names = ("name", "source", "digest")
        references = [
            dict(zip(names, one.split(" "), strict=True)) | {"kind": one.rsplit(" ", 1)[1].split(":")[0]}
            for one in self.references
        ]
        return {
            "schema_version": 1,
            "id": self.id,
            "index": index,
            "model": self.model,
            "endpoint": "/v1/flux-2-flex",
            "prompt": self.prompt,
            "params": self.all_params,
            "references": references,
            "coordinates": dict(self.coordinates),
            "repeat": self.repeat,
            "paths": list(self.paths),
            "trim": "{}x{}".format(*self.trim) if self.trim else None,
            "cost_usd": {"min": 0.06, "max": 0.06},
        }

    def saved(self, frame: int) -> Saved:
        content = self.content or picture(int(self.id[:6], 16) + frame)
        return Saved(
            frame=frame,
            path=self.paths[frame],
            copies=(),
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            width=self.trim[0] if self.trim else 64,
            height=self.trim[1] if self.trim else 48,
            media_type="image/png",
            original=None,
            remark=self.remark,
        )

    def events(self) -> list[Event]:
        charge = Charge(usd=usd(PRICE), source="cost", megapixels_in=None, megapixels_out="1.0")
        ticket = Ticket(
            provider="bfl",
            model=self.model,
            endpoint="/v1/flux-2-flex",
            task_id=f"task-{self.id[:4]}",
            poll_url="https://api.example/poll",
            result_url=None,
            cancel_url=None,
        )
        frame = Frame(url="https://delivery.example/a.png", width=None, height=None, media_type=None, nsfw=False)
        accepted = Accepted(ticket=ticket, charge=charge, evidence="answer")
        rendered = Rendered(
            frames=(frame,) * self.frames, expires_at=None, seed=None, prompt=self.final, charge=None, details={}
        )
        free = replace(charge, usd=usd("0"), source="not-billed")
        begun: list[Event] = [self.intended]
        sent: list[Event] = [*begun, SendBegan()]
        taken: list[Event] = [*sent, accepted]
        ends: dict[str, list[Event]] = {
            "planned": [],
            "intent": begun,
            "sending": sent,
            "accepted": taken,
            "unknown": [*sent, Unanswered(reason=self.reason, status=None, excerpt=None)],
            "rejected": [*sent, Rejected(status=422, reason=self.reason, parameters=())],
            "moderated": [*taken, Moderated(stage="content", reasons=(self.reason,), charge=free)],
            "failed": [*taken, Failed(reason=self.reason, charge=None)],
            "lost": [*taken, Vanished(reason=self.reason)],
            "stalled": [*taken, Stalled(reason=self.reason)],
            "done": [*taken, rendered, *(self.saved(number) for number in range(self.frames))],
        }
        return ends[self.ends]


def began(shots: Sequence[Shot], **changed: Any) -> RunBegan:
    axes: dict[str, dict[str, str]] = {}
    for shot in shots:
        for axis, id in shot.coordinates.items():
            axes.setdefault(axis, {})[id] = f"{axis} {id}"
    plain = RunBegan(
        run="r1",
        version="0.1.0",
        command="run",
        job_file="/somewhere/job.yaml",
        job_name="study",
        origins={"bfl": "https://api.example"},
        emulated=False,
        shots=len(shots),
        axes={axis: tuple(values.items()) for axis, values in axes.items()},
        sheet={},
    )
    return replace(plain, **changed)


def run_directory(
    root: Path,
    shots: Sequence[Shot],
    *,
    ended: bool = True,
    plan: bool = True,
    job_file: Path | None = None,
    **changed: Any,
) -> Path:
    """A run directory in which these shots were run, each ten seconds after the other."""
    inner = root / ".flux2batch"
    inner.mkdir(parents=True)
    if job_file is not None:
        changed["job_file"] = str(job_file)
    with closing(Journal.create(inner / "journal.db", run_directory_id=f"id-of-{root.name}")) as journal:
        if job_file is not None:
            journal.set_meta("job_file", str(job_file))
        run_again(root, shots, journal, ended=ended, plan=plan, **changed)
    return root


def run_again(
    root: Path,
    shots: Sequence[Shot],
    journal: Journal,
    *,
    ended: bool = True,
    plan: bool = True,
    known: Iterable[str] = (),
    **changed: Any,
) -> None:
    """One more run in it. Shots whose ids are known are in the plan and done already."""
    known = set(known)
    times = (AT + timedelta(seconds=10 * number) for number in itertools.count(journal.last_seq))
    journal.append([(None, began(shots, **changed))], at=next(times))
    for shot in shots:
        if shot.id in known:
            continue
        start = next(times)
        for number, event in enumerate(shot.events()):
            journal.append([(ShotId(shot.id), event)], at=start + timedelta(seconds=number))
            if isinstance(event, Saved):
                put(root / event.path, shot.content or picture(int(shot.id[:6], 16) + event.frame))
    if plan:
        lines = (json.dumps(shot.row(index), ensure_ascii=False) + "\n" for index, shot in enumerate(shots))
        (root / "plan.jsonl").write_text("".join(lines), encoding="utf-8")
    if ended:
        journal.append([(None, RunEnded(run="r1", exit_code=0, reason=None))], at=next(times))


def make_way(root: Path, shot: Shot, journal: Journal) -> None:
    """Move a shot's pictures to `earlier/`, as a run does when another shot takes their paths."""
    saved = tuple(replace(shot.saved(n), path=earlier_path(shot.paths[n], ShotId(shot.id))) for n in range(shot.frames))
    for old, new in zip(shot.paths, saved, strict=True):
        target = root / new.path
        target.parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(target)
    journal.append([(ShotId(shot.id), Moved(saved=saved))], at=AT + timedelta(hours=1))


def put(path: Path, content: bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def id_of(number: int) -> str:
    """An id: 32 hexadecimal digits."""
    return f"{number:06x}" + hashlib.sha256(str(number).encode()).hexdigest()[:26]


def grid(**axes: Sequence[str]) -> list[Shot]:
    """A shot for each point, the last axis varying fastest; paths are made of ids."""
    return [
        Shot(
            id=id_of(number),
            coordinates=dict(zip(axes, point, strict=True)),
            path="-".join(point) + ".png",
            params={name: float(id) for name, id in zip(axes, point, strict=True) if name == "guidance"},
        )
        for number, point in enumerate(itertools.product(*axes.values()), start=1)
    ]
