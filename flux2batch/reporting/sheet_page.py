"""The page of a sheet: template, style, script and data in one file, under a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from flux2batch import __version__, resources

if TYPE_CHECKING:
    from jinja2 import Template

MARK = 'id="sheet-data"'
"""What tells a page of ours from another file of the same name."""

# In a script element only these could end it, or open a comment. U+2028 and U+2029 once ended lines of scripts.
_ESCAPES = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of a character, as a file name that is no UTF-8 has them: nothing can write them as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The files of templates/sheet, with the styles and the scripts each as one text."""

    page: str
    style: str
    script: str


@cache
def parts() -> Parts:
    """The page's own files, joined in the order that `parts.txt` gives."""
    names = resources.read_text("templates/sheet/parts.txt").split()

    def joined(ending: str) -> str:
        texts = (resources.read_text(f"templates/sheet/{name}") for name in names if name.endswith(ending))
        return "\n".join(texts)

    return Parts(page=resources.read_text("templates/sheet/page.html"), style=joined(".css"), script=joined(".js"))


def page_of(data: Mapping[str, Any], inside: Parts | None = None) -> str:
    """The page that shows this data."""
    inside = inside or parts()
    return _template(inside.page).render(
        title=_HALVES.sub("?", data["title"]),
        language="en",
        emulated=data["emulated"],
        finished=data["finished"],
        refresh_s=data["refresh_s"],
        shots=len(data["shots"]),
        version=__version__,
        csp=policy(inside.style, inside.script),
        style=Markup(inside.style),
        script=Markup(inside.script),
        data=Markup(as_json(data)),
    )


@cache
def _template(page: str) -> Template:
    """The page's template, compiled: a run writes its page every few seconds."""
    from jinja2 import Environment, StrictUndefined

    return Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True).from_string(page)


def policy(style: str, script: str) -> str:
    """The content security policy: pictures from beside the page, our own style and script by their hash, no more."""
    return "; ".join(
        [
            "default-src 'none'",
            "img-src 'self' data: blob:",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    # Browsers hash what they parsed, and parsing makes every line end a plain newline.
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'sha256-{base64.b64encode(hashlib.sha256(plain.encode()).digest()).decode()}'"


def as_json(data: Mapping[str, Any]) -> str:
    """The data as JSON that nothing in it can leave: no tag, no comment, no half of a character."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", text.translate(_ESCAPES))
