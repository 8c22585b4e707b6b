"""When to try again, how long to wait, when to stop and what may be spent: values in, verdict out.

tenacity's `wait` and `stop` values say when a call is tried again; nothing here waits, looks at a clock or draws a
number: time, attempts and chance are arguments. The schedules are few and all of them stand here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tenacity import RetryCallState, Retrying
from tenacity.stop import stop_after_attempt, stop_base, stop_never
from tenacity.wait import wait_base, wait_exponential, wait_fixed

from flux2batch.engine.events import NOT_FOUND, AccountRefused, StillWorking, Vanished
from flux2batch.engine.lifecycle import Life
from flux2batch.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How often something is tried again and how long is waited before, without jitter."""

    wait: wait_base
    stop: stop_base

    def wait_s(self, attempt: int) -> float:
        """Seconds before the next attempt, after `attempt` of them failed."""
        return float(self.wait(_state(attempt)))

    def is_spent(self, attempt: int) -> bool:
        """Whether patience ends after this many attempts."""
        return bool(self.stop(_state(attempt)))


_NOBODY = Retrying()


def _state(attempt: int) -> RetryCallState:
    state = RetryCallState(_NOBODY, None, (), {})
    state.attempt_number = max(attempt, 1)
    return state


UNSENT = Schedule(wait=wait_exponential(multiplier=0.5, max=30), stop=stop_after_attempt(8))
"""Not one byte left: offline, refused, a name that does not resolve."""

THROTTLED = Schedule(wait=wait_exponential(multiplier=1, max=60), stop=stop_never)
"""429: the service takes others meanwhile; the shot waits its turn for as long as the run lives."""

POLL_FAILED = Schedule(wait=wait_exponential(multiplier=0.5, max=30), stop=stop_never)
"""A poll without an answer. Its bound is the shot's timeout: what is paid for is not given up for a bad hour."""

DOWNLOAD_FAILED = Schedule(wait=wait_exponential(multiplier=0.5, max=20), stop=stop_after_attempt(12))
"""A download that broke off, or brought something that is not a whole picture."""

LINK_EXPIRED = Schedule(wait=wait_exponential(multiplier=1, max=30), stop=stop_after_attempt(6))
"""A link that is no longer good: the task is polled again for a fresh one."""

NOT_THERE = Schedule(wait=wait_fixed(200), stop=stop_after_attempt(3))
"""The service does not know a task that it accepted: three times over ten minutes, and it is lost."""

NOT_YET_S = 120.0
"""So long after the submit "not found" means that another region has not heard of the task yet."""


def jittered(wait_s: float, chance: float) -> float:
    """The wait with its jitter: between three quarters and five quarters of it. `chance` is in [0, 1)."""
    return wait_s * (0.75 + chance / 2)


def judge_vanished(life: Life, vanished: Vanished, *, age_s: float) -> Vanished | StillWorking:
    """Whether "not found" is to be believed yet, `age_s` seconds after the submit was accepted."""
    young = age_s < NOT_YET_S
    if not young and NOT_THERE.is_spent(life.counters.vanished + 1):
        return vanished
    wait_s = 2.0 if young else NOT_THERE.wait_s(life.counters.vanished + 1)
    return StillWorking(status=NOT_FOUND, queue_position=None, progress=None, wait_s=wait_s, known=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """What may be spent. Each counts charges, what is in flight and what is unknown."""

    run_directory_usd: Money | None  # the job's budget, over all calls
    call_usd: Money | None  # --max-usd, or the configuration's limit for one run: this call alone


REACHED = " is reached"  # what a run ends with that a limit held back, behind the limit's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrun:
    """This shot does not fit."""

    limit: Literal["the job's budget", "this call's limit", "today's limit"]
    limit_usd: Money
    committed_usd: Money
    needed_usd: Money


def fits(reserve: Money, *, budgets: Budgets, committed: Money, committed_before: Money) -> Overrun | None:
    """Whether a shot that may cost `reserve` fits beside all that is committed.

    `committed_before` is what was committed when this call began: the call's own limit does not count it.
    """
    total = budgets.run_directory_usd
    if total is not None and committed + reserve > total:
        return Overrun(limit="the job's budget", limit_usd=total, committed_usd=committed, needed_usd=reserve)
    call = budgets.call_usd
    spent_here = Money(committed - committed_before)
    if call is not None and spent_here + reserve > call:
        return Overrun(limit="this call's limit", limit_usd=call, committed_usd=spent_here, needed_usd=reserve)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """How many takes of one service may be in flight: starts, halves on 429, grows by one after a full window."""

    limit: int
    most: int
    successes: int
    halved_at: datetime | None

    def accepted(self) -> Throttle:
        """A submit was taken."""
        if self.limit >= self.most:
            return self
        if self.successes + 1 >= self.limit:
            return _throttle(self, limit=self.limit + 1, successes=0)
        return _throttle(self, limit=self.limit, successes=self.successes + 1)

    def refused(self, *, sent_at: datetime, at: datetime) -> Throttle:
        """A submit met 429. Only one of those that were under way together counts: once a round trip."""
        if self.halved_at is not None and sent_at <= self.halved_at:
            return self
        return Throttle(limit=max(1, self.limit // 2), most=self.most, successes=0, halved_at=at)


def _throttle(old: Throttle, *, limit: int, successes: int) -> Throttle:
    return Throttle(limit=limit, most=old.most, successes=successes, halved_at=old.halved_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Whether a service may be sent anything new. 401, 402 and 403 open it for good; a storm of 5xx for a minute."""

    refused: AccountRefused | None
    failures: int  # submits in a row that ended in 5xx or silence
    open_until_s: float

    def allows(self, now_s: float) -> bool:
        """Whether a submit may begin."""
        return self.refused is None and now_s >= self.open_until_s

    def account_refused(self, refusal: AccountRefused) -> Breaker:
        """No submit of this run will be taken."""
        return Breaker(refused=refusal, failures=self.failures, open_until_s=self.open_until_s)

    def unanswered(self, now_s: float) -> Breaker:
        """A submit ended in doubt: after five in a row the service is left alone for a minute."""
        failures = self.failures + 1
        pause = now_s + _STORM_PAUSE_S if failures % _STORM == 0 else self.open_until_s
        return Breaker(refused=self.refused, failures=failures, open_until_s=pause)

    def answered(self) -> Breaker:
        """A submit got a clear answer."""
        return Breaker(refused=self.refused, failures=0, open_until_s=self.open_until_s)


_STORM = 5
_STORM_PAUSE_S = 60.0
CLOSED = Breaker(refused=None, failures=0, open_until_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknowns:
    """What to do with a take that nobody answered."""

    rule: Literal["hold", "ask", "resubmit", "free"]
    most: int  # resubmissions of one shot


FREE_TAKES = Unknowns(rule="free", most=0)
"""Of takes that cost nothing: one that nobody answered is simply made again, whatever was asked for of the others."""


def may_resubmit(life: Life, rule: Unknowns) -> bool:
    """Whether an unknown take is given up for another by itself. Only where the user said so, or nothing is lost."""
    return rule.rule == "free" or (rule.rule == "resubmit" and life.resubmissions < rule.most)


def resubmitted_by(rule: Unknowns) -> str:
    """By whose word, as the journal has it."""
    return "nobody: it costs nothing" if rule.rule == "free" else "--on-unknown resubmit"
