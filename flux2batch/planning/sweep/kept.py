"""How many values of an axis are kept once they are made, wherever something is made of each."""

from __future__ import annotations

KEPT = 32_768
"""More values than any sheet shows. An axis that has still more is made anew as it goes round: twice the time."""
