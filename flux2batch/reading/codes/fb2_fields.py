"""FB2xx: keys and values of a job file."""

from __future__ import annotations

from flux2batch.reading.codes.code import Code

CODES: tuple[Code, ...] = ()
