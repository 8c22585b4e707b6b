"""Take secrets out of a text that is about to be written down."""

from __future__ import annotations

import re
from collections.abc import Mapping

_HIDDEN = "****"
_NAMES_A_SECRET = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
_LONG_ENOUGH = 8  # hiding every "1" of a text would hide the text

_LOOKS_SECRET = re.compile(
    r"(?P<before>\b(?:x-key|authorization|api[_-]?key|token|secret|password)\b[\"']?\s*[:=]\s*[\"']?"
    r"(?:(?:Key|Bearer|Basic)\s+)?)[^\s\"',}]+"
    r"|(?P<scheme>\b(?:Key|Bearer|Basic)\s+)[A-Za-z0-9._:+/=-]{16,}"
    r"|(?P<url>https?://)[^\s/@\"']{1,500}@"  # user:password@
    r"|(?P<link>https?://[^\s?\"']{1,2000}\?)[^\s\"']+"  # a delivery link's query is as good as a key for ten minutes
    r"|\bbfl_[A-Za-z0-9]{12,}"
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{16,}",  # a key of fal: an id and its secret
    re.IGNORECASE,
)


def redacted(text: str, environ: Mapping[str, str]) -> str:
    """The text without the values of variables that hold secrets, and without all that looks like one."""
    values = {
        value.strip()
        for name, value in environ.items()
        if _NAMES_A_SECRET.search(name) and len(value.strip()) >= _LONG_ENOUGH
    }
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    return _LOOKS_SECRET.sub(_hide, text)


def _hide(match: re.Match[str]) -> str:
    kept = next((match[name] for name in ("before", "scheme", "url", "link") if match[name]), "")
    return f"{kept}{_HIDDEN}{'@' if match['url'] else ''}"
