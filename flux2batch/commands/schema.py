"""`flux2batch schema`: the JSON Schemas that editors and programs check against."""

from __future__ import annotations

import click

from flux2batch import resources
from flux2batch.commands import completing
from flux2batch.commands.command import as_command
from flux2batch.commands.console import this_console
from flux2batch.errors import UsageError
from flux2batch.reading.suggest import did_you_mean

_ENDING = ".schema.json"


@as_command(
    "schema",
    summary="Print the JSON Schema of a job file.",
    examples=[
        ("flux2batch schema > job.schema.json", "For an editor: completion and hover in job files"),
        ("flux2batch schema --list", "What else has a schema"),
    ],
)
@click.argument("name", default="job", shell_complete=completing.schemas)
@click.option("--list", "list_them", is_flag=True, help="The names of all schemas.")
def command(name: str, list_them: bool) -> None:
    """Print a JSON Schema (draft 7): that of a job file, or of anything that flux2batch prints for programs.

    An editor finds it through the first line of a job file:

    # yaml-language-server: $schema=job.schema.json
    """
    console = this_console()
    names = sorted(path.name.removesuffix(_ENDING) for path in resources.folder("schemas").glob(f"*{_ENDING}"))
    if list_them:
        for each in names:
            console.print(each)
        return
    if name not in names:
        hint = did_you_mean(name, names) or f"there are: {', '.join(names)}"
        raise UsageError(f"there is no schema '{name}' ({hint})")
    console.print_text(resources.read_text(f"schemas/{name}{_ENDING}").rstrip("\n"))
