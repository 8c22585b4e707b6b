"""`flux2batch explain`: what a code means, how it comes about and what to do."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Sequence

import click

from flux2batch.cli import EXIT_CODES
from flux2batch.commands import completing
from flux2batch.commands.command import as_command
from flux2batch.commands.console import Part, column, styled, table, this_console
from flux2batch.errors import UsageError
from flux2batch.reading import codes
from flux2batch.reading.codes.code import Code
from flux2batch.reading.suggest import did_you_mean

_EXIT_CODES = "exit-codes"
_COMFORTABLE = 80  # wider lines are hard to read


@as_command(
    "explain",
    summary="Say what a code such as FB204 means.",
    examples=[
        ("flux2batch explain FB204", "Cause, example and way out"),
        ("flux2batch explain exit-codes", "What the number means with which a command ends"),
        ("flux2batch explain", "All codes"),
    ],
)
@click.argument("code", required=False, shell_complete=completing.explained)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(code: str | None, as_json: bool) -> None:
    """Explain a code of a message, or the exit codes; without an argument, list all codes."""
    console = this_console()
    if code is not None and code.lower() in (_EXIT_CODES, "exit-code", "exit"):
        if as_json:
            console.print(json.dumps({"schema_version": 1, "exit_codes": {str(k): v for k, v in EXIT_CODES}}))
        else:
            console.print_all(_exit_codes(console.width))
        return
    chosen = [_named(code)] if code is not None else list(codes.ALL.values())
    if as_json:
        console.print(json.dumps({"schema_version": 1, "codes": [_as_data(each) for each in chosen]}))
    elif code is not None:
        console.print_all(_explanation(chosen[0], min(console.width, _COMFORTABLE)))
    else:
        console.print_all(_overview(chosen, console.width))


def _named(word: str) -> Code:
    # FB204, fb204, 204 and error[FB204] copied from a terminal all mean one thing.
    digits = re.search(r"\d{3}", word)
    name = f"FB{digits[0]}" if digits else word.upper()
    if name in codes.ALL and len(word) <= len("warning[FB204]:"):
        return codes.ALL[name]
    hint = did_you_mean(name, [*codes.ALL, _EXIT_CODES]) or "`flux2batch explain` lists all codes"
    raise UsageError(f"there is no code '{word}' ({hint})")


def _explanation(code: Code, width: int) -> Iterator[tuple[Part, ...]]:
    yield (styled(f"{code.name}: {code.title}", "bold"),)
    yield ()
    yield from ((line,) for line in textwrap.wrap(code.cause, width))
    for title, text in (("For example", code.example), ("Instead", code.fix)):
        yield ()
        yield (styled(f"{title}:", "bold"),)
        yield from ((f"  {line}".rstrip(),) for line in text.split("\n"))
    yield ()
    said = "A warning. With --strict exit code" if code.only_warns else "Exit code"
    yield (styled(f"{said} {code.exit_code}: {dict(EXIT_CODES)[code.exit_code]}.", "dim"),)


def _overview(chosen: Sequence[Code], width: int) -> list[tuple[Part, ...]]:
    columns = [column("code"), column("exit", right=True), column("what it says", shrinks=True)]
    rows = [(styled(c.name, "bold"), f"({c.exit_code})" if c.only_warns else str(c.exit_code), c.title) for c in chosen]
    return [*table(columns, rows, width=width), (), ("In brackets: a warning, an error with --strict alone.",)]


def _exit_codes(width: int) -> list[tuple[Part, ...]]:
    lines = table(
        [column("exit", right=True), column("meaning", shrinks=True)],
        [(styled(code, "bold"), meaning) for code, meaning in EXIT_CODES],
        width=width,
    )
    return [*lines, (), ("Several at once: 8 > 7 > 6 > 5 > 4 > 3 > 1; a signal's code wins over 1 to 5.",)]


def _as_data(code: Code) -> dict[str, str | int]:
    return {
        "code": code.name,
        "exit_code": code.exit_code,
        "only_warns": code.only_warns,
        "title": code.title,
        "cause": code.cause,
        "example": code.example,
        "fix": code.fix,
    }
