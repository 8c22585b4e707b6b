"""`flux2batch completion`: the script by which a shell completes commands, flags, models and run directories."""

from __future__ import annotations

import os
from pathlib import PurePath

import click

from flux2batch.commands.command import as_command
from flux2batch.commands.console import this_console
from flux2batch.errors import UsageError

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_FLUX2BATCH_COMPLETE"


@as_command(
    "completion",
    summary="Print the script that completes in your shell.",
    examples=[
        ('eval "$(flux2batch completion bash)"', "In ~/.bashrc"),
        ('eval "$(flux2batch completion zsh)"', "In ~/.zshrc, below compinit"),
        ("flux2batch completion fish > ~/.config/fish/completions/flux2batch.fish", "Once, for fish"),
    ],
)
@click.argument("shell", required=False, type=click.Choice(SHELLS))
def command(shell: str | None) -> None:
    """Print the script that makes a shell complete commands, flags, models, codes and run directories.

    Without a SHELL it is the one of $SHELL. Bash must be 4.4 or newer.
    """
    from click.shell_completion import get_completion_class

    from flux2batch import cli

    wanted = shell or PurePath(os.environ.get("SHELL", "")).name
    if wanted not in SHELLS:
        raise UsageError(f"Which shell? Name one: {', '.join(SHELLS)}.")
    kind = get_completion_class(wanted)
    assert kind is not None, f"BUG: click knows no {wanted}"
    script = kind(cli.commands, {}, cli.PROGRAM, _VARIABLE).source_template % {
        "complete_func": f"_{cli.PROGRAM}_completion",
        "complete_var": _VARIABLE,
        "prog_name": cli.PROGRAM,
    }
    console = this_console()
    for line in script.rstrip().split("\n"):
        console.print(line)
