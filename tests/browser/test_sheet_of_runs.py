"""The sheets that real runs write: the example jobs on the emulator, and a draft that leads to a final job."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from test_sheet_opens import wait_for_pictures

ROOT = Path(__file__).resolve().parent.parent.parent
LONG = 300  # seconds: a hard stop, for machines that are busy


def flux2batch(*words: str, at: Path) -> str:
    """What the command prints; it must end well."""
    ended = subprocess.run(
        [sys.executable, "-m", "flux2batch", *words],
        cwd=at,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


@pytest.mark.parametrize(
    ("job", "shots", "columns", "first"),
    [
        ("quickstart.yaml", 24, ["1", "2", "3", "4"], "weather Dawn, seed 1"),
        ("experiment.yaml", 132, ["2.0", "3.0", "4.0", "5.0"], "subject fox, light overcast light, guidance 2.0"),
        (
            "campaign/job.yaml",
            24,
            ["Feed 4:5", "Story 9:16", "Banner 1.91:1"],
            "product mug-01, locale en, format Feed",
        ),
    ],
)
def test_the_sheet_of_an_example_job(
    job: str, shots: int, columns: list[str], first: str, open_page: Any, watch: Any, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    flux2batch("run", str(ROOT / "specs" / job), "--emulate", "--yes", "--out", str(out), at=tmp_path)
    watch.folder = out
    page = open_page(out / "index.html")
    wait_for_pictures(page)

    assert page.locator("#summary > span").last.inner_text().startswith(f"{shots} pictures · $")
    assert page.locator(".flag").inner_text() == "Emulated"
    assert page.locator(".column bdi").all_inner_texts() == columns
    page.locator("#grid").focus()
    assert first in page.locator(".cell.current").get_attribute("aria-label")

    page.keyboard.press("Enter")
    for key in ("ArrowRight", "ArrowDown", "z", "ArrowLeft", "PageDown"):
        page.keyboard.press(key)
        wait_for_pictures(page)
    assert page.locator("#lightbox .sharp").evaluate("(image) => image.naturalWidth") >= 512
    page.keyboard.press("Escape")
    page.wait_for_selector("#lightbox", state="hidden")

    page.locator("#stage").evaluate("(stage) => stage.scrollTo(0, stage.scrollHeight)")
    page.wait_for_timeout(300)  # cells are drawn in a frame after the scroll, and until then none is waited for
    wait_for_pictures(page)


def test_what_earlier_pictures_cost_is_told_where_they_are_not_shown(open_page: Any, tmp_path: Path) -> None:
    job = tmp_path / "boats.yaml"
    text = "flux2batch: 1\nname: boats\nmodel: bfl/flux-2-klein-4b\nprompt: a paper boat\nsweep: {seed: 1..2}\n"
    for prompt in ("a paper boat", "a paper ship"):
        job.write_text(text.replace("a paper boat", prompt), encoding="utf-8")
        flux2batch("run", "boats.yaml", "--emulate", "--out", "run", at=tmp_path)
    page = open_page(tmp_path / "run" / "index.html")

    said = page.locator("#summary > span").last.inner_text()

    assert said == "2 pictures · $0.028 · 2 of earlier plans not shown, $0.028"
    assert page.locator(".gone").count() == 0


DRAFT = """
flux2batch: 1
name: draft
model: bfl/flux-2-klein-4b
prompt: "a {{ subject }} in {{ light }} light"
params: {size: 512x512}
sweep: {subject: [fox, owl], light: [soft, hard], seed: 1..3}
sheet: {x: seed, y: light, rows: [subject]}
"""

FINAL = """
flux2batch: 1
name: final
model: bfl/flux-2-max
prompt: "{{ chosen.subject }}, as in {{ ref('draft') }}"
params: {size: 1024x1024}
data: {chosen: {picks: picks.yaml}}
sweep: {chosen: data.chosen}
references: {draft: "runs/draft.emulated/{{ chosen.path }}"}
output: {path: "{{ chosen.id }}"}
"""


def test_a_draft_leads_to_a_final_job(open_page: Any, tmp_path: Path) -> None:
    (tmp_path / "draft.yaml").write_text(DRAFT)
    (tmp_path / "final.yaml").write_text(FINAL)
    flux2batch("run", "draft.yaml", "--emulate", "--yes", at=tmp_path)
    page = open_page(tmp_path / "runs" / "draft.emulated" / "index.html")

    page.locator("#grid").focus()
    for key in (
        "p",
        "5",
        "ArrowRight",
        "p",
        "ArrowDown",
        "p",
        "4",
        "ArrowDown",
        "p",
        "ArrowRight",
        "p",
        "ArrowDown",
        "x",
    ):
        page.keyboard.press(key)
    with page.expect_download() as waiting:
        page.keyboard.press("e")
    waiting.value.save_as(tmp_path / "picks.yaml")

    planned = [json.loads(line) for line in flux2batch("plan", "final.yaml", "--jsonl", at=tmp_path).splitlines()]
    assert len(planned) == 5
    assert {shot["model"] for shot in planned} == {"bfl/flux-2-max"}
    sources = [shot["references"][0]["source"] for shot in planned]
    assert all(source.startswith("runs/draft.emulated/") for source in sources)
    assert len(set(sources)) == 5

    picked = ("--picks", "picks.yaml", "--to", "chosen")
    flux2batch("export", "runs/draft.emulated", *picked, at=tmp_path)
    files = [file for file in (tmp_path / "chosen").rglob("*") if file.is_file()]
    with (tmp_path / "chosen" / "manifest.csv").open(encoding="utf-8") as manifest:
        rows = list(csv.DictReader(manifest))

    assert len(files) == 6
    assert [row["rating"] for row in rows] == ["5", "", "4", "", ""]


def test_two_runs_lie_side_by_side_and_a_single_file_travels_alone(open_page: Any, watch: Any, tmp_path: Path) -> None:
    (tmp_path / "draft.yaml").write_text(DRAFT)
    small = ("run", "draft.yaml", "--emulate", "--yes", "--set", "sweep.seed=1..2")
    flux2batch(*small, "--out", "runs/one", at=tmp_path)
    flux2batch(*small, "--out", "runs/two", "--fresh", "--set", "params.size=768x512", at=tmp_path)
    flux2batch("sheet", "runs/one", "runs/two", at=tmp_path)
    (tmp_path / "alone").mkdir()
    flux2batch("sheet", "runs/one", "--single-file", "-o", "alone/sheet.html", at=tmp_path)

    page = open_page(tmp_path / "runs" / "sheet.html")
    wait_for_pictures(page)
    assert page.locator(".head").first.locator(".column bdi").all_inner_texts() == ["one", "two"]
    assert page.locator(".cell img").count() == 16

    watch.folder = tmp_path / "alone"
    alone = open_page(tmp_path / "alone" / "sheet.html")
    alone.locator(".cell img").first.click()
    wait_for_pictures(alone)
    assert alone.locator("#lightbox .preview").evaluate("(image) => image.naturalWidth") == 512


def test_a_zip_opens_where_it_is_unpacked(open_page: Any, watch: Any, tmp_path: Path) -> None:
    (tmp_path / "draft.yaml").write_text(DRAFT)
    flux2batch("run", "draft.yaml", "--emulate", "--yes", "--set", "sweep.seed=1..1", at=tmp_path)
    flux2batch("sheet", "draft.yaml", "--zip", "study.zip", at=tmp_path)
    shutil.rmtree(tmp_path / "runs")
    with zipfile.ZipFile(tmp_path / "study.zip") as packed:
        packed.extractall(tmp_path / "elsewhere")
    (index,) = (tmp_path / "elsewhere").rglob("index.html")
    watch.folder = index.parent

    page = open_page(index, height=1600)
    wait_for_pictures(page)
    page.locator(".cell img").first.click()
    wait_for_pictures(page)

    assert page.locator(".cell img").count() == 4
    assert page.locator("#lightbox .sharp").evaluate("(image) => image.naturalWidth") == 512


def test_what_made_way_stands_beside_what_replaced_it(open_page: Any, watch: Any, tmp_path: Path) -> None:
    (tmp_path / "draft.yaml").write_text(DRAFT)
    run = ("run", "draft.yaml", "--emulate", "--yes", "--set", "sweep.seed=1..1")
    flux2batch(*run, at=tmp_path)
    (tmp_path / "draft.yaml").write_text(DRAFT.replace("light light", "evening light").replace('light"', 'light, wet"'))
    flux2batch(*run, at=tmp_path)
    out = tmp_path / "runs" / "draft.emulated"
    flux2batch("sheet", str(out), "--earlier", at=tmp_path)
    watch.folder = out

    page = open_page(out / "index.html", "#x=version", height=2400)
    wait_for_pictures(page)

    assert page.locator(".head").first.locator(".column bdi").all_inner_texts() == ["now", "earlier"]
    assert page.locator(".cell img").count() == 8
