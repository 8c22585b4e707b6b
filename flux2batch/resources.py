"""Read the files of schemas/ and templates/, from a wheel or from a checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache
def folder(name: str) -> Path:
    """The folder `schemas` or `templates`: inside the package in a wheel, beside it in a checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def read_text(name: str) -> str:
    """The text of a shipped file, such as "schemas/job.schema.json"."""
    top, _, rest = name.partition("/")
    return (folder(top) / rest).read_text(encoding="utf-8")


def read_bytes(name: str) -> bytes:
    """The bytes of a shipped file, such as "templates/init/refs/boat.png"."""
    top, _, rest = name.partition("/")
    return (folder(top) / rest).read_bytes()
