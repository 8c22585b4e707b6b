"""docs/emulator.md says what there is: every fault, every flag, every page of the books; and what it shows works."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from flux2batch.commands.emulate import command
from flux2batch.emulator.faults import CODED, KINDS, Stage, parse_fault

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "emulator.md").read_text(encoding="utf-8")


def faults_as_documented() -> Iterator[str]:
    """The tables of the page, as they follow from the code."""
    known = {**CODED, **KINDS}
    for stage in Stage:
        yield from ("", f"{stage.value[0].upper()}{stage.value[1:]}:", "", "| fault | does |", "|---|---|")
        for name, (at, usual, about) in known.items():
            if at is stage:
                yield f"| `{name}{f'={usual}' if usual else ''}` | {about} |"


def test_every_fault_is_documented_with_its_usual_argument_and_what_it_does():
    expected = "\n".join(faults_as_documented()).strip()

    assert expected in PAGE, f"docs/emulator.md lacks this:\n{expected}"


def test_every_flag_of_the_command_is_documented():
    flags = {flag for parameter in command.params for flag in parameter.opts if flag.startswith("--")}

    assert {flag for flag in flags - {"--help", "--color"} if f"`{flag}" not in PAGE} == set()


@pytest.mark.parametrize("written", re.findall(r"--fault ([a-z0-9][^ `]*)", PAGE))
def test_every_fault_that_is_shown_can_be_asked_for(written: str):
    assert parse_fault(written).name


def test_the_bad_day_that_is_shown_can_be_had():
    [shown] = re.findall(r"`flux2batch (emulate --fault[^`]+--latency[^`]+)`", PAGE)
    line = [sys.executable, "-m", "flux2batch", *shown.split(), "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.terminate()

    assert told["bfl_base_url"].startswith("http://127.0.0.1:")


def test_both_the_command_and_the_page_list_the_same_faults():
    listed = CliRunner().invoke(command, ["--faults"])

    assert listed.exit_code == 0
    assert [line.split()[0].partition("=")[0] for line in listed.output.splitlines()] == [*CODED, *KINDS]


# Two faults of the wire strike before there is a prompt to read, and can only be asked for by flag.
@pytest.mark.parametrize("name", [name for name, (stage, _, _) in KINDS.items() if stage is not Stage.WIRE])
def test_every_fault_can_be_asked_for_in_a_prompt(name: str, visit: Any):
    visitor = visit(latency="5")
    if KINDS[name][0] is Stage.WEBHOOK:
        visitor.bfl(prompt=f"a fox [emulate {name}]", webhook_url="https://example.org/hook")
        assert len(visitor.emulator.books.tasks()) == 1
        return

    visitor.raw_submit(prompt=f"a fox [emulate {name}]", wait_s=0.3)

    [submit] = visitor.emulator.books.submits()
    kept = [fault for task in visitor.emulator.books.tasks() for fault in task.faults]
    assert name in submit.outcome or any(fault.startswith(name) for fault in kept)


def test_the_picture_on_the_page_is_there_and_light():
    [path] = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)
    picture = ROOT / "docs" / path

    assert picture.stat().st_size < 250_000
    with Image.open(picture) as opened:
        assert opened.width > 1000
