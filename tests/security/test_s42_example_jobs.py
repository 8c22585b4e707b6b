"""S42: the example jobs, run and looked at in every way with the canary for their key. The room's fixtures search."""

from __future__ import annotations

import shutil
from pathlib import Path

import canary
import pytest
from shop import BOAT, Service, Shop

from flux2batch import cli

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ("quickstart.yaml", "experiment.yaml", "campaign/job.yaml", "edit/job.yaml")
LOOKS = (
    ("status", "run"), ("status", "run", "--json"), ("ledger", "run", "--csv"), ("ledger", "run", "--json"),
    ("sheet", "run"), ("sheet", "run", "--zip", "sheet.zip"), ("export", "run", "--to", "out", "--zip", "out.zip"),
    ("resolve", "run"), ("config",), ("config", "--json"), ("doctor", "run"), ("doctor", "run", "--json"),
)  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES)
def test_s42_an_example_job_shows_its_key_nowhere(shop: Shop, service: Service, example: str) -> None:
    shutil.copytree(ROOT / "specs", shop.folder / "specs", ignore=shutil.ignore_patterns("runs"))
    job = shop.folder / "specs" / example

    ran = shop("run", job, "--yes", "--sample", "4", "--out", "run", "--json")
    looked = [shop(*words).code for words in LOOKS]

    assert ran.code == 0, ran.err
    assert {code for code in looked if code not in (0, 7)} == set(), "doctor may find fault with this machine"
    assert service.books.counts()["tasks"] >= 3
    assert {key for _, key in service.books.sightings()} >= {"none"}, "pictures were fetched without it"
    assert any(key in ("bfl", "fal") for _, key in service.books.sightings()), "and asked for with it"


FAULTS = ("403", "402", "422", "500", "drop", "error", "content-moderated")


@pytest.mark.parametrize("fault", FAULTS)
def test_s42_no_end_of_a_run_shows_the_key(shop: Shop, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    with Service(faults=[fault]) as service:
        monkeypatch.setenv("BFL_BASE_URL", service.bfl_base_url)
        shop.write()
        ran = shop("run", "job.yaml", "--yes", "--out", "run")

        assert ran.code in (1, 5, 6), ran.err
        assert shop("status", "run").code == 0
        assert shop("resolve", "run", "--json").code == 0


def test_s42_a_crash_report_has_everything_but_the_key(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_arguments: object) -> int:
        raise ValueError(f"headers were {{'x-key': '{canary.BFL}', 'Authorization': 'Key {canary.FAL}'}}")

    monkeypatch.setattr(cli, "run", broken)

    said = shop("run", "job.yaml", "--set", f"vars.key={canary.BFL}")

    (report,) = Path.home().rglob("crash-*.txt")
    assert said.code == 8
    assert "headers were" in report.read_text(encoding="utf-8")


def test_s42_the_canary_is_seen_where_it_is(tmp_path: Path) -> None:
    """The search itself: a key in a file, in a zip and as base64 is found."""
    shop_like = tmp_path.parent / f"{tmp_path.name}-seen"
    shop_like.mkdir()
    (shop_like / "job.yaml").write_text(f"{BOAT}# {canary.BFL}\n", encoding="utf-8")

    with pytest.raises(canary.CanarySeen, match=r"job\.yaml"):
        canary.refuse_files([shop_like])
    with pytest.raises(canary.CanarySeen):
        canary.refuse(f"Authorization: Key {canary.FAL}", "a page")
