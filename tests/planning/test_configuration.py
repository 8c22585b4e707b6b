"""The user's configuration: what it may say, where each value came from, and that a job never widens it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flux2batch.errors import InvalidInput
from flux2batch.money import Money, usd
from flux2batch.planning.configuration import (
    Configuration,
    concurrency,
    host_fault,
    is_loopback,
    load_configuration,
    model_fault,
    tightest_budget,
)
from flux2batch.planning.models.catalogue import entries
from flux2batch.planning.models.pricing import quote
from flux2batch.reading.problems import Problem

EVERYTHING = """\
[prices]
"bfl/flux-2-pro" = 0.02
"fal/flux-2" = {output = 0.01}

[limits]
per_run_usd = 20
per_day_usd = 50.50
max_shots = 500

[allow]
models = ["bfl/flux-2-*", "fal/flux-2"]
hosts = ["cdn.example.com", "*.Example.org"]
paths = ["brand", "/srv/pictures"]

[service.bfl]
base_url = "https://api.eu.bfl.ai/"
concurrency = 6
proxy = "http://proxy.example:3128"

[reuse]
folders = ["old/runs"]

[models]
folders = ["models"]
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def loaded(folder: Path, text: str = "", environ: dict[str, str] | None = None, **flags: Any) -> Configuration:
    return load_configuration(file=written(folder, text), environ=environ or {}, **flags)


def refused(folder: Path, text: str, environ: dict[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as stopped:
        loaded(folder, text, environ)
    assert stopped.value.exit_code == 2
    return stopped.value.problems


def test_every_setting_can_be_written(tmp_path: Path) -> None:
    found = loaded(tmp_path, EVERYTHING)

    assert found.limits.per_run_usd == usd(20)
    assert found.limits.per_day_usd == usd("50.5")
    assert found.limits.max_shots == 500
    assert found.allow.models == ("bfl/flux-2-*", "fal/flux-2")
    assert found.allow.hosts == ("cdn.example.com", "*.example.org")
    assert found.allow.paths == (tmp_path / "brand", Path("/srv/pictures"))
    assert found.services["bfl"].base_url == "https://api.eu.bfl.ai"
    assert found.services["bfl"].concurrency == 6
    assert found.services["bfl"].proxy == "http://proxy.example:3128"
    assert found.services["fal"].base_url == "https://queue.fal.run"
    assert found.reuse == (tmp_path / "old/runs",)
    assert found.models == (tmp_path / "models",)


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    found = loaded(tmp_path)

    assert found.limits.max_shots == 10_000
    assert found.limits.per_run_usd is None
    assert found.allow.models is None
    assert found.services["bfl"].base_url == "https://api.bfl.ai"
    assert set(found.origins.values()) == {"default"}


def test_prices_of_ones_own_reach_the_quote(tmp_path: Path) -> None:
    prices = loaded(tmp_path, EVERYTHING).prices
    catalogue = entries()

    pro = quote(catalogue["bfl/flux-2-pro"], width=2048, height=2048, references=(), prices=prices)
    dev = quote(catalogue["fal/flux-2"], width=1024, height=1024, references=((1024, 1024),), prices=prices)

    assert pro is not None
    assert dev is not None
    assert (pro.max, dev.max) == (Decimal("0.02"), Decimal("0.022"))


# Precedence: default < file < environment < flag.


def test_flags_win_over_the_environment_and_the_environment_over_the_file(tmp_path: Path) -> None:
    file = "[limits]\nmax_shots = 500\nper_run_usd = 20\n"
    variables = {"FLUX2BATCH_MAX_SHOTS": "600", "BFL_BASE_URL": "http://127.0.0.1:8080"}

    by_file = loaded(tmp_path, file)
    by_environment = loaded(tmp_path, file, variables)
    by_flag = loaded(tmp_path, file, variables, max_shots=700)

    assert [each.limits.max_shots for each in (by_file, by_environment, by_flag)] == [500, 600, 700]
    assert [each.origins["limits.max_shots"] for each in (by_file, by_environment, by_flag)] == [
        f"{tmp_path / 'config.toml'}:2",
        "FLUX2BATCH_MAX_SHOTS",
        "--max-shots",
    ]
    assert by_environment.services["bfl"].base_url == "http://127.0.0.1:8080"
    assert by_environment.origins["service.bfl.base_url"] == "BFL_BASE_URL"
    assert by_environment.limits.per_run_usd == usd(20)


def test_folders_of_flags_are_added_to_those_of_the_file(tmp_path: Path) -> None:
    found = loaded(tmp_path, EVERYTHING, allow_paths=[Path("/more")], reuse=[Path("/runs")])

    assert found.allow.paths[-1] == Path("/more")
    assert found.reuse == (tmp_path / "old/runs", Path("/runs"))
    assert found.origins["allow.paths"].endswith(":13 and --allow-path")


def test_the_file_is_named_by_the_flag_then_by_the_environment(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text("[limits]\nmax_shots = 1\n")
    other.write_text("[limits]\nmax_shots = 2\n")
    environ = {"FLUX2BATCH_CONFIG": str(other)}

    assert load_configuration(environ=environ).limits.max_shots == 2
    assert load_configuration(file=one, environ=environ).limits.max_shots == 1


@pytest.mark.parametrize("named_by", ["--config", "FLUX2BATCH_CONFIG"])
def test_a_file_that_was_named_must_exist(tmp_path: Path, named_by: str) -> None:
    missing = tmp_path / "missing.toml"
    by_flag = named_by == "--config"

    with pytest.raises(InvalidInput, match=r"FB020 the configuration cannot be read: no such file") as stopped:
        load_configuration(file=missing if by_flag else None, environ={} if by_flag else {named_by: str(missing)})

    assert [note.text for note in stopped.value.problems[0].notes] == [f"named by {named_by}"]


# What is wrong.


@pytest.mark.parametrize(
    ("text", "spot", "code", "message", "remedy"),
    [
        ("[limits\nx = 1", (1, 8), "FB020", "not TOML", None),
        ("[limits]\nmax_shots = 1\nmax_shots = 2", (3, 14), "FB020", "not TOML", None),
        ('[limits]\nmax_shots = "', (2, 14), "FB020", "not TOML", None),
        ("[limits]\n\nper_run = 10", (3, 1), "FB021", "unknown key 'limits.per_run'", "did you mean 'per_run_usd'?"),
        ("[limit]\nper_run_usd = 1", (1, 2), "FB021", "unknown section 'limit'", "did you mean 'limits'?"),
        ("[service.openai]\nx = 1", (2, 1), "FB021", "unknown key 'service.openai.x'", None),
        ("[service.bfl]\nurl = 1", (2, 1), "FB021", "unknown key 'service.bfl.url'", None),
        ("max_shots = 1", (1, 1), "FB021", "unknown section 'max_shots'", None),
        ('[prices]\n"bfl/flux2-pro" = 1', (2, 1), "FB021", "no model", "did you mean 'bfl/flux-2-pro'?"),
        ('[prices]\n"fal/flux-2" = {first = 1}', (2, 1), "FB021", "has no part 'first'", "output, reference"),
        ('[prices]\n"fal/flux-2" = -1', (2, 1), "FB022", "must be dollars a picture", None),
        ('[prices]\n"fal/flux-2" = {output = "much"}', (2, 1), "FB022", "must be dollars a picture", None),
        ("[limits]\nmax_shots = 0", (2, 1), "FB022", "limits.max_shots must be a whole number above 0", None),
        ("[limits]\nmax_shots = 1.5", (2, 1), "FB022", "must be a whole number", None),
        ("[limits]\nper_run_usd = -1", (2, 1), "FB022", "must be an amount of US dollars", None),
        ("[limits]\nper_run_usd = nan", (2, 1), "FB022", "must be an amount of US dollars", None),
        ("[limits]\nper_run_usd = true", (2, 1), "FB022", "must be an amount of US dollars", None),
        ('[allow]\nmodels = "bfl/*"', (2, 1), "FB022", "must be a list of texts", None),
        ("[reuse]\nfolders = [1]", (2, 1), "FB022", "must be a list of folders", None),
        ('[service.bfl]\nbase_url = "http://api.bfl.ai"', (2, 1), "FB022", "must begin with https://", None),
        ('[service.bfl]\nbase_url = "https://me:pw@api.bfl.ai"', (2, 1), "FB022", "a name or a password", None),
        ('[service.bfl]\nbase_url = "api.bfl.ai"', (2, 1), "FB022", "must be a URL", None),
        ('[service.bfl]\nbase_url = "https://[oops"', (2, 1), "FB022", "is not a value", None),
        ('[service.bfl]\nproxy = "socks5://x"', (2, 1), "FB022", "must be a URL", None),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, text: str, spot: tuple[int, int], code: str, message: str, remedy: str | None
) -> None:
    (problem,) = refused(tmp_path, text)

    assert problem.code == code
    assert message in problem.message
    assert (remedy or "") in (problem.help or "")
    assert problem.where is not None
    assert (problem.where.file, problem.where.line, problem.where.column) == (str(tmp_path / "config.toml"), *spot)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    problems = refused(tmp_path, "[limits]\nper_run = 1\nmax_shots = 0\n", {"FLUX2BATCH_PER_DAY_USD": "lots"})

    assert [problem.code for problem in problems] == ["FB021", "FB022", "FB022"]
    assert problems[2].message.startswith("FLUX2BATCH_PER_DAY_USD must be")


def test_a_password_in_a_url_is_not_repeated(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, "", {"BFL_BASE_URL": "https://me:canary@api.bfl.ai"})

    assert "canary" not in problem.headline


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"[limits]\nx = '\xe9'\n")

    with pytest.raises(InvalidInput, match=r"FB020 .*not UTF-8"):
        load_configuration(file=file, environ={})


@pytest.mark.parametrize("text", ["[" * 5000, "a = " + "9" * 5000, "a = " + "[" * 100_000, "a." * 20_000 + "b = 1"])
def test_a_hostile_file_is_refused_and_nothing_worse(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path, text)


# A job tightens and never widens.


@pytest.mark.parametrize(
    ("job", "flag", "per_run", "per_day", "bound", "source"),
    [
        (None, None, None, None, None, None),
        ("8", None, None, None, "8", "the job's budget"),
        ("8", "5", "20", None, "5", "--max-usd"),
        ("80", None, "20", None, "20", "limits.per_run_usd"),
        ("80", "90", "70", "60", "60", "limits.per_day_usd"),
    ],
)
def test_the_tightest_bound_on_money_holds(
    tmp_path: Path,
    job: str | None,
    flag: str | None,
    per_run: str | None,
    per_day: str | None,
    bound: str | None,
    source: str | None,
) -> None:
    lines = [f"{name} = {amount}" for name, amount in (("per_run_usd", per_run), ("per_day_usd", per_day)) if amount]
    found = loaded(tmp_path, "[limits]\n" + "\n".join(lines), max_usd=None if flag is None else Decimal(flag))

    tightest = tightest_budget(found, None if job is None else Money(Decimal(job)))

    assert (tightest is None) == (bound is None)
    if tightest is not None and bound is not None and source is not None:
        assert tightest[0] == Decimal(bound)
        assert tightest[1].startswith(source)


@pytest.mark.parametrize(
    ("model", "configured", "wish", "start_and_most"),
    [
        ("bfl/flux-2-pro", None, None, (24, 24)),
        ("fal/flux-2", None, None, (2, 40)),
        ("fal/flux-2", None, 10, (10, 10)),
        ("fal/flux-2", None, 100, (40, 40)),
        ("bfl/flux-2-pro", 6, None, (6, 6)),
        ("bfl/flux-2-pro", 6, 12, (6, 6)),
        ("bfl/flux-2-pro", 6, 3, (3, 3)),
        ("bfl/flux-2-pro", 100, None, (24, 100)),
        ("bfl/flux-2-pro", 100, 60, (60, 60)),
        ("bfl/flux-2-pro", 100, 200, (100, 100)),
        ("local/flux-2-dev", None, 8, (8, 8)),
    ],
)
def test_the_configuration_bounds_the_requests_at_once_and_a_job_can_only_lower_that(
    tmp_path: Path, model: str, configured: int | None, wish: int | None, start_and_most: tuple[int, int]
) -> None:
    section = f"[service.bfl]\nconcurrency = {configured}\n" if configured else ""

    assert concurrency(loaded(tmp_path, section), entries()[model], wish) == start_and_most


def test_only_allowed_models_and_hosts_may_be_used(tmp_path: Path) -> None:
    free, strict = loaded(tmp_path), loaded(tmp_path, EVERYTHING)

    assert model_fault(free, "fal/flux-2-max") is None
    assert model_fault(strict, "bfl/flux-2-max") is None
    assert model_fault(strict, "fal/flux-2") is None
    forbidden = model_fault(strict, "fal/flux-2-max")
    assert forbidden is not None
    assert (forbidden.code, "bfl/flux-2-*" in str(forbidden.help)) == ("FB613", True)

    assert host_fault(free, "anywhere.example") is None
    assert host_fault(strict, "CDN.example.com") is None
    assert host_fault(strict, "img.example.org") is None
    stranger = host_fault(strict, "example.com")
    assert stranger is not None
    assert stranger.code == "FB614"


def test_an_empty_list_allows_nothing(tmp_path: Path) -> None:
    assert model_fault(loaded(tmp_path, "[allow]\nmodels = []"), "bfl/flux-2-pro") is not None


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost", True),
        ("http://[::1]:80", True),
        ("http://127.9.9.9", True),
        ("https://api.bfl.ai", False),
        ("http://localhost.evil.example", False),
        ("http://10.0.0.1", False),
    ],
)
def test_loopback_is_this_machine_alone(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


def test_a_model_of_ones_own_is_found_through_the_configuration(tmp_path: Path) -> None:
    from flux2batch.resources import read_text

    (tmp_path / "models").mkdir()
    entry = read_text("schemas/models/bfl-flux-2-pro.json").replace("bfl/flux-2-pro", "bfl/flux-2-next")
    (tmp_path / "models" / "next.json").write_text(entry)

    found = loaded(tmp_path, '[models]\nfolders = ["models"]\n[prices]\n"bfl/flux-2-next" = 1\n')

    assert found.entry("bfl/flux-2-next") is not None
    assert found.entry("bfl/flux-2-pro") is not None
    assert found.entry("bfl/flux-3") is None
