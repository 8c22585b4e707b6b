"""Every code block of every page does what the page says."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from page_blocks import DONE, HARNESSES, PAGES, ROOT, SHOWN, Block, blocks, by_block, missing, script
from PIL import Image
from terminal import run_in_a_terminal

from flux2batch.__main__ import main
from flux2batch.emulator.server import Emulator
from flux2batch.reading.document import read_document
from flux2batch.reading.schema import check_shape

# What a page calls and a test must not do as it stands. Make says what it would do, or that there is no such target.
STAND_INS = {
    "make": f'exec {shutil.which("make")} -n -C "{ROOT}" "$@"',
    "pipx": "exit 0",
    "uv": "exit 0",
}
_OTHER_YAML = {"on", "jobs", "repos", "runs"}  # the files of CI and of pre-commit
# Pages whose Python runs in one process there, where more is asked of it.
ELSEWHERE = {
    "docs/coming-from.md": "tests/client/test_coming_from.py",
    "docs/python.md": "tests/client/test_python_page.py",
}
_PICTURES = ("model", "top", "pants", "jacket", "shoes")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def keys() -> Iterator[dict[str, str]]:
    """Both services, emulated for the whole file."""
    with Emulator(latency="0.05") as emulator:
        yield {
            name.upper(): getattr(emulator, name) for name in ("bfl_base_url", "fal_base_url", "bfl_api_key", "fal_key")
        }


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the reader of a page sits: in a clone, with a photograph or two."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "specs", folder / "specs", ignore=shutil.ignore_patterns("runs"))
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "outputs").mkdir()
    for name in _PICTURES:
        Image.new("RGB", (256, 192), "teal").save(folder / f"{name}.jpg")
    shims, site = tmp_path / "shims", tmp_path / "site"
    shims.mkdir()
    pip = f'exec "{sys.executable}" "{ROOT}/tests/docs/stand_in_pip.py" "{site}" "$@"'
    for name, body in {**STAND_INS, "pip": pip}.items():
        (shims / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (shims / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(shims), str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("BROWSER", "true")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "100")
    return folder


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_block_is_of_a_kind_that_is_tested(path: Path) -> None:
    unknown = [
        f"{name_of(path)}:{block.line}: {block.kind}"
        for block in blocks(path)
        if block.kind not in DONE | SHOWN | HARNESSES
    ]

    assert unknown == []


FOLLOWED = [path for path in PAGES if any(block.kind in DONE for block in blocks(path))]


@pytest.mark.parametrize("page", ELSEWHERE)
def test_python_that_is_run_elsewhere_is_run_there(page: str) -> None:
    test = (ROOT / ELSEWHERE[page]).read_text(encoding="utf-8")

    assert f'"{Path(page).name}"' in test
    assert "exec(compile(EXAMPLES[number]" in test


@pytest.mark.parametrize("path", FOLLOWED, ids=name_of)
def test_a_page_can_be_followed_from_top_to_bottom(path: Path, desk: Path, keys: dict[str, str]) -> None:
    mine = [block for block in blocks(path) if not (block.kind == "python" and name_of(path) in ELSEWHERE)]
    code, said = run_in_a_terminal(script(mine, keys=keys), folder=desk, environ=os.environ)
    printed = by_block(said)

    assert code == 0, f"exit code {code}; the last of it:\n{said[-3000:]}"
    assert "end" in printed
    for number, block in enumerate(mine):
        if block.kind == "output":
            before = printed[number - 1]
            lost = missing(block.text, before)
            assert not lost, f"{name_of(path)}:{block.line}: not printed:\n" + "\n".join(lost) + f"\n\nbut:\n{before}"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_part_of_a_file_is_right_by_itself(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(path):
        if not block.file:
            fault = _fault(block, capsys)
            assert not fault, f"{name_of(path)}:{block.line}: {fault}"


def _fault(block: Block, capsys: pytest.CaptureFixture[str]) -> str:
    match block.kind:
        case "sh":
            scripts = re.findall(r"python (\S+\.py)", block.text)
            gone = [script for script in scripts if not (ROOT / script).is_file()]
            return f"no such script: {', '.join(gone)}" if gone or not scripts else ""
        case "json":
            json.loads(block.text)
        case "toml":
            Path("config.toml").write_text(block.text, encoding="utf-8")
            code = main(["config", "--config", "config.toml"])
            return capsys.readouterr().err if code else ""
        case "yaml":
            return _fault_in_yaml(block.text)
    return ""


def _fault_in_yaml(text: str) -> str:
    """What is wrong with a part of a job, to which only a prompt and axes of the right names are wanting."""
    said = yaml.load(text, yaml.BaseLoader)
    if not isinstance(said, dict) or _OTHER_YAML & set(said):
        return ""
    needed = {"flux2batch": "flux2batch: 1\n", "prompt": 'prompt: "a boat"\n'}
    whole = "".join(line for key, line in needed.items() if key not in said) + text
    document, problems = read_document(whole.encode(), name="part.yaml")
    found = [*problems, *(check_shape(document) if document else ())]
    return "\n".join(each.message for each in found if not each.message.startswith("no axis is called"))
