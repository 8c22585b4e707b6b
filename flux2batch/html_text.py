"""Small pieces of HTML for a notebook: everything that comes from outside is text in them, and nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from flux2batch.safe_text import safe_line

_LONGEST = 200


def text(raw: object) -> str:
    """Whatever it is, as one line that no browser takes for markup, and not too long."""
    line = safe_line(str(raw))
    return escape(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…")


def paragraph(strong: object, rest: object = "") -> str:
    """A line that begins with what it is about."""
    return f"<p><strong>{text(strong)}</strong> {text(rest)}</p>"


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; "" where there is no row."""
    body = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    head = "".join(f"<th>{text(title)}</th>" for title in titles)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else ""


def picture(uri: str, says: object) -> str:
    """A picture that is inside the page: `uri` is a data URI of ours, with no character that could end it."""
    return f'<img src="{uri}" alt="{text(says)}" title="{text(says)}" width="128">'


def whole(*pieces: str) -> str:
    """The pieces as one."""
    return f"<div>{''.join(pieces)}</div>"
