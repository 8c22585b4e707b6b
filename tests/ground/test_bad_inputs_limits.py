"""Bad inputs B45 to B59 and B94 to B105 through the whole command line: limits, budget, keys, settings, flags."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux2batch.__main__ import main

NINE = ", ".join(f"r{number}: {{color: '#{number}{number}0000'}}" for number in range(1, 10))
FIVE = ", ".join(f"r{number}: {{color: '#{number}{number}0000'}}" for number in range(1, 6))
GOOD = "bfl_0123456789abcdef01"


@dataclass(frozen=True, slots=True)
class Case:
    """A job's further lines, a command, what it ends with and what it says."""

    row: str
    lines: str
    flags: tuple[str, ...]
    code: int
    says: tuple[str, ...]
    environ: tuple[tuple[str, str], ...] = ()
    command: str = "plan"

    def __str__(self) -> str:
        return f"{self.row}-{self.lines or ' '.join(self.flags) or self.command}"[:50]


CASES = (
    # limits of a model
    Case("B45", "params: {width: 1000, height: 1024}", (), 3, ("3:17: FB204 width", "multiple of 16", "992 or 1008")),
    Case("B46", "params: {size: 32x32}", (), 3, ("3:16: FB204", "64 to 4096", "32x32")),
    Case("B46", "params: {width: 0, height: 64}", (), 3, ("3:17: FB204 width", "64 to 4096", "got 0")),
    Case("B46", "params: {width: -64, height: 64}", (), 3, ("3:17: FB204 width", "64 to 4096", "got -64")),
    Case("B46", "params: {size: 8192x64}", (), 3, ("3:16: FB204", "64 to 4096", "8192x64")),
    Case("B47", "params: {width: 2560, height: 2560}", (), 3, ("3:17: FB601", "6.25 MP", "over the 4 MP", "2048x2048")),
    Case("B49", "params: {steps: 20}", (), 3, ("3:10: FB602", "'steps' works only with bfl/flux-2-flex")),
    Case("B53", f"# {{}}\nprompt: {'boat ' * 40_000}", (), 3, ("FB210", "about 50,000 tokens")),
    Case("B54", f"references: {{{NINE}}}", (), 3, ("FB603", "8")),
    Case("B54", f"model: bfl/flux-2-klein-4b\nreferences: {{{FIVE}}}", (), 3, ("FB603", "4")),
    Case("B59", "model: fal/flux-2-klein-9b-preview", (), 3, ("3:8: FB604", "is not on fal", "providers: bfl")),
    # where a run would go
    Case("B94", "", ("--out", "job.yaml"), 7, ("FB504", "'job.yaml' is a file", "--out")),
    Case("B94", "", ("--out", "closed/run"), 7, ("FB504", "cannot be written")),
    # keys
    Case("B98", "", ("--yes",), 6, ("FB801", "no BFL_API_KEY", "https://dashboard.bfl.ai"), (), "run"),
    Case("B99", "", ("--yes",), 6, ("FB802", "quotes around it"), (("BFL_API_KEY", f'"{GOOD}"'),), "run"),
    Case("B99", "", ("--yes",), 6, ("FB802", "ends with a line break"), (("BFL_API_KEY", f"{GOOD}\n"),), "run"),
    Case("B99", "", ("--yes",), 6, ("FB802", "begins with 'Bearer'"), (("BFL_API_KEY", f"Bearer {GOOD}"),), "run"),
    Case("B99", "", ("--yes",), 6, ("FB802", "looks like a fal key"),
         (("BFL_API_KEY", "01234567-0123-4123-8123-0123456789ab:0123456789abcdef"),), "run"),
    # settings
    Case("B100", "", ("--config", "broken.toml"), 2, ("broken.toml:1:8: FB020", "not TOML")),
    Case("B100", "", ("--config", "unknown.toml"), 2, ("unknown.toml:1:1: FB021", "did you mean 'limits'?")),
    # flags
    Case("B101", "", ("--limt", "3"), 2, ("no such option '--limt'", "did you mean '--limit'?")),
    Case("B102", "", ("--limit", "0"), 2, ("'--limit': 0 is too little: at least 1",)),
    Case("B102", "", ("--max-usd", "-1"), 2, ("'-1' is not a sum of dollars",)),
    Case("B102", "", ("--format", "xml"), 2, ("'xml' is not one of", "sarif")),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.toml").write_text("[limits\n", encoding="utf-8")
    Path("unknown.toml").write_text("limit = 3\n", encoding="utf-8")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out + err


@pytest.mark.parametrize("case", CASES, ids=str)
def test_b45_to_b102_what_is_too_much_or_makes_no_sense_is_said_with_its_remedy(
    case: Case, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "closed/run" in case.flags:
        if os.geteuid() == 0:
            pytest.skip("nothing is closed to root")
        Path("closed").mkdir(mode=0o500)
    for name, value in case.environ:
        monkeypatch.setenv(name, value)
    prompt = "" if "prompt:" in case.lines else "prompt: a boat\n"
    Path("job.yaml").write_text(f"flux2batch: 1\n{prompt}{case.lines}\n", encoding="utf-8")

    code, told = said(capsys, case.command, "job.yaml", "--format", "concise", *case.flags)

    assert code == case.code, told
    assert [words for words in case.says if words not in told] == [], told
    assert "Traceback" not in told
    assert not any(value.strip('"\n').removeprefix("Bearer ") in told for _, value in case.environ)
    assert not Path("runs").exists()


def test_b103_a_folder_that_is_no_run_is_named_with_the_runs_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "status", ".") == (2, "error: . is not a run directory: there is no journal in it.\n")
    job = "flux2batch: 1\nmodel: bfl/flux-2-klein-4b\nparams: {size: 256x256}\nprompt: a boat\n"
    Path("job.yaml").write_text(job, encoding="utf-8")
    assert said(capsys, "run", "job.yaml", "--emulate", "--quiet")[0] == 0

    assert said(capsys, "status", "runs") == (
        2, "error: runs is no run directory; these lie in it: runs/job.emulated.\n",
    )  # fmt: skip


def test_b104_a_job_is_a_file_and_not_what_is_piped(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = said(capsys, "run", "-")

    assert (code, "FB001" in told, "flux2batch init" in told) == (3, True, True)


def test_b105_a_job_that_was_edited_is_simply_planned_again(capsys: pytest.CaptureFixture[str]) -> None:
    job = "flux2batch: 1\nmodel: bfl/flux-2-klein-4b\nparams: {size: 256x256}\nprompt: a {what}\n"
    Path("job.yaml").write_text(job.replace("{what}", "boat"), encoding="utf-8")
    assert said(capsys, "run", "job.yaml", "--emulate", "--quiet")[0] == 0
    Path("job.yaml").write_text(job.replace("{what}", "ship"), encoding="utf-8")

    code, told = said(capsys, "plan", "job.yaml", "--out", "runs/job.emulated", "--json")

    assert (code, '"new": 1' in told, '"left": 1' in told) == (0, True, True), told
