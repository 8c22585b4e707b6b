"""`flux2batch models`: which models there are, what they take, and what they cost."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click

from flux2batch.commands import completing
from flux2batch.commands.command import as_command
from flux2batch.commands.console import Console, Part, column, styled, table, this_console
from flux2batch.errors import UsageError
from flux2batch.planning.configuration import Configuration, load_configuration
from flux2batch.planning.models import in_words as words
from flux2batch.planning.models.catalogue import Entry, entries
from flux2batch.planning.models.parameters import check_model

_WIDEST = 100
_ROOM_FOR_CONTROLS = 100  # narrower, and nothing could be read of either column
_LABELS = 12


@as_command(
    "models",
    summary="List the models, or show everything about one.",
    examples=[
        ("flux2batch models", "Which one do I want?"),
        ("flux2batch models bfl/flux-2-flex", "Everything about one, with an example"),
        ("flux2batch models --json | jq '.models[] | .model'", "For programs"),
    ],
)
@click.argument("name", required=False, shell_complete=completing.models)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--markdown", "as_markdown", is_flag=True, help="The page of the documents.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Read this file in the place of your config.toml: its prices, its models. [env: FLUX2BATCH_CONFIG]",
)
def command(name: str | None, as_json: bool, as_markdown: bool, config: Path | None) -> None:
    """List the models with what they cost; with a NAME, everything about that one.

    The price is that of one picture of 1024x1024. Prices and models of your own config.toml are included.
    """
    console = this_console()
    configuration = load_configuration(file=config)
    known = entries(configuration.models)
    chosen = [_named(name, configuration)] if name else list(known.values())
    if as_markdown:
        console.print_text(words.page(chosen).rstrip("\n"))
    elif as_json:
        console.print(json.dumps(_as_data(chosen, configuration, alone=name is not None)))
    elif name:
        console.print_all(_everything(chosen[0], configuration, min(console.width, _WIDEST)))
    else:
        _list(console, known, configuration)


def _named(name: str, configuration: Configuration) -> Entry:
    fault = check_model(name, configuration.models)
    if fault is None:
        return entries(configuration.models)[name]
    raise UsageError(f"{fault.message} ({fault.help})")


def _as_data(chosen: Iterable[Entry], configuration: Configuration, *, alone: bool) -> dict[str, object]:
    listed = [words.as_data(entry, configuration.prices) for entry in chosen]
    return {"schema_version": 1, **listed[0]} if alone else {"schema_version": 1, "models": listed}


def _list(console: Console, known: Mapping[str, Entry], configuration: Configuration) -> None:
    wide = console.width >= _ROOM_FOR_CONTROLS
    columns = [
        column("model"),
        column("best for", shrinks=True),
        column("1 MP", right=True),
        column("refs", right=True),
        *([column("own controls", shrinks=True)] if wide else []),
    ]
    rows = [_row(entry, configuration)[: len(columns)] for entry in known.values()]
    console.print_all(table(columns, rows, width=console.width))
    console.say()
    console.say("Prices are for one picture of 1024x1024, ", _span_of_dates(known.values()), ".")
    console.say("refs: how many references a shot may have at most.")
    console.say("`flux2batch models NAME` shows everything about one, with an example.")


def _row(entry: Entry, configuration: Configuration) -> tuple[Part, ...]:
    return (
        styled(entry.model, "bold"),
        entry.best_for,
        words.price_of_one_megapixel(entry, configuration.prices),
        str(entry.references.max),
        ", ".join(words.controls(entry)) or "–",
    )


def _span_of_dates(models: Iterable[Entry]) -> str:
    dates = sorted(entry.price.asof for entry in models if entry.price)
    return f"as of {dates[0].isoformat()} or later" if dates else "none known"


def _everything(entry: Entry, configuration: Configuration, width: int) -> Iterator[tuple[Part, ...]]:
    yield (styled(entry.model, "bold"), f"  {entry.title}")
    yield from _paragraph(entry.best_for, width, indent="")
    yield ()
    for label, said in _facts(entry, configuration):
        yield from _fact(label, said, width)
    yield from _headed("Parameters")
    columns = [column("name"), column("values"), column("default"), column("sent as", shrinks=True)]
    yield from table(
        columns,
        [
            (styled(name, "bold"), words.values(parameter), words.plainly(parameter.default), words.sent(parameter))
            for name, parameter in entry.parameters.items()
        ],
        width=width,
    )
    yield ()
    for name, parameter in entry.parameters.items():
        yield from _fact(name, [parameter.description], width, labels=_widest(entry.parameters))
    yield from _said("Not taken", entry.ignored, width)
    yield from _said("Where the sources disagree or are silent", entry.judged, width)
    yield from _headed("Example")
    yield from ((f"  {line}",) for line in words.example_job(entry).splitlines())


def _facts(entry: Entry, configuration: Configuration) -> Iterator[tuple[str, list[str]]]:
    edit = f"; with references {entry.edit_endpoint}" if entry.edit_endpoint else ""
    yield "service", [f"{words.SERVICES.get(entry.provider, entry.provider)}, {entry.endpoint}{edit}"]
    yield "speed", [entry.speed]
    own = "by your configuration, 1024x1024: " if entry.model in configuration.prices else "1024x1024: "
    yield "price", [own + words.price_of_one_megapixel(entry, configuration.prices), *words.prices(entry)]
    yield "sizes", [*words.sizes(entry), f"presets: {', '.join(entry.sizes.presets)}"]
    yield "references", words.references(entry)
    yield "prompt", [f"{entry.prompt_max_tokens:,} tokens at most" if entry.prompt_max_tokens else "no limit known"]
    yield "at once", [f"{entry.concurrency_start} requests to begin with, {entry.concurrency_max} at most"]
    if entry.licence:
        yield "licence", [entry.licence]
    if entry.remarks:
        yield "plans say", list(entry.remarks)
    if entry.notes:
        yield "notes", list(entry.notes)


def _fact(label: str, said: Iterable[str], width: int, *, labels: int = _LABELS) -> Iterator[tuple[Part, ...]]:
    lines = [line for text in said for line in textwrap.wrap(text, max(20, width - labels))]
    for index, line in enumerate(lines):
        shown = label if index == 0 else ""
        yield styled(shown, "dim"), " " * (labels - len(shown)), line


def _said(title: str, said: Mapping[str, str], width: int) -> Iterator[tuple[Part, ...]]:
    if not said:
        return
    yield from _headed(title)
    for name, text in said.items():
        yield from _fact(name, [text], width, labels=_widest(said))


def _headed(title: str) -> Iterator[tuple[Part, ...]]:
    yield ()
    yield (styled(title, "bold"),)


def _widest(named: Iterable[str]) -> int:
    return max(_LABELS, *(len(name) + 2 for name in named))


def _paragraph(text: str, width: int, *, indent: str) -> Iterator[tuple[Part, ...]]:
    yield from ((f"{indent}{line}",) for line in textwrap.wrap(text, width - len(indent)))
