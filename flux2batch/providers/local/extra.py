"""The libraries that only drawing on one's own machine needs: there, or a message that says how to get them."""

from __future__ import annotations

from importlib.util import find_spec

from flux2batch.errors import InvalidInput
from flux2batch.reading.problems import error

LOCAL = ("torch", "diffusers", "transformers", "accelerate")
FLEET = ("ray",)


def require(extra: str, libraries: tuple[str, ...], *, wanted_by: str) -> None:
    """Raise InvalidInput (FB026) where a library of an extra is missing. Nothing is imported."""
    missing = [name for name in libraries if find_spec(name) is None]
    if not missing:
        return
    raise InvalidInput(
        [
            error(
                "FB026",
                f"{wanted_by} needs {_listed(missing)} not installed here",
                where=None,
                help=f"pip install 'flux2batch[{extra}]' (the torch for your GPU first: docs/local.md)",
            )
        ]
    )


def _listed(names: list[str]) -> str:
    *head, last = names
    return f"{', '.join(head)} and {last}, which are" if head else f"{last}, which is"
