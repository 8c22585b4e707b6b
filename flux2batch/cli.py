"""The command line: from arguments to a command to an exit code."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import click

from flux2batch import __version__
from flux2batch.errors import FluxError
from flux2batch.safe_text import safe_line

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PROGRAM = "flux2batch"
_INTERRUPTED = 130
_BOUND = re.compile(r"is not in the range x>=(\d+)$")  # click's words for a number that is too small
_WIDTH = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A command in the overview; its module is imported when it is called."""

    name: str
    summary: str

    @property
    def module(self) -> str:
        """Where its `command` stands."""
        return f"flux2batch.commands.{self.name}"


def _entry(name: str, summary: str) -> Entry:
    return Entry(name=name, summary=summary)


SECTIONS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "Start",
        (
            _entry("init", "Write a commented first job into a folder."),
            _entry("validate", "Check job files and everything they name."),
            _entry("plan", "Show shots, price and uploads; nothing is sent."),
            _entry("run", "Make the pictures of a job; going on where it was."),
        ),
    ),
    (
        "See a run through",
        (
            _entry("status", "Show how far a run is, what went wrong, what is next."),
            _entry("retry", "Ask again for shots that ended without a picture."),
            _entry("resolve", "Settle shots whose answer was lost."),
            _entry("ledger", "Show what was spent, by model, day, status or axis."),
            _entry("merge", "Join run directories of one job into one."),
            _entry("doctor", "Check machine, keys and a run directory; mend one."),
        ),
    ),
    (
        "Look at the pictures",
        (
            _entry("sheet", "Write the contact sheet of a run, or of several."),
            _entry("export", "Copy chosen pictures out, with a manifest."),
        ),
    ),
    (
        "Look up",
        (
            _entry("models", "List the models, or show everything about one."),
            _entry("config", "Show every setting and where it came from."),
            _entry("explain", "Say what a code such as FB204 means."),
            _entry("schema", "Print the JSON Schema of a job file."),
            _entry("completion", "Print the script that completes in your shell."),
        ),
    ),
    (
        "Play",
        (_entry("emulate", "Run the emulator as a server."),),
    ),
)

EXAMPLES: tuple[tuple[str, str], ...] = (
    ("flux2batch init", "A first job to play with, in this folder"),
    ("flux2batch validate job.yaml", "Check it; nothing is sent and no key is needed"),
    ("flux2batch plan job.yaml", "What does it cost?"),
)

EXIT_CODES: tuple[tuple[int, str], ...] = (
    (0, "done, or nothing to do"),
    (1, "finished, but a shot failed for good (moderated, rejected, failed)"),
    (2, "the command line makes no sense as it stands"),
    (3, "the job file, or something that it names, is invalid"),
    (4, "refused or stopped by a rule of safety or budget"),
    (5, "money unresolved: a shot is unknown, lost or stalled"),
    (6, "the account: no key, a refused key, no credits"),
    (7, "this machine: disk, lock, damaged journal, offline"),
    (8, "a bug in flux2batch; a crash report was written"),
    (129, "hung up, after what was in flight was brought home"),
    (130, "interrupted, likewise"),
    (143, "terminated, likewise"),
)


class Mistyped(click.UsageError):
    """A word that is no command; `near` is the one that may have been meant."""

    def __init__(self, message: str, *, near: str | None, ctx: click.Context) -> None:
        super().__init__(message, ctx)
        self.near = near


class Overview(click.Group):
    """The commands by section; showing them imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return [entry.name for _, entries in SECTIONS for entry in entries]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        entry = next((entry for _, entries in SECTIONS for entry in entries if entry.name == cmd_name), None)
        if entry is None:
            return None
        found: click.Command = import_module(entry.module).command
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        entries = (entry for _, entries in SECTIONS for entry in entries if entry.name.startswith(incomplete))
        return [
            *(CompletionItem(entry.name, help=entry.summary) for entry in entries),
            *click.Command.shell_complete(self, ctx, incomplete),  # a group's own would import every command
        ]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word.startswith("-") or self.get_command(ctx, word):
            return super().resolve_command(ctx, args)
        from flux2batch.reading.suggest import closest

        raise Mistyped(f"no such command '{word}'", near=closest(word, self.list_commands(ctx)), ctx=ctx)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        formatter.write("flux2batch turns a job file in git into exactly the pictures it asks for, once,\n")
        formatter.write("at a price that was known before the first request.\n\nExamples:\n")
        for line, says in EXAMPLES:
            formatter.write(f"  {says}\n    $ {line}\n")
        formatter.write("\nUsage: flux2batch COMMAND [OPTIONS] …\n")
        for title, entries in SECTIONS:
            with formatter.section(title):
                formatter.write_dl([(entry.name, entry.summary) for entry in entries])
        with formatter.section("Options"):
            formatter.write_dl([("-h, --help", "Show this, or the help of a command."), ("--version", "The version.")])
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES])


@click.group(
    PROGRAM,
    cls=Overview,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _WIDTH, "terminal_width": _WIDTH},
)
@click.version_option(__version__, "--version", message="%(prog)s %(version)s")
def commands() -> None:
    """A job file in git says which pictures are wanted."""


def run(argv: Sequence[str]) -> int:
    """Run one command line to its exit code; only what is a bug in flux2batch leaves it as an exception."""
    try:
        ended = commands.main(list(argv), prog_name=PROGRAM, standalone_mode=False)
        return ended if isinstance(ended, int) else 0
    except click.exceptions.NoArgsIsHelpError as fault:
        sys.stderr.write(f"{fault.message}\n")
        return fault.exit_code
    except click.UsageError as fault:
        _say_usage(fault)
        return fault.exit_code
    except click.ClickException as fault:
        _say(fault.format_message())
        return fault.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return _INTERRUPTED
    except FluxError as fault:
        _say(str(fault))
        return fault.exit_code


def _say_usage(fault: click.UsageError) -> None:
    _say(_in_our_words(fault), help=_suggestion(fault))
    if fault.ctx is None:
        return
    if isinstance(fault.ctx.command, click.Group):
        sys.stderr.write(f"\nAll commands: {PROGRAM} --help\n")
    else:
        sys.stderr.write(f"\n{fault.ctx.get_usage()}\nMore: {fault.ctx.command_path} --help\n")


def _in_our_words(fault: click.UsageError) -> str:
    if isinstance(fault, click.NoSuchOption):
        return f"no such option '{fault.option_name}'"
    message = _BOUND.sub(r"is too little: at least \1", fault.format_message().rstrip("."))
    return message[:1].lower() + message[1:]


def _suggestion(fault: click.UsageError) -> str | None:
    match fault:
        case Mistyped(near=str(near)):
            return f"did you mean '{near}'?"
        case click.NoSuchOption() if fault.ctx:
            from flux2batch.reading.suggest import did_you_mean

            known = [name for option in fault.ctx.command.get_params(fault.ctx) for name in option.opts]
            return did_you_mean(fault.option_name, [name for name in known if name.startswith("-")])
        case _:
            return None


def _say(message: str, *, help: str | None = None) -> None:
    sys.stderr.write(_wrapped(f"error: {safe_line(message)}") + "\n")
    if help:
        sys.stderr.write(_wrapped(f"  = help: {safe_line(help)}") + "\n")


def _wrapped(text: str) -> str:
    """Broken between words on a terminal, which would break within them; in a pipe it is one line."""
    if not sys.stderr.isatty():
        return text
    import shutil
    import textwrap

    columns = shutil.get_terminal_size().columns
    return textwrap.fill(
        text, max(40, columns - 1), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
