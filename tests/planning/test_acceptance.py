"""What a plan has to be able to do, read from top to bottom as it was asked for; each by the command itself."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flux2batch.cli import run

SPECS = Path(__file__).parents[2] / "specs"
EXPERIMENT = SPECS / "experiment.yaml"
CAMPAIGN = SPECS / "campaign"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Planned:
    """What `flux2batch plan --jsonl` answered."""

    code: int
    out: str
    err: str

    @property
    def shots(self) -> list[Row]:
        """The shots; the plan must have succeeded."""
        assert self.code == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def ids(self) -> list[str]:
        """Their ids, in order."""
        return [shot["id"] for shot in self.shots]

    @property
    def paths(self) -> list[str]:
        """Where the pictures go, in order."""
        return [path for shot in self.shots for path in shot["paths"]]


Plan = Callable[..., Planned]


@pytest.fixture
def plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Plan:
    """Plans a job file, or the text of one (without its first line) in a folder of its own."""

    def planned(job: Path | str, *flags: object) -> Planned:
        file = job if isinstance(job, Path) else tmp_path / "job.yaml"
        if isinstance(job, str):
            file.write_text(f"flux2batch: 1\n{job}", encoding="utf-8")
        code = run(["plan", str(file), "--jsonl", "--format", "concise", *map(str, flags)])
        out, err = capsys.readouterr()
        return Planned(code, out, err)

    return planned


def coordinates(shot: Row) -> dict[str, str]:
    return {name: value["id"] if isinstance(value, dict) else value for name, value in shot["coordinates"].items()}


def usd(shots: list[Row]) -> float:
    return round(sum(shot["cost_usd"]["max"] for shot in shots), 6)


def picture(path: Path, side: int = 640, *, colour: str = "white") -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), colour).save(path)


# 1. The experiment of the design, and what changes an id.


def test_the_experiment_is_132_shots_for_6_dollars_60(plan: Plan) -> None:
    shots = plan(EXPERIMENT).shots

    assert len(shots) == 132
    assert {shot["cost_usd"]["max"] for shot in shots} == {0.05}
    assert usd(shots) == 6.60


def test_two_more_seeds_make_220_shots_that_contain_the_132_unchanged(plan: Plan) -> None:
    before = plan(EXPERIMENT).ids
    after = plan(EXPERIMENT, "--set", "sweep.seed=101..105", "--set", "budget.max_usd=20").ids

    assert len(after) == len(set(after)) == 220
    assert set(before) < set(after)


CHANGES = [
    "name=another",
    "tags=[x]",
    "description=other words",
    "budget.max_usd=100",
    "sheet.x=steps",
    'output.path="{{ index }}"',
    "run.order=written",
    "run.concurrency=1",
    "sweep.subject=[{id: a, text: a red fox asleep in fresh snow}, {id: clock, label: x, text: "
    '"a brass clock, the word TEMPO on its dial"}]',
]


@pytest.mark.parametrize("change", CHANGES)
def test_names_labels_tags_paths_budget_and_sheet_change_no_id(plan: Plan, change: str) -> None:
    assert plan(EXPERIMENT, "--set", change).ids == plan(EXPERIMENT).ids


def test_repeat_4_and_seed_1_to_4_are_the_same_shots(plan: Plan) -> None:
    repeated = plan("prompt: a boat\nrepeat: 4\n")
    swept = plan("prompt: a boat\nsweep: {seed: 1..4}\n")

    assert repeated.ids == swept.ids
    assert repeated.paths == ["job.png", "job-r2.png", "job-r3.png", "job-r4.png"]


def test_a_byte_of_a_reference_changes_exactly_the_shots_that_use_it(plan: Plan, tmp_path: Path) -> None:
    job = (
        'prompt: "a boat {{ c }}"\nparams: {size: 512x512}\nreferences: {look: "{{ c }}.png"}\n'
        "sweep: {c: [a, b], seed: 1..2}\n"
    )
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    before = plan(job).shots

    touched = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(touched + b"\0")
    after = plan(job).shots

    changed = [coordinates(was)["c"] for was, now in zip(before, after, strict=True) if was["id"] != now["id"]]
    assert changed == ["b", "b"]


# 2. What a sweep can say.


def test_one_model_twice_with_different_settings(plan: Plan) -> None:
    shots = plan(
        "prompt: a boat\nsweep: {model: [{id: low, value: bfl/flux-2-flex, set: {guidance: 2}}, "
        "{id: high, value: bfl/flux-2-flex, set: {guidance: 8}}, bfl/flux-2-pro]}\n"
    ).shots

    assert [(shot["model"], shot["params"].get("guidance")) for shot in shots] == [
        ("bfl/flux-2-flex", 2.0),
        ("bfl/flux-2-flex", 8.0),
        ("bfl/flux-2-pro", None),
    ]
    assert [shot["paths"] for shot in shots] == [["low.png"], ["high.png"], ["bfl-flux-2-pro.png"]]


def test_when_limits_a_parameter_axis_to_one_model(plan: Plan) -> None:
    shots = plan(
        "prompt: a boat\nsweep: {model: [bfl/flux-2-flex, bfl/flux-2-pro], "
        "guidance: {values: 2..4, when: \"model == 'bfl/flux-2-flex'\"}}\n"
    ).shots

    assert [(shot["model"], shot["params"].get("guidance")) for shot in shots] == [
        ("bfl/flux-2-flex", 2.0),
        ("bfl/flux-2-flex", 3.0),
        ("bfl/flux-2-flex", 4.0),
        ("bfl/flux-2-pro", None),
    ]


def test_names_are_made_of_letters_of_every_script_and_of_a_hash_where_there_are_none(plan: Plan) -> None:
    paths = plan('prompt: "a {{ c }} boat"\nsweep: {c: [赤い船, "!!!", "???", Überfluß]}\n').paths

    assert [paths[0], paths[3]] == ["赤い船.png", "überfluß.png"]
    assert all(len(path) == len("abcd.png") for path in paths[1:3])
    assert paths[1] != paths[2]


def test_equal_words_in_two_locales_are_bought_once_and_laid_at_both_paths(plan: Plan) -> None:
    job = (
        'prompt: "the word {{ word }}"\nsweep: {locale: [de, at, en]}\nvars: {words: {de: Boot, at: Boot, en: boat}}\n'
    ).replace("{{ word }}", "{{ words[locale] }}")

    refused = plan(job)
    shared = plan(job + "equal: share\n").shots

    assert refused.code == 3
    assert "FB606" in refused.err
    assert [(shot["prompt"], shot["paths"]) for shot in shared] == [
        ("the word Boot", ["de.png", "at.png"]),
        ("the word boat", ["en.png"]),
    ]


# The twelve common sizes of advertisements: what is asked for at BFL and at fal, or why nothing can be.
AD_SIZES = [
    ("1080x1080", "1088x1088", "1088x1088"),
    ("1080x1350", "1088x1360", "1088x1360"),
    ("1080x1920", "1088x1920", "1088x1920"),
    ("1200x628", "1200x640", "1200x640"),
    ("1920x1080", "1920x1088", "1920x1088"),
    ("300x250", "304x256", "560x512"),
    ("728x90", "736x96", "it draws no side shorter than 512, and of 736x512 82% would be cut away"),
    ("160x600", "160x608", "512x1728"),
    ("970x250", "976x256", "1792x512"),
    ("1200x1200", "1200x1200", "1200x1200"),
    ("820x312", "832x320", "1216x512"),
    ("1500x500", "1504x512", "1504x512"),
]


@pytest.mark.parametrize(("exact", "at_bfl", "at_fal"), AD_SIZES, ids=[case[0] for case in AD_SIZES])
def test_exact_plans_the_twelve_sizes_of_advertisements_or_says_why_not(
    plan: Plan, exact: str, at_bfl: str, at_fal: str
) -> None:
    for model, wanted in (("bfl/flux-2-pro", at_bfl), ("fal/flux-2", at_fal)):
        planned = plan(f"model: {model}\nprompt: a boat\nparams: {{size: {{exact: {exact}}}}}\n")
        if " " in wanted:
            assert planned.code == 3
            assert "FB607" in planned.err
            assert wanted in planned.err
            continue
        (shot,) = planned.shots
        assert f"{shot['params']['width']}x{shot['params']['height']}" == wanted


def test_three_sets_of_references_are_an_axis_and_take_the_edit_endpoint_only_where_there_are_some(
    plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abc":
        picture(tmp_path / f"{name}.png", colour="red" if name == "a" else "blue" if name == "b" else "green")
    job = (
        "model: fal/flux-2\nprompt: \"a boat{% if look.images %} like {{ refs('look') }}{% endif %}\"\n"
        'params: {size: 512x512}\nreferences: {look: {path: "{{ look.images }}", optional: true}}\n'
        "sweep: {look: [{id: none, images: []}, {id: one, images: [a.png]}, "
        "{id: three, images: [a.png, b.png, c.png]}]}\n"
    )

    shots = plan(job).shots
    run(["plan", str(tmp_path / "job.yaml"), "--json"])
    told = json.loads(capsys.readouterr().out)

    assert [(shot["prompt"], len(shot["references"])) for shot in shots] == [
        ("a boat", 0),
        ("a boat like image 1", 1),
        ("a boat like images 1, 2 and 3", 3),
    ]
    prices = [shot["cost_usd"]["max"] for shot in shots]
    assert prices == sorted(set(prices)), "each picture more costs more"
    assert told["without"] == [{"reference": "look", "shots": 1}]
    assert [upload["path"] for upload in told["uploads"]] == ["a.png", "b.png", "c.png"]
    assert [shot["endpoint"] for shot in shots] == ["/fal-ai/flux-2", "/fal-ai/flux-2/edit", "/fal-ai/flux-2/edit"]


def test_an_optional_reference_may_be_missing_and_another_may_not(plan: Plan, tmp_path: Path) -> None:
    picture(tmp_path / "logo.png")
    (tmp_path / "p.csv").write_text("sku,logo\nmug,logo.png\ncap,\n", encoding="utf-8")
    job = (
        'data: {products: {file: p.csv, key: sku}}\nprompt: "{{ product.sku }}"\nparams: {size: 512x512}\n'
        'references: {logo: {path: "{{ product.logo }}"%s}}\nsweep: {product: data.products}\n'
    )

    optional = plan(job % ", optional: true").shots
    needed = plan(job % "")

    assert [len(shot["references"]) for shot in optional] == [1, 0]
    assert needed.code == 3
    assert "p.csv:3:1: " in needed.err
    assert "FB413" in needed.err


def test_rows_keeps_the_lines_that_are_ready(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("sku,status\nmug,ready\ncap,draft\ntote,ready\n", encoding="utf-8")
    shots = plan(
        "data: {products: {file: p.csv, key: sku, rows: \"status == 'ready'\"}}\n"
        'prompt: "{{ product.sku }}"\nsweep: {product: data.products}\n'
    ).shots

    assert [shot["prompt"] for shot in shots] == ["mug", "tote"]


def test_picks_are_a_table_and_a_choice(plan: Plan, tmp_path: Path) -> None:
    job = 'prompt: "a {{ c }} boat"\nsweep: {c: [red, blue], seed: 1..2}\n'
    chosen = plan(job).shots[2]
    picks = tmp_path / "picks.yaml"
    picks.write_text(json.dumps([{"coordinates": coordinates(chosen), "note": "more of this"}]), encoding="utf-8")

    again = plan(job, "--picks", picks).shots
    larger = plan(
        'data: {best: {picks: picks.yaml}}\nprompt: "a {{ pick.c }} boat"\nparams: {size: 1536x1536, '
        'seed: "{{ pick.seed }}"}\nsweep: {pick: data.best}\n'
    ).shots

    assert [shot["id"] for shot in again] == [chosen["id"]]
    assert [(shot["prompt"], shot["params"]["seed"], shot["params"]["width"]) for shot in larger] == [
        ("a blue boat", 1, 1536)
    ]


def test_a_picked_text_is_what_was_written_and_not_its_id(plan: Plan, tmp_path: Path) -> None:
    pick = {"coordinates": {"drink": {"id": "ff5733-spritz", "value": "#FF5733 spritz"}}}
    (tmp_path / "picks.yaml").write_text(json.dumps([pick]), encoding="utf-8")

    shots = plan('data: {best: {picks: picks.yaml}}\nprompt: "a {{ pick.drink }}"\nsweep: {pick: data.best}\n').shots

    assert [shot["prompt"] for shot in shots] == ["a #FF5733 spritz"]


def test_a_pick_that_is_gone_from_the_plan_is_told(plan: Plan, tmp_path: Path) -> None:
    job = 'prompt: "a {{ c }} boat"\nsweep: {c: [red, blue], seed: 1..2}\n'
    first, _, third, _ = plan(job).shots
    picks = tmp_path / "picks.yaml"
    entries = [{"id": first["id"], "path": first["paths"][0]}, {"id": third["id"], "path": "blue-1.png"}]
    picks.write_text(json.dumps(entries), encoding="utf-8")

    asked = plan(job.replace("blue", "green"), "--picks", picks)

    assert [shot["id"] for shot in asked.shots] == [first["id"]]
    assert "1 of 2 picks names no shot of this plan: blue-1.png" in asked.err
    assert "no shot of this plan" not in plan(job, "--picks", picks).err


def test_a_workbook_is_a_table_like_any_other(plan: Plan, tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["sku", "seed"], ["mug", 7], ["cap", 8]):
        book.active.append(row)
    book.save(tmp_path / "p.xlsx")

    shots = plan(
        'data: {products: {file: p.xlsx, key: sku}}\nprompt: "{{ product.sku }}"\n'
        'params: {seed: "{{ product.seed }}"}\nsweep: {product: data.products}\n'
    ).shots

    assert [(shot["prompt"], shot["params"]["seed"]) for shot in shots] == [("mug", 7), ("cap", 8)]


def test_sample_is_spread_over_every_axis_and_the_same_every_time(plan: Plan) -> None:
    sampled = plan(EXPERIMENT, "--sample", 12)

    assert len(sampled.shots) == 12
    assert sampled.ids == plan(EXPERIMENT, "--sample", 12).ids
    assert set(sampled.ids) < set(plan(EXPERIMENT).ids)
    seen: dict[str, set[str]] = {}
    for shot in sampled.shots:
        for axis, id in coordinates(shot).items():
            seen.setdefault(axis, set()).add(id)
    assert {axis: len(values) for axis, values in seen.items()} == {
        "subject": 2,
        "light": 2,
        "guidance": 4,
        "steps": 3,
        "seed": 3,
    }


def test_limit_is_the_first_so_many(plan: Plan) -> None:
    assert plan(EXPERIMENT, "--limit", 5).ids == plan(EXPERIMENT).ids[:5]


def test_set_replaces_a_value_for_this_call_and_one_value_on_an_axis_is_a_list_of_one(plan: Plan) -> None:
    shots = plan(EXPERIMENT, "--set", "params.size=512x512", "--set", "sweep.light=dusk", "--set", "sweep.seed=9").shots

    assert {(shot["params"]["width"], coordinates(shot)["light"], shot["params"]["seed"]) for shot in shots} == {
        (512, "dusk", 9)
    }
    assert len(shots) == 22


def test_an_empty_flux2batch_toml_widens_the_jobs_folder_to_its_own(plan: Plan, tmp_path: Path) -> None:
    picture(tmp_path / "shared" / "logo.png")
    job = tmp_path / "jobs" / "spring" / "boat.yaml"
    job.parent.mkdir(parents=True)
    job.write_text(
        "flux2batch: 1\nprompt: a boat\nparams: {size: 512x512}\nreferences: {logo: ../../shared/logo.png}\n",
        encoding="utf-8",
    )

    refused = plan(job)
    (tmp_path / "flux2batch.toml").touch()
    allowed = plan(job).shots

    assert refused.code == 4
    assert "FB702" in refused.err
    assert [len(shot["references"]) for shot in allowed] == [1]


POLICIES = [
    # what the policy says, what the job asks for, and the code of the refusal
    ('[allow]\nmodels = ["bfl/flux-2-klein-4b"]', "prompt: x\nmodel: bfl/flux-2-max\n", "FB613"),
    (
        '[allow]\nhosts = ["api.bfl.ai", "*.example.org"]',
        "prompt: x\nparams: {size: 512x512}\nreferences: {a: https://evil.test/a.png}\n",
        "FB614",
    ),
    ("[limits]\nmax_shots = 10", "prompt: x\nsweep: {seed: 1..11}\n", "FB605"),
    ("[limits]\nper_run_usd = 0.10", "prompt: x\nsweep: {seed: 1..11}\nbudget: {max_usd: 50}\n", "FB610"),
]


@pytest.mark.parametrize(("policy", "job", "code"), POLICIES, ids=[policy[2] for policy in POLICIES])
def test_a_policy_in_the_configuration_holds_whatever_the_job_says(
    plan: Plan, tmp_path: Path, policy: str, job: str, code: str
) -> None:
    (tmp_path / "config.toml").write_text(policy, encoding="utf-8")

    refused = plan(job, "--config", tmp_path / "config.toml")

    assert refused.code == 4
    assert code in refused.err
    assert plan(job).code == 0, "without the policy it may"


# 2. The campaign: 3 products × 3 languages × 3 formats, less 3.


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """A copy of the campaign, to be damaged."""
    import shutil

    shutil.copytree(CAMPAIGN, tmp_path / "campaign", ignore=shutil.ignore_patterns("runs"))
    return tmp_path / "campaign"


def test_the_campaign_is_24_shots_each_with_its_own_picture_and_words_and_one_seed_a_product(plan: Plan) -> None:
    shots = plan(CAMPAIGN / "job.yaml").shots
    of_product: dict[str, set[tuple[int, str, int]]] = {}
    for shot in shots:
        seen = (shot["params"]["seed"], shot["references"][0]["source"], len(shot["references"]))
        of_product.setdefault(coordinates(shot)["product"], set()).add(seen)

    assert len(shots) == 24
    assert {sku: {(source, count) for _, source, count in seen} for sku, seen in of_product.items()} == {
        "mug-01": {("refs/mug.png", 2)},
        "tote-02": {("refs/tote.png", 3)},
        "cap-03": {("refs/cap.png", 2)},
    }
    assert len({seed for seen in of_product.values() for seed, *_ in seen}) == 3
    assert {shot["paths"][0] for shot in shots if "Langsame Morgen" in shot["prompt"]} == {
        f"de/mug-01-{format}.png" for format in ("feed", "story", "banner")
    }
    assert not any(path.startswith("fr/cap-03") for shot in shots for path in shot["paths"])


def test_a_missing_headline_is_one_error_for_its_row_with_the_number_of_its_shots(plan: Plan, campaign: Path) -> None:
    copy = campaign / "data" / "copy.csv"
    copy.write_text(copy.read_text(encoding="utf-8").replace("Langsame Morgen", ""), encoding="utf-8")

    refused = plan(campaign / "job.yaml")

    assert refused.code == 3
    assert refused.err.count("FB316") == 1
    assert "data/copy.csv:3 (sku mug-01, locale de): headline is empty" in refused.err


def test_missing_pictures_are_named_by_file_line_and_key_all_at_once(plan: Plan, campaign: Path) -> None:
    for name in ("mug", "cap"):
        (campaign / "refs" / f"{name}.png").unlink()

    refused = plan(campaign / "job.yaml")

    assert refused.code == 3
    assert refused.err.count("FB401") == 2
    assert "data/products.csv:2 (sku mug-01): no such file 'refs/mug.png'" in refused.err
    assert "data/products.csv:4 (sku cap-03): no such file 'refs/cap.png'" in refused.err


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
def test_tables_as_excel_writes_them_give_the_same_shots(plan: Plan, campaign: Path, encoding: str) -> None:
    before = plan(CAMPAIGN / "job.yaml").ids
    products, copy = campaign / "data" / "products.csv", campaign / "data" / "copy.csv"
    text = "sku;locale;headline;\r\n" + "".join(
        f"{line.replace(',', ';', 2)};\r\n" for line in copy.read_text(encoding="utf-8").splitlines()[1:]
    )
    copy.write_bytes(text.encode(encoding))
    products.write_bytes(codecs.BOM_UTF8 + products.read_bytes())

    assert plan(campaign / "job.yaml").ids == before


# 3. The mistakes that everybody makes, answered with the remedy.

REMEDIES = [
    ("model: bfl/flux-2-pro\nparams: {steps: 30}", "FB602", "bfl/flux-2-flex"),
    ("model: bfl/flux-2-flex\nparams: {guidance: 12}", "FB204", "1.5 to 10"),
    ("params: {size: 2560x2560}", "FB601", "2048x2048"),
    ("params: {width: 1000, height: 768}", "FB204", "992 or 1008"),
    ("params: {size: 512x512}\nreferences: {all: {glob: 'refs/*.png', max: 9}}", "FB603", "8"),
    (
        "model: bfl/flux-2-klein-4b\nparams: {size: 512x512}\nreferences: {all: {glob: 'refs/*.png', max: 5}}",
        "FB603",
        "4",
    ),
]


@pytest.mark.parametrize(("job", "code", "remedy"), REMEDIES, ids=[f"{case[1]} {case[2]}" for case in REMEDIES])
def test_a_common_mistake_is_answered_with_its_remedy(
    plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str], job: str, code: str, remedy: str
) -> None:
    for number in range(9):
        picture(tmp_path / "refs" / f"{number}.png")
    assert code in plan(f"prompt: a boat\n{job}\n").err

    exit_code = run(["plan", str(tmp_path / "job.yaml")])

    assert exit_code == 3
    assert remedy in capsys.readouterr().err


def test_validate_plan_and_run_take_the_same_flags_on_a_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("flux2batch: 1\nprompt: a boat\nsweep: {seed: 1..11}\n", encoding="utf-8")
    flags = ["--strict", "--check-urls", "--assume-price", "0.05", "--max-shots", "10", "--allow-path", str(tmp_path)]

    for command in ("validate", "plan", "run"):
        assert run([command, str(job), *flags, "--format", "concise"]) == 4
        said = capsys.readouterr()
        assert "FB605" in said.out + said.err
