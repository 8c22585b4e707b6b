"""The flags of `run` and `retry` for local models, which stand in for [service.local] of the configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flux2batch.planning.configuration_local import DTYPES, OFFLOADS, QUANTISED

if TYPE_CHECKING:
    from flux2batch.planning.configuration import Configuration

_META = "flux2batch.local"


def local_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """They are kept aside until `with_local_flags`: no command does anything with them itself."""
    for option in (
        click.option(
            "--fleet",
            metavar="ADDRESS",
            help="Local models: on a Ray cluster (auto, HOST:PORT, ray://…), or local[:N] for N workers here.",
            **_KEPT,
        ),
        click.option(
            "--quantise", type=click.Choice(QUANTISED), help="Local models: fp8 halves the weights on a GPU.", **_KEPT
        ),
        click.option(
            "--offload",
            type=click.Choice(OFFLOADS),
            help="Local models: keep parts of the model in main memory, not on the GPU.",
            **_KEPT,
        ),
        click.option("--dtype", type=click.Choice(DTYPES), help="Local models: their number format.", **_KEPT),
        click.option(
            "--device", metavar="NAMES", help="Local models: auto, cpu, mps, cuda, or cuda:0,cuda:2.", **_KEPT
        ),
        click.option(
            "--local-weights",
            "any_weights",
            metavar="DIR",
            type=click.Path(path_type=Path),
            help="The folder of weights of the local model that the job asks for.",
            **_KEPT,
        ),
    ):
        function = option(function)
    return function


def with_local_flags(configuration: Configuration) -> Configuration:
    """The configuration as the flags of this call have it."""
    given: dict[str, Any] = click.get_current_context().meta.get(_META, {})
    origins = {f"service.local.{name}": f"--{name}" for name in given if name != "any_weights"}
    return replace(
        configuration,
        local=replace(configuration.local, **given),
        origins={**configuration.origins, **origins},
    )


def _keep(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is not None and option.name is not None:
        context.meta.setdefault(_META, {})[option.name] = value


_KEPT: dict[str, Any] = {"expose_value": False, "callback": _keep}
