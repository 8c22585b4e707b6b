"""A service that fails on purpose, by chance; its books outlive every process."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from flux2batch.engine.events import (
    Accepted,
    AccountRefused,
    Charge,
    DownloadFailed,
    Failed,
    Frame,
    LinkExpired,
    Moderated,
    PollFailed,
    Rejected,
    Rendered,
    Saved,
    StillWorking,
    Throttled,
    Ticket,
    Unanswered,
    Vanished,
)
from flux2batch.engine.work import Fetch, Outcome
from flux2batch.money import ZERO, Money, usd
from flux2batch.planning.shot import ShotId

PRICE = usd("0.05")


@dataclass(frozen=True)
class Weather:
    """How badly things go, as probabilities."""

    unsent: float = 0.04
    throttled: float = 0.06
    lost_answer: float = 0.05
    server_error: float = 0.03
    rejected: float = 0.02
    account: float = 0.0
    moderated: float = 0.04
    failed: float = 0.02
    poll_fails: float = 0.1
    not_yet_found: float = 0.05
    expired: float = 0.08
    download_fails: float = 0.1
    crash_at_append: float = 0.02
    crash_any_time: float = 0.3


CALM = Weather(*[0.0] * 14)


@dataclass
class Task:
    shot: ShotId
    ready_s: float
    end: str
    charge: Money


@dataclass
class Service:
    """The service's own books: they outlive every process."""

    chance: random.Random
    weather: Weather
    name: str
    most: int
    tasks: dict[str, Task] = field(default_factory=dict)
    posts: Counter[ShotId] = field(default_factory=Counter)

    def active(self, now_s: float) -> int:
        return sum(task.ready_s > now_s for task in self.tasks.values())

    def post(self, shot: ShotId, now_s: float) -> tuple[Outcome, float]:
        """What a submit comes to, and how long its answer takes. Booked at once: the answer may still be lost."""
        roll, weather = self.chance.random, self.weather
        delay = 0.05 + roll() * 0.4
        if roll() < weather.account:
            return AccountRefused(status=402, kind="credits", reason="no credits"), delay
        if roll() < weather.throttled or (self.name == "bfl" and self.active(now_s) >= self.most):
            wait = self.chance.choice([None, 0.5, 3.0])
            return Throttled(wait_s=wait, reason="too many"), delay
        if roll() < weather.rejected:
            return Rejected(status=422, reason="no", parameters=()), delay
        if roll() < weather.server_error / 2:
            return Unanswered(reason="500 before booking", status=500, excerpt=None), delay
        task_id = f"{self.name}-{len(self.tasks)}"
        ends = ["done", "moderated", "failed"]
        fair = 1 - weather.moderated - weather.failed
        end = self.chance.choices(ends, [fair, weather.moderated, weather.failed])[0]
        self.tasks[task_id] = Task(
            shot, now_s + self.chance.lognormvariate(0.8, 0.2), end, PRICE if end == "done" else ZERO
        )
        self.posts[shot] += 1
        if roll() < weather.lost_answer:
            return Unanswered(reason="silence", status=None, excerpt=None), delay + 5
        if roll() < weather.server_error / 2:
            return Unanswered(reason="502 after booking", status=502, excerpt=None), delay
        ticket = Ticket(
            provider=self.name,
            model=f"{self.name}/m",
            endpoint="/m",
            task_id=task_id,
            poll_url=f"https://x/{task_id}",
            result_url=None,
            cancel_url=None,
        )
        told = self.name == "bfl"
        return Accepted(ticket=ticket, charge=_charge(PRICE) if told else None, evidence="answer"), delay

    def poll(self, ticket: Ticket, now_s: float) -> Outcome:
        roll, task = self.chance.random, self.tasks[ticket.task_id]
        if roll() < self.weather.poll_fails:
            return PollFailed(reason="502", status=502, wait_s=None, offline=False)
        if now_s < task.ready_s:
            if roll() < self.weather.not_yet_found:
                return Vanished(reason="not found")
            return StillWorking(status="Pending", queue_position=None, progress=None, wait_s=1.0, known=True)
        match task.end:
            case "moderated":
                return Moderated(stage="content", reasons=("x",), charge=_charge(ZERO))
            case "failed":
                return Failed(reason="x", charge=_charge(ZERO))
        frame = Frame(url=f"{ticket.poll_url}.png", width=None, height=None, media_type=None, nsfw=False)
        charge = _charge(task.charge) if self.name == "fal" else None
        return Rendered(frames=(frame,), expires_at=None, seed=1, prompt=None, charge=charge, details={})

    def fetch(self, work: Fetch) -> Outcome:
        roll = self.chance.random
        if roll() < self.weather.expired:
            return LinkExpired(reason="403")
        if roll() < self.weather.download_fails:
            return DownloadFailed(reason="cut", status=None, wait_s=None, offline=False)
        return Saved(
            frame=work.frame,
            path=f"{work.shot}.png",
            copies=(),
            sha256="0" * 64,
            size_bytes=1,
            width=1,
            height=1,
            media_type="image/png",
            original=None,
            remark=None,
        )


def _charge(amount: Money) -> Charge:
    return Charge(usd=amount, source="cost", megapixels_in=None, megapixels_out=None)
