"""How a run is going, for a person who glances at it: a tally of facts, and one calm line made of it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from flux2batch.engine.events import Saved, ShotEvent
from flux2batch.engine.lifecycle import ENDED, Life, Phase
from flux2batch.money import Money, show
from flux2batch.text_width import cells, shortened

_WINDOW_S = 120.0
_BAR = 20
_ROOM_FOR_THE_BAR = 100  # columns; where there are fewer, the words need them more


@dataclass(slots=True)
class Tally:
    """What has happened in this run so far."""

    wanted: int  # shots that this run is to bring to an end
    budget: Money | None
    committed: Money
    in_hand: int = 0
    ended: Counter[Phase] = field(default_factory=Counter)
    unknown: int = 0
    stalled: int = 0
    pictures: int = 0
    stopping: bool = False
    pausing: bool = False
    furthest: float | None = None
    _recent: deque[float] = field(default_factory=deque)
    _began_s: float | None = None

    def saw(self, event: ShotEvent, life: Life, now_s: float) -> None:
        """Take in one fact."""
        if isinstance(event, Saved):
            self.pictures += 1
        if life.phase in ENDED:
            self.ended[life.phase] += 1
            self._recent.append(now_s)
        if life.phase is Phase.UNKNOWN:
            self.unknown += 1
        if life.stalled:
            self.stalled += 1

    def stands(
        self,
        *,
        in_hand: int,
        committed: Money,
        stopping: bool,
        pausing: bool,
        furthest: float | None,
        now_s: float,
    ) -> None:
        """Take in where the run stands."""
        self.in_hand, self.committed, self.furthest = in_hand, committed, furthest
        self.stopping, self.pausing = stopping, pausing
        self._began_s = now_s if self._began_s is None else self._began_s
        while self._recent and self._recent[0] < now_s - _WINDOW_S:
            self._recent.popleft()

    @property
    def finished(self) -> int:
        """Shots that came to an end, whichever."""
        return sum(self.ended.values())

    def per_minute(self, now_s: float) -> float | None:
        """Shots a minute of late; None while there is nothing to go by."""
        if len(self._recent) < 3 or self._began_s is None:
            return None
        span = now_s - max(self._began_s, now_s - _WINDOW_S)
        return None if span < 1 else len(self._recent) * 60 / span

    def left_s(self, now_s: float) -> float | None:
        """Seconds until the last shot, at the pace of late."""
        pace = self.per_minute(now_s)
        return None if not pace else max(0, self.wanted - self.finished) / pace * 60


def facts(tally: Tally, now_s: float) -> list[str]:
    """What is worth saying now, in the order of its weight."""
    troubles = {
        "moderated": tally.ended[Phase.MODERATED],
        "rejected": tally.ended[Phase.REJECTED],
        "failed": tally.ended[Phase.FAILED],
        "lost": tally.ended[Phase.LOST],
        "held": tally.unknown,
        "stalled": tally.stalled,
    }
    pace, left_s = tally.per_minute(now_s), tally.left_s(now_s)
    said = []
    if tally.stopping:
        said.append("finishing what is in flight; Ctrl-C again stops at once")
    elif tally.pausing:
        said.append("waiting a minute, the service loses answers")
    said.append(f"{show(tally.committed)} of {show(tally.budget)}" if tally.budget else show(tally.committed))
    if left_s and not tally.stopping and not tally.pausing:
        said.append(f"about {duration(left_s)} left")
    said += [f"{count} {word}" for word, count in troubles.items() if count]
    said += [f"{tally.in_hand} in flight"] if tally.in_hand else []
    said += [f"the next is at {tally.furthest:.0%}"] if tally.furthest is not None else []
    said += [f"{pace:.0f} a minute"] if pace else []
    return said


def line(tally: Tally, now_s: float, *, width: int, unicode: bool = True) -> str:
    """The whole run in one line. What does not fit is left out from the end, a whole fact at a time."""
    cells_of_bar = _BAR if width >= _ROOM_FOR_THE_BAR else _BAR // 2
    share = min(1.0, tally.finished / tally.wanted) if tally.wanted else 1.0
    full = round(share * cells_of_bar)
    bar = "━" * full + "╌" * (cells_of_bar - full) if unicode else "#" * full + "." * (cells_of_bar - full)
    begun = f"{bar} {tally.finished:,}/{tally.wanted:,}"
    said = facts(tally, now_s)
    while said and cells(_joined(begun, said)) > width:
        said.pop()
    return shortened(_joined(begun, said), width)


def _joined(begun: str, said: list[str]) -> str:
    return f"{begun}  {' · '.join(said)}".rstrip()


def duration(seconds: float) -> str:
    """A span of time as people say it: 40 s, 4 min, 2 h 10 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
