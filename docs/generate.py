"""Write the pages of docs/ that are made from the code: `make docs`; a test holds them equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import readme_models
from job_file_page import job_file_page

from flux2batch import cli
from flux2batch.engine import lifecycle
from flux2batch.reading import codes
from flux2batch.reading.codes.code import Code

HERE = Path(__file__).resolve().parent
_MADE = "<!-- Made from the code by `make docs`; change it there. -->"


def errors_page() -> str:
    """Every code with cause, example and fix, after the exit codes."""
    return "\n".join(_errors()) + "\n"


def _errors() -> Iterator[str]:
    yield from ("# Messages and exit codes", "", _MADE, "")
    yield "Every message carries a code; `flux2batch explain FB204` says in the terminal what stands here."
    yield from ("", "## Exit codes", "", "| code | meaning |", "|---:|---|")
    for code, meaning in cli.EXIT_CODES:
        yield f"| {code} | {meaning} |"
    yield from ("", "Several at once: 8 > 7 > 6 > 5 > 4 > 3 > 1; a signal's code wins over 1 to 5.")
    yield "A warning changes no exit code unless `--strict` is given."
    yield from ("", "## Codes", "")
    for each in codes.ALL.values():
        yield from (f"### {each.name}: {each.title}", "", f"{each.cause} {_exit_code(each)}", "")
        yield from ("For example:", "", *_block(each.example), "", "Instead:", "", *_block(each.fix), "")


def _exit_code(code: Code) -> str:
    if code.only_warns:
        return f"It is a warning; with `--strict` exit code {code.exit_code}."
    return f"Exit code {code.exit_code}."


def commands_page() -> str:
    """The help of every command, as the terminal shows it."""
    return "\n".join(_commands()) + "\n"


def _commands() -> Iterator[str]:
    yield from ("# Commands", "", _MADE, "")
    root = click.Context(cli.commands, info_name=cli.PROGRAM, **cli.commands.context_settings)
    for name in cli.commands.list_commands(root):
        command = cli.commands.get_command(root, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=root, **command.context_settings)
        yield from (f"## {cli.PROGRAM} {name}", "", *_block(command.get_help(context).rstrip()), "")


def _block(text: str) -> list[str]:
    fence = "````" if "```" in text else "```"
    return [f"{fence}text", *text.split("\n"), fence]


def lifecycle_page() -> str:
    """The life of a shot, drawn from the very table that the engine obeys."""
    return "\n".join(_lifecycle()) + "\n"


def _lifecycle() -> Iterator[str]:
    yield from ("# The life of a shot", "", _MADE, "")
    yield "Each arrow is an event in the journal. ↻ is a loop that patience bounds within a run; ✋ is gone through"
    yield "only on a person's word, or when a picture was moved."
    yield from ("", "```mermaid", "stateDiagram-v2", "  [*] --> planned")
    for phase, row in lifecycle.TABLE.items():
        for event, target in row.items():
            yield f"  {phase} --> {target}: {event.__name__}{_mark(phase, event)}"
    yield "  ready --> done: Saved, the last frame"
    yield from (f"  {phase} --> [*]" for phase in sorted(lifecycle.ENDED))
    yield from ("```", "", "| state | event | next | |", "|---|---|---|---|")
    for phase, row in lifecycle.TABLE.items():
        for event, target in row.items():
            says = " ".join((event.__doc__ or "").split("\n")[0].split())
            yield f"| {phase} | {event.__name__}{_mark(phase, event)} | {target} | {'' if '(' in says[:40] else says} |"


def _mark(phase: lifecycle.Phase, event: type) -> str:
    if (phase, event) in lifecycle.COUNTED:
        return " ↻"
    return " ✋" if (phase, event) in lifecycle.ASKED_FOR else ""


PAGES: dict[str, Callable[[], str]] = {
    "errors": errors_page,
    "commands": commands_page,
    "lifecycle": lifecycle_page,
    "job-file": lambda: job_file_page(_MADE),
}


if __name__ == "__main__":
    for page, make in PAGES.items():
        path = HERE / f"{page}.md"
        path.write_text(make(), encoding="utf-8")
        print(f"docs: wrote {path.relative_to(HERE.parent)}")
    readme_models.README.write_text(readme_models.readme(), encoding="utf-8")
    print("docs: wrote the models of README.md")
