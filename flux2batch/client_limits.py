"""Hold one call against the user's own limits: what a call may cost, and what a day may."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from flux2batch.errors import AnswerLost, FluxError, NoPicture, Refused
from flux2batch.money import ZERO, Money, show
from flux2batch.planning.configuration import Limits
from flux2batch.planning.shot import Quote, ShotId


class Allowance:
    """Room for one call in today's limit: reserved before it is sent, settled by what it cost.

    What may have been charged keeps its reserve. Without limits, and where nothing costs anything, it is open.
    """

    def __init__(self, limits: Limits, quote: Quote | None, *, is_free: bool) -> None:
        self._limits = limits
        self._quote = quote
        self._is_open = is_free or (limits.per_run_usd is None and limits.per_day_usd is None)
        self._call = ShotId(uuid.uuid4().hex)
        self._close: Callable[[Money | None], None] = _nothing

    def __enter__(self) -> Self:
        if self._is_open:
            return self
        if self._quote is None:
            raise Refused("The price of this picture is not known, and your configuration limits what may be spent.")
        most = self._quote.max
        if self._limits.per_run_usd is not None and most > self._limits.per_run_usd:
            raise Refused(
                f"This picture may cost {show(most)}, and limits.per_run_usd is {show(self._limits.per_run_usd)}."
            )
        if self._limits.per_day_usd is not None:
            self._reserve(most, self._limits.per_day_usd)
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        self._close(_cost_of(error))

    def settle(self, cost: Money | None) -> None:
        """The picture is there. None: nobody says what it cost."""
        self._close(cost)
        self._close = _nothing

    def _reserve(self, most: Money, limit: Money) -> None:
        from platformdirs import user_state_path

        from flux2batch.engine.purse import DailyPurse

        file = user_state_path("flux2batch", appauthor=False) / "spend.db"
        purse = DailyPurse(file, run_directory="flux2batch.Client", per_day_usd=limit, now=datetime.now(UTC))
        overrun = purse.reserve(self._call, most)
        if overrun is not None:
            purse.close()
            raise Refused(
                f"This picture may cost {show(most)}, {show(overrun.committed_usd)} of today's limit of "
                f"{show(limit)} are spent or reserved, and nothing was sent."
            )

        def close(cost: Money | None) -> None:
            if cost is not None:
                purse.settle(self._call, cost)
            purse.close()

        self._close = close


def _nothing(_cost: Money | None) -> None:
    pass


def _cost_of(error: BaseException | None) -> Money | None:
    """What a call that ended like this has cost; None where it may have cost its whole price."""
    if isinstance(error, NoPicture) and error.cost is not None:
        return error.cost
    was_taken = isinstance(error, AnswerLost) or getattr(error, "ticket", None) is not None
    return ZERO if isinstance(error, FluxError) and not was_taken else None
