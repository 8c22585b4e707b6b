"""The README tells the truth: its job validates, and its message is what is printed; tests/docs/ runs its commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flux2batch.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_its_smallest_job_validates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.yaml").write_text(_blocks("yaml")[0], encoding="utf-8")

    assert main(["validate", "job.yaml", "--strict"]) == 0
    assert capsys.readouterr().err == ""


def test_its_message_is_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.yaml").write_text('flux2batch: 1\nprompt: "a boat"\nmodle: bfl/flux-2-pro\n', encoding="utf-8")

    main(["validate", "job.yaml"])

    assert capsys.readouterr().err.startswith(_blocks("text")[0])


def test_its_first_screen_says_it_all() -> None:
    first_screen = "\n".join(README.splitlines()[:25])

    assert all(words in first_screen for words in ("A job file in git", "flux2batch: 1", "make demo", "make test"))
