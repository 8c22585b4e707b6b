"""Drive a whole run of trivial shots, journal, ledger and sheet included: what a shot costs beside its drawing.

    python tests/local/drive_trivial_shots.py --shots 10000 --fleet local:2 --out /some/empty/folder

Prints one line of JSON: seconds a shot, and the memory of the driving process as the run went on.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])

from trivial import Trivial

import flux2batch
from flux2batch.engine.executor import Progress
from flux2batch.engine.lifecycle import Life
from flux2batch.engine.policy import Unknowns
from flux2batch.engine.run_directory import Memory, Purpose, drive
from flux2batch.engine.scheduler import Moment
from flux2batch.planning.configuration import load_configuration
from flux2batch.planning.configuration_local import LOCAL_DEFAULTS
from flux2batch.planning.models.catalogue import entries
from flux2batch.planning.shot import ShotId
from flux2batch.providers.local.bench import Bench
from flux2batch.providers.local.fleet import Fleet
from flux2batch.providers.local.provider import Local
from flux2batch.providers.local.request import Workers
from flux2batch.running.run import Run, Wishes
from flux2batch.running.services import Services

_EVERY_S = 1.0


class Memories:
    """Watches the run, and notes how much memory is in use."""

    def __init__(self) -> None:
        self.saved = 0
        self.mib: list[tuple[int, float]] = []
        self._noted_s = 0.0

    def saw(self, _shot: ShotId, event: object, _life: Life, now: Moment) -> None:
        self.saved += type(event).__name__ == "Saved"
        if now.s - self._noted_s >= _EVERY_S:
            self._noted_s = now.s
            self.note()

    def standing(self, _standing: Progress, _now: Moment) -> None:
        """Nothing is shown."""

    def note(self) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.mib.append((self.saved, round(pages * resource.getpagesize() / 1024**2, 1)))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--shots", type=int, default=10_000)
    asked.add_argument("--fleet", help="local:2, say; without it the drawing is done in this process")
    asked.add_argument("--out", type=Path, required=True)
    options = asked.parse_args()

    job = {
        "flux2batch": 1,
        "name": "trivial",
        "model": "local/flux-2-klein-4b",
        "prompt": "a square",
        "params": {"size": "64x64"},
        "sweep": {"seed": {"range": f"1..{options.shots}"}},
        "output": {"metadata": "none"},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    configuration = load_configuration(max_shots=options.shots)
    plan = flux2batch.plan(flux2batch.load(job, folder=options.out), config=configuration)
    known = entries()
    workers: Workers = Bench(lambda: [Trivial()])
    if options.fleet:
        workers = Fleet(replace(LOCAL_DEFAULTS, fleet=options.fleet, device="cpu"), entries=known, make=Trivial)
    wishes = Wishes(
        root=options.out / "run",
        emulate=False,
        emulated=False,
        command="run",
        flags=(),
        max_usd=None,
        unknowns=Unknowns(rule="hold", most=0),
        fresh=True,
        reuse=(),
        moderated_ok=False,
        state_folder=options.out / "state",
        accept_rollback=False,
        fork=False,
        webhook=None,
    )
    provider = Local(workers, entry=known.__getitem__)
    memories, now = Memories(), datetime.now(UTC)
    memory = Memory(options.out / "state" / "run-directories.db", accept_rollback=False, fork=False)
    (options.out / "state").mkdir(exist_ok=True)
    with ExitStack() as stack:
        purpose = Purpose(job_name="trivial", job_file=None, emulated=False)
        directory = stack.enter_context(drive(wishes.root, purpose, now=now, memory=memory))
        stack.callback(provider.close)
        services = Services(providers={"local": provider}, secrets=())
        run = Run(plan=plan, wishes=wishes, directory=directory, services=services, stack=stack)
        ready = list(run.make_ready())
        began = time.monotonic()
        report = run.go(memories)
        seconds = time.monotonic() - began
        memories.note()
    print(
        json.dumps(
            {
                "workers": ready,
                "done": report.counts.done,
                "seconds": round(seconds, 1),
                "ms_a_shot": round(seconds / options.shots * 1000, 2),
                "memory_mib": memories.mib[:: max(1, len(memories.mib) // 20)],
            }
        )
    )


if __name__ == "__main__":
    main()
