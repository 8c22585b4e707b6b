"""The page of results: machine, versions, method, and every figure with its goal."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from figures import OURS, Figure, spread

ROOT = Path(__file__).resolve().parent.parent
_PROGRAMS = {"montage": ("-version",), "vipsthumbnail": ("--vips-version",), "chromium": ("--version",)}
_LIBRARIES = (
    "requests",
    "httpx",
    "fal-client",
    "opentryon",
    "check-jsonschema",
    "yamllint",
    "dynamicprompts",
    "hydra-core",
    "snakemake",
)


_HOW = """A ratio within one run counts; an absolute time is information about one machine.
Each figure is the median of its rounds, with the lowest and the highest in brackets; the tools of one figure took
turns. How each is measured stands at the head of its script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One kind of work."""

    title: str
    command: str
    took_s: float
    figures: Sequence[Figure]


def page(sections: Sequence[Section], *, quick: bool) -> str:
    """RESULTS.md, whole."""
    made = f"Written by `make {'bench-quick' if quick else 'bench'}` on {datetime.now(UTC):%Y-%m-%d}."
    parts = ["# Results", "", f"{made} {_HOW}", "", _machine()]
    for section in sections:
        parts.append(f"## {section.title}\n\n`python {section.command}`, {section.took_s:.0f} s\n")
        parts.append(_table(section.figures) if section.figures else "It broke, so there are no figures.\n")
    return "\n".join(parts)


def _machine() -> str:
    rows = [
        ("machine", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {_memory_gb()} GB of memory"),
        ("Python", platform.python_version()),
        ("flux2batch", f"{metadata.version('flux2batch')}, {_said('git', 'rev-parse', '--short', 'HEAD')}"),
        *((name, _said(name, *how).splitlines()[0][:80]) for name, how in _PROGRAMS.items() if shutil.which(name)),
        *_libraries(),
    ]
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {told} |\n" for name, told in rows)


def _libraries() -> list[tuple[str, str]]:
    found = []
    for environment in (".peers", ".bench"):
        python = ROOT / environment / "venv" / "bin" / "python"
        if python.exists():
            for line in _said(str(python), "-m", "pip", "list", "--format=freeze").splitlines():
                name, _, version = line.partition("==")
                if name.lower() in _LIBRARIES:
                    found.append((name.lower(), version))
    return list(dict(found).items())


def _said(*command: str) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return ended.stdout.strip() or "unknown"


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)


def _table(figures: Sequence[Figure]) -> str:
    lines = ["| figure | flux2batch | goal | beside |", "|---|---|---|---|"]
    for figure in figures:
        others = ", ".join(f"{who} {spread(values)}" for who, values in figure.rounds.items() if who != OURS)
        ours = f"{spread(figure.rounds[OURS])} {figure.unit}".strip() if OURS in figure.rounds else ""
        lines.append(f"| {figure.name} | {ours} | {_goal(figure)} | {others} |")
    return "\n".join(lines) + "\n"


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    sign = "≤" if figure.better == "low" else "≥"
    return f"{sign} {figure.goal:,g}: {'met' if figure.is_met else '**missed**'}"
