"""The data of a sheet says what journal, plan and disk say: every shot in its place, in its state, with its reason."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recorded_runs import AT, Shot, grid, id_of, make_way, picture, put, run_again, run_directory

from flux2batch.engine.events import Adopted
from flux2batch.engine.journal import Journal
from flux2batch.engine.run_directory import journal_of
from flux2batch.planning.shot import ShotId
from flux2batch.running.sheet_drawing import EVERYTHING
from flux2batch.running.sheets import write_sheet

Cells = list[dict[str, Any]]


def data_of(*roots: Path, **options: Any) -> dict[str, Any]:
    """What the page is given: read out of the page itself."""
    options = {"target": roots[0].parent / "page" / "sheet.html", **options}
    page = write_sheet(list(roots), **options).path.read_text(encoding="utf-8")
    return dict(json.loads(page.split('id="sheet-data">')[1].split("</script>")[0]))


def cells_of(data: dict[str, Any]) -> Cells:
    """The rows by name, texts in their places, coordinates by the ids of their values."""
    cells: Cells = []
    for row in data["shots"]:
        cell = dict(zip(data["columns"], row, strict=True))
        for name in ("prompt", "final", "reason"):
            cell[name] = data["texts"][cell[name]] if cell[name] >= 0 else None
        cell["at"] = {
            axis["name"]: axis["values"][place]["id"]
            for axis, place in zip(data["axes"], cell["c"], strict=True)
            if place >= 0
        }
        cell["params"] = data["params"][cell["params"]]
        cells.append(cell)
    return cells


def axis(data: dict[str, Any], name: str) -> list[str] | None:
    return next(([value["id"] for value in axis["values"]] for axis in data["axes"] if axis["name"] == name), None)


# States.


@pytest.mark.parametrize(
    ("ends", "ended", "state", "reason"),
    [
        ("done", True, "done", None),
        ("planned", True, "planned", None),
        ("intent", False, "in_flight", None),
        ("intent", True, "planned", None),
        ("sending", False, "in_flight", None),
        ("accepted", False, "in_flight", None),
        ("stalled", True, "stalled", "the words"),
        ("unknown", True, "unknown", "the words"),
        ("rejected", True, "rejected", "the words"),
        ("moderated", True, "moderated", "the words"),
        ("failed", True, "failed", "the words"),
        ("lost", True, "lost", "the words"),
    ],
)
def test_a_cell_has_its_state_and_the_reason(tmp_path: Path, ends: str, ended: bool, state: str, reason: str) -> None:
    shot = Shot(id=id_of(1), coordinates={"subject": "fox"}, path="fox.png", ends=ends, reason="the words")
    root = run_directory(tmp_path / "run", [shot], ended=ended)

    (cell,) = cells_of(data_of(root, finished=ended))

    assert (cell["state"], cell["reason"]) == (state, reason)
    assert (cell["file"] is not None) is (ends == "done")


def test_a_done_cell_has_everything_that_stands_beside_a_picture(tmp_path: Path) -> None:
    shot = Shot(
        id=id_of(1),
        coordinates={"subject": "fox"},
        path="fox/a b.png",
        prompt="a fox",
        final="a fox, rewritten",
        params={"guidance": 2.5, "seed": 7},
        remark="jpeg was asked for, png came",
    )
    root = run_directory(tmp_path / "run", [shot])

    (cell,) = cells_of(data_of(root))

    assert cell["id"] == shot.id
    assert cell["file"] == "../run/fox/a b.png"
    assert (cell["w"], cell["h"], cell["seed"], cell["usd"]) == (64, 48, 7, "0.06")
    assert (cell["prompt"], cell["final"]) == ("a fox", "a fox, rewritten")
    assert (cell["task"], cell["seconds"]) == ("task-0000", 4.0)
    assert cell["reason"] == "jpeg was asked for, png came"
    assert cell["params"] == {"model": "bfl/flux-2-flex", "width": 64, "height": 48, "guidance": 2.5}
    assert (tmp_path / "page" / ".sheet" / f"{cell['thumb']}-s.jpg").is_file()
    assert (tmp_path / "page" / ".sheet" / f"{cell['thumb']}-l.jpg").is_file()


def test_money_in_doubt_is_shown_as_such(tmp_path: Path) -> None:
    root = run_directory(tmp_path / "run", [Shot(id=id_of(1), coordinates={}, path="a.png", ends="unknown")])

    (cell,) = cells_of(data_of(root))

    assert (cell["usd"], cell["at_risk"]) == (None, "0.06")


def removed(file: Path) -> None:
    file.unlink()


def turned_into_a_link(file: Path) -> None:
    secret = file.parent.parent / "secret.png"
    secret.write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(secret)


def turned_into_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("change", [removed, turned_into_a_link, turned_into_a_folder])
def test_a_picture_that_is_no_longer_a_file_of_the_directory_is_missing(tmp_path: Path, change: Any) -> None:
    root = run_directory(tmp_path / "run", grid(subject=["fox", "owl"]))
    change(root / "fox.png")

    fox, owl = cells_of(data_of(root))

    assert (fox["state"], fox["file"], fox["thumb"], owl["state"]) == ("missing", None, None, "done")


def test_a_picture_that_does_not_decode_has_no_thumbnail_and_is_still_linked(tmp_path: Path) -> None:
    root = run_directory(tmp_path / "run", grid(subject=["fox", "owl"]))
    (root / "fox.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")

    fox, owl = cells_of(data_of(root))

    assert (fox["state"], fox["thumb"], fox["file"]) == ("done", None, "../run/fox.png")
    assert owl["thumb"] is not None


# Axes.


def test_axes_stand_in_the_order_of_the_job_with_the_labels_of_their_values(tmp_path: Path) -> None:
    data = data_of(run_directory(tmp_path / "run", grid(subject=["owl", "fox"], guidance=["4.0", "2.0"])))

    assert [(one["name"], one["numeric"]) for one in data["axes"]] == [("subject", False), ("guidance", True)]
    assert data["axes"][0]["values"] == [{"id": "owl", "label": "subject owl"}, {"id": "fox", "label": "subject fox"}]
    assert [cell["at"] for cell in cells_of(data)][:2] == [
        {"subject": "owl", "guidance": "4.0"},
        {"subject": "owl", "guidance": "2.0"},
    ]


def test_repeats_and_frames_are_axes_where_there_are_several(tmp_path: Path) -> None:
    shots = [
        Shot(id=id_of(1), coordinates={"subject": "fox"}, path="a.png", frames=2),
        Shot(id=id_of(2), coordinates={"subject": "fox"}, path="b.png", frames=2, repeat=2, ends="moderated"),
    ]
    data = data_of(run_directory(tmp_path / "run", shots))

    assert (axis(data, "repeat"), axis(data, "frame")) == (["1", "2"], ["1", "2"])
    assert [(c["at"]["repeat"], c["at"]["frame"], c["state"], c["usd"]) for c in cells_of(data)] == [
        ("1", "1", "done", "0.06"),
        ("1", "2", "done", None),
        ("2", "1", "moderated", "0"),
        ("2", "2", "moderated", None),
    ]


def test_a_job_of_one_shot_has_neither(tmp_path: Path) -> None:
    data = data_of(run_directory(tmp_path / "run", [Shot(id=id_of(1), coordinates={}, path="a.png")]))

    assert (data["axes"], data["view"]["x"], len(data["shots"])) == ([], None, 1)


def test_an_axis_of_the_job_keeps_its_name_beside_ours(tmp_path: Path) -> None:
    shots = [
        Shot(id=id_of(1), coordinates={"frame": "oak"}, path="a.png", frames=2),
        Shot(id=id_of(2), coordinates={"frame": "gilt"}, path="b.png", frames=2),
    ]
    data = data_of(run_directory(tmp_path / "run", shots))

    assert (axis(data, "frame"), axis(data, "frame-2")) == (["oak", "gilt"], ["1", "2"])


def test_a_run_with_only_keeps_what_the_directory_holds_besides_in_the_order_of_the_job(tmp_path: Path) -> None:
    shots = grid(guidance=["2.0", "3.0", "4.0"])
    root = run_directory(tmp_path / "run", shots)
    with closing(Journal.open(journal_of(root), driving=True)) as journal:
        run_again(root, shots[1:2], journal, known=[shots[1].id])

    data = data_of(root)

    assert axis(data, "guidance") == ["2.0", "3.0", "4.0"]
    assert sorted(cell["at"]["guidance"] for cell in cells_of(data)) == ["2.0", "3.0", "4.0"]


VIEWS: list[tuple[dict[str, list[str]], dict[str, Any], tuple[object, ...]]] = [
    # axes, the job's `sheet:`, (x, y, rows, cycle)
    ({"a": ["1", "2"], "b": ["1", "2"]}, {"x": "a", "y": "b"}, ("a", "b", [], None)),
    ({"a": ["1", "2"], "b": ["1", "2"]}, {}, ("b", "a", [], None)),
    ({"a": ["1", "2"], "seed": ["1", "2"]}, {}, ("seed", "a", [], None)),
    ({"a": ["1", "2"], "b": ["1", "2"], "seed": ["1", "2"]}, {}, ("b", "a", [], "seed")),
    ({"a": ["1", "2"], "b": ["1", "2"], "c": ["1", "2"]}, {}, ("c", "b", ["a"], None)),
    ({"a": ["1", "2"], "b": ["1", "2"], "c": ["1", "2"]}, {"x": "a", "y": "c"}, ("a", "c", ["b"], None)),
    ({"a": ["1", "2"], "seed": ["1", "2"]}, {"x": "a", "cycle": "seed"}, ("a", None, [], "seed")),
    ({"a": ["1", "2"]}, {"x": "gone", "rows": ["gone", "a"]}, (None, None, ["a"], None)),
    ({"a": ["1"], "b": ["1", "2"]}, {}, ("b", None, [], None)),
]


@pytest.mark.parametrize(("axes", "asked", "expected"), VIEWS)
def test_the_first_view_is_the_jobs_or_one_that_shows_every_axis(
    tmp_path: Path, axes: dict[str, list[str]], asked: dict[str, Any], expected: tuple[object, ...]
) -> None:
    view = data_of(run_directory(tmp_path / "run", grid(**axes), sheet=asked))["view"]

    assert (view["x"], view["y"], view["rows"], view["cycle"]) == expected


# Several plans, several runs.


def edited(shots: list[Shot], first_id: int) -> list[Shot]:
    return [replace(shot, id=id_of(first_id + n), prompt="edited") for n, shot in enumerate(shots)]


def with_history(root: Path, rounds: int = 1) -> Path:
    """A job whose prompt was edited after each run: the old pictures made way."""
    shots = grid(subject=["fox", "owl"])
    run_directory(root, shots)
    for number in range(1, rounds + 1):
        after = edited(shots, 100 * number)
        with closing(Journal.open(journal_of(root), driving=True)) as journal:
            for shot in shots:
                make_way(root, shot, journal)
            run_again(root, after, journal)
        shots = after
    return root


def test_pictures_that_made_way_are_shown_beside_what_replaced_them_when_asked(tmp_path: Path) -> None:
    root = with_history(tmp_path / "run")

    now, both = data_of(root), data_of(root, selected=replace(EVERYTHING, earlier=True))

    assert (axis(now, "version"), now["earlier_hidden"], len(now["shots"])) == (None, 2, 2)
    assert (axis(both, "version"), both["earlier_hidden"]) == (["now", "earlier"], 0)
    assert (now["earlier_usd"], both["earlier_usd"]) == ("0.12", "0")
    foxes = [(c["at"]["version"], c["prompt"], c["state"]) for c in cells_of(both) if c["at"]["subject"] == "fox"]
    assert foxes == [("now", "edited", "done"), ("earlier", "a red fox", "done")]


def test_every_earlier_picture_of_a_place_has_its_own_version(tmp_path: Path) -> None:
    root = with_history(tmp_path / "run", rounds=2)

    both = data_of(root, selected=replace(EVERYTHING, earlier=True))
    foxes = {c["at"]["version"]: c["id"] for c in cells_of(both) if c["at"]["subject"] == "fox"}

    assert foxes == {"now": id_of(200), "earlier": id_of(100), "earlier-2": id_of(1)}


def adopted(root: Path, shot: Shot, source: str) -> None:
    put(root / shot.path, picture(int(shot.id[:6], 16)))
    with closing(Journal.open(journal_of(root), driving=True)) as journal:
        journal.append(
            [(ShotId(shot.id), Adopted(source=source, intended=shot.intended, saved=(shot.saved(0),)))], at=AT
        )


def test_a_picture_that_was_taken_over_says_where_it_was_paid_for(tmp_path: Path) -> None:
    shots = grid(subject=["fox", "owl"])
    shots[1].ends = "planned"
    root = run_directory(tmp_path / "run", shots)
    adopted(root, shots[1], "/home/somebody/runs/draft")

    _, owl = cells_of(data_of(root))

    assert (owl["state"], owl["usd"], owl["seconds"], owl["at"]) == ("done", "0", None, {"subject": "owl"})
    assert owl["reason"] == "taken over from draft, and not paid for here"
    assert owl["thumb"] is not None


def test_one_that_was_taken_over_for_an_earlier_plan_is_shown_among_the_earlier_ones(tmp_path: Path) -> None:
    root = run_directory(tmp_path / "run", grid(subject=["fox", "owl"]))
    gone = Shot(id=id_of(7), coordinates={"subject": "fox"}, path="earlier/x-00000007.png")
    adopted(root, gone, "../draft")

    data = data_of(root, selected=replace(EVERYTHING, earlier=True))

    assert [(c["at"].get("version"), c["state"]) for c in cells_of(data) if c["id"] == gone.id] == [("earlier", "done")]


def test_what_was_withdrawn_or_never_sent_of_an_earlier_plan_is_not_shown(tmp_path: Path) -> None:
    shots = grid(subject=["fox", "owl"])
    shots[1].ends = "intent"
    root = run_directory(tmp_path / "run", shots)
    with closing(Journal.open(journal_of(root), driving=True)) as journal:
        run_again(root, shots[:1], journal, known=[shots[0].id])

    assert [cell["id"] for cell in cells_of(data_of(root))] == [shots[0].id]


def test_runs_lie_side_by_side_with_the_run_as_an_axis(tmp_path: Path) -> None:
    draft = run_directory(tmp_path / "runs" / "draft", grid(subject=["fox", "owl"], guidance=["2.0", "4.0"]))
    final = run_directory(tmp_path / "runs" / "final", grid(subject=["owl", "cat"], guidance=["3.0"]))

    data = data_of(draft, final, target=tmp_path / "runs" / "sheet.html")
    cells = cells_of(data)

    assert [one["name"] for one in data["axes"]] == ["run", "subject", "guidance"]
    assert (axis(data, "run"), axis(data, "subject")) == (["draft", "final"], ["fox", "owl", "cat"])
    assert {(c["at"]["run"], c["file"]) for c in cells if c["at"]["subject"] == "owl"} == {
        ("draft", "draft/owl-2.0.png"),
        ("draft", "draft/owl-4.0.png"),
        ("final", "final/owl-3.0.png"),
    }
    assert data["storage_key"] == "flux2batch:id-of-draft+id-of-final"
    assert all((tmp_path / "runs" / ".sheet" / f"{c['thumb']}-s.jpg").is_file() for c in cells)


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    roots = [run_directory(tmp_path / name / "study", grid(subject=["fox"])) for name in ("a", "b")]

    assert axis(data_of(*roots), "run") == ["study", "study-2"]


def test_an_emulated_run_says_so(tmp_path: Path) -> None:
    real = run_directory(tmp_path / "real", grid(subject=["fox"]))
    emulated = run_directory(tmp_path / "emulated", grid(subject=["fox"]), emulated=True)

    assert [data_of(real)["emulated"], data_of(emulated)["emulated"]] == [False, True]
    assert data_of(emulated)["runs"][0]["command"] == "flux2batch run job.yaml --emulate --out emulated"


# References.


def with_reference(folder: Path, digest: str, source: str = "refs/a.png") -> dict[str, Any]:
    job = folder / "job.yaml"
    job.write_text("flux2batch: 1\nprompt: a\n")
    shot = Shot(id=id_of(1), coordinates={}, path="a.png", references=(f"pack {source} {digest}",))
    root = run_directory(folder / "runs" / "job", [shot], job_file=job)
    (reference,) = data_of(root, target=root / "index.html")["references"]
    return dict(reference)


def digest_of(content: bytes) -> str:
    import hashlib

    return f"file:1:{hashlib.sha256(content).hexdigest()}"


def test_a_reference_is_shown_as_a_picture_while_its_file_is_there_and_the_same(tmp_path: Path) -> None:
    put(tmp_path / "refs" / "a.png", picture(3))

    reference = with_reference(tmp_path, digest_of(picture(3)))

    assert (reference["name"], reference["source"], reference["kind"]) == ("pack", "refs/a.png", "file")
    assert (tmp_path / "runs" / "job" / ".sheet" / reference["thumb"]).is_file()


@pytest.mark.parametrize(
    ("source", "digest"),
    [
        ("refs/a.png", digest_of(picture(4))),  # the file was changed since
        ("refs/gone.png", digest_of(picture(3))),
        ("../outside.png", digest_of(picture(5))),  # out of the job's folder
        ("link.png", digest_of(picture(5))),
        ("#FF0000", "color:#FF0000:1024x1024"),
        ("https://example.com/a.png", "url:https://example.com/a.png"),
    ],
)
def test_any_other_reference_is_named_alone(tmp_path: Path, source: str, digest: str) -> None:
    put(tmp_path / "outside.png", picture(5))
    folder = tmp_path / "job"
    put(folder / "refs" / "a.png", picture(3))
    (folder / "link.png").symlink_to(tmp_path / "outside.png")

    reference = with_reference(folder, digest, source)

    assert (reference["source"], reference["thumb"]) == (source, None)


@pytest.mark.parametrize("folder", ["/home/somebody/client/", "C:/Users/somebody/", "D:\\client\\", "~/client/"])
def test_a_reference_from_an_allowed_folder_does_not_tell_where_that_is(tmp_path: Path, folder: str) -> None:
    reference = with_reference(tmp_path, digest_of(b""), f"{folder}a.png")

    assert reference["source"] == "a.png"


# A directory that is not whole.


@pytest.mark.parametrize("ends", ["done", "planned", "moderated"])
@pytest.mark.parametrize("has_plan", [True, False])
def test_a_trimmed_picture_has_the_size_that_it_is_trimmed_to(tmp_path: Path, ends: str, has_plan: bool) -> None:
    shot = Shot(id=id_of(1), coordinates={}, path="a.png", ends=ends, trim=(60, 40))
    root = run_directory(tmp_path / "run", [shot])
    if not has_plan:
        (root / "plan.jsonl").unlink()

    cells = cells_of(data_of(root))

    assert [(cell["w"], cell["h"]) for cell in cells] == [(60, 40)] * (has_plan or ends != "planned")
    assert all((cell["params"]["width"], cell["params"]["height"]) == (64, 48) for cell in cells)


@pytest.mark.parametrize("trim", [7, "0x40", "60x40x2", "9999999x1", "x", "", ["60", "40"]])
def test_a_trim_that_is_none_is_passed_over(tmp_path: Path, trim: object) -> None:
    shot = Shot(id=id_of(1), coordinates={}, path="a.png", ends="planned")
    root = run_directory(tmp_path / "run", [shot])
    (root / "plan.jsonl").write_text(json.dumps({**shot.row(0), "trim": trim}) + "\n", encoding="utf-8")

    (cell,) = cells_of(data_of(root))

    assert (cell["w"], cell["h"]) == (64, 48)


@pytest.mark.parametrize(
    "plan",
    [
        None,
        "{",
        "[]\n",
        '{"id": 3}\n',
        '{"id": "x", "index": true, "model": "", "endpoint": "", "prompt": "", "params": {}, "references": [],'
        ' "coordinates": {}, "repeat": 1, "paths": []}\n',
        "\udcff",
    ],
)
def test_without_a_plan_that_can_be_read_the_journal_alone_is_shown(tmp_path: Path, plan: str | None) -> None:
    root = run_directory(tmp_path / "run", grid(subject=["fox", "owl"]))
    if plan is None:
        (root / "plan.jsonl").unlink()
    else:
        (root / "plan.jsonl").write_bytes(plan.encode("utf-8", "surrogateescape"))

    written = write_sheet(root)

    assert written.pictures == 2
    assert bool(written.remarks) is (plan is not None)


def test_numbers_that_a_browser_would_round_stay_whole(tmp_path: Path) -> None:
    shot = Shot(id=id_of(1), coordinates={}, path="a.png", params={"seed": 2**60 + 1, "other": 2**60 + 1})

    (cell,) = cells_of(data_of(run_directory(tmp_path / "run", [shot])))

    assert (cell["seed"], cell["params"]["other"]) == (str(2**60 + 1), str(2**60 + 1))


def test_a_directory_from_somebody_else_cannot_ask_for_a_million_cells(tmp_path: Path) -> None:
    shot = Shot(id=id_of(1), coordinates={}, path="a.png", ends="planned", params={"num_images": 1_000_000})

    assert len(data_of(run_directory(tmp_path / "run", [shot]))["shots"]) == 64
