"""The user's configuration: what holds for every job on this machine, each value with where it came from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flux2batch.errors import InvalidInput
from flux2batch.money import Money
from flux2batch.planning.configuration_file import KEYS, Written, read_file, read_value
from flux2batch.planning.configuration_file import is_loopback as is_loopback
from flux2batch.planning.configuration_local import LOCAL_DEFAULTS, Local
from flux2batch.planning.fault import Fault
from flux2batch.planning.models.catalogue import Entry, entries
from flux2batch.planning.models.pricing import PriceOverride
from flux2batch.reading.problems import Problem, error
from flux2batch.reading.suggest import closest

# From weak to strong: the defaults below, the file, the environment, flags. A job can tighten all of this and widen
# none of it, so the same file is a policy in CI.

DEFAULT_MAX_SHOTS = 10_000

BASE_URLS: Mapping[str, str] = MappingProxyType({"bfl": "https://api.bfl.ai", "fal": "https://queue.fal.run"})

ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "service.bfl.base_url": "BFL_BASE_URL",
        "service.fal.base_url": "FAL_BASE_URL",
        "limits.per_run_usd": "FLUX2BATCH_PER_RUN_USD",
        "limits.per_day_usd": "FLUX2BATCH_PER_DAY_USD",
        "limits.max_shots": "FLUX2BATCH_MAX_SHOTS",
    }
)
"""Settings that an environment variable may give."""

_FILE_VARIABLE = "FLUX2BATCH_CONFIG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be spent and planned."""

    per_call_usd: Money | None  # --max-usd
    per_run_usd: Money | None  # all calls on one run directory
    per_day_usd: Money | None  # all runs of a UTC day
    max_shots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """What jobs may use. None: everything."""

    models: tuple[str, ...] | None  # names, with * for any
    hosts: tuple[str, ...] | None  # names, with * for any
    paths: tuple[Path, ...]  # folders beside the job's own that references and data may come from


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How a service is reached."""

    base_url: str
    concurrency: int | None  # at most so many at once, also beyond the catalogue's limit; None: that one
    proxy: str | None = field(repr=False)  # may carry a password


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that holds for every job. `origins` says of each setting where it came from."""

    file: Path | None  # the config.toml that was read; None where there is none
    prices: Mapping[str, PriceOverride]
    assume_price: Decimal | None  # --assume-price: of a shot whose price is not known
    limits: Limits
    allow: Allow
    services: Mapping[str, Service]
    local: Local
    reuse: tuple[Path, ...]  # run directories in which finished pictures are looked for
    models: tuple[Path, ...]  # folders with entries of the user's own
    origins: Mapping[str, str]  # "limits.max_shots" → "default", "config.toml:3", "FLUX2BATCH_MAX_SHOTS", "--max-shots"

    def entry(self, model: str) -> Entry | None:
        """The catalogue's entry of a model, the user's own folders included."""
        return entries(self.models).get(model)


def load_configuration(
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    max_usd: Decimal | None = None,
    max_shots: int | None = None,
    assume_price: Decimal | None = None,
    allow_paths: Iterable[Path] = (),
    reuse: Iterable[Path] = (),
) -> Configuration:
    """The configuration of this call; raises InvalidInput (exit code 2) with everything that is wrong with it.

    `file` is --config; else FLUX2BATCH_CONFIG names the file, else it is config.toml in the user's configuration
    folder, which need not exist. The other arguments are flags.
    """
    variables = os.environ if environ is None else environ
    path, named_by = _file_to_read(file, variables)
    written, problems = read_file(path, named_by=named_by)
    settings = {**written, **_from_environment(variables, problems)}
    flags = {"max_usd": max_usd, "max_shots": max_shots, "assume_price": assume_price}
    configuration = _assembled(path if path and path.is_file() else None, settings, flags, allow_paths, reuse)
    problems += _price_problems(settings, configuration)
    if problems:
        raise InvalidInput(problems)
    return configuration


JOBS_BUDGET = "the job's budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A sum that may be spent, and who says so."""

    usd: Money
    source: str
    counts_all_calls: bool  # on one run directory; else what one call spends


def bounds(configuration: Configuration, job_max: Money | None) -> list[Bound]:
    """Every bound on what a run may spend."""
    limits, origins = configuration.limits, configuration.origins
    known = (
        (job_max, JOBS_BUDGET, True),
        (limits.per_run_usd, f"limits.per_run_usd ({origins['limits.per_run_usd']})", True),
        (limits.per_call_usd, "--max-usd", False),
        (limits.per_day_usd, f"limits.per_day_usd ({origins['limits.per_day_usd']})", False),
    )
    return [Bound(usd=usd, source=source, counts_all_calls=every) for usd, source, every in known if usd is not None]


def tightest_budget(configuration: Configuration, job_max: Money | None) -> tuple[Money, str] | None:
    """The lowest bound on what may be spent and where it was set, or None where nothing bounds it."""
    return min(((bound.usd, bound.source) for bound in bounds(configuration, job_max)), default=None)


def concurrency(configuration: Configuration, entry: Entry, job_wish: int | None) -> tuple[int, int]:
    """With how many requests at once a run starts and the most it rises to: a job can lower both and raise neither.

    An account may be allowed more than the catalogue knows of: the configuration, and it alone, can say so.
    """
    service = configuration.services.get(entry.provider)
    most = service.concurrency if service and service.concurrency else entry.concurrency_max
    most = most if job_wish is None else min(most, job_wish)
    return min(entry.concurrency_start if job_wish is None else job_wish, most), most


def model_fault(configuration: Configuration, model: str) -> Fault | None:
    """Whether the configuration forbids a model (FB613)."""
    allowed = configuration.allow.models
    if allowed is None or _matches(model, allowed):
        return None
    return Fault(
        code="FB613",
        message=f"{model} is not among the models that your configuration allows",
        help=f"allowed ({configuration.origins['allow.models']}): {', '.join(allowed) or 'none'}",
        parameter="model",
    )


def host_fault(configuration: Configuration, host: str) -> Fault | None:
    """Whether the configuration forbids a host for references and services (FB614)."""
    allowed = configuration.allow.hosts
    if allowed is None or _matches(host.lower(), allowed):
        return None
    return Fault(
        code="FB614",
        message=f"{host} is not among the hosts that your configuration allows",
        help=f"allowed ({configuration.origins['allow.hosts']}): {', '.join(allowed) or 'none'}",
        parameter="references",
    )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _file_to_read(flag: Path | None, environ: Mapping[str, str]) -> tuple[Path, str | None]:
    if flag is not None:
        return flag, "--config"
    if environ.get(_FILE_VARIABLE):
        return Path(environ[_FILE_VARIABLE]).expanduser(), _FILE_VARIABLE
    return usual_file(), None


def usual_file() -> Path:
    """Where config.toml is looked for unless another file is named."""
    from platformdirs import user_config_path

    return user_config_path("flux2batch", appauthor=False) / "config.toml"


def _from_environment(environ: Mapping[str, str], problems: list[Problem]) -> dict[str, Written]:
    found: dict[str, Written] = {}
    for setting, variable in ENVIRONMENT.items():
        text = environ.get(variable)
        if not text:
            continue
        value, why = read_value(setting, text, folder=Path())
        if why:
            problems.append(error("FB022", f"{variable} {why}", where=None))
        else:
            found[setting] = Written(value=value, origin=variable, place=None)
    return found


def _assembled(
    file: Path | None,
    settings: Mapping[str, Written],
    flags: Mapping[str, Any],
    allow_paths: Iterable[Path],
    reuse: Iterable[Path],
) -> Configuration:
    def value(setting: str, default: Any = None) -> Any:
        written = settings.get(setting)
        return default if written is None else written.value

    max_usd, max_shots = flags["max_usd"], flags["max_shots"]
    more_paths, more_reuse = tuple(allow_paths), tuple(reuse)
    return Configuration(
        file=file,
        prices={name.removeprefix("prices."): each.value for name, each in settings.items() if _is_price(name)},
        assume_price=flags["assume_price"],
        limits=Limits(
            per_call_usd=None if max_usd is None else Money(max_usd),
            per_run_usd=value("limits.per_run_usd"),
            per_day_usd=value("limits.per_day_usd"),
            max_shots=value("limits.max_shots", DEFAULT_MAX_SHOTS) if max_shots is None else max_shots,
        ),
        allow=Allow(
            models=value("allow.models"),
            hosts=value("allow.hosts"),
            paths=(*value("allow.paths", ()), *more_paths),
        ),
        services={
            name: Service(
                base_url=value(f"service.{name}.base_url", default),
                concurrency=value(f"service.{name}.concurrency"),
                proxy=value(f"service.{name}.proxy"),
            )
            for name, default in BASE_URLS.items()
        },
        local=Local(
            weights=value("service.local.weights", LOCAL_DEFAULTS.weights),
            any_weights=None,
            device=value("service.local.device", LOCAL_DEFAULTS.device),
            dtype=value("service.local.dtype", LOCAL_DEFAULTS.dtype),
            offload=value("service.local.offload", LOCAL_DEFAULTS.offload),
            quantise=value("service.local.quantise", LOCAL_DEFAULTS.quantise),
            fleet=value("service.local.fleet"),
        ),
        reuse=(*value("reuse.folders", ()), *more_reuse),
        models=value("models.folders", ()),
        origins=_origins(settings, flags, bool(more_paths), bool(more_reuse)),
    )


def _origins(
    settings: Mapping[str, Written], flags: Mapping[str, Any], more_paths: bool, more_reuse: bool
) -> dict[str, str]:
    origins = dict.fromkeys(KEYS, "default") | {setting: each.origin for setting, each in settings.items()}
    if flags["max_shots"] is not None:
        origins["limits.max_shots"] = "--max-shots"
    for setting, more, flag in (
        ("allow.paths", more_paths, "--allow-path"),
        ("reuse.folders", more_reuse, "--reuse"),
    ):
        if more:
            origins[setting] = flag if origins[setting] == "default" else f"{origins[setting]} and {flag}"
    return origins


def _is_price(setting: str) -> bool:
    return setting.startswith("prices.")


def _price_problems(settings: Mapping[str, Written], configuration: Configuration) -> list[Problem]:
    """A price for a model or an amount that does not exist would silently not hold."""
    known = entries(configuration.models)
    problems: list[Problem] = []
    for setting, written in settings.items():
        model = setting.removeprefix("prices.")
        if not _is_price(setting):
            continue
        if model not in known:
            near = closest(model, known)
            problems.append(
                error(
                    "FB021",
                    f"a price for '{model}', which is no model",
                    where=written.place,
                    help=f"did you mean '{near}'?" if near else None,
                )
            )
            continue
        problems += _amount_problems(known[model], written)
    return problems


def _amount_problems(entry: Entry, written: Written) -> list[Problem]:
    listed = entry.price.amounts if entry.price else {}
    strange = [name for name, _ in written.value.amounts if name not in listed]
    names = ", ".join(listed)
    return [
        error(
            "FB021",
            f"the price of {entry.model} has no part '{name}'",
            where=written.place,
            help=f"its parts are {names}; or write one number for a whole picture" if names else "write one number",
        )
        for name in strange
    ]
