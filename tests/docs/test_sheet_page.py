"""The job that the sheet's page makes of picks: it is planned, with names that a person can read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from page_blocks import ROOT, blocks

from flux2batch.__main__ import main

DRAFTS = """\
flux2batch: 1
prompt: "a {{ colour }} paper boat, {{ mood.text }}"
params: {size: 256x256}
sweep:
  colour: [blue, coral]
  mood: [{id: haze, text: soft morning haze}, {id: sun, text: low golden sun}]
  seed: 1..2
"""
PICKED = ("blue-haze-1.png", "coral-sun-2.png")


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with jobs, and what the commands say there."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def flux2batch(self, *call: str) -> str:
        code = main(list(call))
        said = self.capsys.readouterr()
        assert code == 0, said.err
        return said.out

    def planned(self, *call: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.flux2batch("plan", *call, "--jsonl").splitlines()]

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """Drafts that were drawn, two that were picked as the sheet writes it, and the job of the page."""
    monkeypatch.chdir(tmp_path)
    made = Desk(tmp_path, capsys)
    made.write("boats.yaml", DRAFTS)
    made.flux2batch("run", "boats.yaml", "--emulate", "--yes", "--quiet")
    chosen = [shot for shot in made.planned("boats.yaml") if shot["paths"][0] in PICKED]
    picks = [{"id": each["id"], "path": each["paths"][0], "coordinates": each["coordinates"]} for each in chosen]
    made.write("picks/boats.yaml", yaml.safe_dump({"picks": 1, "run": "boats.emulated", "shots": picks}))
    (example,) = (block.text for block in blocks(ROOT / "docs" / "sheet.md") if "picks/boats.yaml" in block.text)
    made.write("large.yaml", f"flux2batch: 1\n{example}")
    return made


def test_the_job_made_of_picks_has_readable_names_and_the_texts_of_the_drafts(desk: Desk) -> None:
    desk.flux2batch("validate", "large.yaml", "--strict")

    shots = desk.planned("large.yaml")

    assert tuple(shot["paths"][0] for shot in shots) == PICKED
    assert [shot["coordinates"]["pick"] for shot in shots] == ["blue-haze-1", "coral-sun-2"]
    assert [shot["params"]["seed"] for shot in shots] == [1, 2]
    assert [shot["prompt"].split(", as in")[0] for shot in shots] == [
        "a blue paper boat, soft morning haze",
        "a coral paper boat, low golden sun",
    ]


def test_picks_are_lost_by_their_ids_and_found_by_their_coordinates_as_the_page_says(desk: Desk) -> None:
    desk.write("boats.yaml", DRAFTS.replace("paper boat", "tin boat"))
    by_id = desk.planned("boats.yaml", "--picks", "picks/boats.yaml")

    said = yaml.safe_load((desk.folder / "picks" / "boats.yaml").read_text(encoding="utf-8"))
    alone = [{"coordinates": each["coordinates"]} for each in said["shots"]]
    desk.write("picks/boats.yaml", yaml.safe_dump({**said, "shots": alone}))
    found = desk.planned("boats.yaml", "--picks", "picks/boats.yaml")

    assert by_id == []
    assert tuple(shot["paths"][0] for shot in found) == PICKED
