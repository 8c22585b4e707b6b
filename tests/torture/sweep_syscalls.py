"""Kill the real command, or fail its system calls, at every point that counts; start it again; hold the books to it.

python tests/torture/sweep_syscalls.py [--points 300] [--seed N] [--provider bfl] [--only NUMBER]

A case is one job of three shots with a reference, against an emulator in a process of its own. strace kills the command
at its Nth call of one kind (SIGKILL), or lets that call fail (ENOSPC, EIO, EMFILE). Then it is run until it is through.
The points are those of a clean run: all of them where they are no more than asked for, else so many drawn by the seed,
for each provider and for kills and errors apart.
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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from processes import Case, Service, Verdict, judge, service  # the script finds its neighbours itself
from tally import Tally, say  # the same

_FILES = ("pwrite64", "pread64", "write", "fsync", "fdatasync", "ftruncate", "rename", "renameat", "renameat2", "link")
_FOLDERS = ("linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "flock")
_SOCKETS = ("socket", "connect", "sendto", "sendmsg", "recvfrom", "recvmsg")
_CALLS: Mapping[str, tuple[str, ...]] = {
    "KILL": (*_FILES, *_FOLDERS, *_SOCKETS, "openat"),
    "ENOSPC": (
        "pwrite64",
        "write",
        "fsync",
        "ftruncate",
        "rename",
        "renameat2",
        "mkdir",
        "mkdirat",
        "linkat",
        "openat",
    ),
    "EIO": ("pwrite64", "pread64", "fsync", "fdatasync", "unlink", "unlinkat", "rename", "renameat2"),
    "EMFILE": ("socket", "openat"),
}
_ERRORS = ("ENOSPC", "EIO", "EMFILE")
_MORE = ("fcntl", "poll", "setsockopt", "close")
"""Where the others are fewer points than are asked for, it is killed at these too: SQLite's locks are `fcntl`."""
_STRACE = ("strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null")
_BESIDES = 2  # cases for each core: they wait more than they work
_UNSENT_SHARE = 0.03  # of a service's points may end in doubt about a shot that was never sent


@dataclass(frozen=True, slots=True)
class Point:
    """Where one case is hit. strace counts the calls of each thread on its own."""

    number: int
    provider: str
    call: str
    nth: int
    harm: str  # KILL, ENOSPC, EIO, EMFILE

    @property
    def injection(self) -> str:
        harm = "signal=KILL" if self.harm == "KILL" else f"error={self.harm}"
        return f"{self.call}:{harm}:when={self.nth}"

    def __str__(self) -> str:
        return f"{self.number}: {self.provider} {self.injection}"


Outcome = tuple[Point, Verdict, str]


def main() -> int:
    arguments = _arguments()
    why_not = _cannot()
    if why_not:
        return say(Tally(harness="system calls", cases=0, seconds=0, note=f"skipped: {why_not}"))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sweep-") as name:
        home = Path(name)
        with service(home, latency="0.1") as at:
            points = list(_points(arguments, at, home))
            random.Random(arguments.seed).shuffle(points)  # where time runs out, each kind has had its share
            until = began + arguments.minutes * 60
            work = [(point, at, home, until, arguments.only is not None) for point in points]
            with multiprocessing.Pool(arguments.processes * _BESIDES) as pool:
                outcomes = [one for one in pool.imap_unordered(_one, work) if one is not None]
    bad = [(point, said) for point, verdict, said in outcomes if not verdict.is_good]
    for point, said in bad[:10]:
        print(f"--- {point}\n{said}")
    took = time.monotonic() - began
    print(f"seed {arguments.seed}: {len(outcomes)} of {len(points)} points in {took:.0f} s; {len(bad)} bad")
    return max((say(row) for row in rows(outcomes, took)), default=1)


def rows(outcomes: Sequence[Outcome], seconds: float) -> list[Tally]:
    """One row for each kind of harm to each provider. They ran side by side: each is given its share of the time."""
    kinds = sorted(
        {(point.provider, point.harm) for point, _, _ in outcomes}, key=lambda kind: (kind[0], -len(kind[1]))
    )
    return [_row(provider, harm, outcomes, seconds) for provider, harm in kinds]


def _row(provider: str, harm: str, outcomes: Sequence[Outcome], seconds: float) -> Tally:
    of = [verdict for point, verdict, _ in outcomes if (point.provider, point.harm) == (provider, harm)]
    unsent = sum(one.unknown_unsent for one in of)
    points = sum(point.provider == provider for point, _, _ in outcomes)
    return Tally(
        harness=f"{provider}: {'SIGKILL' if harm == 'KILL' else harm} at the Nth call",
        cases=len(of),
        duplicates=sum(one.duplicates for one in of),
        lost=sum(one.lost for one in of),
        partial=sum(one.partial for one in of),
        tracebacks=sum(one.tracebacks for one in of),
        other=sum(one.unfinished for one in of) + int(unsent > _UNSENT_SHARE * points),
        seconds=seconds * len(of) / len(outcomes),
        note=f"{sum(one.unknown for one in of)} unknown, of which {unsent} were never sent",
    )


def _one(work: tuple[Point, Service, Path, float, bool]) -> Outcome | None:
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


def _points(arguments: argparse.Namespace, at: Service, home: Path) -> Iterator[Point]:
    """The points of both providers, numbered before any is left out: `--only` finds the same one again."""
    chance = random.Random(arguments.seed)
    number = 0
    for provider in ("bfl", "fal"):
        places = _census(provider, at, home)
        for harms, more in ((("KILL",), _MORE), (_ERRORS, ())):
            wanted = [(harm, call, nth) for harm in harms for call in _CALLS[harm] for nth in places[call]]
            besides = [(harm, call, nth) for harm in harms for call in more for nth in places[call]]
            chance.shuffle(wanted)
            chance.shuffle(besides)
            for harm, call, nth in [*wanted, *besides][: arguments.points]:
                point = Point(number, provider, call, nth, harm)
                number += 1
                if arguments.only in (None, point.number) and arguments.provider in (None, provider):
                    yield point


def _census(provider: str, at: Service, home: Path) -> dict[str, list[int]]:
    """Of each call the numbers that one thread or another of a clean run comes to.

    A file that is opened to be imported is left out: a Python that cannot read its own modules is no fault of a run.
    """
    case, log = Case(home / f"clean-{provider}", at, provider, f"clean{provider}"), home / f"{provider}.strace"
    calls = sorted({call for calls in _CALLS.values() for call in calls} | set(_MORE))
    code = case.run("strace", "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(calls)}")
    assert code == 0, f"a clean run ended with {code}:\n{case.said}"
    made: Counter[tuple[str, str]] = Counter()
    places: dict[str, set[int]] = {call: set() for call in calls}
    for line in log.read_text(errors="replace").splitlines():
        found = re.match(r"(\d+) +(\w+)\((.*)", line)
        if not found:
            continue
        thread, call, about = found.groups()
        made[thread, call] += 1
        if call != "openat" or str(case.folder) in about or "AT_FDCWD" not in about:
            places[call].add(made[thread, call])
    return {call: sorted(numbers) for call, numbers in places.items()}


def _cannot() -> str | None:
    if sys.platform != "linux" or shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run([*_STRACE, "-e", "trace=fsync", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "strace may not trace here, or is older than 5.3"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=300, help="for each provider, of kills and of errors")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FLUX2BATCH_SWEEP_SEED", "1")))
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--provider", choices=("bfl", "fal"))
    parser.add_argument("--only", type=int, help="one point, and all that its runs said")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
