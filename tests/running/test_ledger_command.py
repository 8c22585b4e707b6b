"""`flux2batch ledger`: what was spent, to the last digit of the journal."""

from __future__ import annotations

import csv
import io
import json
import shutil
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
from tiny_runs import Runs

SCHEMAS = Path(__file__).parents[2] / "schemas"
LINE, SUM = (
    json.loads((SCHEMAS / f"ledger-{name}.schema.json").read_text(encoding="utf-8")) for name in ("line", "sum")
)


def _charged(runs: Runs) -> Decimal:
    """All charges in the journal, added up beside our own code: the last word of each take counts."""
    takes: dict[str, Decimal] = {}
    settled = Decimal(0)
    for kind, shot, payload in runs.events():
        if shot is None:
            continue
        if kind == "Retried":
            settled += takes.pop(shot, Decimal(0))
        charge = payload.get("charge")
        if charge is not None:
            takes[shot] = Decimal(charge["usd"])
    return settled + sum(takes.values(), start=Decimal(0))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run is kept: it is made for the first test and copied for the others."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def retried(runs: Runs, shelf: Path) -> Runs:
    """A run with every ending, retried once, with a picture bought twice."""
    folder = runs.job.parent
    if any(shelf.iterdir()):
        shutil.copytree(shelf, folder, dirs_exist_ok=True)
        return runs
    runs.made()
    (runs.root / "calm.png").unlink()
    runs("retry", runs.job, "--quiet")
    runs("retry", runs.job, "--missing", "--quiet")
    shutil.copytree(folder, shelf, dirs_exist_ok=True)
    return runs


@pytest.mark.parametrize("by", ["model", "status", "day", "mark"])
def test_every_way_to_sum_up_gives_what_the_journal_has(retried: Runs, by: str) -> None:
    sums = retried("ledger", "--by", by, "--json").lines

    for each in sums:
        jsonschema.validate(each, SUM)
    assert sum(Decimal(each["charged_usd"]) for each in sums) == _charged(retried)
    status = retried("status", "--json").json["cost_usd"]
    assert float(sum(Decimal(each["at_risk_usd"]) for each in sums)) == status["at_risk"]
    assert sum(each["takes"] for each in sums) == retried.kinds().count("Intended")


def test_a_line_of_json_is_a_take(retried: Runs) -> None:
    lines = retried("ledger", "--json").lines

    for line in lines:
        jsonschema.validate(line, LINE)
    assert len(lines) == retried.kinds().count("Intended")
    assert "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines) == (
        retried.root / "ledger.jsonl"
    ).read_text(encoding="utf-8")


def test_csv_has_the_same_takes(retried: Runs) -> None:
    rows = list(csv.DictReader(io.StringIO(retried("ledger", "--csv").out)))

    assert sum(Decimal(row["charged_usd"] or 0) for row in rows) == _charged(retried)
    by_status = list(csv.DictReader(io.StringIO(retried("ledger", "--csv", "--by", "status").out)))
    assert sum(Decimal(row["charged_usd"]) for row in by_status) == _charged(retried)


def test_csv_for_an_excel_of_semicolons_has_the_same_takes(retried: Runs) -> None:
    written = retried("ledger", "--csv", "--semicolons").out

    assert written.startswith('\ufeff"shot";"take";')
    rows = list(csv.DictReader(io.StringIO(written.removeprefix("\ufeff")), delimiter=";"))
    assert sum(Decimal(row["charged_usd"].replace(",", ".") or 0) for row in rows) == _charged(retried)
    assert not any("." in row[name] for row in rows for name in ("estimate_usd", "charged_usd", "megapixels_out"))
    sums = retried("ledger", "--csv", "--semicolons", "--by", "status").out
    by_status = csv.DictReader(io.StringIO(sums.removeprefix("\ufeff")), delimiter=";")
    assert sum(Decimal(row["charged_usd"].replace(",", ".")) for row in by_status) == _charged(retried)


def test_semicolons_without_csv_are_a_usage_error(retried: Runs) -> None:
    refused = retried("ledger", "--json", "--semicolons")

    assert refused.code == 2
    assert "--semicolons goes with --csv" in refused.err


def test_a_part_is_asked_for_by_expression_or_by_picks(retried: Runs, tmp_path: Path) -> None:
    picks = tmp_path / "picks.yaml"
    picks.write_text("picks: 1\nrun: tiny\nshots:\n  - coordinates: {mark: calm}\n    rating: 5\n", encoding="utf-8")

    by_expression = retried("ledger", "--only", "mark == 'calm'", "--json").lines
    by_picks = retried("ledger", "--picks", picks, "--json").lines

    assert [line["coordinates"]["mark"] for line in by_expression] == ["calm", "calm"]
    assert by_picks == by_expression


def test_an_axis_that_does_not_exist_is_a_usage_error_that_names_one(retried: Runs) -> None:
    said = retried("ledger", "--by", "marc")

    assert (said.code, "did you mean 'mark'?" in said.err) == (2, True)


def test_the_table_has_a_total(retried: Runs) -> None:
    out = retried("ledger", "--by", "status").out

    assert out.splitlines()[-1].split()[0] == "total"
    assert "Emulated" not in out
