"""`flux2batch config`: every setting, its value, and where it came from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from flux2batch.commands.command import as_command
from flux2batch.commands.console import Console, column, styled, table, this_console
from flux2batch.money import show
from flux2batch.planning.configuration import Configuration, load_configuration, usual_file
from flux2batch.planning.keys import KEY_NAMES, Key, find_keys, key_fault
from flux2batch.planning.models.pricing import PriceOverride


@as_command(
    "config",
    summary="Show every setting and where it came from.",
    examples=[
        ("flux2batch config", "What holds here, and why"),
        ("FLUX2BATCH_MAX_SHOTS=500 flux2batch config", "The environment wins over the file"),
        ("flux2batch config --config ci/policy.toml --json", "Another file, for programs"),
    ],
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Read this file in the place of your config.toml. [env: FLUX2BATCH_CONFIG]",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(config: Path | None, as_json: bool) -> None:
    """Show every setting with its value and where it came from: a flag, the environment, the file, or our default.

    Settings stand in config.toml in your configuration folder. A job can tighten them and never widen them. Keys are
    shown by their last four characters.
    """
    console = this_console()
    configuration = load_configuration(file=config)
    keys, problems = find_keys(os.environ, [Path.cwd()])
    settings = dict(_settings(configuration))
    if as_json:
        console.print(json.dumps(_as_data(configuration, settings, keys)))
    else:
        _show(console, configuration, settings, keys)
    if problems:
        console.show_problems(problems)


def _settings(configuration: Configuration) -> Iterator[tuple[str, Any]]:
    """The value of every setting by its dotted name; None where it is not set."""
    limits, allow = configuration.limits, configuration.allow
    yield from {
        "limits.per_run_usd": limits.per_run_usd,
        "limits.per_day_usd": limits.per_day_usd,
        "limits.max_shots": limits.max_shots,
        "allow.models": allow.models,
        "allow.hosts": allow.hosts,
        "allow.paths": allow.paths,
    }.items()
    for name, service in configuration.services.items():
        yield f"service.{name}.base_url", service.base_url
        yield f"service.{name}.concurrency", service.concurrency
        yield f"service.{name}.proxy", _without_password(service.proxy)
    local = configuration.local
    yield "service.local.weights", local.weights
    yield "service.local.device", local.device
    yield "service.local.dtype", local.dtype
    yield "service.local.offload", local.offload
    yield "service.local.quantise", local.quantise
    yield "service.local.fleet", local.fleet
    yield "reuse.folders", configuration.reuse
    yield "models.folders", configuration.models
    for model, price in configuration.prices.items():
        yield f"prices.{model}", price


def _show(console: Console, configuration: Configuration, settings: Mapping[str, Any], keys: Mapping[str, Key]) -> None:
    origins = configuration.origins
    rows = [
        (styled(name, "bold"), _in_words(name, value), styled(origins.get(name, "default"), "dim"))
        for name, value in settings.items()
    ]
    rows += [_key_row(provider, keys.get(provider)) for provider in KEY_NAMES]
    columns = [column("setting"), column("value", shrinks=True), column("from", shrinks=True)]
    console.print_all(table(columns, rows, width=console.width))
    console.say()
    if configuration.file:
        console.say(f"Read: {configuration.file}")
    else:
        console.say(f"There is no {usual_file()}, so the defaults hold.")


def _key_row(provider: str, key: Key | None) -> tuple[Any, ...]:
    if key is None:
        return styled(KEY_NAMES[provider], "bold"), styled("not set", "dim"), ""
    fault = key_fault(provider, key)
    shown = f"{key.secret} ({fault.message.partition(') ')[2]})" if fault else str(key.secret)
    return styled(KEY_NAMES[provider], "bold"), styled(shown, "red" if fault else None), styled(key.origin, "dim")


_UNSET = {
    "limits.per_run_usd": "no limit",
    "limits.per_day_usd": "no limit",
    "allow.models": "all",
    "allow.hosts": "all",
    "allow.paths": "the job's own folder",
    "reuse.folders": "the runs beside it",
    "models.folders": "the catalogue alone",
}


def _in_words(setting: str, value: Any) -> str:
    if value is None or value == ():
        unset = _UNSET.get(setting, "as the catalogue says" if setting.endswith("concurrency") else "none")
        return "none" if value == () and setting in ("allow.models", "allow.hosts") else unset
    if isinstance(value, PriceOverride):
        parts = ", ".join(f"{name} {show(amount)}" for name, amount in value.amounts)
        return f"{show(value.flat)} a picture" if value.flat is not None else parts
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items()) or "none"
    if isinstance(value, tuple):
        return ", ".join(str(each) for each in value)
    return show(value) if isinstance(value, Decimal) else str(value)


def _as_data(configuration: Configuration, settings: Mapping[str, Any], keys: Mapping[str, Key]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "file": str(configuration.file) if configuration.file else None,
        "settings": {
            name: {"value": _plain(value), "from": configuration.origins.get(name, "default")}
            for name, value in settings.items()
        },
        "keys": {
            name: {"value": str(keys[provider].secret), "from": keys[provider].origin} if provider in keys else None
            for provider, name in KEY_NAMES.items()
        },
    }


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return float(value)
        case PriceOverride(flat=None):
            return {name: float(amount) for name, amount in value.amounts}
        case PriceOverride():
            return _plain(value.flat)
        case Mapping():
            return {name: str(each) for name, each in value.items()}
        case tuple():
            return [str(each) for each in value]
        case _:
            return value


def _without_password(url: str | None) -> str | None:
    """A proxy's URL may carry a name and a password; they are used, and not shown."""
    if url is None or "@" not in url:
        return url
    scheme, _, rest = url.partition("://")
    return f"{scheme}://****@{rest.rpartition('@')[2]}"
