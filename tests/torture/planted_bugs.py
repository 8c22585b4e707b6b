"""Plant bugs that would cost money or pictures, one by one, and show which test sees each.

python tests/torture/planted_bugs.py [--only WORD]

The checkout is never touched: each bug goes into a copy of its own. A bug that no test catches is a failure.
"""

# ruff: noqa: E501  # code that is replaced is quoted as it stands

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from tally import Tally, say

_ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("flux2batch", "schemas", "templates", "specs", "tests")


@dataclass(frozen=True, slots=True)
class Bug:
    """A small change, and the tests that must see it."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]  # as pytest takes them; "-k" and its words are apart


BUGS = (
    Bug(
        "retry on unknown",
        "engine/policy.py",
        (('(rule.rule == "resubmit" and life.resubmissions < rule.most)', "life.resubmissions < 3"),),
        ("tests/engine/test_simulation.py", "-k", "nothing_is_paid_twice"),
    ),
    Bug(
        "commit after POST",
        "engine/in_hand.py",
        (("            if self.lines[position] not in self._unwritten:\n", "            if True:\n"),),
        ("tests/engine/test_simulation.py", "-k", "nothing_is_paid_twice"),
    ),
    Bug(
        "no directory sync",
        "engine/journal.py",
        (("            sync_folder(path.parent)\n", ""),),
        ("tests/engine/test_faults_journal.py", "-k", "f15"),
    ),
    Bug(
        "NORMAL sync",
        "engine/journal.py",
        (
            (
                'journal_mode = WAL")\n    database.execute("PRAGMA synchronous = FULL")',
                'journal_mode = WAL")\n    database.execute("PRAGMA synchronous = NORMAL")',
            ),
        ),
        ("tests/engine/test_faults_journal.py", "-k", "f15"),
    ),
    Bug(
        "follow redirects",
        "providers/wire.py",
        (
            (
                "        return self._without_secrets(transport.send(line, request, total=total), hidden)\n",
                "        answer = transport.send(line, request, total=total)\n"
                '        if getattr(answer, "status", None) in (301, 302, 303, 307, 308) and "location" in answer.headers:\n'
                '            url = urljoin(url, answer.headers["location"])\n'
                "            there = transport.connect(url, timeout=_CONNECT_S)\n"
                "            if not isinstance(there, NotSent):\n"
                "                answer = transport.send(there, replace(request, url=url), total=total)\n"
                "        return self._without_secrets(answer, hidden)\n",
            ),
        ),
        ("tests/security/test_s21_s28_hosts.py", "tests/running/test_faults_service.py", "-k", "s25 or f51"),
    ),
    Bug(
        "key to delivery host",
        "providers/wire.py",
        (
            (
                'headers={"Accept": "image/*"}, limit=transport',
                'headers={"Accept": "image/*", **self._credentials.headers()}, limit=transport',
            ),
        ),
        ("tests/security/test_s21_s28_hosts.py", "-k", "s26"),
    ),
    Bug(
        "skip the lock",
        "engine/lock.py",
        (("            self._lock.acquire(timeout=0)\n", "            pass\n"),),
        ("tests/running/test_run.py", "-k", "second_process"),
    ),
    Bug(
        "rename before sync",
        "pictures/placing.py",
        (
            (
                "                _write(descriptor, content)\n                sync_file(descriptor)\n",
                "                _write(descriptor, content)\n",
            ),
        ),
        ("tests/pictures/test_troubles.py", "-k", "synced_before"),
    ),
    Bug(
        "resend after crash",
        "engine/scheduler.py",
        (
            (
                'silence = Unanswered(reason="the run died while the request was under way", status=None, excerpt=None)',
                'silence = NotSent(reason="the run died", offline=False)',
            ),
        ),
        ("tests/engine/test_simulation.py", "-k", "nothing_is_paid_twice"),
    ),
    Bug(
        "budget check outside the transaction",
        "engine/purse.py",
        (
            (
                '            self._database.execute("BEGIN IMMEDIATE")\n            spent = self._today()\n',
                "            spent = self._today()\n",
            ),
            ('                self._database.execute("ROLLBACK")\n', ""),
        ),
        ("tests/engine/test_purse.py",),
    ),
    Bug(
        "trust .part",
        "pictures/placing.py",
        (
            (
                '        while folder.look(part) != "missing":',
                '        if folder.look(part) != "missing":\n            return part\n'
                '        while folder.look(part) != "missing":',
            ),
        ),
        ("tests/pictures/test_placing.py", "-k", "leftover"),
    ),
    Bug(
        "ignore Content-Length",
        "providers/transport.py",
        (("        if promised is not None and len(body) < promised:", "        if promised is None and False:"),),
        ("tests/providers/test_polls_and_downloads.py", "tests/providers/test_reliability_rows.py", "-k", "download"),
    ),
    Bug(
        "snapshot of what died",
        "engine/journal.py",
        (
            (
                "        rows = [_snapshot_row(shot, self._fresh",
                "        shots = list(self._fresh)\n        rows = [_snapshot_row(shot, self._fresh",
            ),
        ),
        ("tests/engine/test_simulation.py", "-k", "agree_whatever_dies"),
    ),
    Bug(
        "answers under way are not waited for",
        "engine/executor.py",
        (
            (
                "            self._give_up(error)\n            return False\n        return any(waiting)",
                "            raise\n        return any(waiting)",
            ),
        ),
        ("tests/engine/test_faults_executor.py", "-k", "between_two_shots"),
    ),
    Bug(
        "journal made in its place",
        "engine/journal.py",
        (('new = path.with_name(f"{path.name}.new")', "new = path"),),
        ("tests/engine/test_faults_journal.py", "-k", "f01"),
    ),
)


@dataclass(frozen=True, slots=True)
class Caught:
    """What the tests said of one bug."""

    bug: Bug
    failed: tuple[str, ...]
    seconds: float
    said: str


def main() -> int:
    return plant_all("planted bugs", BUGS, about=__doc__)


def plant_all(harness: str, bugs: Sequence[Bug], *, about: str | None) -> int:
    """Plant each that the command line chooses, show which test saw it, and say the tally; the exit code."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    began = time.monotonic()
    chosen = [bug for bug in bugs if arguments.only in bug.name]
    with ThreadPoolExecutor(arguments.processes) as pool:
        outcomes = list(pool.map(_plant, chosen))
    print(table(outcomes))
    missed = [one for one in outcomes if not one.failed]
    for one in missed:
        print(f"--- nobody saw: {one.bug.name}\n{one.said[-2000:]}")
    print(f"{len(outcomes)} bugs planted, {len(outcomes) - len(missed)} caught")
    seconds = time.monotonic() - began
    return say(Tally(harness=harness, cases=len(outcomes), other=len(missed), seconds=seconds))


def table(outcomes: Sequence[Caught]) -> str:
    """Each bug with the first test that saw it."""
    width = max((len(one.bug.name) for one in outcomes), default=0)
    return "\n".join(
        f"{one.bug.name:<{width}}  {'caught' if one.failed else 'MISSED':<7} {one.seconds:4.0f} s  {next(iter(one.failed), '')}"
        for one in outcomes
    )


def _plant(bug: Bug) -> Caught:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        copy = Path(name)
        for folder in _COPIED:
            shutil.copytree(_ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("runs"))
        shutil.copy(_ROOT / "pyproject.toml", copy)
        changed = copy / "flux2batch" / bug.file
        text = changed.read_text(encoding="utf-8")
        for old, new in bug.changes:
            if text.count(old) != 1:
                return Caught(bug, (), 0, f"its place in {bug.file} has changed:\n{old}")
            text = text.replace(old, new)
        changed.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-x",
                "-p",
                "no:cacheprovider",
                f"--basetemp={copy / 'tmp'}",
                *bug.tests,
            ],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    said = done.stdout + done.stderr
    # An import that broke or a test that is gone is no catch: only a test that ran and failed is one.
    failed = tuple(re.findall(r"^FAILED (\S+)", said, re.MULTILINE)) if done.returncode == 1 else ()
    return Caught(bug, failed, time.monotonic() - began, said)


if __name__ == "__main__":
    sys.exit(main())
