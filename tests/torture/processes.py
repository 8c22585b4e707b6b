"""Real processes for the harnesses: an emulator that outlives the runs, jobs in folders of their own, the verdict."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from compiled import compile_package  # its neighbour
from PIL import Image

PATIENCE_S = 150
HUNG = 124  # as `timeout` calls it
_MODELS = {"bfl": "bfl/flux-2-pro", "fal": "fal/flux-2-pro"}
_JOB = """\
flux2batch: 1
name: tortured
model: {model}
prompt: "tortured {mark} {{{{ colour }}}}"
references: {{style: style.png}}
params: {{size: 256x256, seed: 1}}
sweep: {{colour: [{colours}]}}
run: {{concurrency: {concurrency}}}
"""
_UNPAID = frozenset({"planned", "intent", "rejected"})


@dataclass(frozen=True, slots=True)
class Service:
    """An emulator in a process of its own."""

    told: Mapping[str, str]
    books: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a run needs to find it."""
        return {
            "BFL_BASE_URL": self.told["bfl_base_url"],
            "BFL_API_KEY": self.told["bfl_api_key"],
            "FAL_BASE_URL": self.told["fal_base_url"],
            "FAL_KEY": self.told["fal_key"],
        }

    def prompts(self) -> list[str]:
        """The prompt of every task in its books, read beside our own code."""
        with closing(sqlite3.connect(f"{self.books.as_uri()}?mode=ro", uri=True)) as books:
            return [json.loads(wish)["prompt"] for (wish,) in books.execute("SELECT wish FROM tasks")]


@contextmanager
def service(home: Path, *arguments: str, latency: str = "0.2") -> Iterator[Service]:
    """Start an emulator; it is ended by its own process id."""
    compile_package()
    books = home / "books.db"
    command = [sys.executable, "-m", "flux2batch", "emulate", "--json", "--books", str(books), "--latency", latency]
    command += arguments
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=clean(home), text=True)
    try:
        assert process.stdout is not None
        yield Service(json.loads(process.stdout.readline()), books)
    finally:
        process.terminate()
        process.wait(timeout=20)


def clean(home: Path, **more: str) -> dict[str, str]:
    """An environment without anybody's keys or settings."""
    ours = ("FLUX2BATCH_", "BFL_", "FAL_", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "PYTHONDONTWRITEBYTECODE": "1", **more}


@dataclass
class Case:
    """One job with a reference, of three shots unless told, and what its runs came to."""

    folder: Path
    at: Service
    provider: str
    mark: str
    shots: int = 3
    concurrency: int = 2
    exits: list[int] = field(default_factory=list)
    said: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), "teal").save(self.folder / "style.png")
        colours = ", ".join(f"colour{number}" for number in range(self.shots))
        model = _MODELS[self.provider]
        job = _JOB.format(model=model, mark=self.mark, colours=colours, concurrency=self.concurrency)
        (self.folder / "job.yaml").write_text(job, encoding="utf-8")

    @property
    def root(self) -> Path:
        return self.folder / "runs" / "tortured.emulated"

    def run(self, *before: str, arguments: Sequence[str] = ()) -> int:
        """Run the job, behind a command such as strace where one is given."""
        command = [*before, sys.executable, "-m", "flux2batch", "run", "job.yaml", "--yes", "-q", *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=clean(self.folder / "home", **self.at.environment),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            self.exits.append(HUNG)
            self.said += f"it had not ended after {PATIENCE_S} s\n"
            return HUNG
        self.exits.append(done.returncode)
        self.said += done.stdout + done.stderr
        return done.returncode

    def start(self) -> subprocess.Popen[str]:
        """Begin a run, for somebody who will not let it end."""
        return subprocess.Popen(
            [sys.executable, "-m", "flux2batch", "run", "job.yaml", "--yes", "-q"],
            cwd=self.folder,
            env=clean(self.folder / "home", **self.at.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def is_driven_by(self, pid: int) -> bool:
        """Whether this process has said that it drives the run directory."""
        try:
            said = json.loads((self.root / ".flux2batch" / "driver.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(said["pid"] == pid)

    def phases(self) -> Counter[str]:
        """How many shots the journal has in each phase."""
        return Counter(phase for phase, _ in _phases(self.root).values())

    def finish(self) -> int:
        """Run until it says that it is through, as a person would."""
        for _ in range(4):
            code = self.run()
            if code in (0, 5):
                break
        return code


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the emulator's books, the journal and the disk say of one case."""

    duplicates: int
    lost: int
    partial: int
    tracebacks: int
    unfinished: int
    unknown: int
    unknown_unsent: int  # in doubt, and the service never heard of it

    @property
    def is_good(self) -> bool:
        return not (self.duplicates or self.lost or self.partial or self.tracebacks or self.unfinished)


def judge(case: Case, prompts: Sequence[str]) -> Verdict:
    """Hold the books against the journal, and the journal against the disk."""
    paid = Counter(prompt for prompt in prompts if prompt.startswith(f"tortured {case.mark} "))
    phases = _phases(case.root)
    lost = sum(1 for prompt in paid if phases.get(prompt, ("planned", ()))[0] in _UNPAID)
    unfinished = 0 if case.exits[-1] in (0, 5) and len(phases) == case.shots else 1
    partial = sum(1 for path in case.root.rglob("*") if path.name.endswith((".part", ".new")))
    for phase, pictures in phases.values():
        if phase == "done":
            partial += sum(1 for path, sha256 in pictures if not _is_whole(case.root / path, sha256))
    return Verdict(
        duplicates=sum(count - 1 for count in paid.values()),
        lost=lost,
        partial=partial,
        tracebacks=_tracebacks(case.said),
        unfinished=unfinished,
        unknown=sum(1 for phase, _ in phases.values() if phase == "unknown"),
        unknown_unsent=sum(1 for prompt, (phase, _) in phases.items() if phase == "unknown" and prompt not in paid),
    )


_OUR_FRAME = re.compile(r'File "[^"]*/flux2batch/[^"]+", line \d+, in (?!<module>)')


def _tracebacks(said: str) -> int:
    """Those of our code at work. A Python that cannot read its own modules while it starts says so without us."""
    return sum(bool(_OUR_FRAME.search(block)) for block in said.split("Traceback (most recent call last)")[1:])


def _phases(root: Path) -> dict[str, tuple[str, tuple[tuple[str, str], ...]]]:
    """Prompt → phase, and the pictures with their hashes: read beside our own code."""
    path = root / ".flux2batch" / "journal.db"
    if not path.exists():
        return {}
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as journal:
        prompts = dict(
            journal.execute("SELECT shot, json_extract(payload, '$.prompt') FROM events WHERE kind = 'Intended'")
        )
        last = dict(
            journal.execute(
                "SELECT shot, kind FROM events WHERE seq IN"
                " (SELECT MAX(seq) FROM events WHERE shot IS NOT NULL GROUP BY shot)"
            )
        )
        saved = journal.execute(
            "SELECT shot, json_extract(payload, '$.path'), json_extract(payload, '$.sha256')"
            " FROM events WHERE kind = 'Saved'"
        ).fetchall()
    named = {
        "Saved": "done",
        "Unanswered": "unknown",
        "SendBegan": "sending",
        "Accepted": "accepted",
        "Rendered": "ready",
        "Rejected": "rejected",
        "Moderated": "moderated",
        "Failed": "failed",
        "Vanished": "lost",
        "LinkExpired": "accepted",
        "Withdrawn": "planned",
    }
    return {
        prompt: (named.get(last[shot], "intent"), tuple((path, sha) for of, path, sha in saved if of == shot))
        for shot, prompt in prompts.items()
    }


def _is_whole(path: Path, sha256: str) -> bool:
    try:
        content = path.read_bytes()
        with Image.open(path) as picture:
            picture.load()
    except OSError:
        return False
    return hashlib.sha256(content).hexdigest() == sha256
