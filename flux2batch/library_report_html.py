"""A report as a notebook shows it: what came of the run, what it cost, and its first pictures, small."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from flux2batch import html_text
from flux2batch.money import show
from flux2batch.reporting.sheet_data import picture_key
from flux2batch.running.thumbnail_folder import FOLDER, as_uri, small_name

if TYPE_CHECKING:
    from flux2batch.library_run import Outcome, Report

_PICTURES = 8
_MOST_BYTES = 60_000  # of one thumbnail; ours are a fifth of it


def report_html(report: Report) -> str:
    """A small piece of HTML, with the thumbnails inside."""
    counts = report.counts
    named = [field.name for field in fields(counts) if not field.name.endswith("_usd") and field.name != "frames"]
    states = [(name.replace("_", " "), f"{getattr(counts, name):,}") for name in named if getattr(counts, name)]
    return html_text.whole(
        html_text.paragraph(report.root.name, f"{counts.done:,} of {len(report):,} done, {show(report.cost)}"),
        html_text.table(["state", "shots"], states),
        *islice(_pictures(report), _PICTURES),
    )


def _pictures(report: Report) -> Iterator[str]:
    for outcome in report:
        thumbnail = _thumbnail(report.root, outcome)
        if thumbnail is not None:
            uri = as_uri(thumbnail)
            yield html_text.picture(uri, ", ".join(f"{axis} {id}" for axis, id in outcome.coordinates.items()))


def _thumbnail(root: Path, outcome: Outcome) -> bytes | None:
    """The small picture that the sheet has of a shot."""
    if outcome.image is None:
        return None
    with suppress(OSError):
        key = picture_key(hashlib.sha256(outcome.image.read_bytes()).hexdigest())
        if key is None:
            return None
        small = root / FOLDER / small_name(key)
        state = small.lstat()
        if stat.S_ISREG(state.st_mode) and state.st_size <= _MOST_BYTES:
            return small.read_bytes()
    return None
