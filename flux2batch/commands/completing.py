"""What a shell completes where a command wants a run directory, a model, or a code."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

_RUNS = ("runs/*/", "*/runs/*/")


class Directory(click.Path):
    """A run directory or a job file. The run directories of this folder come first, then any file."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from flux2batch.engine.run_directory import is_run_directory

        with suppress(OSError):
            roots = sorted(str(root) for pattern in _RUNS for root in Path().glob(pattern) if is_run_directory(root))
            if found := starting_with(incomplete, roots):
                return found
        return super().shell_complete(ctx, param, incomplete)


def models(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The models of the catalogue, with what each is best for."""
    from flux2batch.planning.models.catalogue import entries

    return [
        CompletionItem(name, help=entry.best_for) for name, entry in entries().items() if name.startswith(incomplete)
    ]


def explained(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The codes of messages, with what each says."""
    from flux2batch.reading import codes

    wanted = incomplete.upper()
    return [CompletionItem(name, help=code.title) for name, code in codes.ALL.items() if name.startswith(wanted)]


def schemas(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the schemas."""
    from flux2batch import resources

    ending = ".schema.json"
    return starting_with(
        incomplete, sorted(path.name.removesuffix(ending) for path in resources.folder("schemas").glob(f"*{ending}"))
    )


def starting_with(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    """Those of the words that may be meant."""
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
