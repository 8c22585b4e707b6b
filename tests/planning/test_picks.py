"""A file of picks is read as the sheet writes it and as a person would, and as a table of the next job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from recorded_runs import grid, picture, run_directory

from flux2batch import cli
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


def test_a_draft_leads_to_a_final_job_with_the_picked_pictures_as_references(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shots = grid(subject=["fox", "owl", "cat"], guidance=["2.0", "3.0"])
    for shot in shots:
        shot.content = picture(int(shot.id[:6], 16), size=(512, 512))
    run_directory(tmp_path / "runs" / "draft", shots)
    chosen = [shots[0], shots[3], shots[4]]
    picked = "".join(
        f'  - id: "{one.id}"\n    path: {one.path}\n    coordinates: {{subject: {one.coordinates["subject"]}}}\n'
        for one in chosen
    )
    (tmp_path / "picks.yaml").write_text(f"picks: 1\nrun: draft\nshots:\n{picked}")
    (tmp_path / "final.yaml").write_text(
        "flux2batch: 1\nmodel: bfl/flux-2-max\n"
        "prompt: \"{{ chosen.subject }}, as in {{ ref('draft') }}\"\n"
        "data: {chosen: {picks: picks.yaml}}\nsweep: {chosen: data.chosen}\n"
        'references: {draft: "runs/{{ chosen.run }}/{{ chosen.path }}"}\n'
        'output: {path: "{{ chosen.subject }}"}\n'
    )

    assert cli.run(["plan", "final.yaml", "--jsonl"]) == 0

    planned = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["paths"][0], one["references"][0]["source"]) for one in planned] == [
        ("fox.png", f"runs/draft/{chosen[0].path}"),
        ("owl.png", f"runs/draft/{chosen[1].path}"),
        ("cat.png", f"runs/draft/{chosen[2].path}"),
    ]


def test_the_same_job_is_planned_for_what_was_picked_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(
        'flux2batch: 1\nprompt: "a {{ subject }}"\nsweep: {subject: [fox, owl, cat], seed: 1..2}\n'
    )
    cli.run(["plan", "job.yaml", "--jsonl"])
    planned = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (tmp_path / "picks.yaml").write_text(
        f"picks: 1\nshots:\n  - {{id: {planned[1]['id']!r}}}\n  - {{id: {planned[2]['id']!r}, rejected: true}}\n"
        f"  - {{id: {planned[4]['id']!r}, picked: false, rating: 3}}\n"
    )

    assert cli.run(["plan", "job.yaml", "--picks", "picks.yaml", "--jsonl"]) == 0

    left = [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]
    assert left == [planned[1]["id"]]


@pytest.mark.parametrize("keeps", [("id", "path"), ("path",), ()])
def test_picks_that_a_changed_parameter_lost_are_found_as_the_help_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], keeps: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(
        'flux2batch: 1\nprompt: "a {{ subject }}"\nsweep: {subject: [fox, owl], seed: 1..2}\n', encoding="utf-8"
    )
    cli.run(["plan", "job.yaml", "--jsonl"])
    drafts = [json.loads(line) for line in capsys.readouterr().out.splitlines()][1:3]
    picks = [
        {"coordinates": draft["coordinates"], "rating": 5}
        | {key: value for key, value in (("id", draft["id"]), ("path", draft["paths"][0])) if key in keeps}
        for draft in drafts
    ]
    (tmp_path / "picks.yaml").write_text(json.dumps({"picks": 1, "shots": picks}), encoding="utf-8")

    assert cli.run(["plan", "job.yaml", "--picks", "picks.yaml", "--set", "params.size=512x512", "--jsonl"]) == 0

    out, err = capsys.readouterr()
    found = [json.loads(line)["coordinates"] for line in out.splitlines()]
    if "id" in keeps:
        assert found == []
        assert "2 of 2 picks name no shot of this plan" in err
        assert "leave away the --set that did it, or take `id` out of each pick" in err
    else:
        assert found == [draft["coordinates"] for draft in drafts]
