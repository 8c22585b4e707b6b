"""`flux2batch config`: every value and where it came from, and no secret."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from flux2batch.commands.config import command
from flux2batch.planning.configuration_file import KEYS

CANARY = "bfl_canary0123456789abcdefWXYZ"

FILE = """\
[prices]
"bfl/flux-2-pro" = 0.02
[limits]
per_run_usd = 20
[allow]
models = []
[service.bfl]
proxy = "http://me:canary@proxy.example:3128"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAL_KEY", raising=False)
    monkeypatch.setenv("BFL_API_KEY", CANARY)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "policy.toml").write_text(FILE)
    return "policy.toml"


def test_every_setting_is_shown_with_its_origin(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["--config", config], standalone_mode=False)
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}

    assert set(KEYS) <= set(rows)
    assert rows["limits.per_run_usd"] == ["$20.00", "policy.toml:4"]
    assert rows["limits.max_shots"] == ["10000", "default"]
    assert rows["prices.bfl/flux-2-pro"] == ["$0.02", "a", "picture", "policy.toml:2"]
    assert rows["allow.models"] == ["none", "policy.toml:6"]
    assert rows["BFL_API_KEY"] == ["****WXYZ", "environment"]
    assert rows["FAL_KEY"] == ["not", "set"]


def test_programs_get_the_same(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["--config", config, "--json"], standalone_mode=False)
    shown = json.loads(capsys.readouterr().out)

    assert set(KEYS) <= set(shown["settings"])
    assert shown["settings"]["limits.per_run_usd"] == {"value": 20.0, "from": "policy.toml:4"}
    assert shown["keys"] == {"BFL_API_KEY": {"value": "****WXYZ", "from": "environment"}, "FAL_KEY": None}


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_secret_is_shown(config: str, capsys: pytest.CaptureFixture[str], form: list[str]) -> None:
    command.main(["--config", config, *form], standalone_mode=False)

    assert "canary" not in str(capsys.readouterr())


def test_a_dotenv_that_sets_more_than_keys_is_warned_of(
    config: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("HTTPS_PROXY=http://evil.example\n")

    command.main(["--config", config], standalone_mode=False)
    captured = capsys.readouterr()

    assert "HTTPS_PROXY in .env is not read" in captured.err
    assert "evil" not in captured.out + captured.err


def test_a_broken_file_ends_with_exit_code_2_and_its_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("[limits]\nper_run_usd = \n")

    code = command.main(["--config", "broken.toml"], standalone_mode=False)

    assert code == 2
    assert "--> broken.toml:2:15" in capsys.readouterr().err


def test_without_a_file_it_says_where_one_would_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    command.main([], standalone_mode=False)

    assert re.search(r"There is no .*flux2batch.config\.toml, so the defaults hold\.", capsys.readouterr().err)
