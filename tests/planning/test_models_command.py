"""`flux2batch models` and the page that is made from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flux2batch.commands.models import command
from flux2batch.errors import UsageError
from flux2batch.planning.models.catalogue import entries
from flux2batch.planning.models.in_words import example_job
from flux2batch.planning.models.parameters import check_value
from flux2batch.reading.load import load_job

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


@pytest.fixture(autouse=True)
def _nobodys_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty.toml"
    empty.touch()
    monkeypatch.setenv("FLUX2BATCH_CONFIG", str(empty))


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert command.main([*arguments], standalone_mode=False) in (None, 0)
    return capsys.readouterr().out


def test_the_table_says_which_model_one_wants(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys).splitlines()

    assert lines[0].split() == ["model", "best", "for", "1", "MP", "refs", "own", "controls"]
    assert [line.split()[0] for line in lines[2:]] == list(entries())
    assert next(line for line in lines if line.startswith("bfl/flux-2-flex")).split()[-5:] == [
        "$0.05", "8", "guidance,", "steps,", "upsampling",
    ]  # fmt: skip


@pytest.mark.parametrize("columns", ["60", "80", "100", "140"])
def test_the_table_fits_its_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    assert max(len(line) for line in said(capsys).splitlines()) <= int(columns)


@pytest.mark.parametrize("model", entries())
def test_everything_about_a_model_is_shown(capsys: pytest.CaptureFixture[str], model: str) -> None:
    shown = said(capsys, model)
    entry = entries()[model]

    assert all(f"\n{name} " in shown for name in entry.parameters)
    assert all(name in shown for name in (*entry.ignored, *entry.judged, entry.endpoint))
    assert "\n  flux2batch: 1\n" in shown
    assert entry.price is not None
    assert entry.price.asof.isoformat() in shown


@pytest.mark.parametrize("model", entries())
def test_the_example_of_a_model_is_a_job_that_loads(tmp_path: Path, model: str) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(example_job(entries()[model]), encoding="utf-8")

    job, problems = load_job(file)

    assert problems == ()
    assert job is not None
    assert job.model == model
    checked = [check_value(entries()[model], name, value) for name, value in job.params.items()]
    assert not any(checked)


def test_programs_get_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    every = json.loads(said(capsys, "--json"))
    one = json.loads(said(capsys, "bfl/flux-2-flex", "--json"))

    assert (every["schema_version"], [each["model"] for each in every["models"]]) == (1, list(entries()))
    assert (one["schema_version"], one["model"], one["usd_for_1024x1024"]) == (1, "bfl/flux-2-flex", 0.05)
    assert one["parameters"]["guidance"]["schema"] == {"type": "number", "minimum": 1.5, "maximum": 10}


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("flux-2-flx", "did you mean 'bfl/flux-2-flex'?"),
        ("fal/flux-2-klein-9b-preview", "write model: bfl/flux-2-klein-9b-preview"),
    ],
)
def test_a_misspelt_model_is_answered_with_the_right_one(word: str, remedy: str) -> None:
    with pytest.raises(UsageError) as refused:
        command.main([word], standalone_mode=False)

    assert remedy in str(refused.value)


def test_prices_and_models_of_ones_own_are_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from flux2batch.resources import read_text

    (tmp_path / "models").mkdir()
    own = read_text("schemas/models/bfl-flux-2-pro.json").replace("bfl/flux-2-pro", "bfl/flux-2-next")
    (tmp_path / "models" / "next.json").write_text(own)
    config = tmp_path / "own.toml"
    config.write_text('[models]\nfolders = ["models"]\n[prices]\n"bfl/flux-2-next" = 0.9\n')

    shown = said(capsys, "--config", str(config))

    assert next(line for line in shown.splitlines() if line.startswith("bfl/flux-2-next ")).split()[-3] == "$0.90"


def test_the_page_of_the_documents_is_made_from_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    """If this fails: flux2batch models --markdown > docs/models.md"""
    assert PAGE.read_text(encoding="utf-8") == said(capsys, "--markdown")


def test_the_page_gives_a_reason_for_every_judgement() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert [
        (model, topic)
        for model, entry in entries().items()
        for topic, why in entry.judged.items()
        if f"- `{topic}`: {why}" not in page
    ] == []
