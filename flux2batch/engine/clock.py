"""The clock of real life: one face that only goes forward, and one for people."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from flux2batch.engine.work import Moment

# A machine that slept comes back to links that have expired meanwhile: where there is a clock that goes on while it
# sleeps, durations are measured by that one.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


class RealClock:
    """Now."""

    def now(self) -> Moment:
        seconds = time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)
        return Moment(seconds, datetime.now(UTC))
