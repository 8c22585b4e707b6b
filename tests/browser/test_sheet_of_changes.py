"""The sheet of what changed since a revision, in a browser: two columns, a line a shot, and why it changed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_sheet_opens import wait_for_pictures

from flux2batch.cli import run

JOB = """flux2batch: 1
name: boats
model: bfl/flux-2-flex
prompt: "a {{ colour }} boat{{ ', at night' if night else '' }}"
vars: {night: false}
params: {size: 256x256}
sweep: {colour: [red, blue], guidance: [2, 4]}
"""


@pytest.fixture
def page_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job that was run, changed, and run again, held against the commit before it changed."""
    job = tmp_path / "job.yaml"
    job.write_text(JOB, encoding="utf-8")
    for words in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["add", "job.yaml"],
        ["-c", "user.name=a", "-c", "user.email=a@b.test", "commit", "--quiet", "-m", "x"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    assert run(["run", "job.yaml", "--emulate", "--yes"]) == 0
    job.write_text(JOB.replace("night: false", "night: true").replace("[2, 4]", "[2, 4.5]"), encoding="utf-8")
    assert run(["run", "job.yaml", "--emulate", "--yes"]) == 0
    assert run(["sheet", "job.yaml", "--against", "main"]) == 0
    return tmp_path / "runs" / "boats.emulated" / "against-main.html"


def test_old_stands_beside_new_and_says_why_it_changed(page_file: Path, open_page: Any, watch: Any) -> None:
    watch.folder = page_file.parent
    page = open_page(page_file, height=1400)
    wait_for_pictures(page)

    assert page.locator(".head").first.locator(".column bdi").all_inner_texts() == ["main", "now"]
    assert page.locator(".cell img").count() == 4  # the two shots of guidance 2; those of 4 are gone, those of 4.5 new
    lines = page.locator(".line.is-row, .line.is-cells, .line:has(.cell img)")
    assert [line.locator(".cell img").count() for line in lines.all()] == [2, 2]
    names = [cell.get_attribute("aria-label").split(", ", 1) for cell in page.locator(".cell:has(img)").all()]
    assert [version for version, _ in names] == ["version main", "version now"] * 2
    assert [names[0][1], names[2][1]] == [names[1][1], names[3][1]]

    page.locator("#grid").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    wait_for_pictures(page)

    assert page.locator("#lightbox .notice").inner_text() == "changed since main: prompt"
    assert "a red boat, at night" in page.locator("#lightbox .writing").first.inner_text()
    page.keyboard.press("ArrowLeft")
    wait_for_pictures(page)
    assert page.locator("#lightbox .writing").first.inner_text() == "a red boat"
    assert page.locator("#lightbox .sharp").evaluate("(image) => image.naturalWidth") == 256
