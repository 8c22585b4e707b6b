"""Kill the real command, or fail its system calls, at many points; start it again; hold the books against it.

python tests/torture/sweep_syscalls.py [--points N] [--seed N] [--minutes M] [--processes 2] [--only NUMBER]

A case is one job of three shots with a reference, against an emulator in a process of its own. strace kills the command
at its Nth call of one kind (SIGKILL), or lets that call fail (ENOSPC, EIO). Then it is run until it is through.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from processes import Case, Service, Verdict, judge, service
from tally import Tally, say

_KILLED = [
    "pwrite64",
    "write",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "connect",
    "sendto",
    "recvfrom",
    "flock",
]
_FAILS = {
    "ENOSPC": ["pwrite64", "write", "fsync", "ftruncate", "rename", "renameat2", "mkdir", "mkdirat", "linkat"],
    "EIO": ["pwrite64", "pread64", "fsync", "fdatasync", "unlink", "rename"],
}
_STRACE = ("strace", "-f", "-qq", "-o", "/dev/null")


@dataclass(frozen=True, slots=True)
class Point:
    """Where one case is hit."""

    number: int
    provider: str
    call: str
    nth: int
    harm: str  # KILL, ENOSPC, EIO

    @property
    def injection(self) -> str:
        harm = "signal=KILL" if self.harm == "KILL" else f"error={self.harm}"
        return f"{self.call}:{harm}:when={self.nth}"

    def __str__(self) -> str:
        return f"{self.number}: {self.provider} {self.injection}"


def main() -> int:
    arguments = _arguments()
    why_not = _cannot()
    if why_not:
        return say(Tally(harness="system calls", cases=0, seconds=0, note=f"skipped: {why_not}"))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sweep-") as name:
        home = Path(name)
        with service(home) as at:
            points = _points(arguments.points, arguments.seed, at, home)
            if arguments.only is not None:
                points = [point for point in points if point.number == arguments.only]
            until = began + arguments.minutes * 60
            with multiprocessing.Pool(arguments.processes) as pool:
                work = [(point, at, home, until, arguments.only is not None) for point in points]
                outcomes = [one for one in pool.imap_unordered(_one, work) if one is not None]
    bad = [(point, said) for point, verdict, said in outcomes if not verdict.is_good]
    for point, said in bad[:10]:
        print(f"--- {point}\n{said}")
    took = time.monotonic() - began
    print(f"seed {arguments.seed}: {len(outcomes)} of {len(points)} points in {took:.0f} s; {len(bad)} bad")
    return max(say(row) for row in rows([(point, verdict) for point, verdict, _ in outcomes], took))


def rows(outcomes: Sequence[tuple[Point, Verdict]], seconds: float) -> list[Tally]:
    """One row for each kind of harm to each provider. They ran side by side: each is given its share of the time."""
    kinds = [(provider, harm) for provider in ("bfl", "fal") for harm in ("KILL", "ENOSPC", "EIO")]
    return [
        Tally(
            harness=f"{provider}: {'SIGKILL' if harm == 'KILL' else harm} at the Nth call",
            cases=len(of),
            duplicates=sum(one.duplicates for one in of),
            lost=sum(one.lost for one in of),
            partial=sum(one.partial for one in of),
            tracebacks=sum(one.tracebacks for one in of),
            other=sum(one.unfinished for one in of),
            seconds=seconds * len(of) / max(1, len(outcomes)),
        )
        for provider, harm in kinds
        if (of := [verdict for point, verdict in outcomes if (point.provider, point.harm) == (provider, harm)])
    ]


def _one(work: tuple[Point, Service, Path, float, bool]) -> tuple[Point, Verdict, str] | None:
    point, at, home, until, verbose = work
    if time.monotonic() > until:
        return None
    case = Case(home / f"case-{point.number}", at, point.provider, f"case{point.number}x")
    case.run(*_STRACE, "-e", f"trace={point.call}", "-e", f"inject={point.injection}")
    case.finish()
    verdict = judge(case, at.prompts())
    said = f"exits {case.exits} {verdict}\n{case.said[-3000:]}" if verbose or not verdict.is_good else ""
    if verbose:
        print(said)
    shutil.rmtree(case.folder, ignore_errors=True)
    return point, verdict, said


def _points(count: int, seed: int, at: Service, home: Path) -> list[Point]:
    """Points drawn from the calls that clean runs make. strace counts the calls of each thread on its own."""
    chance = random.Random(seed)
    made = {provider: _census(provider, at, home) for provider in ("bfl", "fal")}
    points = []
    for number in range(count):
        provider = chance.choice(["bfl", "fal"])
        harm = chance.choices(["KILL", "ENOSPC", "EIO"], [6, 2, 2])[0]
        calls = [call for call in (_KILLED if harm == "KILL" else _FAILS[harm]) if made[provider][call]]
        call = chance.choice(calls)
        points.append(Point(number, provider, call, chance.randint(1, made[provider][call]), harm))
    return points


def _census(provider: str, at: Service, home: Path) -> Mapping[str, int]:
    """The most calls of each kind that one thread of a clean run makes."""
    case, log = Case(home / f"clean-{provider}", at, provider, f"clean{provider}"), home / f"{provider}.strace"
    calls = sorted({*_KILLED, *(call for calls in _FAILS.values() for call in calls)})
    code = case.run("strace", "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(calls)}")
    assert code == 0, f"a clean run ended with {code}:\n{case.said}"
    by_thread: Counter[tuple[str, str]] = Counter()
    for line in log.read_text(errors="replace").splitlines():
        found = re.match(r"(\d+) +(\w+)\(", line)
        if found:
            by_thread[found[1], found[2]] += 1
    most: Counter[str] = Counter()
    for (_, call), count in by_thread.items():
        most[call] = max(most[call], count)
    return most


def _cannot() -> str | None:
    if sys.platform != "linux" or shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run([*_STRACE, "-e", "trace=fsync", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "strace may not trace here"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FLUX2BATCH_SWEEP_SEED", "1")))
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
