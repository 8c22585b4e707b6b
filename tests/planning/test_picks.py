"""A file of picks is read as the sheet writes it and as a person would, and as a table of the next job."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux2batch.errors import InvalidInput
from flux2batch.planning.tables.picks import read_picks
from flux2batch.planning.tables.tables import Table, load_tables
from flux2batch.reading.load import load_job

FOX, OWL, CAT, DOG = (letter * 32 for letter in "abcd")

EXPORTED = f"""\
# The pictures chosen in the contact sheet.
picks: 1
run: study
shots:
  - id: {FOX}
    path: fox/g2.0.png
    coordinates: {{subject: fox, guidance: "2.0"}}
    rating: 4
    note: "the best: ears"
  - id: {OWL}
    path: owl/g2.0.png
    coordinates: {{subject: owl, guidance: "2.0"}}
    rejected: true
  - id: {CAT}
    path: cat/g2.0.png
    coordinates: {{subject: cat, guidance: "2.0"}}
    rating: 2
    picked: false
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "picks.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def said(path: Path, shot: str, frame: int = 1) -> tuple[object, ...] | None:
    pick = read_picks(path).said_of(shot, paths=(), coordinates={}, frame=frame)
    return None if pick is None else (pick.picked, pick.rejected, pick.rating, pick.note)


def test_what_was_said_of_each_picture_is_known(tmp_path: Path) -> None:
    path = written(tmp_path, EXPORTED)

    assert said(path, FOX) == (True, False, 4, "the best: ears")
    assert said(path, OWL) == (False, True, None, None)
    assert said(path, CAT) == (False, False, 2, None)
    assert said(path, DOG) is None
    assert [pick.path for pick in read_picks(path).chosen] == ["fox/g2.0.png"]


@pytest.mark.parametrize(
    ("entry", "is_chosen"),
    [
        (f"- id: {FOX}", True),
        (f"- shot: {FOX}", True),
        ("- id: aaaaaaaaaaaa", True),
        ("- path: fox.png", True),
        ('- coordinates: {subject: fox, guidance: "2.0"}', True),
        ("- coordinates: {subject: fox}", True),
        ("- coordinates: {subject: {id: fox, text: a red fox}}", True),
        ("- id: aaaa", False),
        ("- path: other.png", False),
        ("- coordinates: {subject: owl}", False),
        (f"- {{id: {OWL}, path: fox.png}}", False),
    ],
)
def test_a_pick_is_found_by_its_id_or_else_by_its_path_or_else_by_where_it_stands(
    tmp_path: Path, entry: str, is_chosen: bool
) -> None:
    picks = read_picks(written(tmp_path, entry))

    found = picks.said_of(FOX, paths=("fox.png",), coordinates={"subject": "fox", "guidance": "2.0"}, frame=1)

    assert (found is not None) is is_chosen


def test_of_several_frames_the_one_that_is_named_is_picked(tmp_path: Path) -> None:
    path = written(tmp_path, f"picks: 1\nshots:\n  - {{id: {FOX}, frame: 2, rating: 5}}\n")

    assert said(path, FOX, frame=1) is None
    assert said(path, FOX, frame=2) == (True, False, 5, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("picks: 2\nshots: []\n", "newer flux2batch"),
        ("picks: 1\nshots: fox\n", "expected a list of picks"),
        ("- fox\n", "expected a mapping"),
        ("- {rating: 3}\n", "names no shot"),
        (f"- {{id: {FOX}, rating: 7}}\n", "the rating is 7"),
        (f"- {{id: {FOX}, rating: good}}\n", "the rating is good"),
        ("- [\n", "FB100"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_picks(written(tmp_path, text))


def test_a_file_that_is_not_there_is_said_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such file") as caught:
        read_picks(tmp_path / "picks.yaml")

    assert "export it" in str(caught.value)


def test_as_a_table_it_has_the_picked_alone_with_their_coordinates_as_columns(tmp_path: Path) -> None:
    written(tmp_path, EXPORTED)
    table = _table(tmp_path)

    assert [row.data["subject"] for row in table.rows] == ["fox"]
    assert {"subject", "guidance", "path", "rating", "note", "run", "shot"} <= set(table.columns)
    assert (table.rows[0].data["run"], table.rows[0].data["path"]) == ("study", "fox/g2.0.png")
    assert table.key == ("shot",)


def test_as_a_table_two_frames_of_a_shot_are_two_rows(tmp_path: Path) -> None:
    written(
        tmp_path, f"picks: 1\nshots:\n  - {{id: {FOX}, frame: 2}}\n  - {{id: {FOX}, frame: 3}}\n  - {{id: {OWL}}}\n"
    )

    assert [row.id for row in _table(tmp_path).rows] == [f"{FOX}-2", f"{FOX}-3", f"{OWL}-1"]


def _table(folder: Path) -> Table:
    path = folder / "job.yaml"
    path.write_text(
        'flux2batch: 1\nprompt: "{{ chosen.subject }}"\n'
        "data: {chosen: {picks: picks.yaml}}\nsweep: {chosen: data.chosen}\n",
        encoding="utf-8",
    )
    job, problems = load_job(path)
    assert job is not None, problems
    tables, found = load_tables(job)
    assert not found
    table = tables["chosen"]
    assert isinstance(table, Table)
    return table
