"""FB6xx: limits of models, counts and money."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = ()
