"""The shots that a run has in its hands, and what each of them waits for.

A shot that waits is an entry in a heap and holds no thread. Lines that are up are used first, then pictures are fetched
(links that die soon first), then polls, then new takes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from flux2batch.engine.calling import Called, SafetyNet
from flux2batch.engine.events import Ticket
from flux2batch.engine.lifecycle import Life, Phase
from flux2batch.engine.pacing import Allowance
from flux2batch.engine.policy import CLOSED, Breaker, Throttle, Unknowns
from flux2batch.engine.work import Fetch, Moment, Open, Poll, Work
from flux2batch.planning.shot import ShotId

LINK_LIFE_S = 540.0
"""A result link lives ten minutes; where the service names no moment, it is used up a minute before."""
_BACKLOG_S = 300.0

_Entry = tuple[float, int, ShotId]  # when, the turn of the shot that it stands for, and the shot


@dataclass(slots=True)
class Service:
    """One service as this run has come to know it."""

    throttle: Throttle
    allowance: Allowance
    unknowns: Unknowns
    at_once: Callable[[], int] | None  # for how many takes it has room, where it can say so itself
    net: SafetyNet | None  # where it calls: how rarely it is asked all the same
    breaker: Breaker = CLOSED
    taking: int = 0  # takes that count against the throttle: from the opening of a line to the last poll
    quiet_until: float = 0.0  # no new take before: a 429 asked for it, or the network is away
    offline: bool = False
    missed: int = 0  # pictures in a row that were found ready, and that nobody had called about
    due_polls: list[_Entry] = field(default_factory=list)  # the longest due first

    def takes_more(self, now: Moment) -> bool:
        """Whether a new take may begin as far as the service is concerned."""
        return (
            self.breaker.allows(now.s)
            and not self.offline
            and now.s >= self.quiet_until
            and self.taking < self.throttle.limit
            and (self.at_once is None or self.taking < self.at_once())
        )

    @property
    def is_relied_on(self) -> bool:
        """Whether it calls, as far as is known."""
        return self.net is not None and self.net.relies(self.missed)

    @property
    def is_closed(self) -> bool:
        """Whether it takes nothing any more in this run."""
        return self.offline or self.breaker.refused is not None


@dataclass(slots=True)
class Active:
    """One shot that this run has in its hands."""

    shot: ShotId
    service: Service
    kind: str  # of picture: what its pace is learnt from
    life: Life
    taken_s: float
    accepted_s: float = 0.0
    accepted_here: bool = False
    looked_s: float = 0.0  # when it was last found not ready
    dies_s: float = 0.0  # when its link does
    ready_s: float = 0.0
    busy: bool = False
    progress: float | None = None  # from 0 to 1, as the service said last
    counted: bool = False  # against the throttle
    early: tuple[Called, Ticket] | None = None  # a call that came before the answer to the submit
    called: int = 0  # calls that were followed by a look
    looks: int = 0  # that found nothing, since then
    look_again: bool = False  # a call came while it was looked at
    turn: int = 0  # a heap entry of an earlier turn is stale


class InHand:
    """All of them, and the queues that they stand in."""

    def __init__(self) -> None:
        self.shots: dict[ShotId, Active] = {}
        self.lines: list[ShotId] = []  # that are up and unused
        self.opens: list[ShotId] = []
        self.in_doubt: dict[ShotId, float] = {}  # whose answer was lost → until when the run waits for their call
        self.silent: set[ShotId] = set()  # whose call did not come in that time: it is heard, and not waited for
        self._owners: dict[str, ShotId] = {}  # task id → the shot that it was given for
        self._fetches: list[_Entry] = []  # ordered by the death of the link
        self._later: list[_Entry] = []  # everything that waits for a moment
        self._turn = 0
        self._unwritten: dict[ShotId, int] = {}  # facts of each shot that are not durable yet
        self._parked: dict[ShotId, _Entry] = {}  # what has become due of those meanwhile

    # Who is here.

    def take(self, active: Active) -> None:
        """From here on this run looks after the shot."""
        self.shots[active.shot] = active
        if active.life.ticket is not None:
            self._owners[active.life.ticket.task_id] = active.shot

    def let_go(self, active: Active) -> None:
        """The run has no more to do with this shot."""
        del self.shots[active.shot]
        self.expect_no_call(active)
        if active.life.ticket is not None:
            self._owners.pop(active.life.ticket.task_id, None)
        self.uncount(active)

    def release_unsent(self) -> None:
        """Let go of what nothing was begun for: it stays an intent, and the next run begins with it."""
        for active in list(self.shots.values()):
            if active.life.phase is Phase.INTENT and not active.busy and active.shot not in self.lines:
                self.let_go(active)
        self.opens.clear()

    def release_doubtful(self) -> None:
        """Let go of those whose answer was lost: their calls are not waited for any more."""
        for active in list(self.shots.values()):
            if active.life.phase is Phase.UNKNOWN:
                self.let_go(active)

    def await_call(self, active: Active, *, until_s: float) -> None:
        """Its answer was lost, and its call may still name it. Its place is free for others meanwhile."""
        self.uncount(active)
        self.in_doubt[active.shot] = until_s

    def expect_no_call(self, active: Active) -> None:
        """Its answer is not in doubt any more."""
        self.in_doubt.pop(active.shot, None)
        self.silent.discard(active.shot)

    def fallen_silent(self, now: Moment) -> list[Active]:
        """Those whose call has not come in time, each told once."""
        late = [shot for shot, until_s in self.in_doubt.items() if until_s <= now.s]
        for shot in late:
            del self.in_doubt[shot]
            self.silent.add(shot)
        return [self.shots[shot] for shot in late]

    def is_free(self, task_id: str, shot: ShotId) -> bool:
        """Whether no other shot has this task."""
        return self._owners.get(task_id, shot) == shot

    def claim(self, task_id: str, shot: ShotId) -> bool:
        """Whether a task id is this shot's alone; it is noted as such."""
        return self._owners.setdefault(task_id, shot) == shot

    def count(self, active: Active) -> None:
        """The take counts against what its service may have in flight."""
        if not active.counted:
            active.counted = True
            active.service.taking += 1

    def uncount(self, active: Active) -> None:
        """Its service has done its part."""
        if active.counted:
            active.counted = False
            active.service.taking -= 1

    # Waiting.

    def hold(self, shot: ShotId, facts: int) -> None:
        """Begin nothing for this shot until so many more facts of it are durable."""
        self._unwritten[shot] = self._unwritten.get(shot, 0) + facts

    def release(self, shot: ShotId, facts: int) -> None:
        """So many of them are."""
        self._unwritten[shot] -= facts
        if self._unwritten[shot]:
            return
        del self._unwritten[shot]
        due = self._parked.pop(shot, None)
        if due is not None:
            heapq.heappush(self._later, due)

    def wait(self, active: Active, due: float) -> None:
        """Look at it again at that moment."""
        self._turn += 1
        active.turn = self._turn
        heapq.heappush(self._later, (due, self._turn, active.shot))

    def expect_link(self, active: Active, now: Moment) -> None:
        """Its picture is to be fetched, before the link dies."""
        rendered = active.life.rendered
        left_s = LINK_LIFE_S
        if rendered is not None and rendered.expires_at is not None:
            left_s = (rendered.expires_at - now.at) / timedelta(seconds=1)
        active.dies_s = now.s + left_s
        self.wait(active, now.s)

    def next_moment(self) -> float | None:
        """When the next of those that wait is due."""
        while self._later and self._is_stale(self._later[0]):
            heapq.heappop(self._later)
        return min([*(entry[0] for entry in self._later[:1]), *self.in_doubt.values()], default=None)

    def is_behind_with_fetches(self, now: Moment) -> bool:
        """Whether finished pictures have waited so long that their links are in danger: then nothing new is begun."""
        if not self._fetches:
            return False
        first = self.shots[self._fetches[0][2]]
        return now.s - first.ready_s > _BACKLOG_S

    # What is to be done.

    def wake(self, now: Moment) -> None:
        """Move what has become due to where it is looked for."""
        while self._later and self._later[0][0] <= now.s:
            entry = heapq.heappop(self._later)
            if self._is_stale(entry):
                continue
            due, turn, shot = entry
            if shot in self._unwritten:
                self._parked[shot] = entry
                continue
            active = self.shots[shot]
            match active.life.phase:
                case Phase.ACCEPTED:
                    heapq.heappush(active.service.due_polls, (due, turn, shot))
                case Phase.READY:
                    heapq.heappush(self._fetches, (active.dies_s, turn, shot))
                case Phase.INTENT:
                    self.opens.append(shot)

    def begin(self, shot: ShotId, work: Work) -> Work:
        """It is in a worker's hands from here on."""
        self.shots[shot].busy = True
        return work

    def next_line(self) -> ShotId | None:
        """A line that is up, and may be used."""
        for position in reversed(range(len(self.lines))):
            if self.lines[position] not in self._unwritten:
                return self.lines.pop(position)
        return None

    def next_fetch(self) -> Work | None:
        """The picture whose link dies first."""
        if not self._fetches:
            return None
        shot = heapq.heappop(self._fetches)[2]
        life = self.shots[shot].life
        missing = set(range(len(life.frames))) - {saved.frame for saved in life.saved}
        return self.begin(shot, Fetch(shot, min(missing), life))

    def next_poll(self, service: Service, now: Moment) -> Work | None:
        """The shot that has been due for the longest, where the service's allowance has room for a poll."""
        while service.due_polls:
            shot = service.due_polls[0][2]
            if self._is_stale(service.due_polls[0]):
                heapq.heappop(service.due_polls)
                continue
            if not service.allowance.take(now.s):
                return None
            heapq.heappop(service.due_polls)
            active = self.shots[shot]
            assert active.life.ticket is not None, "BUG: accepted without a ticket"
            called = active.called > 0 and active.looks == 0
            return self.begin(shot, Poll(shot, active.life.ticket, called))
        return None

    def next_open(self, now: Moment, *, stopping: bool) -> Work | None:
        """The first shot whose line may be opened now. One that nobody will send stays an intent for the next run."""
        for position, shot in enumerate(self.opens):
            active = self.shots[shot]
            if stopping or active.service.is_closed:
                self.opens.pop(position)
                self.let_go(active)
                return self.next_open(now, stopping=stopping)
            if now.s >= active.service.quiet_until and active.service.breaker.allows(now.s):
                self.opens.pop(position)
                return self.begin(shot, Open(shot, active.life.takes))
        return None

    def _is_stale(self, entry: _Entry) -> bool:
        active = self.shots.get(entry[2])
        return active is None or active.turn != entry[1]
