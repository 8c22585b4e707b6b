"""`flux2batch init`: a first job that passes, costs little, and overwrites nothing."""

from __future__ import annotations

import re
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from flux2batch.__main__ import main
from flux2batch.commands.init import FILES
from flux2batch.planning.models.catalogue import entries
from flux2batch.planning.models.pricing import quote
from flux2batch.reading.load import load_job

WRITTEN = sorted(name for name, _ in FILES)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_writes_a_job_that_passes_strictly(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "first"]) == 0
    assert main(["validate", "first/job.yaml", "--strict"]) == 0

    said = capsys.readouterr()
    assert sorted(re.findall(r"wrote  first/(\S+)", said.out)) == WRITTEN
    assert "Next: flux2batch validate first/job.yaml" in said.err


def test_the_price_in_the_file_is_the_price_of_the_file() -> None:
    main(["init"])
    text = Path("job.yaml").read_text(encoding="utf-8")
    job, _ = load_job(Path("job.yaml"))
    assert job is not None
    entry = entries()[job.model]

    said = Decimal(re.findall(r"they cost \$([\d.]+)", text)[0])
    shots = len(job.sweep[0].written)
    one = quote(entry, width=512, height=512, references=[(512, 512)], frames=1, prices={})

    assert one is not None
    assert said == shots * one.max
    assert said <= Decimal("0.05")
    assert job.budget.max_usd is not None
    assert said <= job.budget.max_usd


def test_the_modeline_points_at_the_schema_that_was_written() -> None:
    main(["init"])

    modeline = Path("job.yaml").read_text(encoding="utf-8").splitlines()[0]
    schema = modeline.removeprefix("# yaml-language-server: $schema=")
    assert Path(schema).is_file()


def test_git_ignores_runs_and_keys() -> None:
    main(["init"])
    subprocess.run(["git", "init", "--quiet"], check=True)
    for name in ("runs/job/dawn.png", ".env"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("x", encoding="utf-8")

    untracked = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert sorted(untracked) == WRITTEN


def test_nothing_is_ever_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    Path("job.yaml").write_text("mine", encoding="utf-8")

    assert main(["init"]) == 0
    assert main(["init"]) == 0

    assert Path("job.yaml").read_text(encoding="utf-8") == "mine"
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "kept   job.yaml"
    assert said[1] == "wrote  refs/boat.png"
    assert all(line.startswith("kept ") for line in said[len(FILES) :])


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").symlink_to(tmp_path / "elsewhere.yaml")

    main(["init"])

    assert not (tmp_path / "elsewhere.yaml").exists()


def test_a_file_in_the_way_is_said_calmly(capsys: pytest.CaptureFixture[str]) -> None:
    Path("refs").write_text("x", encoding="utf-8")

    assert main(["init"]) == 7

    assert capsys.readouterr().err == "error: cannot write refs/boat.png: refs is a file, not a folder\n"
