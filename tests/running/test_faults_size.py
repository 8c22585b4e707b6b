"""F76: ten thousand shots are planned and taken up again within bounds of memory; time has hard stops alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import flux2batch
from flux2batch.engine.events import Accepted, Charge, Frame, Intended, Rendered, Saved, SendBegan, ShotEvent, Ticket
from flux2batch.engine.journal import Journal
from flux2batch.engine.run_directory import journal_of
from flux2batch.money import usd
from flux2batch.planning.shot import Shot

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells the memory of a process")

COUNT = 10_000
MOST_MB = 300
JOB = """\
flux2batch: 1
name: many
prompt: "a paper boat on a {{ colour }} sea"
params: {size: 256x256}
sweep: {colour: [blue, red], seed: 1..5000}
"""
AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("many") / "job.yaml"
    file.write_text(JOB, encoding="utf-8")
    return file


def test_f76_ten_thousand_shots_are_planned_within_bounds(job: Path):
    out, megabytes = measured(job, "plan", "--json")

    assert json.loads(out)["shots"] == COUNT
    assert megabytes < MOST_MB


def test_f76_ten_thousand_shots_are_taken_up_again_within_bounds(job: Path):
    root = job.parent / "runs" / "many.emulated"
    root.joinpath(".flux2batch").mkdir(parents=True)
    with closing(Journal.create(journal_of(root), run_directory_id="r")) as journal:
        journal.append([(shot.id, event) for shot in flux2batch.plan(job) for event in story_of(shot)], at=AT)

    out, megabytes = measured(job, "status", "--json")

    told = json.loads(out)
    assert (told["done"], told["in_flight"], told["planned"]) == (COUNT // 2, COUNT // 2, 0)
    assert megabytes < MOST_MB


def story_of(shot: Shot) -> Iterator[ShotEvent]:
    """Every other shot is done, the rest is on its way."""
    yield replace(INTENDED, prompt=shot.prompt, paths=shot.paths)
    yield SendBegan()
    yield replace(ACCEPTED, ticket=replace(ACCEPTED.ticket, task_id=str(shot.index)))
    if shot.index % 2:
        yield RENDERED
        yield replace(SAVED, path=shot.paths[0])


INTENDED = Intended(
    take=1,
    reserve=usd("0.03"),
    estimate=usd("0.03"),
    model="bfl/flux-2-pro",
    endpoint="/v1/flux-2-pro",
    prompt="",
    params={"width": 256, "height": 256},
    references=(),
    coordinates={},
    repeat=1,
    paths=(),
    frames=1,
    trim=None,
)
ACCEPTED = Accepted(
    ticket=Ticket(
        provider="bfl",
        model="bfl/flux-2-pro",
        endpoint="/v1/flux-2-pro",
        task_id="",
        poll_url="https://api.bfl.ai/v1/get_result?id=x",
        result_url=None,
        cancel_url=None,
    ),
    charge=Charge(usd=usd("0.03"), source="cost", megapixels_in=None, megapixels_out=None),
    evidence="answer",
)
RENDERED = Rendered(
    frames=(Frame(url="https://x/a.png", width=None, height=None, media_type=None, nsfw=False),),
    expires_at=None,
    seed=1,
    prompt=None,
    charge=None,
    details={},
)
SAVED = Saved(
    frame=0,
    path="",
    copies=(),
    sha256="0" * 64,
    size_bytes=1,
    width=256,
    height=256,
    media_type="image/png",
    original=None,
    remark=None,
)


# The peak is read from inside: what the system says of a child counts what its parent held when it started it.
TELLING = """
import sys
from pathlib import Path
from flux2batch.__main__ import main
code = main(sys.argv[1:])
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0], file=sys.stderr)
sys.exit(code)
"""


def measured(job: Path, command: str, *arguments: str) -> tuple[str, float]:
    """What the command said, and the most memory that it held, in megabytes."""
    argv = [sys.executable, "-c", TELLING, command, str(job), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300)
    return done.stdout, int(done.stderr.splitlines()[-1]) / 1024
