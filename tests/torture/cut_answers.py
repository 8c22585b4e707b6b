"""Cut the answers to submits, polls and downloads at every byte, and hold the books against the journal.

python tests/torture/cut_answers.py [--processes 2] [--share N] [--seed N]

Real runs go through the chaos proxy to the emulator. Each shot of a run has an offset of its own, at which its answer
breaks off; what came after it must show in the journal: an id that arrived whole is accepted, any other submit is
unknown, a poll or a download is simply asked for again. `--share 20` tries every twentieth offset.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from chaos_proxy import ChaosProxy, Exchange, Harm, Kind
from PIL import Image
from tally import Tally, say

import flux2batch
from flux2batch.emulator.server import Emulator

MODELS = {"bfl": "bfl/flux-2-pro", "fal": "fal/flux-2-pro"}
# No answer of the emulator's is longer than this, picture of 64 pixels included; the run says where it ends.
LONGEST = {"bfl": {"submit": 466, "poll": 617, "download": 1790}, "fal": {"submit": 598, "poll": 606, "download": 1790}}
_PATIENCE = "25s"
UNPAID = ("planned", "intent", "rejected")
_ID = {"bfl": re.compile(rb'"id":"([^"]+)"'), "fal": re.compile(rb'"request_id":"([^"]+)"|-request-id: (\S+)\r\n')}
# Of BFL's polling URL the region must have arrived: the base does not know the task, and is asked until patience ends.
_REGION = re.compile(rb'"polling_url":"http://[^/"]+/')
_SUBMITS_CUT = 3  # one of three: five silences in a row would close the service for a minute


@dataclass(frozen=True, slots=True)
class Work:
    """One run: which answers are cut, by what, and at which offsets."""

    service: str
    what: str  # submit, poll, download
    kind: Kind
    offsets: tuple[int, ...]
    folder: Path


@dataclass
class Cuts:
    """Decides over each answer, and remembers which shot is which."""

    work: Work
    shots: dict[str, int] = field(default_factory=dict)  # task id or path of a picture → number of the shot
    cut: dict[int, Exchange] = field(default_factory=dict)
    posted: Counter[int] = field(default_factory=Counter)

    def spoil(self, exchange: Exchange) -> Harm | None:
        number, what = self._of(exchange)
        if number is None or what != self.work.what or number in self.cut:
            return None
        offset = self.offset(number)
        if offset is None or offset > len(exchange.answer):
            return None
        self.cut[number] = exchange
        return Harm(self.work.kind, at=offset)

    def offset(self, number: int) -> int | None:
        """Where this shot's answer breaks off."""
        every = _SUBMITS_CUT if self.work.what == "submit" else 1
        place, rest = divmod(number, every)
        return self.work.offsets[place] if rest == 0 and place < len(self.work.offsets) else None

    @property
    def count(self) -> int:
        """How many shots the run needs."""
        return len(self.work.offsets) * (_SUBMITS_CUT if self.work.what == "submit" else 1)

    def _of(self, exchange: Exchange) -> tuple[int | None, str]:
        """The shot, and whether this is its submit, a poll or a download."""
        path = exchange.path.partition("?")[0]
        if exchange.method == "POST":
            number = int(json.loads(exchange.body)["seed"])
            self.posted[number] += 1
            told = _json(exchange.answer)
            self.shots[str(told.get("id") or told.get("request_id"))] = number
            return number, "submit"
        if path in self.shots:
            return self.shots[path], "download"
        named = exchange.path.partition("?id=")[2] or path.removesuffix("/status").rpartition("/")[2]
        if named not in self.shots:
            return None, ""
        number, result = self.shots[named], _json(exchange.answer)
        link = (result.get("result") or {}).get("sample") or (result.get("images") or [{}])[0].get("url")
        if link:
            self.shots["/" + link.split("/", 3)[3].partition("?")[0]] = number
        return number, "poll"


def _json(answer: bytes) -> dict[str, object]:
    try:
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def try_out(work: Work) -> Tally:
    """One run to its end, and one more that must find nothing to do."""
    began = time.monotonic()
    cuts = Cuts(work)
    with (
        Emulator(latency="0", active_limit=None, concurrency=100) as emulator,
        ChaosProxy(emulator, cuts.spoil) as proxy,
        proxy.in_use(work.folder / "state"),
    ):
        job = {
            "flux2batch": 1,
            "name": "cut",
            "model": MODELS[work.service],
            "prompt": "cut",
            "params": {"size": "64x64"},
            "sweep": {"seed": list(range(cuts.count))},
            "run": {"timeout": _PATIENCE},
        }
        out = work.folder / "run"
        plan = flux2batch.plan(flux2batch.load(job, folder=work.folder))
        first = flux2batch.run(plan, out=out)
        again = first if any(shot.state == "stalled" for shot in first) else flux2batch.run(plan, out=out)
        states = {shot.shot.params["seed"]: shot for shot in again}
        booked = Counter(int(json.loads(one.body)["seed"]) for one in proxy.posts())
        paid = Counter(int(task.wish["seed"]) for task in emulator.books.tasks(limit=100_000))
    said = [f"exit {first.exit_code}, then {again.exit_code}"] if again.exit_code not in (0, 5) else []
    for number, shot in states.items():
        wanted = _expected(work, cuts, number)
        if shot.state != wanted:
            said.append(f"{work.service} {work.what} {work.kind} at {cuts.offset(number)}: {shot.state}, not {wanted}")
    untried = [number for number in range(cuts.count) if cuts.offset(number) is not None and number not in cuts.cut]
    if len(untried) > len(work.offsets) // 2:
        said.append(f"{work.service} {work.what}: {len(untried)} offsets were not tried")
    for line in said[:10]:
        print(line, flush=True)
    return Tally(
        harness=f"{work.service} {work.what}",
        cases=len(cuts.cut),
        duplicates=sum(count - 1 for count in (booked | paid).values()),
        lost=sum(states[int(number)].state in UNPAID for number in paid),
        partial=sum(not is_whole(path) for shot in states.values() if shot.state == "done" for path in shot.images),
        other=len(said),
        seconds=time.monotonic() - began,
    )


def _expected(work: Work, cuts: Cuts, number: int) -> str:
    """What must have become of a shot: a submit is in doubt exactly where its id did not arrive."""
    exchange = cuts.cut.get(number)
    if exchange is None or work.what != "submit":
        return "done"
    delivered = exchange.delivered
    whole = len(delivered) == len(exchange.answer)
    if not whole and not _ID[work.service].search(delivered):
        return "unknown"
    return "stalled" if work.service == "bfl" and not _REGION.search(delivered) else "done"


def is_whole(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            picture.load()
    except OSError:
        return False
    return True


def _work(home: Path, *, share: int, seed: int) -> list[Work]:
    chance = random.Random(seed)
    work = []
    for service, lengths in LONGEST.items():
        for what, longest in lengths.items():
            offsets = [offset for offset in range(longest + 1) if share == 1 or chance.random() < 1 / share]
            chance.shuffle(offsets)
            for first in range(0, len(offsets), 300):
                name = f"{service}-{what}-{first}"
                work.append(Work(service, what, "cut", tuple(offsets[first : first + 300]), home / name))
    return work


def _one(work: Work) -> Tally:
    work.folder.mkdir()
    try:
        return try_out(work)
    finally:
        shutil.rmtree(work.folder, ignore_errors=True)


def add_up(harness: str, tallies: Sequence[Tally], seconds: float) -> Tally:
    """One row of many."""
    return Tally(
        harness=harness,
        cases=sum(one.cases for one in tallies),
        duplicates=sum(one.duplicates for one in tallies),
        lost=sum(one.lost for one in tallies),
        partial=sum(one.partial for one in tallies),
        tracebacks=sum(one.tracebacks for one in tallies),
        other=sum(one.other for one in tallies),
        seconds=seconds,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--share", type=int, default=1, help="one of so many offsets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="as in 'bfl-submit'")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cuts-") as name:
        work = [
            one
            for one in _work(Path(name), share=arguments.share, seed=arguments.seed)
            if arguments.only in one.folder.name
        ]
        with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
            tallies = []
            for tally in pool.imap_unordered(_one, work):
                tallies.append(tally)
                print(f"{tally.harness}: {tally.cases} offsets in {tally.seconds:.0f} s", flush=True)
    for what in sorted({one.harness for one in tallies}):
        print(f"{what:<16}{sum(one.cases for one in tallies if one.harness == what):>7} offsets")
    return say(add_up("answers cut at every byte", tallies, time.monotonic() - began))


if __name__ == "__main__":
    sys.exit(main())
