"""`flux2batch init`: a commented first job, ready to be validated, planned and changed."""

from __future__ import annotations

from pathlib import Path

import click

from flux2batch import resources
from flux2batch.commands.command import as_command
from flux2batch.commands.console import styled, this_console
from flux2batch.errors import MachineError

# What is written, and from which shipped file. Those that begin with a dot are shipped without it: a .gitignore
# in templates/ would hold for this repository.
FILES: tuple[tuple[str, str], ...] = (
    ("job.yaml", "templates/init/job.yaml"),
    ("refs/boat.png", "templates/init/refs/boat.png"),
    ("schemas/job.schema.json", "schemas/job.schema.json"),
    (".gitignore", "templates/init/gitignore"),
    (".vscode/settings.json", "templates/init/vscode/settings.json"),
    (".vscode/extensions.json", "templates/init/vscode/extensions.json"),
)


@as_command(
    "init",
    summary="Write a commented first job into a folder.",
    examples=[
        ("flux2batch init", "Into this folder"),
        ("flux2batch init boats", "Into the folder boats, which is made if need be"),
    ],
)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Write a first job with comments, its reference, its schema for editors, and a .gitignore.

    A file that exists is left as it is. Nothing is sent.
    """
    console = this_console()
    for name, source in FILES:
        written = _write_new(folder / name, source)
        console.print(styled("wrote" if written else "kept ", "green" if written else "yellow"), f"  {folder / name}")
    job = folder / FILES[0][0]
    console.say()
    console.say(f"Next: flux2batch validate {job}")


def _write_new(target: Path, source: str) -> bool:
    """Whether the file was written: never over another one, and never through a link."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(resources.read_bytes(source))
    except FileExistsError:
        if target.parent.is_dir():
            return False
        raise MachineError(f"cannot write {target}: {target.parent} is a file, not a folder") from None
    except OSError as fault:
        raise MachineError(f"cannot write {target}: {_reason(fault)}") from None
    return True


def _reason(fault: OSError) -> str:
    return (fault.strerror or "the system refused").lower()
