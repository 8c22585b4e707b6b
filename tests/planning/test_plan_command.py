"""`flux2batch plan`: what it prints, for people and for programs, and how it ends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from flux2batch.cli import run

SPECS = Path(__file__).parents[2] / "specs"
SCHEMAS = Path(__file__).parents[2] / "schemas"
BOAT = 'flux2batch: 1\nname: boats\nprompt: "a {{ colour }} boat"\nsweep: {colour: [red, blue], seed: 1..3}\n'


@pytest.fixture
def job(tmp_path: Path) -> Path:
    file = tmp_path / "boats.yaml"
    file.write_text(BOAT, encoding="utf-8")
    return file


@dataclass(frozen=True, slots=True)
class Result:
    exit_code: int
    stdout: str
    stderr: str


Planner = Callable[..., Result]


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Planner:
    """Runs `flux2batch plan` in this process."""
    monkeypatch.setenv("COLUMNS", "100")

    def planned(*arguments: object) -> Result:
        exit_code = run(["plan", *map(str, arguments)])
        out, err = capsys.readouterr()
        return Result(exit_code, out, err)

    return planned


def test_a_plan_says_what_it_costs_and_that_nothing_was_sent(plan: Planner, job: Path) -> None:
    result = plan(job)

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "boats  6 shots  bfl/flux-2-pro"
    assert result.stdout.splitlines()[-1] == "Will spend $0.18. Nothing was sent."
    assert result.stderr == ""


def test_a_plan_names_axes_sizes_uploads_and_their_host(plan: Planner) -> None:
    out = plan(SPECS / "campaign" / "job.yaml").stdout

    assert "mug-01, tote-02, cap-03" in out
    assert "1080x1350, drawn as 1088x1360" in out
    assert "15 shots without reference 'logo'" in out
    assert [line.split()[0] for line in out.splitlines() if line.endswith("api.bfl.ai")] == [
        "refs/mug.png",
        "refs/tote.png",
        "refs/logo.png",
        "refs/cap.png",
    ]


FILTERED = """\
flux2batch: 1
name: catalogue
prompt: "{{ product.name }}"
data: {products: {file: products.csv, key: sku, rows: "status == 'ready'"}, colours: {file: colours.csv}}
sweep: {product: data.products}
"""


def test_a_plan_and_validate_say_how_many_rows_a_filter_keeps(
    plan: Planner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text(FILTERED, encoding="utf-8")
    (tmp_path / "colours.csv").write_text("colour\nred\n", encoding="utf-8")
    (tmp_path / "products.csv").write_text("sku,name,status\nm1,mug,ready\nt2,ready\nc3,cap,ready \n", encoding="utf-8")

    text, whole, comment = plan(file), json.loads(plan(file, "--json").stdout), plan(file, "--markdown").stdout
    exit_code = run(["validate", str(file)])
    checked = capsys.readouterr()

    assert "\n1 of 3 rows of products.csv\n" in text.stdout
    assert "\n- 1 of 3 rows of products.csv\n" in comment
    assert whole["tables"] == [
        {"name": "products", "file": "products.csv", "rows": 1, "all_rows": 3},
        {"name": "colours", "file": "colours.csv", "rows": 1, "all_rows": 1},
    ]
    jsonschema.validate(whole, _schema("plan"))
    assert [problem["code"] for problem in whole["warnings"]] == ["FB313", "FB319"]
    assert exit_code == 0
    assert checked.out.splitlines()[0].endswith("  1 shot, bfl/flux-2-pro, 1 axis, 1 of 3 rows of products.csv")


def test_the_machine_outputs_are_as_their_schemas_say(plan: Planner, job: Path) -> None:
    for file in (job, SPECS / "campaign" / "job.yaml", SPECS / "edit" / "job.yaml", SPECS / "experiment.yaml"):
        whole = json.loads(plan(file, "--json").stdout)
        rows = [json.loads(line) for line in plan(file, "--jsonl").stdout.splitlines()]

        jsonschema.validate(whole, _schema("plan"))
        for row in rows:
            jsonschema.validate(row, _schema("shot"))
        assert len(rows) == whole["shots"] == whole["new"]
        assert round(sum(row["cost_usd"]["max"] for row in rows), 6) == whole["cost_usd"]["max"]


def test_the_flags_choose_and_change(plan: Planner, job: Path) -> None:
    def rows(*flags: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in plan(job, "--jsonl", *flags).stdout.splitlines()]

    assert [row["index"] for row in rows("--limit", "2")] == [0, 1]
    assert [row["index"] for row in rows("--only", "seed == 2")] == [1, 4]
    assert {row["coordinates"]["colour"] for row in rows("--sample", "2")} == {"red", "blue"}
    assert [row["params"]["seed"] for row in rows("--set", "sweep.seed=[9]")] == [9, 9]
    assert {row["params"]["width"] for row in rows("--set", "params.size=512x512")} == {512}


@pytest.mark.parametrize(
    ("flags", "exit_code", "words"),
    [
        (["--max-shots", "5"], 4, "FB605"),
        (["--only", "sed == 2"], 3, "FB301"),
        (["--limit", "0"], 2, "--limit"),
        (["--max-usd", "-1"], 2, "--max-usd"),
        (["--format", "xml"], 2, "--format"),
        (["--json", "--jsonl"], 2, "choose one"),
        (["--out", "boats.yaml"], 7, "FB504"),
    ],
)
def test_what_cannot_be_is_refused_with_its_exit_code(
    plan: Planner, job: Path, flags: list[str], exit_code: int, words: str
) -> None:
    flags = [str(job.parent / flag) if flag == "boats.yaml" else flag for flag in flags]

    result = plan(job, *flags)

    assert result.exit_code == exit_code
    assert words in result.stderr
    assert result.stdout == ""


def test_a_plan_over_the_budget_says_how_many_shots_fit(plan: Planner, job: Path) -> None:
    refused = plan(job, "--max-usd", "0.10")

    assert refused.exit_code == 4
    assert "error[FB610]" in refused.stderr
    assert "3 of them fit: run --up-to-budget buys those" in refused.stderr
    assert "Would spend $0.18, which is more than may be spent. Nothing was sent." in refused.stdout
    shown = refused.stdout.splitlines()[:-1]
    assert shown == plan(job).stdout.splitlines()[:-1], "what is too dear is shown, for whoever has to make it cheaper"


def test_warnings_are_errors_where_one_asks_for_it(plan: Planner, job: Path) -> None:
    job.write_text(f"{BOAT}vars: {{brand: blue}}\n", encoding="utf-8")

    assert plan(job).exit_code == 0
    assert plan(job, "--strict").exit_code == 3


def test_an_unknown_price_is_refused_unless_one_is_assumed(plan: Planner, job: Path, tmp_path: Path) -> None:
    entry = json.loads((SCHEMAS / "models" / "bfl-flux-2-pro.json").read_text())
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "bfl-flux-2-next.json").write_text(
        json.dumps({**entry, "model": "bfl/flux-2-next", "price": None})
    )
    (tmp_path / "config.toml").write_text('[models]\nfolders = ["models"]\n')
    job.write_text(f"{BOAT}model: bfl/flux-2-next\n", encoding="utf-8")
    config = ["--config", tmp_path / "config.toml"]

    refused, assumed = plan(job, *config), plan(job, *config, "--assume-price", "0.5")

    assert (refused.exit_code, "FB612" in refused.stderr) == (4, True)
    assert assumed.stdout.splitlines()[-1] == "Will spend $3.00. Nothing was sent."


def test_a_policy_in_the_configuration_holds_for_every_job(
    plan: Planner, job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text('[limits]\nmax_shots = 5\n[allow]\nmodels = ["bfl/flux-2-klein-*"]\n')

    monkeypatch.setenv("FLUX2BATCH_CONFIG", str(tmp_path / "config.toml"))

    result = plan(job)
    job.write_text(BOAT.replace("1..3", "1..2"), encoding="utf-8")
    another = plan(job)

    assert (result.exit_code, "FB605" in result.stderr) == (4, True)
    assert (another.exit_code, "FB613" in another.stderr) == (4, True)


def test_markdown_is_safe_in_a_pull_request(plan: Planner, job: Path) -> None:
    job.write_text(BOAT.replace("[red, blue]", "[{id: '<img src=x>|@all'}, blue]"), encoding="utf-8")

    out = plan(job, "--markdown").stdout

    assert "<img" not in out
    assert "@all" not in out
    assert "Nothing was sent." in out


def test_an_output_file_is_written_whole(plan: Planner, job: Path, tmp_path: Path) -> None:
    result = plan(job, "--jsonl", "-o", tmp_path / "plan.jsonl")

    assert result.stdout == ""
    assert len((tmp_path / "plan.jsonl").read_text().splitlines()) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["boats.yaml", "plan.jsonl"]


def test_several_jobs_are_planned_one_after_the_other(plan: Planner, job: Path) -> None:
    lines = plan(job, SPECS / "quickstart.yaml", "--json").stdout.splitlines()

    assert [json.loads(line)["name"] for line in lines] == ["boats", "quickstart"]


def _schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def test_what_a_run_directory_has_already_costs_nothing(plan: Planner, job: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "boats.emulated"
    job.write_text(BOAT + "params: {size: 256x256}\n", encoding="utf-8")
    assert run(["run", str(job), "--emulate", "--yes", "--quiet"]) == 0
    plan(job)  # takes what the run has printed

    same = json.loads(plan(job, "--json", "--out", out).stdout)
    grown = plan(job, "--set", "sweep.seed=1..4", "--out", out)
    shrunk = json.loads(plan(job, "--json", "--set", "sweep.seed=1..2", "--out", out).stdout)

    assert (same["new"], same["done"], same["left"]) == (0, 6, 0)
    assert (shrunk["new"], shrunk["done"], shrunk["left"]) == (0, 4, 2)
    assert grown.stdout.splitlines()[-2:] == ["2 new, 6 done", "Will spend $0.06. Nothing was sent."]


def test_only_what_is_still_to_be_bought_counts_against_a_bound(plan: Planner, job: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "boats.emulated"
    job.write_text(BOAT + "params: {size: 256x256}\n", encoding="utf-8")
    assert run(["run", str(job), "--emulate", "--yes", "--quiet"]) == 0

    grown = ["--set", "sweep.seed=1..4", "--out", out]

    assert plan(job, *grown, "--max-usd", "0.06").exit_code == 0
    assert plan(job, *grown, "--max-usd", "0.05").exit_code == 4


def test_a_changed_default_of_a_model_says_which_pictures_it_costs(plan: Planner, job: Path, tmp_path: Path) -> None:
    job.write_text(BOAT + "model: bfl/flux-2-flex\nparams: {size: 256x256}\n", encoding="utf-8")
    assert run(["run", str(job), "--emulate", "--yes", "--quiet"]) == 0
    plan(job)
    entry = json.loads((SCHEMAS / "models" / "bfl-flux-2-flex.json").read_text(encoding="utf-8"))
    entry["revision"] += 1
    entry["parameters"]["guidance"]["default"] = 4.5
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "flex.json").write_text(json.dumps(entry), encoding="utf-8")
    (tmp_path / "config.toml").write_text('[models]\nfolders = ["models"]\n', encoding="utf-8")
    later = ["--out", tmp_path / "runs" / "boats.emulated", "--config", tmp_path / "config.toml", "--json"]

    changed = json.loads(plan(job, *later).stdout)
    kept = json.loads(plan(job, *later, "--set", "params.guidance=5").stdout)
    edited = json.loads(plan(job, *later, "--set", "params.guidance=3").stdout)

    assert (changed["new"], changed["left"]) == (6, 6)
    assert [(warning["code"], warning["message"]) for warning in changed["warnings"]] == [
        (
            "FB609",
            "6 shots change because guidance's default on bfl/flux-2-flex is now 4.5; "
            "it was 5.0 when their pictures were made",
        )
    ]
    assert (kept["new"], kept["warnings"]) == (0, [])
    assert (edited["new"], edited["warnings"]) == (6, []), "what the job itself says is no default"


def test_a_picture_that_was_deleted_by_hand_is_said_and_not_bought_again(
    plan: Planner, job: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs" / "boats.emulated"
    job.write_text(BOAT + "params: {size: 256x256}\n", encoding="utf-8")
    assert run(["run", str(job), "--emulate", "--yes", "--quiet"]) == 0
    plan(job)
    (out / "red-2.png").unlink()

    told = json.loads(plan(job, "--json", "--out", out).stdout)
    strict = plan(job, "--strict", "--out", out)

    assert (told["new"], [warning["code"] for warning in told["warnings"]]) == (0, ["FB505"])
    assert "'red-2.png'" in told["warnings"][0]["message"]
    assert strict.exit_code == 4


def test_shots_that_a_run_beside_this_one_may_be_paying_for_are_said_with_their_price(
    plan: Planner, job: Path, tmp_path: Path
) -> None:
    text = BOAT.replace("a {{ colour }} boat", "a {{ colour }} boat [emulate drop-after-accept]")
    job.write_text(text + "params: {size: 256x256}\n", encoding="utf-8")
    assert run(["run", str(job), "--emulate", "--yes", "--quiet"]) == 5
    plan(job)

    # To an emulated neighbour nothing real is owed, so this one stands in for a run on the real service.
    told = plan(job, "--reuse", _as_if_real(tmp_path / "runs" / "boats.emulated"), "--json")

    (found,) = json.loads(told.stdout)["warnings"]
    assert found["code"] == "FB608"
    assert found["message"].startswith("6 shots are in flight or unknown")
    assert "($0.18)" in found["message"]


def _as_if_real(root: Path) -> Path:
    with closing(sqlite3.connect(root / ".flux2batch" / "journal.db")) as database:
        database.execute("UPDATE meta SET value = 'real' WHERE key = 'kind'")
        database.commit()
    return root


def test_the_prompts_that_are_shown_come_from_all_over_the_plan(plan: Planner) -> None:
    shown = [line for line in plan(SPECS / "campaign" / "job.yaml").stdout.splitlines() if line.startswith("›")]

    assert [word for line in shown for word in ("mug", "tote", "cap") if word in line] == ["mug", "tote", "cap"]


# Red where only the job's budget and --max-usd are asked once a run directory may be there.
def test_a_limit_of_the_configuration_holds_whatever_lies_beside_the_job(
    plan: Planner, job: Path, tmp_path: Path
) -> None:
    config = tmp_path / "policy.toml"
    config.write_text("[limits]\nper_run_usd = 0.1\n", encoding="utf-8")

    for _ in range(2):
        refused = plan(job, "--config", str(config))
        assert refused.exit_code == 4
        assert "set by limits.per_run_usd" in refused.stderr
        (tmp_path / "runs").mkdir(exist_ok=True)


def test_a_comment_on_a_pull_request_says_that_the_plan_is_too_dear(plan: Planner, job: Path) -> None:
    refused = plan(job, "--max-usd", "0.10", "--markdown")

    assert "> **FB610** 6 new shots cost up to $0.18, the budget is $0.10" in refused.stdout
    assert "Would spend **$0.18**, which is more than may be spent." in refused.stdout


@pytest.mark.parametrize("form", ["github", "json", "sarif"])
def test_beside_an_object_on_stdout_nothing_else_stands_there(
    plan: Planner, job: Path, tmp_path: Path, form: str
) -> None:
    refused = plan(job, "--max-usd", "0.10", "--json", "--format", form)

    assert json.loads(refused.stdout)["shots"] == 6
    assert "FB610" in refused.stderr
    assert "FB610" in plan(job, "--max-usd", "0.10", "--json", "--format", form, "-o", str(tmp_path / "plan")).stdout


def test_of_two_plans_each_comment_tells_what_is_wrong_with_its_own(plan: Planner, job: Path) -> None:
    cheap = job.with_name("cheap.yaml")
    cheap.write_text(BOAT.replace("boats", "cheap").replace("1..3", "1..1"), encoding="utf-8")

    said = plan(job, str(cheap), "--max-usd", "0.10", "--markdown").stdout

    assert [part.count("FB610") for part in said.split("### ")[1:]] == [1, 0]


# Red where a bound that stands in no file leaves what it forbids without a place.
def test_of_several_jobs_each_problem_names_its_own(plan: Planner, job: Path, tmp_path: Path) -> None:
    cheap = job.with_name("cheap.yaml")
    cheap.write_text(BOAT.replace("boats", "cheap").replace("1..3", "1..1"), encoding="utf-8")
    words = (job, str(cheap), "--max-usd", "0.10")

    annotated = plan(*words, "--format", "github", "-o", str(tmp_path / "plan")).stdout
    (told,) = [line for line in annotated.splitlines() if line.startswith("::error")]
    assert told.startswith(f"::error file={job},line=1,")
    assert f"\n --> {job}:1:1\n" in plan(*words).stderr
    in_the_way = tmp_path / "in-the-way"
    in_the_way.write_text("", encoding="utf-8")
    problems = json.loads(plan(job, str(cheap), "--out", str(in_the_way), "--format", "json").stdout)["problems"]
    assert [(each["code"], each["file"]) for each in problems] == [("FB504", str(job)), ("FB504", str(cheap))]


def test_a_sum_to_warn_of_is_told_although_another_job_is_too_dear(plan: Planner, job: Path) -> None:
    warned = job.with_name("warned.yaml")
    text = BOAT.replace("boats", "warned").replace("1..3", "1..1")
    warned.write_text(f"{text}budget: {{warn_usd: 0.01}}\n", encoding="utf-8")

    said = plan(job, str(warned), "--max-usd", "0.10").stderr

    assert "warning[FB610]" in said
    assert "error[FB610]" in said


# Red where a plan beside no run directory has words of its own.
def test_a_plan_is_too_dear_in_the_same_words_whatever_lies_beside_it(plan: Planner, job: Path, tmp_path: Path) -> None:
    words = (job, "--max-usd", "0.10")
    alone = plan(*words)
    (tmp_path / "runs").mkdir()
    beside = plan(*words)

    assert alone.stderr == beside.stderr
    assert "6 new shots cost up to $0.18, the budget is $0.10" in alone.stderr
    assert "3 of them fit: run --up-to-budget buys those" in alone.stderr


def test_beside_a_job_that_cannot_be_planned_one_that_is_too_dear_is_told_as_well(plan: Planner, job: Path) -> None:
    broken = job.with_name("broken.yaml")
    broken.write_text(BOAT.replace("boats", "broken").replace("1..3", "3..1"), encoding="utf-8")

    said = plan(job, str(broken), "--max-usd", "0.10")

    assert said.exit_code == 4
    assert ["FB311" in said.stderr, "FB610" in said.stderr] == [True, True]
