"""The form every command has: help that starts with examples, --color, and suggestions for what was mistyped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import click

from flux2batch.commands.console import Choice, choose_colour, choose_format, fail, this_console
from flux2batch.commands.ends import without_code
from flux2batch.errors import FluxError
from flux2batch.reading.rendering import FORMATS

CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 80,
    "terminal_width": 80,
}


class Command(click.Command):
    """A command whose help begins with `examples`: pairs of a command line and what it does."""

    def __init__(self, *args: Any, examples: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.params.append(_colour_option())

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FluxError as fault:
            problems = fault.problems or without_code(fault, format=this_console().format)
            if not problems:
                raise
            fail(problems, strict=bool(ctx.params.get("strict")))

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(formatter, self.examples)
        super().format_help(ctx, formatter)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[tuple[str, str]]) -> None:
    """The examples, each below what it does: one that is too wide is not broken, for it is there to be copied."""
    formatter.write("Examples:\n")
    for line, says in examples:
        formatter.write(f"  {says}\n    $ {line}\n")
    formatter.write("\n")


def as_command(
    name: str, *, summary: str, examples: Sequence[tuple[str, str]]
) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a command; its docstring is the long text of the help, `summary` its line in the overview."""
    return click.command(
        name,
        cls=Command,
        short_help=summary,
        examples=examples,
        context_settings=CONTEXT,
    )


def format_option(function: Callable[..., Any], *, further: Sequence[str] = ()) -> Callable[..., Any]:
    """--format, for every command that reports problems of an input."""
    return click.option(
        "--format",
        type=click.Choice([*FORMATS, *further]),
        default="text",
        show_default=True,
        callback=choose_format,
        help="How problems are shown.",
    )(function)


def _colour_option() -> click.Option:
    return click.Option(
        ["--color"],
        type=click.Choice(get_args(Choice)),
        expose_value=False,
        is_eager=True,
        callback=choose_colour,
        help="Colour: auto unless told. [env: NO_COLOR, FORCE_COLOR, CLICOLOR]",
    )
