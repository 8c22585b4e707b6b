"""Tags, none of which a job may have, and words that only look like one."""

from __future__ import annotations

from collections.abc import Iterable, Set

from flux2batch.reading.yaml_reports import Reports, short

# Other tools give these a meaning: they are meant as tags even with nothing behind them.
_KNOWN = {"!env", "!include", "!ref", "!file", "!secret", "!vault", "!reset", "!join", "!merge", "!var"}


def report_tags(reports: Reports, tags: Iterable[tuple[int, int]], bare: Set[int]) -> None:
    """Each tag is a problem; `bare` are the starts of those with nothing behind them, as in `prompt: !important`."""
    for start, end in tags:
        if not reports.is_open:
            return
        tag = reports.source.text[start:end]
        is_word = not tag.startswith(("!!", "!<")) and tag not in _KNOWN
        if tag == "!" or (is_word and start in bare):
            help = f'quote it: "{short(tag)}"'
            reports.error("FB100", "'!' cannot start a plain value", start, start + 1, help=help)
        else:
            help = "write the value itself, or quote it if it is text"
            reports.error("FB111", f"tags such as '{short(tag)}' are not allowed", start, end, help=help)
