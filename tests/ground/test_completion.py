"""Completion, asked as a shell asks: by the real script in bash, by click's protocol for zsh and fish."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flux2batch import cli
from flux2batch.planning.models.catalogue import entries

COMMANDS = [entry.name for _, entries in cli.SECTIONS for entry in entries]
ASK_BASH = """
eval "$(flux2batch completion bash)"
COMP_WORDS=(flux2batch "$@"); COMP_CWORD=$#
_flux2batch_completion flux2batch
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(autouse=True)
def _path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


def in_bash(*words: str) -> list[str]:
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK_BASH, "bash", *words], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.split()


def by_protocol(shell: str, line: str) -> str:
    words = line.split(" ")
    environ = {"_FLUX2BATCH_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    environ |= {"COMP_CWORD": words[-1]} if shell == "fish" else {}
    done = subprocess.run(
        ["flux2batch"], env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_bash_completes_commands() -> None:
    assert in_bash("") == COMMANDS
    assert in_bash("re") == ["retry", "resolve"]


def test_bash_completes_flags_and_their_values() -> None:
    assert "--emulate" in in_bash("run", "job.yaml", "--em")
    assert in_bash("validate", "--format", "s") == ["sarif"]


def test_bash_completes_models_and_codes() -> None:
    assert in_bash("models", "bfl/") == [name for name in entries() if name.startswith("bfl/")]
    assert in_bash("explain", "fb20") == [f"FB20{digit}" for digit in range(1, 10)]


def test_bash_completes_run_directories() -> None:
    Path("boats.yaml").write_text("flux2batch: 1\nprompt: a boat\nparams: {size: 64x64}\n", encoding="utf-8")
    subprocess.run(["flux2batch", "run", "boats.yaml", "--emulate", "-q"], capture_output=True, timeout=60, check=True)

    assert in_bash("status", "") == ["runs/boats.emulated"]
    assert in_bash("sheet", "runs/b") == ["runs/boats.emulated"]
    assert in_bash("status", "boa") == []  # the shell's own: it completes files


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_with_what_each_is_for(shell: str) -> None:
    script = subprocess.run(
        ["flux2batch", "completion", shell], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    said = by_protocol(shell, "flux2batch re")

    assert f"_FLUX2BATCH_COMPLETE={shell}_complete" in script
    assert "resolve" in said
    assert "Settle shots whose answer was lost." in said


def test_asking_for_commands_imports_none_of_them() -> None:
    code = (
        "import sys; from flux2batch.__main__ import main\n"
        "try: main([])\n"
        "except SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name.startswith('flux2batch.commands')), file=sys.stderr)"
    )
    environ = {"_FLUX2BATCH_COMPLETE": "bash_complete", "COMP_WORDS": "flux2batch re", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environ}, capture_output=True, text=True, check=True
    )

    assert "plain,retry" in done.stdout
    assert done.stderr == "[]\n"
