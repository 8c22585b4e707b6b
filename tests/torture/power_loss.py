"""Cut the power at a thousand moments of real runs, and see what the disk still knows.

python tests/torture/power_loss.py [--trials 1000] [--seed N] [--processes 2] [--only NUMBER]

A real run goes through a proxy to the emulator, on a disk whose every write, sync and name is recorded (power_disk.py,
power_sqlite.py). For each trial the power fails somewhere in the record, what may be left of the disk is laid out, and
the journal is opened in it: it must know every request that had left and everything that anybody had been told.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from chaos_proxy import ChaosProxy, Exchange
from PIL import Image
from power_disk import KEEPS, Disk, after_power_loss, lay_out, watching
from power_sqlite import recorded
from tally import Tally, say

import flux2batch
from flux2batch.emulator.server import Emulator
from flux2batch.engine.events import Intended, Saved, SendBegan, ShotEvent
from flux2batch.engine.journal import Journal
from flux2batch.engine.lifecycle import Life
from flux2batch.engine.scheduler import Moment
from flux2batch.errors import FluxError
from flux2batch.planning.shot import ShotId

SCENES = {
    # what the job says besides its model: pictures in folders, originals beside what was trimmed, files beside pictures
    "folders": {"output": {"path": "{{ colour }}/{{ seed }}"}},
    "trimmed": {"params": {"size": {"exact": "60x60"}}},
    "flat": {"output": {"metadata": "none"}},
}
MODELS = ("bfl/flux-2-pro", "fal/flux-2-pro")


@dataclass(frozen=True, slots=True)
class Posted:
    """A submit has reached the service."""

    prompt: str
    seed: int


@dataclass(frozen=True, slots=True)
class Told:
    """The run has said that this happened: to the terminal, to --json, to the sheet."""

    shot: ShotId
    kind: str
    task_id: str


class _Listener:
    """An observer that notes in the record what it is told."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def saw(self, shot: ShotId, event: ShotEvent, life: Life, now: Moment) -> None:  # noqa: ARG002  # the protocol's
        self._disk.mark(Told(shot, type(event).__name__, life.ticket.task_id if life.ticket else ""))

    def standing(self, standing: object, now: Moment) -> None:
        """Nothing that a journal would have to know."""


def record(scene: str, model: str, folder: Path) -> Disk:
    """Two runs of one job, edited in between, so that pictures are placed and make way."""
    home = folder / "disk"
    home.mkdir()
    disk = Disk(home)

    def arrived(exchange: Exchange) -> None:
        if exchange.method == "POST":
            body = json.loads(exchange.body)
            disk.mark(Posted(body["prompt"], body["seed"]))

    with (
        Emulator(latency="0", active_limit=None, concurrency=40) as emulator,
        ChaosProxy(emulator, lambda _: None, arrived) as proxy,
        proxy.in_use(folder / "state"),
        recorded(disk),
        watching(disk),
    ):
        for text in ("a boat", "a ship"):
            job = {
                "flux2batch": 1,
                "name": "power",
                "model": model,
                "prompt": f"{text} on a {{{{ colour }}}} sea",
                "params": {"size": "64x64"},
                "sweep": {"colour": ["red", "blue"], "seed": [1, 2]},
                **SCENES[scene],
            }
            plan = flux2batch.plan(flux2batch.load(job, folder=folder))
            flux2batch.run(plan, out=home / "runs" / "power", observer=_Listener(disk))
    return disk


def judge(disk: Disk, upto: int, root: Path) -> list[str]:
    """What the disk has forgotten, or holds in part, of what had happened when the power failed."""
    marks = [op.mark for op in disk.ops[:upto] if op.kind == "mark"]
    posted = Counter((mark.prompt, mark.seed) for mark in marks if isinstance(mark, Posted))
    told = [mark for mark in marks if isinstance(mark, Told)]
    path = root / "runs" / "power" / ".flux2batch" / "journal.db"
    if not path.exists():
        return [f"lost: there is no journal, and {len(posted)} requests had left"] if posted or told else []
    try:
        with closing(Journal.open(path, driving=True)) as journal:
            entries = [entry for entry in journal.entries() if entry.shot is not None]
            journal.standing()
    except FluxError as error:
        return [f"lost: the journal cannot be used: {error}"]

    said: list[str] = []
    shots = {
        (entry.event.prompt, entry.event.params["seed"]): entry.shot
        for entry in entries
        if isinstance(entry.event, Intended)
    }
    began = Counter(entry.shot for entry in entries if isinstance(entry.event, SendBegan))
    for wish, count in posted.items():
        if began[shots.get(wish)] < count:
            said.append(f"lost: {wish} had left, and the journal does not know it")
    for shot in {one.shot for one in told}:
        kinds = [type(entry.event).__name__ for entry in entries if entry.shot == shot]
        heard = [one.kind for one in told if one.shot == shot]
        if Counter(heard) - Counter(kinds):
            said.append(f"lost: of {shot} was told {heard}, and the journal knows {kinds}")
    ids = {getattr(getattr(entry.event, "ticket", None), "task_id", None) for entry in entries}
    said += [f"lost: the task {one.task_id}" for one in told if one.task_id and one.task_id not in ids]
    return said + _partial(entries, root / "runs" / "power")


def _partial(entries: Sequence[object], root: Path) -> list[str]:
    """Pictures that the journal calls saved, and that are not there whole: at their place, or moved from it."""
    there = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in root.rglob("*.*") if path.is_file()}
    said = []
    for entry in entries:
        event = entry.event  # type: ignore[attr-defined]  # entries of the journal
        if not isinstance(event, Saved):
            continue
        found = there.get(event.sha256)
        if found is None or not _is_whole(found):
            said.append(f"partial: {event.path} is saved, and not whole on the disk")
        if event.original and not _is_whole(root / ".flux2batch" / "originals" / event.original):
            said.append(f"partial: the original {event.original} is not whole")
    return said


def _is_whole(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            picture.load()
    except OSError:
        return False
    return True


def moments(disk: Disk, count: int, chance: random.Random) -> list[int]:
    """Where the power fails: anywhere, and more often just after something was said or sent."""
    marks = [number + 1 for number, op in enumerate(disk.ops) if op.kind == "mark"]
    return [chance.choice(marks) if chance.random() < 0.5 else chance.randint(0, len(disk.ops)) for _ in range(count)]


def trials(scene: str, model: str, *, seed: int, count: int, only: int | None = None) -> list[str]:
    """Record one scene, and lose the power of it so many times; what went wrong."""
    chance = random.Random(f"{seed}/{scene}/{model}")
    bad = []
    with tempfile.TemporaryDirectory(prefix="power-") as name:
        disk = record(scene, model, Path(name))
        for number, upto in enumerate(moments(disk, count, chance)):
            keeps = chance.choice(KEEPS)
            left = after_power_loss(disk, upto, keeps, random.Random(f"{seed}/{number}"))
            if only is not None and number != only:
                continue
            root = Path(name) / f"trial-{number}"
            lay_out(left, root)
            said = judge(disk, upto, root)
            bad += [f"{scene} {model} {number}, {keeps}, after {upto} of {len(disk.ops)}: {one}" for one in said]
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int, help="one trial of each scene")
    arguments = parser.parse_args()
    began = time.monotonic()
    scenes = [(scene, model) for scene in SCENES for model in MODELS]
    each = -(-arguments.trials // len(scenes))
    with multiprocessing.get_context("spawn").Pool(arguments.processes, maxtasksperchild=1) as pool:
        one = partial(trials, seed=arguments.seed, count=each, only=arguments.only)
        bad = [said for some in pool.starmap(one, scenes, chunksize=1) for said in some]
    for said in bad[:20]:
        print(said)
    print(f"seed {arguments.seed}: {len(scenes)} recorded runs, the power failed {each * len(scenes)} times")
    return say(
        Tally(
            harness="power loss",
            cases=each * len(scenes),
            lost=sum(": lost" in said for said in bad),
            partial=sum(": partial" in said for said in bad),
            seconds=time.monotonic() - began,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
