"""The licences of weights on one's own machine: each is shown once, at the first run with it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from flux2batch.planning.plan import Plan

_FILE = "licences-shown.txt"


def new_licences(plan: Plan, state_folder: Path) -> dict[str, str]:
    """The licences of the plan's models that this user was not shown yet, by model."""
    found = {model: entry.licence for model, _ in plan.totals.models if (entry := plan.configuration.entry(model))}
    known = _shown(state_folder)
    return {model: licence for model, licence in found.items() if licence and _line(model, licence) not in known}


def note_shown(licences: dict[str, str], state_folder: Path) -> None:
    """They are not shown again. Where that cannot be kept, they are."""
    if not licences:
        return
    with suppress(OSError):
        state_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (state_folder / _FILE).open("a", encoding="utf-8") as file:
            file.writelines(f"{_line(model, licence)}\n" for model, licence in licences.items())


def _shown(state_folder: Path) -> frozenset[str]:
    try:
        return frozenset((state_folder / _FILE).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return frozenset()


def _line(model: str, licence: str) -> str:
    return f"{model}: {licence}"
