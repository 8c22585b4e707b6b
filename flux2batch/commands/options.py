"""Options that several commands have: which shots are meant, and how a job is read and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from flux2batch.planning.sweep.shards import Shard

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Dollars(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic in newer versions of click alone
    """A sum of money on the command line: 5, 5.00 or $5."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(str(value).removeprefix("$"))
        except InvalidOperation:
            self.fail(f"{value!r} is not a sum of dollars, such as 5.00", param, ctx)
        if not amount.is_finite() or amount < 0:
            self.fail(f"{value!r} is not a sum of dollars, such as 5.00", param, ctx)
        return amount


class ShardOf(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic in newer versions of click alone
    """2/8: the second of eight."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        from flux2batch.planning.sweep.shards import Shard

        if isinstance(value, Shard):
            return value
        try:
            return Shard.read(str(value))
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


def selection_options(function: Decorated) -> Decorated:
    """The flags that say which shots are asked for."""
    for option in (
        click.option(
            "--shard",
            metavar="N/OF",
            type=ShardOf(),
            help="One part of those, the same on every machine: 2/8. See merge.",
        ),
        click.option("--sample", metavar="N", type=click.IntRange(min=1), help="N shots spread evenly over all axes."),
        click.option("--limit", metavar="N", type=click.IntRange(min=1), help="The first N shots."),
        click.option("--picks", metavar="FILE", type=click.Path(path_type=Path), help="The shots picked in a sheet."),
        click.option("--only", metavar="EXPR", help='The shots for which this is true: "guidance >= 3".'),
    ):
        function = option(function)
    return function


def job_options(function: Decorated) -> Decorated:
    """The flags that change how a job is read and judged."""
    for option in (
        click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help="Read this config.toml."),
        click.option(
            "--allow-path",
            "allow_paths",
            metavar="DIR",
            multiple=True,
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="References and data may come from here as well; repeatable.",
        ),
        click.option("--max-shots", metavar="N", type=click.IntRange(min=1), help="Allow so many shots."),
        click.option("--assume-price", metavar="X", type=Dollars(), help="The price of a shot where none is known."),
        click.option("--strict", is_flag=True, help="Warnings are errors."),
        click.option(
            "--set", "sets", metavar="PATH=YAML", multiple=True, help="Another value for this call; repeatable."
        ),
    ):
        function = option(function)
    return function


def choosing_flags(
    *, only: str | None, picks: Path | None, limit: int | None, sample: int | None
) -> tuple[tuple[str, str], ...]:
    """The flags of `selection_options` as they were given, but for the shard, which the run directory knows."""
    given = {"--only": only, "--picks": picks, "--limit": limit, "--sample": sample}
    return tuple((flag, str(value)) for flag, value in given.items() if value is not None)


def judging_flags(
    *,
    sets: Iterable[str],
    assume_price: Decimal | None,
    max_shots: int | None,
    allow_paths: Iterable[Path],
    config: Path | None,
) -> tuple[tuple[str, str], ...]:
    """The flags of `job_options` as they were given, but for --strict, which makes no other shots."""
    given = {"--assume-price": assume_price, "--max-shots": max_shots, "--config": config}
    return (
        *(("--set", written) for written in sets),
        *(("--allow-path", str(path)) for path in allow_paths),
        *((flag, str(value)) for flag, value in given.items() if value is not None),
    )
