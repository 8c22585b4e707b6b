"""The table of models in the README, as the catalogue has it."""

from __future__ import annotations

import re
from pathlib import Path

from flux2batch.planning.models import in_words as words
from flux2batch.planning.models.catalogue import entries

README = Path(__file__).resolve().parent.parent / "README.md"
_BETWEEN = re.compile(r"(?<=<!-- models: made by `make docs` -->\n).*?(?=<!-- /models -->)", re.DOTALL)


def readme() -> str:
    """The README with its table of models as it must be."""
    return _BETWEEN.sub(lambda _: table(), README.read_text(encoding="utf-8"))


def table() -> str:
    """What `flux2batch models` prints, as Markdown."""
    known = entries().values()
    dates = sorted(entry.price.asof for entry in known if entry.price)
    rows = [
        f"| `{entry.model}` | {entry.best_for} | {words.price_of_one_megapixel(entry)} | {entry.references.max} |"
        for entry in known
    ]
    head = ["| model | best for | 1024x1024 | references |", "|---|---|---:|---:|"]
    return "\n".join([*head, *rows, "", f"Prices as of {dates[0].isoformat()} or later.", "", ""])
