"""From a file, or the same as Python data, to a Job: defaults, folders, values from the command line."""

from __future__ import annotations

import copy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flux2batch.errors import UsageError
from flux2batch.reading.document import read_document
from flux2batch.reading.job import Job, Override, Repeat, Rule, jobs_of_one_name
from flux2batch.reading.load import folder_of_the_job, load_job, load_job_data
from flux2batch.reading.patching import with_sets
from flux2batch.reading.problems import Problem
from flux2batch.reading.schema import job_schema, with_defaults

SPECS = Path(__file__).resolve().parents[2] / "specs"
SMALL = 'flux2batch: 1\nprompt: "a {{ colour }} boat"\nsweep: {colour: [blue, coral], seed: 1..2}\n'


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str, name: str = "boats.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def loaded(path: Path, **options: Any) -> Job:
    job, problems = load_job(path, **options)
    assert job is not None, [problem.headline for problem in problems]
    return job


def refused(path: Path, **options: Any) -> list[Problem]:
    job, problems = load_job(path, **options)
    assert job is None
    return list(problems)


# --- defaults


def test_the_smallest_job_has_every_default(write: Any) -> None:
    job = loaded(write(SMALL))

    assert job.name == "boats"
    assert job.model == "bfl/flux-2-pro"
    assert job.repeat == Repeat(count=1, same_seed=False)
    assert job.equal == "error"
    assert (job.budget.max_usd, job.budget.warn_usd) == (None, None)
    assert (job.run.concurrency, job.run.timeout_s, job.run.order) == (None, 900, "spread")
    assert (job.output.path, job.output.metadata, job.output.sidecar) == (None, "full", False)
    assert job.params == {}
    assert (job.data, job.references, job.zips, job.draws) == ((), (), (), ())
    assert (job.exclude, job.include, job.override) == ((), (), ())


def test_defaults_are_copied_and_never_written_into_the_schema_or_the_data() -> None:
    schema, data = copy.deepcopy(job_schema()), {"flux2batch": 1, "prompt": "x", "references": {"a": {"path": "b.png"}}}
    untouched = copy.deepcopy(data)

    first, second = with_defaults(data), with_defaults(data)
    first["params"]["steps"] = 3
    first["run"]["order"] = "written"

    assert second["params"] == {}
    assert second["run"]["order"] == "spread"
    assert data == untouched
    assert job_schema() == schema


def test_a_default_of_a_form_that_was_not_meant_does_not_leak() -> None:
    axes = {"n": {"random": [1, 9], "count": 2}, "f": {"file": "a.txt"}, "v": [{"id": "x", "seed": 4}]}

    filled = with_defaults({"flux2batch": 1, "prompt": "x", "sweep": axes})["sweep"]

    assert filled["n"] == {"random": [1, 9], "count": 2, "seed": 1}
    assert filled["f"] == axes["f"]
    assert filled["v"] == axes["v"]


def test_a_structured_prompt_stays_as_it_was_written(write: Any) -> None:
    job = loaded(write("flux2batch: 1\nprompt: {scene: dusk, subjects: [{type: boat, optional: null}]}\n"))

    assert job.prompt == {"scene": "dusk", "subjects": [{"type": "boat", "optional": None}]}


# --- from text to types


def test_the_whole_language_arrives_in_the_job(write: Any) -> None:
    job = loaded(
        write(
            """
flux2batch: 1
prompt: {file: hero.md.j2}
vars: {brand: "#0047AB"}
data:
  products: {file: p.csv, key: sku, rows: "status == 'ready'"}
  copy: {file: c.csv, key: [sku, locale]}
  chosen: {picks: picks.yaml}
references:
  hero: "{{ product.image }}"
  views: {glob: "refs/*.jpg", max: 3}
  blue: {color: "{{ brand }}"}
  board: {collage: [a.png, b.png]}
  sets: {collage: "{{ look.images }}"}
  logo: {path: logo.png, optional: true}
sweep: {product: data.products, steps: [20, 35]}
zip: [{person: [anna, ben], coat: [red, green]}]
draw: {passer: {file: lists/passers.txt}}
exclude: [{steps: [20], where: "person == 'ben'"}]
include: [{product: a, steps: 50, person: anna, coat: red}]
override: [{match: {steps: 35}, set: {safety_tolerance: 1}, repeat: 8}]
repeat: {count: 4, seed: same}
budget: {max_usd: 8.10}
run: {concurrency: 4, timeout: 1.5m, order: written}
"""
        )
    )

    assert [(t.name, t.file, t.picks, t.key) for t in job.data] == [
        ("products", "p.csv", None, ("sku",)),
        ("copy", "c.csv", None, ("sku", "locale")),
        ("chosen", None, "picks.yaml", ()),
    ]
    assert [(r.name, r.path, r.glob, r.max, r.color, r.collage, r.optional) for r in job.references] == [
        ("hero", "{{ product.image }}", None, None, None, None, False),
        ("views", None, "refs/*.jpg", 3, None, None, False),
        ("blue", None, None, None, "{{ brand }}", None, False),
        ("board", None, None, None, None, ("a.png", "b.png"), False),
        ("sets", None, None, None, None, "{{ look.images }}", False),
        ("logo", "logo.png", None, None, None, None, True),
    ]
    assert [axis.steps for axis in (*job.sweep, *job.zips[0], *job.draws)] == [
        ("sweep", "product"), ("sweep", "steps"), ("zip", 0, "person"), ("zip", 0, "coat"), ("draw", "passer"),
    ]  # fmt: skip
    assert job.exclude == (Rule(match={"steps": [20]}, where="person == 'ben'", steps=("exclude", 0)),)
    assert job.include[0].coordinates == {"product": "a", "steps": 50, "person": "anna", "coat": "red"}
    assert job.override == (
        Override(
            rule=Rule(match={"steps": 35}, where=None, steps=("override", 0, "match")),
            set={"safety_tolerance": 1},
            repeat=Repeat(count=8, same_seed=False),
            steps=("override", 0),
        ),
    )
    assert job.repeat == Repeat(count=4, same_seed=True)
    assert (job.run.concurrency, job.run.timeout_s, job.run.order) == (4, Decimal(90), "written")


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("8.10", "8.1"),
        ("0.1", "0.1"),
        ("1e1", "10"),
        ("0x10", "16"),
        ("0.000001", "0.000001"),
        ("+3", "3"),
        ("123456789012.123456", "123456789012.123456"),
    ],
)
def test_a_budget_is_exactly_what_was_written(write: Any, written: str, amount: str) -> None:
    job = loaded(write(f"{SMALL}budget: {{max_usd: {written}}}\n"))

    assert job.budget.max_usd == Decimal(amount)


@pytest.mark.parametrize("path", sorted(SPECS.rglob("*.yaml")), ids=lambda path: path.parent.name + "/" + path.name)
def test_the_example_jobs_load(path: Path) -> None:
    job, problems = load_job(path)

    assert job is not None
    assert problems == ()


# --- names and folders


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("boats.yaml", "boats"),
        ("my boats.v2.yaml", "my boats.v2"),
        ("-x.yaml", "x"),
        ("...yaml", "job"),
        ("a:b.yaml", "a-b"),
    ],
)
def test_a_job_without_a_name_is_called_after_its_file(write: Any, file: str, name: str) -> None:
    assert loaded(write(SMALL, file)).name == name


def test_two_jobs_of_one_folder_may_not_share_a_name(write: Any) -> None:
    first, second = loaded(write(SMALL, "a.yaml")), loaded(write(f"{SMALL}name: A\n", "b.yaml"))
    elsewhere = loaded(write(f"{SMALL}name: a\n", "other/c.yaml"))

    (problem,) = jobs_of_one_name([first, second, elsewhere])

    assert problem.code == "FB211"
    assert problem.where is not None
    assert (Path(problem.where.file).name, problem.where.line, problem.where.column) == ("b.yaml", 4, 7)
    assert "a.yaml" in problem.notes[0].text


def test_one_file_named_twice_is_not_two_jobs(write: Any) -> None:
    path = write(SMALL)

    assert jobs_of_one_name([loaded(path), loaded(path)]) == ()


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ((), "people/ann/shoots/repo/jobs/spring"),
        (("people/ann/shoots/repo/jobs",), "people/ann/shoots/repo/jobs"),
        (("people/ann/shoots/repo",), "people/ann/shoots/repo"),
        (("people/ann/shoots/repo", "people/ann/shoots/repo/jobs/spring"), "people/ann/shoots/repo/jobs/spring"),
        (("people/ann/shoots",), "people/ann/shoots/repo/jobs/spring"),
        (("people/ann", "people", "."), "people/ann/shoots/repo/jobs/spring"),
    ],
    ids=["none", "parent", "root of the repository", "the nearest", "above the repository", "home and above"],
)
def test_the_mark_is_sought_up_to_the_repository(tmp_path: Path, marks: tuple[str, ...], expected: str) -> None:
    folder = tmp_path / "people/ann/shoots/repo/jobs/spring"
    folder.mkdir(parents=True)
    (tmp_path / "people/ann/shoots/repo/.git").mkdir()
    for mark in marks:
        (tmp_path / mark / "flux2batch.toml").touch()

    assert folder_of_the_job(folder, home=tmp_path / "people/ann") == tmp_path / expected


@pytest.mark.parametrize("folder", ["people/ann", "people/ann/jobs"])
def test_the_home_folder_is_never_the_jobs_folder_by_a_mark(tmp_path: Path, folder: str) -> None:
    (tmp_path / "people/ann/jobs").mkdir(parents=True)
    (tmp_path / "people/ann/flux2batch.toml").touch()
    (tmp_path / "flux2batch.toml").touch()

    assert folder_of_the_job(tmp_path / folder, home=tmp_path / "people/ann") == tmp_path / folder


def test_a_link_is_no_mark(tmp_path: Path) -> None:
    folder = tmp_path / "work/jobs"
    folder.mkdir(parents=True)
    (tmp_path / "empty").touch()
    (tmp_path / "work/flux2batch.toml").symlink_to(tmp_path / "empty")

    assert folder_of_the_job(folder, home=None) == folder


def test_a_job_knows_its_folder_its_root_and_what_else_is_allowed(write: Any, tmp_path: Path) -> None:
    path = write(SMALL, "jobs/a.yaml")
    (tmp_path / "flux2batch.toml").touch()

    job = loaded(path, allow_paths=[tmp_path / "brand"])

    assert (job.folder, job.root) == (tmp_path / "jobs", tmp_path)
    assert (job.file, job.allowed) == (tmp_path / "jobs" / "a.yaml", (tmp_path / "brand",))


# --- values from the command line


@pytest.mark.parametrize(
    ("flag", "steps", "value"),
    [
        ("params.size=512x512", ("params", "size"), "512x512"),
        ("params.seed=7", ("params", "seed"), 7),
        ("params={size: match, seed: 3}", ("params",), {"size": "match", "seed": 3}),
        ("prompt=a boat", ("prompt",), "a boat"),
        ("prompt=a boat: at sea", ("prompt",), {"a boat": "at sea"}),
        ('prompt="a boat: at sea"', ("prompt",), "a boat: at sea"),
        ("sweep.seed=1..3", ("sweep", "seed"), "1..3"),
        ("sweep.seed=7", ("sweep", "seed"), [7]),
        ("sweep.seed=[7, 8]", ("sweep", "seed"), [7, 8]),
        ("sweep.colour=red", ("sweep", "colour"), ["red"]),
        ('sweep.colour="1..3"', ("sweep", "colour"), ["1..3"]),
        ("sweep.colour={id: warm, text: red}", ("sweep", "colour"), [{"id": "warm", "text": "red"}]),
        ("sweep.colour={file: a.txt}", ("sweep", "colour"), {"file": "a.txt"}),
        ("sweep.colour=data.products", ("sweep", "colour"), "data.products"),
        ("sweep.params.safety_checker=false", ("sweep", "params.safety_checker"), [False]),
        ("budget.max_usd=0.5", ("budget", "max_usd"), 0.5),
        ("sweep.colour.0=green", ("sweep", "colour", 0), "green"),
    ],
)
def test_a_value_from_the_command_line_takes_its_place(write: Any, flag: str, steps: Any, value: Any) -> None:
    job = loaded(write(SMALL), sets=[flag])

    at = job.document.data
    for step in steps:
        at = at[step]
    assert at == value


def test_a_value_from_the_command_line_leaves_everything_else(write: Any) -> None:
    path = write(SMALL)
    plain, changed = loaded(path), loaded(path, sets=["sweep.seed=9"])

    assert changed.prompt == plain.prompt
    assert changed.sweep[0] == plain.sweep[0]
    assert changed.document.place(("prompt",)) == plain.document.place(("prompt",))
    assert path.read_text(encoding="utf-8") == SMALL


def test_the_later_of_two_values_wins_and_an_inner_one_changes_an_outer_one(write: Any) -> None:
    path = write(SMALL)

    assert loaded(path, sets=["params.seed=1", "params.seed=2"]).params == {"seed": 2}
    assert loaded(path, sets=["params={seed: 1, steps: 5}", "params.seed=2"]).params == {"seed": 2, "steps": 5}
    assert loaded(path, sets=["params.seed=2", "params={steps: 5}"]).params == {"steps": 5}


def test_a_number_from_the_command_line_keeps_the_form_it_was_written_in(write: Any) -> None:
    job = loaded(write(SMALL), sets=["sweep.guidance=2.50", "sweep.steps=[20, 030]", "budget.max_usd=0.10"])

    assert job.document.written(("sweep", "guidance", 0)) == "2.50"
    assert job.document.is_plain(("sweep", "guidance", 0))
    assert job.budget.max_usd == Decimal("0.1")


def test_of_two_values_for_one_place_the_later_is_the_one_that_places_are_of(write: Any) -> None:
    job = loaded(write(SMALL), sets=["sweep.guidance=2.5", "sweep={guidance: [4]}", "sweep.guidance=3.50"])

    assert job.document.written(("sweep", "guidance", 0)) == "3.50"


def test_the_document_that_values_are_laid_over_stays_as_it_was() -> None:
    document, _ = read_document(SMALL.encode(), name="boats.yaml")
    assert document is not None

    patched, _ = with_sets(document, ["sweep.colour=red", "params.seed=3"])

    assert patched is not None
    assert patched.data != document.data
    assert document.data["sweep"]["colour"] == ["blue", "coral"]
    assert "params" not in document.data


@pytest.mark.parametrize(
    ("flag", "code", "column", "words"),
    [
        ("params.width=wide", "FB205", 14, "width must be a whole number"),
        ("params.widht=8", "FB201", 8, "did you mean 'width'?"),
        ("sweep.steps=[20, ~]", "FB207", 18, "entry 2 of steps has no value"),
        ("parms.width=8", "FB201", 1, "did you mean 'params'?"),
        ("sweep.steps=~", "FB207", 7, "steps has no value"),
        ("params.size=[1, 2", "FB100", 13, "never closed"),
        ("run.timeout=900", "FB205", 13, "say the unit"),
        ("params={seed: 1, sead: 2}", "FB201", 18, "did you mean 'seed'?"),
    ],
)
def test_a_problem_of_a_value_from_the_command_line_names_the_flag(
    write: Any, flag: str, code: str, column: int, words: str
) -> None:
    (problem,) = refused(write(SMALL), sets=[flag])

    assert problem.code == code
    assert words in problem.headline
    assert problem.where is not None
    assert problem.where.file == f"--set {flag.partition('=')[0]}"
    assert (problem.where.line, problem.where.column) == (1, column)
    assert problem.where.line_text == flag


@pytest.mark.parametrize(
    "flag", ["params.size", "=3", "params..size=3", "prompt.file=a", "sweep.colour.7=red", "sweep.colour.x=red"]
)
def test_a_flag_that_makes_no_sense_is_a_usage_error(write: Any, flag: str) -> None:
    with pytest.raises(UsageError) as raised:
        load_job(write(SMALL), sets=[flag])

    assert "--set" in str(raised.value)


# --- Python data


def test_python_data_is_a_job_like_any_other(tmp_path: Path) -> None:
    data = {"flux2batch": 1, "prompt": "a {{ c }} boat", "sweep": {"c": ["blue", "red"], "seed": {"range": "1..2"}}}

    job, problems = load_job_data(data, folder=tmp_path)

    assert problems == ()
    assert job is not None
    assert (job.file, job.folder, job.root, job.name) == (None, tmp_path, tmp_path, "job")


def test_a_value_from_the_command_line_goes_over_python_data_as_well(tmp_path: Path) -> None:
    job, _ = load_job_data({"flux2batch": 1, "prompt": "a boat"}, folder=tmp_path, sets=["params.seed=4"])

    assert job is not None
    assert job.params == {"seed": 4}


def test_problems_of_python_data_say_where_by_steps(tmp_path: Path) -> None:
    job, (problem,) = load_job_data({"flux2batch": 1, "prompt": "x", "params": {"width": "8"}}, folder=tmp_path)

    assert job is None
    assert (problem.code, problem.steps, problem.where) == ("FB205", ("params", "width"), None)


# --- files


def test_a_file_that_is_not_there_is_a_problem_and_not_an_exception(tmp_path: Path) -> None:
    (tmp_path / "job.yml").write_text(SMALL, encoding="utf-8")

    (problem,) = refused(tmp_path / "jobs.yml")

    assert problem.code == "FB001"
    assert "job.yml" in (problem.help or "")


def test_messages_call_the_file_as_they_are_told(write: Any) -> None:
    path = write("flux2batch: 1\nprompt:\n")

    (problem,) = refused(path, name="jobs/boats.yaml")

    assert problem.where is not None
    assert problem.where.file == "jobs/boats.yaml"


def test_a_file_of_picks_is_told_from_a_job(tmp_path: Path) -> None:
    file = tmp_path / "picks.yaml"
    file.write_text("picks: 1\nrun: boats\nshots:\n  - {id: dd2f63eb, path: blue.png}\n", encoding="utf-8")

    job, problems = load_job(file)

    assert job is None
    assert [problem.message for problem in problems] == ["a file of picks from a contact sheet, not a job"]
