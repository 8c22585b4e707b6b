"""Who decides: the name that stands in the journal beside what a person ruled."""

from __future__ import annotations

import getpass


def this_person() -> str:
    """The user's name, as this machine knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"  # a container without a user database
